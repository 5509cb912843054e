"""Links that key themselves: from nothing to secured, through rekeys and bad wires; what does not fit stays shut."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dataplane.batch import Batch
from dataplane.crypto.secret import Secret
from dataplane.macsec.suites import CIPHER_SUITES, CipherSuite, suite_named
from dataplane.mka.keys import Cak
from dataplane.mka.times import HELLO
from dataplane.wire.sectag import SecTag
from lab.errors import InputError
from lab.model.macsec import SciEncoding
from lab.nodes.keyed import make_cak
from lab.nodes.manage import manage
from lab.ports.counters import PortCounters
from lab.ports.memory import MemoryPort
from lab.ports.port import Port
from tests.lab.keyed_pair import CAK, MISTAKES, keyed_secrets, keyed_topology
from tests.path.keyed import EAPOL, KeyedPath
from tests.path.path import receive, send

OTHER = {"a": "b", "b": "a"}
SUITES = [suite.name for suite in CIPHER_SUITES]


def path_of(**options: Any) -> KeyedPath:
    topology = keyed_topology(**options)
    return KeyedPath(topology.links[0], keyed_secrets(topology))


def secured(**options: Any) -> KeyedPath:
    path = path_of(**options)
    path.start()
    path.run()
    assert path.secured
    return path


def frame(sender: str, number: int, octets: int = 100) -> bytes:
    addresses = {"a": "020000000002020000000001", "b": "020000000001020000000002"}
    return (bytes.fromhex(addresses[sender]) + b"\x08\x00" + number.to_bytes(8, "big")).ljust(octets, b"\x5a")


class Traffic:
    """Numbered frames both ways, a few at a time, and which of them have arrived."""

    def __init__(self, path: KeyedPath, burst: int = 3) -> None:
        self.path = path
        self.burst = burst
        self.sent = {"a": 0, "b": 0}
        self.arrived: dict[str, list[bytes]] = {"a": [], "b": []}

    def __call__(self) -> None:
        for node in "ab":
            first = self.sent[node]
            self.sent[node] += self.burst
            send(self.path.ends[node].host, [frame(node, first + i) for i in range(self.burst)])
        self.path.run()
        for node in "ab":
            self.arrived[node] += receive(self.path.ends[node].host)

    def check_whole(self) -> None:
        """Everything has arrived, once and in order."""
        for node in "ab":
            assert self.arrived[OTHER[node]] == [frame(node, i) for i in range(self.sent[node])]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("sci_encoding", [SciEncoding.EXPLICIT, SciEncoding.END_STATION])
@pytest.mark.parametrize("vids", [(), (10, 100)], ids=["untagged", "qinq"])
def test_a_link_is_secured_within_two_hellos_and_carries_both_ways(
    suite: str, sci_encoding: SciEncoding, vids: tuple[int, ...]
) -> None:
    path = path_of(suite=suite, sci_encoding=sci_encoding, vids=vids)
    path.start("a")
    path.run(30)
    assert not path.ends["a"].keyed.is_open
    began = path.now
    path.start("b")
    path.run()
    assert path.secured
    assert path.now - began < 2 * HELLO
    for node in "ab":
        frames = [frame(node, i, octets) for i, octets in enumerate((14, 60, 100, 1514))]
        assert path.across(frames, sender=node) == frames
    assert path.clear_frames() == []
    tags = [SecTag.parse(octets[12:]) for _, octets in path.on_wire if octets[12:14] != EAPOL]
    assert {tag.sci is not None for tag in tags} == {sci_encoding is SciEncoding.EXPLICIT}
    assert all(tag.encrypted for tag in tags)


def test_mkpdus_go_untagged_to_the_pae_group_address_from_the_wires_mac() -> None:
    path = secured(vids=(10, 100))
    mkpdus = {(sender, octets[:14]) for sender, octets in path.on_wire if octets[12:14] == EAPOL}
    assert mkpdus == {
        ("a", bytes.fromhex("0180c2000003 020000000001 888e")),
        ("b", bytes.fromhex("0180c2000003 020000000002 888e")),
    }


def test_until_it_is_secured_nothing_but_eapol_passes_and_what_is_lost_is_counted() -> None:
    path = path_of()
    path.start("a")
    send(path.ends["a"].host, [frame("a", i) for i in range(5)])
    send(path.ends["b"].common, [frame("b", i) for i in range(7)])  # in the clear, from the wire
    path.run(1)
    assert receive(path.ends["a"].host) == []
    assert {octets[12:14] for _, octets in path.on_wire} == {EAPOL}
    counters = path.ends["a"].keyed.secy.counters
    assert (counters.ifOutDiscards, counters.InPktsNoTag) == (5, 7)


def test_a_good_frame_that_meets_a_closed_port_is_dropped_and_counted() -> None:
    """The key server opens first, and what it sends may reach a member that does not know yet that it may open."""
    path = secured()
    path.ends["b"].keyed.is_open = False
    assert path.across([frame("a", 1)], sender="a") == []
    assert path.ends["b"].edge.status()["shut_out"] == 1


@pytest.mark.parametrize("suite", SUITES)
def test_every_sak_is_on_file_before_a_frame_is_sent_under_it(suite: str) -> None:
    path = secured(suite=suite)
    for _ in range(5):
        for node in "ab":
            sa, ears = path.sa(node), path.ends[node].ears
            written = [record for record in ears.on_file if record["an"] == sa.an][-1]
            assert written["sak"] == sa.sak.key.reveal().hex()
            assert written["sci"] == path.ends[node].keyed.secy.transmit.sci.hex()
            assert written["cipher_suite"] == suite
            assert ("salt" in written) is ("ssci" in written) is suite_named(suite).xpn
        rekey(path)
        path.run(4)
    assert all(len(end.ears.on_file) == 6 for end in path.ends.values())


def rekey(path: KeyedPath) -> None:
    assert [path.ends[node].keyed.rekey() for node in "ab"] == [True, False]
    path.run()


def test_a_thousand_rekeys_under_load_lose_no_frame() -> None:
    path = secured(suite="GCM-AES-XPN-256")
    traffic = Traffic(path)
    ans = []
    for _ in range(1000):
        rekey(path)
        traffic()
        ans.append(path.sa("a").an)
        path.run(3.1, traffic, every=1.0)
    traffic.check_whole()
    assert ans == [(number + 1) % 4 for number in range(1000)]
    assert path.clear_frames() == []


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("who", ["a", "b"], ids=["key-server", "other"])
def test_near_the_end_of_the_pns_a_fresh_sak_takes_over_without_loss(suite: str, who: str) -> None:
    path = secured(suite=suite)
    traffic = Traffic(path)
    traffic()
    pending = suite_named(suite).pending_pn_exhaustion
    assert manage(path.ends[OTHER[who]].keyed, "expect-pn", {"next_pn": pending - 20})
    assert manage(path.ends[who].keyed, "skip-pns", {"next_pn": pending - 20})
    path.run(0.05, traffic)
    assert path.sa(who).an == 0
    path.run(5, traffic, every=0.1)  # the other one tells its PNs two seconds late, and with its hello
    assert [path.sa(node).an for node in "ab"] == [1, 1]
    path.run(5, traffic, every=0.5)
    traffic.check_whole()


@pytest.mark.parametrize("suite", [suite for suite in CIPHER_SUITES if not suite.xpn], ids=lambda suite: suite.name)
def test_a_rollover_is_in_time_even_when_pns_are_used_up_within_a_moment(suite: CipherSuite) -> None:
    """A quarter of the PNs are left when a fresh SAK is asked for; here nearly none, and still no nonce comes twice."""
    path = secured(suite=suite.name)
    manage(path.ends["b"].keyed, "expect-pn", {"next_pn": suite.greatest_pn - 5})
    manage(path.ends["a"].keyed, "skip-pns", {"next_pn": suite.greatest_pn - 5})
    traffic = Traffic(path, burst=6)
    path.run(5, traffic, every=0.5)
    traffic.check_whole()
    assert path.sa("a").an == 1


def test_what_is_asked_of_pns_is_checked() -> None:
    path = path_of()
    keyed = path.ends["a"].keyed
    with pytest.raises(InputError, match="nothing is secured"):
        manage(keyed, "skip-pns", {"next_pn": 5})
    path.start()
    path.run()
    path.across([frame("a", 1)], sender="a")
    for wrong in (1, 1 << 32, True, "5", None):
        with pytest.raises(InputError, match=r"next PN|a number"):
            manage(keyed, "skip-pns", {"next_pn": wrong})
    assert manage(keyed, "dance", {}) is None


class RoughEapol:
    """A port whose EAPOL frames are lost, doubled and held back; all other frames pass."""

    def __init__(self, port: Port, seed: int) -> None:
        self._port = port
        self._chance = random.Random(seed)
        self._held: bytes | None = None

    @property
    def counters(self) -> PortCounters:
        return self._port.counters

    def fileno(self) -> int:
        return self._port.fileno()

    def receive(self, batch: Batch) -> int:
        return self._port.receive(batch)

    def send(self, batch: Batch) -> int:
        frames = [bytes(octets) for octets in batch]
        out = Batch(2 * batch.slots + 1, batch.size)
        for octets in frames:
            if octets[12:14] != EAPOL:
                out.append(octets)
                continue
            if self._chance.random() < 0.3:
                continue
            if self._chance.random() < 0.3 and self._held is None:
                self._held = octets
                continue
            for _ in range(1 + (self._chance.random() < 0.3)):
                out.append(octets)
            if self._held is not None:
                out.append(self._held)
                self._held = None
        self._port.send(out)
        return batch.count

    def close(self) -> None:
        self._port.close()


@pytest.mark.parametrize("seed", range(8))
def test_on_a_wire_that_is_rough_to_mkpdus_no_data_is_lost_once_secured(seed: int) -> None:
    """An AN is never used before the peer receives with it: every frame that is sent while open arrives."""
    topology = keyed_topology(suite="GCM-AES-XPN-128")
    ports = iter(range(2))
    path = KeyedPath(topology.links[0], keyed_secrets(topology), lambda port: RoughEapol(port, seed * 2 + next(ports)))
    path.start()
    for _ in range(40):
        path.run(0.5)
        if all(end.keyed.is_open for end in path.ends.values()):
            break
    assert path.secured
    for _ in range(20):
        path.ends["a"].keyed.rekey()
        path.run(6)
        for node in "ab":
            if all(end.keyed.is_open for end in path.ends.values()):
                frames = [frame(node, i) for i in range(3)]
                assert path.across(frames, sender=node) == frames
    for node in "ab":
        counters = path.ends[node].keyed.secy.counters
        channels = path.ends[node].keyed.secy.receive_channels()
        assert counters.InPktsNoSAError == counters.InPktsNoSCI == 0
        assert all(channel.counters.InPktsNotUsingSA == channel.counters.InPktsNotValid == 0 for channel in channels)
    assert path.clear_frames() == []


@pytest.mark.parametrize("name", MISTAKES)
def test_what_does_not_fit_stays_shut_and_is_named(name: str) -> None:
    mistake, troubles = MISTAKES[name]
    suite = "GCM-AES-128" if name != "cipher-suite" else "GCM-AES-XPN-256"
    if name == "cipher-suite":
        mistake = {"cipher_suite": "GCM-AES-256"}
    path = path_of(mistake=mistake, suite=suite)
    path.start()
    arrived: list[bytes] = []

    def talk() -> None:
        for node in "ab":
            send(path.ends[node].host, [frame(node, 1)])
        path.run()
        for node in "ab":
            arrived.extend(receive(path.ends[node].host))

    path.run(30, talk, every=0.3)
    assert arrived == []
    assert path.clear_frames() == []
    assert not any(end.keyed.is_open for end in path.ends.values())
    assert [path.ends[node].keyed.status()["trouble"] for node in "ab"] == list(troubles)


def test_a_forged_frame_of_the_other_sci_state_closes_nothing() -> None:
    path = secured(sci_encoding=SciEncoding.END_STATION)
    forged = bytes.fromhex("020000000002 020000000001 88e5 2c00 00000001 0200000000010001") + bytes(60)
    send(path.ends["a"].common, [forged])
    assert path.across([frame("a", 1)], sender="a") == [frame("a", 1)]
    assert path.secured


@pytest.mark.parametrize("delay_protection", [False, True])
def test_with_delay_protection_a_frame_that_was_held_back_is_late(delay_protection: bool) -> None:
    path = secured(delay_protection=delay_protection, replay_window=64)
    first = frame("a", 1)
    assert path.across([first], sender="a") == [first]
    held = path.on_wire[-1][1]
    path.across([frame("a", number) for number in range(2, 12)], sender="a")
    path.run(1)
    assert again(path, held) == [first]  # inside the window the standard knows no duplicates
    path.run(5)
    assert again(path, held) == ([] if delay_protection else [first])
    (channel,) = path.ends["b"].keyed.secy.receive_channels()
    assert channel.counters.InPktsLate == int(delay_protection)


def again(path: KeyedPath, held: bytes) -> list[bytes]:
    """A frame of a's comes to b once more, from the wire."""
    send(path.ends["a"].common, [held])
    path.run()
    return receive(path.ends["b"].host)


