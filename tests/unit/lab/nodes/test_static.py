"""Static SAKs: from a secret's octets to SAs, and to the key log's object."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataplane.macsec.suites import CIPHER_SUITES, CipherSuite
from lab.capture import keylog
from lab.capture.keys import MacsecSak
from lab.errors import InputError
from lab.model.macsec import CakChange, MkaKeys
from lab.model.topology import Topology
from lab.nodes.static import StaticSecY, static_secy
from tests.lab.pair import pair_topology, reference

LOW, HIGH = "0200000000010001", "0200000000020001"


def secrets(octets: int) -> dict[str, bytes]:
    return {str(reference(node)): bytes(range(number, number + octets)) for number, node in enumerate("ab", 100)}


def secy_of(topology: Topology, node: str, octets: dict[str, bytes]) -> StaticSecY:
    link = topology.links[0]
    assert link.macsec is not None
    return static_secy(link, link.end(node), link.macsec, octets)


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("node", ["a", "b"])
def test_the_key_log_gets_the_transmitters_sak_as_its_format_says(suite: CipherSuite, node: str) -> None:
    octets = secrets(suite.key_octets + (12 if suite.xpn else 0))
    made = secy_of(pair_topology(suite=suite.name), node, octets)
    record: Any = dict(made.key_record)
    secret = octets[str(reference(node))]
    assert record["sak"] == secret[: suite.key_octets].hex()
    assert (record["sci"], record["an"], record["cipher_suite"]) == (LOW if node == "a" else HIGH, 0, suite.name)
    # 802.1AE-2018 10.7.13: the greatest SCI has SSCI 1.
    ssci = {"a": "00000002", "b": "00000001"}[node]
    assert record.get("ssci") == (ssci if suite.xpn else None)
    assert record.get("salt") == (secret[suite.key_octets :].hex() if suite.xpn else None)
    assert "confidentiality_offset" not in record
    assert isinstance(keylog.parse(record), MacsecSak)


def test_a_confidentiality_offset_is_in_the_key_log() -> None:
    made = secy_of(pair_topology(confidentiality_offset=30), "a", secrets(16))
    assert made.key_record["confidentiality_offset"] == 30


def test_both_sas_are_in_use_and_begin_at_one() -> None:
    secy = secy_of(pair_topology(replay_window=5), "a", secrets(16)).secy
    assert secy.transmit.encoding_sa is secy.transmit.sa(0)
    assert secy.transmit.encoding_sa is not None
    assert secy.transmit.encoding_sa.next_pn == 1
    (channel,) = secy.receive_channels()
    assert channel.sci.hex() == HIGH
    sa = channel.receiving_sa(0)
    assert sa is not None
    assert (sa.window.next, sa.window.lowest, sa.window.size) == (1, 1, 5)


def test_a_frame_as_long_as_the_wire_allows_is_the_longest_to_leave() -> None:
    secy = secy_of(pair_topology(mtu=1500), "a", secrets(16)).secy
    assert secy.controls.generation.max_frame_octets == 1500 + 32 + 14


def test_no_secret_shows() -> None:
    made = secy_of(pair_topology(), "a", secrets(16))
    assert secrets(16)[str(reference("a"))].hex() not in repr(made)


@pytest.mark.parametrize("octets", [0, 15, 17, 28])
def test_a_secret_of_the_wrong_length_says_which_and_what_would_be_right(octets: int) -> None:
    with pytest.raises(InputError) as caught:
        secy_of(pair_topology(), "b", secrets(octets))
    assert str(caught.value) == (
        f"a--b: the SAK of b, https://kv-test.vault.azure.net/secrets/sak-b, has {octets} octets; GCM-AES-128 takes 16"
    )


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(InputError, match=r"a--b: there is no secret .*sak-a, the SAK of a"):
        secy_of(pair_topology(), "a", {})


def test_keys_that_mka_is_to_make_are_refused() -> None:
    topology = pair_topology()
    link = topology.links[0]
    assert link.macsec is not None
    keys = MkaKeys(ckn=reference("a"), cak=reference("b"), change=CakChange.AZURE)
    with pytest.raises(InputError, match="MKA"):
        static_secy(link, link.a, replace(link.macsec, keys=keys), secrets(16))
