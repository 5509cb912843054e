"""What is routed into a tunnel at one gateway comes out at the other, protected in between, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.events import Cause, ChildSaDeleted
from dataplane.ike.nat import Endpoint
from lab.capture.keylog import parse
from lab.topology.load import loads
from tests.lab.stage import CBC, GATEWAYS, GCM, gateways, shared_keys_of
from tests.path.gateways import World
from tests.path.path import receive, send
from tests.unit.dataplane.esp.peers import ipv4, tcp, udp

MARK = b"a mark that is easily found"
SPREAD = [28, 29, 60, 100, 576, 1399, 1400, *[1400] * 20, 1398, *[84] * 9]


def packets(lengths: list[int] = SPREAD, *, source: str = "192.168.0.10", destination: str = "10.0.2.4") -> list[bytes]:
    return [
        ipv4(
            (number.to_bytes(4, "big") + MARK * 60)[: octets - 20], source=source, destination=destination, protocol=99
        )
        for number, octets in enumerate(lengths)
    ]


BACK = packets(source="10.0.2.4", destination="192.168.0.10")


@pytest.mark.parametrize("more", [CBC, GCM, ""], ids=["cbc", "gcm", "default"])
@pytest.mark.parametrize("encapsulation", ["auto", "udp"])
def test_both_directions_are_carried_and_nothing_is_readable_outside(more: str, encapsulation: str) -> None:
    world = World.up(gateways(more=more, encapsulation=encapsulation))
    assert world.across(packets()) == packets()
    assert world.across(BACK, sender="b") == BACK
    assert all(MARK not in payload for _, _, payload in world.network.sent)
    ports = {local.port for local, _, payload in world.network.sent if len(payload) > 1300}
    assert ports == ({4500} if encapsulation == "udp" else {0})
    status = world.status("a")
    assert status["egress_packets"] == status["ingress_packets"] == len(SPREAD)
    assert status["discarded"] == {}


def test_every_key_is_on_file_before_anything_is_sent_under_it() -> None:
    world = World.make()
    gateway = world.gateways["a"]
    seen: list[int] = []
    real = gateway.keying.ike.to_send

    def to_send(now: float) -> object:
        seen.append(len(world.told["a"].keys))
        return real(now)

    gateway.keying.ike.to_send = to_send  # type: ignore[method-assign, assignment]
    world.begin()
    # IKE_SA_INIT is sent without keys, IKE_AUTH with the IKE SA's on file.
    assert seen[0] == 0
    assert seen[1] == 1
    for node in "ab":
        kinds = [record["type"] for record in world.told[node].keys]
        assert kinds == ["ike-sa", "esp-sa", "esp-sa"]
        for record in world.told[node].keys:
            parse(dict(record))
    assert {record["spi"] for record in world.told["a"].keys[1:]} == {
        record["spi"] for record in world.told["b"].keys[1:]
    }


def test_before_the_tunnel_is_up_nothing_leaves_and_each_packet_is_counted() -> None:
    world = World.make()
    assert world.across(packets()) == []
    assert world.network.sent == []
    assert world.status("a")["discarded"] == {"OutNoSa": len(SPREAD)}
    assert world.status("a")["state"] == "Unknown"


def test_a_tunnel_that_is_down_discards_and_cannot_be_begun_from_outside() -> None:
    world = World.up()
    world.gateways["b"].command("down", {"connection": "t"})
    world.run()
    assert world.status("b")["state"] == "NotConnected"
    del world.network.sent[:]
    world.wait(30)
    assert {world.status("a")["state"], world.status("b")["state"]} <= {"Connecting", "NotConnected"}
    assert world.across(packets(), sender="a") == world.across(BACK, sender="b") == []
    assert all(MARK not in payload for _, _, payload in world.network.sent)
    assert world.gateways["b"].keying.refused > 0
    world.gateways["b"].command("up", {"connection": "t"})
    world.run()
    world.wait(5)
    assert world.status("a")["state"] == world.status("b")["state"] == "Connected"
    assert world.across(packets()) == packets()


def test_up_does_not_wait_for_the_next_try_of_an_attempt_that_goes_on() -> None:
    world = World.up(gateways(b="mode: ResponderOnly"))
    world.gateways["b"].command("down", {"connection": "t"})
    world.run()
    world.wait(40)
    assert world.status("a")["state"] == "Connecting"
    for node in "ba":
        world.gateways[node].command("up", {"connection": "t"})
    world.run()
    assert world.status("a")["state"] == world.status("b")["state"] == "Connected"
    assert world.status("a")["why"] == ""


@pytest.mark.parametrize("verb", ["child", "ike"])
@pytest.mark.parametrize("sender", ["a", "b"])
def test_a_rekey_loses_nothing(verb: str, sender: str) -> None:
    world = World.up()
    before = {sa["spi_in"] for sa in world.status("a")["children"]}
    ike = {sa["spi_i"] for sa in world.status("a")["ike"]}
    gateway = world.gateways[sender]
    sent, came = [], []
    for turn in range(40):
        if turn == 10:
            gateway.command("rekey", {"connection": "t", "what": verb})
        # Packets between any two messages of the exchange: one node at a time moves.
        for node, other, these in (("a", "b", packets([100 + turn])), ("b", "a", packets([200 + turn]))):
            send(world.host[node, "t"], these)
            sent += these
            world.gateways[node].outward(world.tunnel(node))
            for port in world.ports[other]:
                world.gateways[other].inward(port)
            came += receive(world.host[other, "t"])
    world.run()
    came += receive(world.host["a", "t"]) + receive(world.host["b", "t"])
    assert sorted(came) == sorted(sent)
    after = {sa["spi_in"] for sa in world.status("a")["children"]}
    if verb == "child":
        assert after.isdisjoint(before)
        assert world.status("a")["children"][0]["pfs"] == "ECP_384"
    else:
        assert {sa["spi_i"] for sa in world.status("a")["ike"]}.isdisjoint(ike)
        assert after == before
    assert world.status("a")["state"] == world.status("b")["state"] == "Connected"
    assert world.status("b")["discarded"] == {}


def test_what_was_under_way_when_a_child_was_replaced_still_arrives_for_a_moment() -> None:
    world = World.up()
    late = ipv4(MARK, protocol=99)
    sealed = world.tunnel("a").esp.encapsulate_packet(late, world.now)
    world.gateways["a"].command("rekey", {"connection": "t"})
    world.run()
    world.ports["a"][-1].send_one(sealed.octets, world.ports["b"][-1].local)  # type: ignore[union-attr]
    world.run()
    assert receive(world.host["b", "t"]) == [late]
    world.wait(10)
    world.ports["a"][-1].send_one(sealed.octets, world.ports["b"][-1].local)  # type: ignore[union-attr]
    world.run()
    assert receive(world.host["b", "t"]) == []
    strays = world.gateways["b"].status()["strays"]
    assert isinstance(strays, dict)
    assert strays["InNoSa"] == 1


def test_octets_that_are_used_up_bring_a_successor_without_loss() -> None:
    policy = GCM.replace("102400000", "1024")
    world = World.up(gateways(more=policy))
    first = world.status("a")["children"][0]["spi_in"]
    sent = 0
    for _ in range(60):  # 60 times 16 packets of 1,400 octets are more than one 1,024 KB
        these = packets([1400] * 16)
        assert world.across(these) == these
        sent += 16
    status = world.status("a")
    assert status["children"][0]["spi_in"] != first
    assert status["egress_packets"] == sent
    assert status["discarded"] == {}
    assert len(world.told["a"].named("esp-sa-up")) > 1


def test_a_lifetime_in_seconds_brings_a_successor_before_it_ends() -> None:
    world = World.up(gateways(more=GCM.replace("3600", "300")))
    first = world.status("a")["children"][0]["spi_in"]
    world.wait(290, step=1)
    assert world.status("a")["children"][0]["spi_in"] != first
    world.wait(20, step=1)
    assert world.across(packets()) == packets()
    assert not world.told["a"].named("esp-sa-expired")


def test_a_peer_that_is_gone_is_found_out_and_comes_back() -> None:
    world = World.up(gateways(more=f"dpd_timeout_seconds: 9\n    {GCM}"))
    world.cut()
    world.wait(9 + 130, step=1)
    for node in "ab":
        assert world.status(node)["state"] in ("NotConnected", "Connecting")
        assert world.status(node)["cause"] == "peer-dead"
    assert world.across(packets()) == []
    world.cut(is_cut=False)
    world.wait(70, step=1)
    assert world.status("a")["state"] == world.status("b")["state"] == "Connected"
    assert world.across(packets()) == packets()
    assert world.status("a")["connects"] == 2


def test_traffic_is_a_sign_of_life() -> None:
    world = World.up(gateways(more=f"dpd_timeout_seconds: 9\n    {GCM}"))
    asked = len(world.network.sent)
    for _ in range(60):
        world.wait(1, step=1)
        assert world.across(packets([100]))
        assert world.across(packets([100]), sender="b")
    ike = [payload for local, _, payload in world.network.sent[asked:] if local.port == 500]
    assert ike == [], "nobody asks a peer that is heard"
    world.wait(20, step=1)
    assert any(local.port == 500 for local, _, _ in world.network.sent[asked:])


@pytest.mark.parametrize(
    ("b", "cause"),
    [
        ("psk: https://kv-test.vault.azure.net/secrets/other", "authentication-failed"),
        (GCM.replace("dhGroup: ECP384", "dhGroup: ECP256"), "no-proposal-chosen"),
        (GCM.replace("GCMAES256, ipsecI", "GCMAES128, ipsecI").replace("y: GCMAES256, ike", "y: GCMAES128, ike"),
         "no-proposal-chosen"),
    ],
    ids=["psk", "ike", "esp"],
)  # fmt: skip
def test_what_does_not_fit_is_named_at_both_ends_and_nothing_goes_in_clear(b: str, cause: str) -> None:
    world = World.make(gateways(b=b))
    world.begin()
    for node in "ab":
        assert world.status(node)["cause"] == cause, world.status(node)
        assert world.status(node)["state"] != "Connected"
    assert world.across(packets()) == []
    assert all(MARK not in payload for _, _, payload in world.network.sent)
    assert world.status("a")["discarded"] == {"OutNoSa": len(SPREAD)}


def test_selectors_that_do_not_meet_are_named() -> None:
    more = f"use_policy_based_traffic_selectors: true\n    {GCM}"
    world = World.make(gateways(b="peer_prefixes: 172.31.0.0/16", more=more))
    world.begin()
    assert world.status("a")["cause"] == world.status("b")["cause"] == "ts-unacceptable"
    assert world.across(packets()) == []


@pytest.mark.parametrize("group", ["None", "PFS14"])
def test_pfs_that_differs_shows_at_the_first_rekey_and_the_old_child_lives_on(group: str) -> None:
    world = World.up(gateways(b=GCM.replace("pfsGroup: ECP384", f"pfsGroup: {group}")))
    world.gateways["a"].command("rekey", {"connection": "t"})
    world.run()
    assert world.status("a")["cause"] == world.status("b")["cause"] == "pfs-mismatch"
    assert world.status("a")["state"] == world.status("b")["state"] == "Connected"
    assert world.across(packets()) == packets()


def test_policy_selectors_carry_their_pairs_and_nothing_else() -> None:
    more = f"use_policy_based_traffic_selectors: true\n    {GCM}"
    world = World.up(gateways(more=more))
    (child,) = world.status("a")["children"]
    assert (child["local"], child["remote"]) == (["192.168.0.0/16"], ["10.0.0.0/16"])
    assert world.across(packets()) == packets()
    assert world.across(packets([100], source="172.31.0.1")) == []
    assert world.status("a")["discarded"] == {"OutNoPolicy": 1}


def test_replays_and_forgeries_are_discarded_by_name() -> None:
    world = World.up()
    assert world.across(packets([100])) == packets([100])
    local, target, payload = world.network.sent[-1]
    raw = next(port for port in world.ports["a"] if port.local == local)
    raw.send_one(payload, target)
    raw.send_one(payload[:-1] + bytes((payload[-1] ^ 1,)), target)
    raw.send_one(payload[:4] + (9).to_bytes(4, "big") + payload[8:], target)
    raw.send_one(b"\x00\x00\x10\x01" + payload[4:], target)
    raw.send_one(b"\x01", target)
    world.run()
    assert receive(world.host["b", "t"]) == []
    assert world.status("b")["discarded"] == {"InReplayed": 2, "InNotAuthentic": 1}
    strays = world.gateways["b"].status()["strays"]
    assert isinstance(strays, dict)
    assert (strays["InNoSa"], strays["InTooShort"]) == (1, 1)
    reasons = [event["reason"] for event in world.told["b"].named("esp-discarded")]
    assert sorted(map(str, reasons)) == ["InNoSa", "InNotAuthentic", "InReplayed", "InReplayed", "InTooShort"]


def test_keepalives_and_scraps_on_port_4500_are_set_aside() -> None:
    world = World.up(gateways(encapsulation="udp"))
    natt = next(port for port in world.ports["a"] if port.local.port == 4500)
    target = Endpoint("203.0.113.2", 4500)
    natt.send_one(b"\xff", target)
    natt.send_one(b"\x01\x02", target)
    send(world.host["a", "t"], packets([100, 1400]))
    world.run()
    assert receive(world.host["b", "t"]) == packets([100, 1400])
    strays = world.gateways["b"].status()["strays"]
    assert isinstance(strays, dict)
    assert (strays["keepalive"], strays["too short"]) == (1, 1)


def test_a_nat_that_moves_a_gateway_is_followed_by_its_traffic_alone() -> None:
    world = World.up(gateways(encapsulation="udp"))
    natt = next(port for port in world.ports["a"] if port.local.port == 4500)
    moved = Endpoint("203.0.113.77", 61999)
    send(world.host["a", "t"], packets([100]))
    world.run()
    receive(world.host["b", "t"])
    old = world.network.sent[-1][2]
    world.network.translate(natt.local, moved)
    forged = old[:4] + (77).to_bytes(4, "big") + old[8:]
    for payload in (old, forged):  # replayed, and not authentic: nobody is moved by such
        natt.send_one(payload, Endpoint("203.0.113.2", 4500))
        world.run()
        assert not world.told["b"].named("peer-moved")
    assert world.across(packets()) == packets()
    (event,) = world.told["b"].named("peer-moved")
    assert event["remote"] == str(moved)
    assert world.across(BACK, sender="b") == BACK
    # So it is for IKE.
    assert world.gateways["b"].command("rekey", {"connection": "t"}) == {"rekeyed": 1}
    world.run()
    assert world.across(BACK, sender="b") == BACK
    assert {status["state"] for status in world.statuses().values()} == {"Connected"}


def test_what_does_not_fit_is_answered_to_its_sender() -> None:
    world = World.up(gateways(mtu=1500))
    whole = ipv4(bytes(1480), df=True)
    send(world.host["a", "t"], [whole])
    world.run()
    (answer,) = receive(world.host["a", "t"])
    assert answer[9] == 1
    assert (answer[20], answer[21]) == (3, 4)  # RFC 792: fragmentation needed
    assert answer[16:20] == whole[12:16]
    assert answer[12:16] == bytes((10, 9, 0, 1)), "from the tunnel's own address"
    assert receive(world.host["b", "t"]) == []
    assert world.status("a")["discarded"] == {"OutTooBig": 1}


def test_mss_is_brought_down() -> None:
    topology = loads(str(GATEWAYS).format(
        encapsulation="auto", mtu=1400, wire_mtu=1500, more=GCM, a="", b=""
    ).replace("mss: 0", "mss: 1200"))  # fmt: skip
    world = World.up(topology)
    syn = tcp(4, flags=2, options=bytes((2, 4)) + (1460).to_bytes(2, "big"))
    (came,) = world.across([syn])
    assert int.from_bytes(came[42:44], "big") == 1200


def test_congestion_marked_outside_goes_on_inside() -> None:
    world = World.up()
    inner = ipv4(udp(100), tos=2)  # ECT(0)
    sealed = world.tunnel("a").esp.encapsulate_packet(inner, world.now)
    raw = next(port for port in world.ports["a"] if port.local.port == 0)
    raw._put(sealed.octets, Endpoint("203.0.113.2", 0), 3)  # type: ignore[union-attr]
    world.run()
    (came,) = receive(world.host["b", "t"])
    assert came[1] == 3, "RFC 6040 4.2: CE"


def many(count: int) -> str:
    nodes = "".join(
        f"  v{i}: {{role: vpn-device, routes: [{{to: 10.9.9.9/32, via: 10.8.{i}.2}}]}}\n" for i in range(count)
    )
    links = "".join(
        f"  - {{ends: [v{i}:w, b:w{i}], addresses: [10.8.{i}.1/30, 10.8.{i}.2/30]}}\n" for i in range(count)
    )
    tunnels = "".join(
        f"""
  - name: t{i}
    ends:
      v{i}: {{address: 10.8.{i}.1, prefixes: 172.16.{i}.0/24}}
      b: {{address: 10.9.9.9, prefixes: 10.0.0.0/16}}
    psk: https://kv-test.vault.azure.net/secrets/psk{i}
    encapsulation: {"udp" if i % 2 else "auto"}
    {GCM}"""
        for i in range(count)
    )
    secrets = "".join(f"psk{i}: {{random: 32}}, " for i in range(count))
    return (
        f"name: many\nvaults: {{kv-test: {{{secrets}}}}}\nnodes:\n  b: {{role: vnet-gateway, addresses: 10.9.9.9/32}}\n"
        f'{nodes}links:\n{links}connections:{tunnels}\nexpect: {{"*": ipsec}}\ntraffic: [[v0, b]]\n'
    )


def test_thirty_connections_of_one_gateway_keep_apart() -> None:
    world = World.up(loads(many(30)))
    for i in range(30):
        send(world.host[f"v{i}", f"t{i}"], packets([100 + i, 1400, 1400], source=f"172.16.{i}.1"))
    for i in range(30):
        world.gateways[f"v{i}"].outward(world.tunnel(f"v{i}", f"t{i}"))
    # Now all of it waits at one port, mixed.
    world.run()
    for i in range(30):
        assert receive(world.host["b", f"t{i}"]) == packets([100 + i, 1400, 1400], source=f"172.16.{i}.1")
    keys = {str(end.psk) for each in world.topology.connections for end in each.ends}
    assert len(keys) == 30
    assert shared_keys_of(world.topology).keys() == keys


def test_a_peer_that_chooses_an_spi_twice_loses_that_child_alone() -> None:
    world = World.up()
    keying = world.gateways["a"].keying
    (child,) = world.tunnel("a").installed.values()
    keying._take(replace(child, spi_in=b"\x12\x34\x56\x78"), world.now)
    world.run()
    assert world.status("a")["cause"] == "invalid-syntax"
    assert len(world.status("a")["children"]) == 1
    assert world.across(packets()) == packets()
    keying._take(
        ChildSaDeleted(peer="t", child="any", spi_in=b"\x12\x34\x56\x78", spi_out=child.spi_out,
                       cause=Cause.CLOSED_HERE, detail=""), world.now)  # fmt: skip
    assert world.across(packets()) == packets()


def test_no_status_and_no_event_shows_a_key() -> None:
    world = World.up()
    world.gateways["a"].command("rekey", {"connection": "t", "what": "ike"})
    world.run()
    said = repr([world.gateways[node].status() for node in "ab"]) + repr([world.told[node].events for node in "ab"])
    hidden = [str(value) for node in "ab" for record in world.told[node].keys for name, value in record.items()
              if name.startswith(("sk_", "encryption_key", "integrity_key"))]  # fmt: skip
    hidden += [key.decode() for key in shared_keys_of(world.topology).values()]
    assert len(hidden) > 20
    assert not [key for key in hidden if key in said]