def test_a_status_shows_no_key_and_what_is_worth_knowing() -> None:
    path = secured(suite="GCM-AES-XPN-256")
    path.run(10)
    status: dict[str, Any] = path.ends["b"].keyed.status()
    assert (status["secured"], status["state"], status["trouble"]) == (True, "retire", None)
    assert status["participants"] == [
        {
            "ckn": b"the name of the key".hex(),
            "principal": True,
            "key_server": "0200000000010001",
            "live": ["0200000000010001"],
            "potential": 0,
        }
    ]
    (sak,) = status["saks"]
    assert (sak["an"], sak["key_number"], sak["age"]) == (0, 1, 10.0)
    shown = repr([status, path.ends["b"].ears.events, path.ends["b"].edge.status()])
    assert path.sa("b").sak.key.reveal().hex() not in shown
    assert bytes(range(32)).hex() not in shown


# --- another CAK ------------------------------------------------------------------------------------------------------

NEW = Cak(cak=Secret(b"\x77" * 16), ckn=b"successor")
FIELDS = {"ckn": NEW.ckn.hex(), "cak": "77" * 16}


def ckns(path: KeyedPath, node: str) -> list[str]:
    status: dict[str, Any] = path.ends[node].keyed.status()
    return [participant["ckn"] for participant in status["participants"]]


