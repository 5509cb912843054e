"""What a file means. What is wrong with one is in tests/golden/errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from lab.errors import InputError
from lab.model.expectation import Expectation, Layer
from lab.model.link import TagKind
from lab.model.macsec import CakChange, MacsecPolicy, MkaKeys, SciEncoding, StaticKeys
from lab.model.roles import Role
from lab.model.secret import SecretReference
from lab.topology.load import load, loads

TOPOLOGIES = Path(__file__).parents[4] / "topologies"

PAIR = """
name: pair
nodes: {ce: {role: ce}, msee1: {role: msee}}
links:
  - ends: [ce:link1, msee1:link1]
    addresses: [172.16.0.1/30, 172.16.0.2/30]
    mtu: 1500
    LINK
expect: {ce--msee1: EXPECT}
traffic: [[ce, msee1]]
"""
MKA = (
    "macsec: {cipher: CIPHER, OPTIONS ckn: https://kv-a.vault.azure.net/secrets/ckn, "
    "cak: https://KV-A.vault.azure.net/secrets/Cak/0123456789ABCDEF0123456789abcdef}"
)


def pair(link: str = "", expect: str = "macsec") -> str:
    return PAIR.replace("LINK", link).replace("EXPECT", expect)


def mka(cipher: str = "GcmAesXpn256", options: str = "") -> str:
    return MKA.replace("CIPHER", cipher).replace("OPTIONS", f"{options}, " if options else "")


def policy(text: str) -> MacsecPolicy:
    found = loads(text).links[0].macsec
    assert found is not None
    return found


@pytest.mark.parametrize("path", sorted(TOPOLOGIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_topologies_load_under_their_own_name(path: Path) -> None:
    topology = load(path)
    assert topology.name == path.stem
    assert topology.source == str(path)
    assert topology.description
    assert topology.traffic
    assert all(link.expect is not None for link in topology.links)
    # The negative control warns, and weak groups do.
    warned = [warning.text for warning in topology.warnings]
    weak = [text for text in warned if "a 1024-bit group is within reach" in text]
    assert (len(weak) == 2) == (path.stem in ("expressroute-circuit", "expressroute-direct"))
    assert (warned != weak) == (path.stem == "clear")


def test_direct_bears_the_guides_addresses() -> None:
    topology = load(TOPOLOGIES / "expressroute-direct.yaml")
    assert [node.role for node in topology.nodes] == [
        Role.ONPREM, Role.VPN_DEVICE, Role.CE, Role.MSEE, Role.MSEE, Role.VNET_GATEWAY, Role.WORKLOAD,
    ]  # fmt: skip
    assert topology.traffic == (("onprem", "workload"),)
    held = {str(address.ip) for node in topology.nodes for address in node.loopback_addresses}
    held |= {str(address.ip) for link in topology.links for end in link.ends for address in end.addresses}
    assert {"203.0.113.1", "10.0.1.4", "192.168.1.1", "10.0.2.4"} <= held
    for segment in ("ce--msee1", "ce--msee2"):
        link = topology.link(segment)
        assert link.macsec is not None
        assert (link.macsec.cipher_suite, link.bandwidth_gbps) == ("GCM-AES-XPN-256", 100)
        assert link.tag.vids == (10, 100)
        assert (link.a.wire_mtu, link.a.mtu) == (1540, 1500)
        assert link.expect == Expectation(layers=(Layer.MACSEC, Layer.IPSEC))
    outer = {str(route.destination): route.via for route in topology.node("ce").routes}
    assert outer["10.0.1.4/32"] == (IPAddress("172.16.0.2"),)
    assert outer["10.0.1.5/32"] == (IPAddress("172.16.0.6"),)
    assert [(str(each.a.address), str(each.b.address)) for each in topology.connections] == [
        ("172.20.0.1", "10.0.1.4"), ("172.20.0.2", "10.0.1.5"),
    ]  # fmt: skip


def test_a_bare_link() -> None:
    link = loads(pair(expect="clear")).links[0]
    assert link.segment == "ce--msee1"
    assert (link.a.device, link.a.controlled_device, link.a.addressed_device) == ("link1", None, "link1")
    assert (link.a.mtu, link.a.wire_mtu, link.tag.kind, link.macsec) == (1500, 1500, TagKind.NONE, None)
    assert link.a.addresses == (IPNetwork("172.16.0.1/30"),)
    assert link.a.mac != link.b.mac


@pytest.mark.parametrize(
    ("link", "device", "mtu"),
    [
        ("tag: {kind: dot1q, c_vid: 1}", "link1.tag", 1496),
        ("tag: {kind: qinq, s_vid: 1, c_vid: 4094}", "link1.tag", 1492),
        ("tag: {kind: none}", None, 1500),
        (mka(), "link1.sec", 1468),
        (f"{mka()}\n    tag: {{kind: dot1q, c_vid: 1}}", "link1.sec", 1464),
        (f"{mka()}\n    tag: {{kind: qinq, s_vid: 1, c_vid: 1}}", "link1.sec", 1460),
    ],
)
def test_what_is_added_below_is_taken_from_the_mtu(link: str, device: str | None, mtu: int) -> None:
    for end in loads(pair(link, '"*"').replace('ce--msee1: "*"', '"*": clear')).links[0].ends:
        assert (end.controlled_device, end.mtu, end.wire_mtu) == (device, mtu, 1500)


def test_mka_keys_are_references_in_lower_case() -> None:
    keys = policy(pair(mka())).keys
    assert keys == MkaKeys(
        ckn=SecretReference(vault="kv-a", secret="ckn"),
        cak=SecretReference(vault="kv-a", secret="cak", version="0123456789abcdef0123456789abcdef"),
        change=CakChange.AZURE,
    )


def test_a_change_is_azures_at_the_microsoft_edge_alone_and_can_be_said() -> None:
    def change(text: str) -> CakChange:
        keys = policy(text).keys
        assert isinstance(keys, MkaKeys)
        return keys.change

    assert change(pair(mka())) is CakChange.AZURE
    assert change(pair(mka(options="change: hitless"))) is CakChange.HITLESS
    assert change(pair(mka()).replace("role: msee", "role: router")) is CakChange.HITLESS


@pytest.mark.parametrize(
    ("cipher", "suite"),
    [
        ("GcmAes128", "GCM-AES-128"), ("GcmAes256", "GCM-AES-256"),
        ("GcmAesXpn128", "GCM-AES-XPN-128"), ("GcmAesXpn256", "GCM-AES-XPN-256"),
    ],
)  # fmt: skip
def test_ciphers(cipher: str, suite: str) -> None:
    found = policy(pair(mka(cipher)))
    assert found.cipher_suite == suite
    assert found.is_xpn == ("Xpn" in cipher)


def test_macsec_options() -> None:
    plain = policy(pair(mka()))
    assert (plain.sci_encoding, plain.confidentiality) == (SciEncoding.END_STATION, True)
    assert (plain.confidentiality_offset, plain.replay_window) == (0, 0)
    said = policy(pair(mka(options="sci_state: Enabled, confidentiality_offset: 30, replay_window: 64")))
    assert (said.sci_encoding, said.confidentiality_offset, said.replay_window) == (SciEncoding.EXPLICIT, 30, 64)
    assert not policy(pair(mka(options="encrypt: false"))).confidentiality


def test_static_keys_are_by_who_sends() -> None:
    keys = load(TOPOLOGIES / "macsec-static.yaml").links[0].macsec
    assert keys is not None
    assert isinstance(keys.keys, StaticKeys)
    assert [node for node, _ in keys.keys.saks] == ["ce", "msee1"]


@pytest.mark.parametrize(
    ("written", "layers", "integrity_only"),
    [
        ("clear", (), False),
        ("ipsec", (Layer.IPSEC,), False),
        ("macsec+ipsec", (Layer.MACSEC, Layer.IPSEC), False),
        ("{show: macsec, integrity_only: true}", (Layer.MACSEC,), True),
    ],
)
def test_expectations(written: str, layers: tuple[Layer, ...], integrity_only: bool) -> None:
    expect = loads(pair(mka(), written)).links[0].expect
    assert expect == Expectation(layers=layers, integrity_only=integrity_only)


def test_a_segments_own_expectation_comes_before_the_one_of_every_other() -> None:
    text = pair("", 'macsec, "*": clear')
    more = "  - ends: [ce:x, msee1:x]\n    name: spare\nexpect"
    links = loads(text.replace("expect", more)).links
    assert [str(link.expect) for link in links] == ["macsec", "clear"]


def test_traffic_is_between_every_onprem_and_every_workload_unless_said() -> None:
    nodes = "{o1: {role: onprem}, o2: {role: onprem}, w1: {role: workload}, h: {role: host}}"
    text = f"name: t\nnodes: {nodes}\nlinks: []\n"
    assert loads(text).traffic == (("o1", "w1"), ("o2", "w1"))
    assert loads(f"{text}traffic: [[h, o1]]").traffic == (("h", "o1"),)


def test_an_unreadable_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: a\n# caf\xe9\n")
    with pytest.raises(InputError, match=r"latin.yaml:2: is not text in UTF-8"):
        load(tmp_path / "latin.yaml")


JUNCTURES = ["[", "]", "{", "}", ":", "-", "&a ", "*a", "7", "~", "'"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_loads_but_never_breaks_the_reader(data: st.DataObject) -> None:
    lines = (TOPOLOGIES / "expressroute-direct.yaml").read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        i = data.draw(st.integers(0, len(lines) - 1))
        line = lines[i]
        at = data.draw(st.integers(0, len(line)))
        match data.draw(st.sampled_from(["drop", "cut", "insert", "repeat"])):
            case "drop":
                lines[i] = ""
            case "cut":
                lines[i] = line[:at]
            case "insert":
                lines[i] = line[:at] + data.draw(st.sampled_from(JUNCTURES)) + line[at:]
            case _:
                lines[i] = f"{line}\n{line}"
    try:
        loads("\n".join(lines))
    except InputError as refused:
        problems = refused.problems
    else:
        return
    assert problems


JUNK: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_junk_at_any_place_of_a_file_is_refused_or_loads(data: st.DataObject) -> None:
    document = yaml.safe_load((TOPOLOGIES / "macsec-pair.yaml").read_text())
    holder: object = document
    while True:
        assert isinstance(holder, dict | list)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        inner = holder[key]
        if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
            holder[key] = data.draw(JUNK)
            break
        holder = inner
    try:
        loads(json.dumps(document))
    except InputError as refused:
        problems = refused.problems
    else:
        return
    assert problems


def test_a_mistake_is_what_one_end_was_told() -> None:
    link = loads(pair(mka(options="mistakes: {msee1: {sci_state: Enabled, cipher: GcmAes256}}"))).links[0]
    assert link.macsec == link.policy("ce")
    mistaken = link.policy("msee1")
    assert mistaken is not None
    assert (mistaken.cipher_suite, mistaken.sci_encoding) == ("GCM-AES-256", SciEncoding.EXPLICIT)
    assert link.macsec is not None
    assert mistaken.keys == link.macsec.keys


def test_delay_protection_can_be_said() -> None:
    keys = policy(pair(mka(options="delay_protection: true"))).keys
    assert isinstance(keys, MkaKeys)
    assert keys.delay_protection
    plain = policy(pair(mka())).keys
    assert isinstance(plain, MkaKeys)
    assert not plain.delay_protection
