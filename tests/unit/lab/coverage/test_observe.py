"""What a capture is seen to hold: layers inside layers, fragments, cut frames, keys that come late."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest

from dataplane.crypto.secret import Secret
from lab.capture.frame import RAW_IP, Frame
from lab.capture.keys import MkaCak
from lab.coverage import census
from lab.coverage.judge import watch
from lab.coverage.observe import Observation
from lab.model.expectation import Expectation, Layer
from tests.captures.cases import cut, observe, renumber
from tests.unit.lab.coverage.mka_members import CAK, CKN, Member, distributed_sak, live_peers, seal_xpn
from tests.unit.lab.coverage.packets import (
    A4,
    B4,
    KEYS,
    SPI_BA,
    A,
    B,
    esp_gcm,
    esp_key,
    ethernet,
    frames,
    ipv4,
    ipv6,
    macsec,
    pieces,
    pieces6,
    ping,
    sak_key,
    udp,
)

BOTH = Expectation(layers=(Layer.MACSEC, Layer.IPSEC))


def classes(seen: Observation) -> dict[str, int]:
    return {name: count for name, count in zip(census.NAMES, seen.class_frames, strict=True) if count}


def inside(seen: Observation) -> dict[str, int]:
    return {name: count for name, count in zip(census.NAMES, seen.inside_frames, strict=True) if count}


def noted(seen: Observation, *codes: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for code in codes:
        for note in seen.notes.of(code):
            found.setdefault(code, []).extend(note.frames)
    return found


@pytest.mark.parametrize("kind", ["raw", "udp", "IPv6", "VLAN"])
def test_esp_inside_macsec_is_counted_at_its_own_layer(kind: str) -> None:
    packet = esp_gcm(ping())
    clear = {
        "raw": ethernet(ipv4(50, packet)),
        "udp": ethernet(ipv4(17, udp(4500, 4500, packet))),
        "IPv6": ethernet(ipv6(50, packet), 0x86DD),
        "VLAN": ethernet(ipv4(50, packet), tags=b"\x81\0\0\x64\x81\0\0\5"),
    }[kind]
    seen = observe(frames([macsec(clear)]), KEYS)
    assert classes(seen) == {"macsec-encrypted": 1}
    assert inside(seen) == {"esp": 1}
    assert (seen.units["macsec"], seen.units["esp"]) == ([1, 0, 0], [1, 0, 0])
    assert seen.directions.all()[0].under == [0, 0, 0, 1]
    without = observe(frames([macsec(clear)]), KEYS[2:])
    assert (without.units["macsec"], without.units["esp"]) == ([0, 0, 1], [0, 0, 0])


def test_macsec_inside_macsec() -> None:
    clear = macsec(macsec(ethernet(ping())), pn=2)
    seen = observe(frames([clear]), KEYS)
    assert seen.units["macsec"] == [2, 0, 0]
    assert inside(seen) == {"macsec-encrypted": 1, "cleartext": 1}
    for pn in range(3, 12):
        clear = macsec(clear, pn=pn)
    seen = observe(frames([clear]), KEYS)
    assert seen.units["macsec"][1:] == [0, 0]
    assert seen.units["macsec"][0] >= 4


@pytest.mark.parametrize("cutter", [pieces, pieces6])
def test_a_fragmented_esp_packet_counts_once_and_all_its_frames_are_esp(cutter: Callable[..., Iterator[bytes]]) -> None:
    ether_type = 0x0800 if cutter is pieces else 0x86DD
    apart = [ethernet(piece, ether_type) for piece in cutter(50, esp_gcm(bytes(3000)), 1400)]
    assert len(apart) == 3
    seen = observe(frames(apart), KEYS)
    assert classes(seen) == {"esp": 3}
    assert (seen.units["esp"], seen.esp_incomplete) == ([1, 0, 0], 0)
    assert seen.directions.all()[0].under == [0, 0, 3, 0]
    assert classes(observe(frames(reversed(apart)), KEYS)) == {"esp": 3}


def test_a_damaged_fragment_fails_its_datagram_and_names_its_frames() -> None:
    apart = [ethernet(piece) for piece in pieces(50, esp_gcm(bytes(3000)), 1400)]
    apart[1] = apart[1][:100] + b"x" + apart[1][101:]
    seen = observe(frames([ethernet(ping()), *apart]), KEYS)
    assert seen.units["esp"] == [0, 1, 0]
    assert noted(seen, "esp-failed") == {"esp-failed": [2, 3, 4]}


def test_fragments_inside_macsec() -> None:
    apart = [ethernet(piece) for piece in pieces(50, esp_gcm(bytes(3000)), 1400)]
    protected = [macsec(piece, pn=pn) for pn, piece in enumerate(apart, 1)]
    seen = observe(frames(protected), KEYS, expect=BOTH)
    assert classes(seen) == {"macsec-encrypted": 3}
    assert inside(seen) == {"esp": 3}
    assert seen.units["esp"] == [1, 0, 0]
    assert seen.directions.all()[0].under == [0, 0, 0, 3]
    lost = observe(frames(protected[:2]), KEYS, expect=BOTH)
    assert inside(lost) == {"esp": 2}
    assert (lost.units["esp"], lost.esp_incomplete) == ([0, 0, 0], 1)
    assert lost.directions.all()[0].under == [0, 2, 0, 0]


def test_an_incomplete_datagram_has_the_class_of_what_was_seen_of_it() -> None:
    esp = [ethernet(piece) for piece in pieces(50, esp_gcm(bytes(3000)), 1400)]
    natt = [ethernet(piece) for piece in pieces(17, udp(4500, 4500, esp_gcm(bytes(3000))), 1400, ident=8)]
    ike = [ethernet(piece) for piece in pieces(17, udp(4500, 4500, bytes(4) + bytes(3000)), 1400, ident=9)]
    text = [ethernet(piece) for piece in pieces(6, bytes(3000), 1400, ident=10)]
    unknown = [ethernet(piece) for piece in pieces(17, udp(4500, 4500, bytes(3000)), 1400, ident=11)]
    seen = observe(frames([*esp[:2], *natt[:2], *ike[:1], *text[:1], *unknown[1:]]), KEYS)
    assert classes(seen) == {"esp": 4, "ike": 1, "cleartext": 3}
    assert (seen.esp_incomplete, seen.ike_incomplete) == (2, 1)
    assert noted(seen, "esp-incomplete", "ike-incomplete") == {"esp-incomplete": [1, 2, 3, 4], "ike-incomplete": [5]}
    null = esp_key(encryption="ENCR_NULL", key=b"", integrity="AUTH_HMAC_SHA1_96", integrity_key="00" * 20)
    assert classes(observe(frames(esp[:2]), (null,))) == {"esp-null": 2}


def test_fragments_that_contradict_each_other_are_malformed() -> None:
    first, second, *_ = (ethernet(piece) for piece in pieces(50, esp_gcm(bytes(3000)), 1400))
    other = first[:100] + b"x" + first[101:]
    seen = observe(frames([first, other, second]), KEYS)
    assert classes(seen) == {"malformed": 2, "esp": 1}
    assert noted(seen, "malformed") == {"malformed": [1, 2]}


def test_an_expired_datagram_does_not_wait_for_its_twin() -> None:
    apart = [ethernet(piece) for piece in pieces(50, esp_gcm(bytes(2000)), 1400)]
    late = list(frames(apart))
    late[1] = late[1]._replace(timestamp_ns=200_000_000_000)
    seen = observe(late, KEYS)
    assert seen.esp_incomplete == 2


def test_a_cut_frame_is_counted_and_never_authentic() -> None:
    whole = frames([
        macsec(ethernet(ping())), ethernet(ipv4(50, esp_gcm(ping()))), ethernet(ping()), ethernet(ping()),
        macsec(ethernet(ping()), pn=0),
    ])  # fmt: skip
    seen = observe([cut(frame, length) for frame, length in zip(whole, (40, 50, 60, 10, 30), strict=True)], KEYS)
    assert seen.cut == 5
    assert classes(seen) == {"macsec-encrypted": 2, "esp": 1, "cleartext": 2}
    assert seen.units == {protocol: [0, 0, 0] for protocol in census.PROTOCOLS}
    assert seen.octets == sum(frame.original_length for frame in whole)
    assert noted(seen, "cut") == {"cut": [1, 2, 3, 4, 5]}
    apart = frames(ethernet(piece) for piece in pieces(50, esp_gcm(bytes(2000)), 1400))
    seen = observe([cut(apart[0], 100), apart[1]], KEYS)
    assert (classes(seen), seen.units["esp"], seen.esp_incomplete) == ({"esp": 2}, [0, 0, 0], 0)


def test_pn_0_is_malformed_where_the_key_log_knows_a_suite_without_xpn() -> None:
    frame = macsec(ethernet(ping()), pn=0)
    assert classes(observe(frames([frame]), KEYS)) == {"malformed": 1}
    assert observe(frames([frame]), ()).units["macsec"] == [0, 0, 1]


def test_an_esp_packet_too_short_for_its_sa_is_malformed_and_counts_nowhere() -> None:
    seen = observe(frames([ethernet(ipv4(50, esp_gcm(b"")[:30]))]), KEYS)
    assert (classes(seen), seen.units["esp"]) == ({"malformed": 1}, [0, 0, 0])
    within = observe(frames([macsec(ethernet(ipv4(50, esp_gcm(b"")[:30])))]), KEYS)
    assert (classes(within), inside(within)) == ({"macsec-encrypted": 1}, {"malformed": 1})
    assert noted(within, "inside-malformed", "malformed") == {"inside-malformed": [1]}


@pytest.mark.parametrize(("tci", "port", "opens"), [
    (0x0C, b"\0\1", True), (0x4C, b"\0\1", True), (0x1C, b"\0\0", True), (0x1C, b"\0\1", True), (0x0C, b"\0\0", False),
    (0x4C, b"\0\0", False), (0x5C, b"\0\1", True), (0x5C, b"\0\0", False),
])  # fmt: skip
def test_the_sci_that_is_not_in_the_tag(tci: int, port: bytes, opens: bool) -> None:
    frame = macsec(ethernet(ping()), tci=tci, sci=A + port)
    assert observe(frames([frame]), (sak_key(A, port=port),)).units["macsec"] == ([1, 0, 0] if opens else [0, 0, 1])


def test_several_saks_for_one_sci_and_an() -> None:
    other = bytes(range(1, 17))
    traffic = [macsec(ethernet(ping()), pn=1), macsec(ethernet(ping()), pn=1, sak=other)] * 3
    for keys in ((sak_key(A), sak_key(A, sak=other)), (sak_key(A, sak=other), sak_key(A))):
        assert observe(frames(traffic), keys).units["macsec"] == [6, 0, 0]
    assert observe(frames(traffic), (sak_key(A, sak=other),)).units["macsec"] == [3, 3, 0]
    assert observe(frames(traffic), (sak_key(A, an=1),)).units["macsec"] == [0, 0, 6]


def test_a_distributed_sak_opens_what_was_sent_before_its_mkpdu() -> None:
    server, peer = Member(sci=B + b"\0\1", mi=b"S" * 12), Member(sci=A + b"\0\1", mi=b"P" * 12)
    mkpdu = server.mkpdu(live_peers([peer]), distributed_sak(server, 1, 4, bytes(32)))
    salt = bytes(a ^ b for a, b in zip(b"S" * 12, b"\0\1" + bytes(10), strict=True))
    early = seal_xpn(A + b"\0\1", bytes(32), 2, salt, pn=1)
    key = MkaCak(ckn=CKN, cak=Secret(CAK))
    seen = observe(frames([early, peer.mkpdu(), mkpdu]), (key,))
    assert (seen.units["macsec"], seen.units["mka"]) == ([1, 0, 0], [2, 0, 0])
    stranger = seal_xpn(b"\2\0\0\0\0\x77\0\1", bytes(32), 2, salt, pn=1)
    assert observe(frames([stranger, peer.mkpdu(), mkpdu]), (key,)).units["macsec"] == [0, 0, 1]


def test_directions_by_interface_and_by_sender() -> None:
    traffic = [ethernet(ping()), ethernet(ping(), source=B, target=A), ethernet(ping())]
    by_sender = {tally.label: tally.data for tally in observe(frames(traffic), ()).directions.all()}
    assert by_sender == {"02:00:00:00:00:01": 2, "02:00:00:00:00:02": 1}
    by_interface = {tally.label: tally.data for tally in observe(frames(traffic, near=B), ()).directions.all()}
    assert by_interface == {"in": 2, "out": 1}
    raw = frames([ping(), ping(source=B4, target=A4), ipv6(58, bytes([128]) + bytes(7))], link_type=RAW_IP)
    assert [tally.label for tally in observe(raw, ()).directions.all()] == ["10.0.0.1", "10.0.0.2", "fd00::1"]


def test_control_and_key_negotiation_are_no_data() -> None:
    arp = ethernet(bytes(28), 0x0806)
    ike = ethernet(ipv4(17, udp(500, 500, bytes([1]) * 8 + bytes(8) + b"\0\x20\x22\x08" + bytes(4) + b"\0\0\0\x1c")))
    (tally,) = observe(frames([arp, ike]), ()).directions.all()
    assert (tally.frames, tally.data) == (2, 0)


def test_very_many_senders_are_one_in_the_end() -> None:
    traffic = [ethernet(ping(), source=struct.pack("!HI", 0x0200, number)) for number in range(300)]
    tallies = observe(frames(traffic), ()).directions.all()
    assert len(tallies) == 257
    assert (tallies[-1].label, tallies[-1].frames) == ("others", 44)


TOKEN = b"f00dfeed" * 4


def tokens_of(seen: Observation) -> list[int]:
    return [sum(tally.tokens[under] for tally in seen.directions.all()) for under in range(4)]


def test_a_token_is_found_under_the_layers_that_hid_it() -> None:
    clear = ethernet(ping(TOKEN))
    tunnel = ethernet(ipv4(50, esp_gcm(ping(TOKEN))))
    for frame, found in (
        (clear, [1, 0, 0, 0]),
        (macsec(clear), [0, 1, 0, 0]),
        (tunnel, [0, 0, 1, 0]),
        (macsec(tunnel), [0, 0, 0, 1]),
        (ethernet(ping(bytes(40))), [0, 0, 0, 0]),
    ):
        assert tokens_of(observe(frames([frame]), KEYS, tokens=(b"another", TOKEN))) == found
        assert tokens_of(observe(frames([frame]), KEYS)) == [0, 0, 0, 0]


def test_a_token_in_macsec_without_confidentiality_is_readable_and_authentic() -> None:
    seen = observe(frames([macsec(ethernet(ping(TOKEN)), tci=0x20)]), KEYS, tokens=(TOKEN,))
    assert tokens_of(seen) == [0, 1, 0, 0]
    assert seen.directions.all()[0].readable == 1


def test_a_token_is_found_in_a_datagram_of_several_fragments() -> None:
    split = [ethernet(piece) for piece in pieces(6, bytes(1390) + TOKEN + bytes(100), 1400)]
    assert not any(TOKEN in piece for piece in split)
    assert tokens_of(observe(frames(split), (), tokens=(TOKEN,))) == [1, 0, 0, 0]
    tunnel = [ethernet(piece) for piece in pieces(50, esp_gcm(bytes(1300) + TOKEN + bytes(200)), 1400)]
    assert tokens_of(observe(frames(tunnel), KEYS, tokens=(TOKEN,))) == [0, 0, 1, 0]


def test_what_is_watched_for_is_named() -> None:
    traffic = frames([
        macsec(ethernet(ping())), ethernet(ping()), ethernet(ipv4(50, esp_gcm(ping()))),
        macsec(ethernet(ipv4(50, esp_gcm(ping(), spi=SPI_BA))), pn=2), macsec(ethernet(ping()), tci=0x20, pn=3),
    ])  # fmt: skip
    seen = observe(traffic, KEYS, expect=BOTH)
    assert noted(seen, "cleartext", "esp", "inside-cleartext", "inside-esp", "macsec-integrity-only") == {
        "cleartext": [2], "esp": [3], "inside-cleartext": [1, 5], "macsec-integrity-only": [5],
    }  # fmt: skip
    assert census.ESP in watch(BOTH).outermost


def test_an_empty_capture() -> None:
    nothing: tuple[Frame, ...] = renumber(())
    seen = observe(nothing, KEYS)
    assert (seen.frames, seen.octets, classes(seen)) == (0, 0, {})