def test_a_pair_added_beside_the_old_one_takes_over_without_loss() -> None:
    path = secured()
    traffic = Traffic(path)
    old = ckns(path, "a")
    for node in "ab":
        manage(path.ends[node].keyed, "add-cak", FIELDS)
        path.run(3, traffic)
    assert [manage(path.ends["a"].keyed, "holds-cak", fields) for fields in (FIELDS, FIELDS | {"cak": "78" * 16})] == [
        {"holds": True},
        {"holds": False},
    ]
    for node in "ba":
        manage(path.ends[node].keyed, "remove-cak", {"ckn": old[0]})
        path.run(3, traffic)
    traffic.check_whole()
    assert [ckns(path, node) for node in "ab"] == [[NEW.ckn.hex()]] * 2


def test_a_pair_that_is_replaced_loses_frames_until_both_have_it() -> None:
    path = secured()
    manage(path.ends["a"].keyed, "replace-cak", FIELDS)
    assert path.across([frame("b", 1)], sender="b") == []
    path.run(8.5)
    assert not any(end.keyed.is_open for end in path.ends.values())
    assert path.ends["a"].keyed.status()["trouble"] == "ckn"
    manage(path.ends["b"].keyed, "replace-cak", FIELDS)
    path.run()
    assert path.secured
    assert path.across([frame("b", 2)], sender="b") == [frame("b", 2)]


def test_what_is_no_cak_is_refused_and_not_shown() -> None:
    path = secured()
    keyed = path.ends["a"].keyed
    for fields in ({"ckn": "00", "cak": "77" * 15}, {"ckn": "", "cak": "77" * 16}, {"ckn": "0", "cak": "77" * 16}, {}):
        with pytest.raises(InputError) as refused:
            manage(keyed, "add-cak", fields)
        assert "77" not in str(refused.value)
    with pytest.raises(InputError, match="no participant"):
        manage(keyed, "remove-cak", {"ckn": "0badcafe"})
    with pytest.raises(InputError, match="already"):
        manage(keyed, "add-cak", {"ckn": ckns(path, "a")[0], "cak": "77" * 16})
    with pytest.raises(InputError, match="not the key server"):
        manage(path.ends["b"].keyed, "rekey", {})
    assert path.secured


def test_a_missing_secret_is_named() -> None:
    topology = keyed_topology()
    secrets = {name: value for name, value in keyed_secrets(topology).items() if name != str(CAK)}
    with pytest.raises(InputError, match=r"there is no secret .*/cak, its CAK"):
        KeyedPath(topology.links[0], secrets)
    with pytest.raises(InputError, match="16 or 32 octets"):
        make_cak(b"name", b"short")


def test_the_port_is_closed_again_when_the_peer_falls_silent() -> None:
    path = secured()
    path.ends["b"].joined = False
    path.run(8.5)
    a = path.ends["a"]
    assert not a.keyed.is_open
    assert a.ears.names("secured", "unsecured") == ["secured", "unsecured"]
    assert isinstance(a.common, MemoryPort)
    send(a.host, [frame("a", 1)])
    path.run()
    assert a.keyed.secy.counters.ifOutDiscards == 1
