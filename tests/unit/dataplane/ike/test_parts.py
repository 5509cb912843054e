"""Small parts on their own: the window, retransmission, cookies, fragments put together, what payloads refuse."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError, WireError
from dataplane.ike.cookies import CookieJar
from dataplane.ike.fragments import MOST_FRAGMENTS, MOST_OCTETS, Reassembly
from dataplane.ike.nat import Endpoint
from dataplane.ike.payloads.chain import Link, header
from dataplane.ike.payloads.encrypted import EncryptedFragment
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.payloads.parse import PARSERS
from dataplane.ike.window import Retransmission, Turn, Window

# ---- the window (RFC 7296 2.1 to 2.3) ----


def test_waits_grow_to_the_longest() -> None:
    timing = Retransmission(first=1.0, factor=2.0, longest=5.0)
    assert [timing.wait(sent) for sent in (1, 2, 3, 4, 5)] == [1, 2, 4, 5, 5]


def test_a_window_of_one() -> None:
    window = Window(Retransmission(first=1.0, factor=2.0, tries=2))
    window.send((b"request",), 0.0)
    with pytest.raises(LocalError, match="a window of one"):
        window.send((b"another",), 0.0)
    assert window.turn_of_response(0) is Turn.NEW
    assert window.turn_of_response(1) is Turn.STRAY
    assert window.retransmit(0.9) == ()
    assert [window.retransmit(at) for at in (1.0, 3.0)] == [(b"request",)] * 2
    assert not window.exhausted(6.9)
    assert window.exhausted(7.0)
    assert window.retransmit(7.0) == ()
    window.close()
    assert (window.next_id, window.turn_of_response(0)) == (1, Turn.STRAY)


def test_requests_in_turn() -> None:
    window = Window(Retransmission())
    assert [window.turn_of_request(i) for i in (0, 1)] == [Turn.NEW, Turn.STRAY]
    window.answer((b"answer",))
    assert [window.turn_of_request(i) for i in (0, 1, 2)] == [Turn.REPEATED, Turn.NEW, Turn.STRAY]
    assert window.last_answer == (b"answer",)


# ---- cookies (RFC 7296 2.6) ----


def test_a_cookie_is_of_one_stranger() -> None:
    secrets = iter((b"a" * 32, b"b" * 32, b"c" * 32))
    jar = CookieJar(lambda _: next(secrets))
    here = Endpoint("192.0.2.1", 500)
    cookie = jar.cookie(b"nonce", here, b"spi", 0.0)
    assert jar.accepts(cookie, b"nonce", here, b"spi", 59.0)
    assert jar.accepts(cookie, b"nonce", Endpoint("192.0.2.1", 501), b"spi", 59.0)  # a NAT may change the port
    for nonce, source, spi in ((b"other", here, b"spi"), (b"nonce", Endpoint("192.0.2.2", 500), b"spi"),
                               (b"nonce", here, b"other")):  # fmt: skip
        assert not jar.accepts(cookie, nonce, source, spi, 59.0)
    assert not jar.accepts(b"", b"nonce", here, b"spi", 59.0)
    assert not jar.accepts(cookie[:-1], b"nonce", here, b"spi", 59.0)
    assert jar.accepts(cookie, b"nonce", here, b"spi", 119.0)  # of the secret before
    assert not jar.accepts(cookie, b"nonce", here, b"spi", 180.0)


# ---- fragments (RFC 7383 2.6) ----


def test_parts_in_any_order() -> None:
    parts = Reassembly()
    assert parts.add(7, 3, 3, 0, b"c") is None
    assert parts.add(7, 1, 3, 35, b"a") is None
    assert parts.add(7, 1, 3, 35, b"x") is None  # the first that came counts
    assert parts.add(7, 2, 3, 0, b"b") == (35, b"abc")


def test_a_peer_that_turns_to_smaller_parts_begins_anew() -> None:
    parts = Reassembly()
    parts.add(7, 1, 2, 35, b"aa")
    assert parts.add(7, 1, 3, 35, b"a") is None
    assert parts.add(7, 2, 2, 0, b"late") is None  # of the larger ones
    parts.add(7, 2, 3, 0, b"b")
    assert parts.add(7, 3, 3, 0, b"c") == (35, b"abc")


def test_another_message_drops_what_was_there() -> None:
    parts = Reassembly()
    parts.add(7, 1, 2, 35, b"a")
    assert parts.add(8, 2, 2, 0, b"B") is None
    assert parts.add(8, 1, 2, 36, b"A") == (36, b"AB")


def test_there_is_an_end_to_what_is_kept() -> None:
    parts = Reassembly()
    assert parts.add(7, 1, MOST_FRAGMENTS + 1, 35, b"a") is None
    assert parts.add(7, 1, 1, 35, b"a") == (35, b"a")
    assert parts.add(8, 1, 2, 35, bytes(MOST_OCTETS)) is None
    assert parts.add(8, 2, 2, 0, b"a") is None


@pytest.mark.parametrize(("body", "next_type"), [
    (b"\0\1\0", 35), (b"\0\0\0\2", 0), (b"\0\3\0\2", 0), (b"\0\1\0\2", 0), (b"\0\2\0\2", 35),
])  # fmt: skip
def test_numbers_that_no_fragment_has(body: bytes, next_type: int) -> None:
    link = Link(payload_type=PayloadType.SKF, next_type=next_type, critical=False, body=body, offset=28)
    with pytest.raises(WireError):
        EncryptedFragment.of(link)


# ---- payloads ----


def octets(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


@pytest.mark.parametrize(("kind", "body", "says"), [
    ("KE", "0013 0000", "no public value"),
    ("NONCE", "00" * 15, "16 to 256 octets, not 15"),
    ("NONCE", "00" * 257, "not 257"),
    ("IDI", "02 000000", "names nobody"),
    ("IDI", "01 000000 0a0b0c", "has 4 octets, not 3"),
    ("IDR", "05 000000 0a0b0c0d", "has 16 octets, not 4"),
    ("AUTH", "02 000000", ""),
    ("NOTIFY", "00 00 40", "tells nothing"),
    ("NOTIFY", "03 04 4009 0000", "no room for an SPI of 4"),
    ("DELETE", "03 04", "closes nothing"),
    ("DELETE", "03 08 0001 0000000000000000", "SPIs of 8 octets for protocol 3"),
    ("DELETE", "09 04 0001 00000000", "SPIs of 4 octets for protocol 9"),
    ("DELETE", "03 04 0002 00000001", "2 SPIs of 4 octets"),
    ("DELETE", "01 00 0001", "1 SPIs of 0 octets"),
    ("TSI", "01 000000", ""),
    ("TSI", "01 000000 07 00 0010 0000 ffff 0a000000 0a0000", ""),
    ("TSI", "02 000000 07 00 0010 0000 ffff 0a000000 0a0000ff", ""),
    ("TSR", "01 000000 07 00 0010 0000 ffff 0a0000ff 0a000000", ""),
    ("SA", "00 00 0008 01 03 04 01", ""),
    ("SA", "00 00 000c 01 03 04 01 c0000001 00", ""),
])  # fmt: skip
def test_what_cannot_be_a_payload(kind: str, body: str, says: str) -> None:
    with pytest.raises(WireError, match=says or None):
        PARSERS[PayloadType[kind]](octets(body))


def test_a_payload_has_an_end() -> None:
    with pytest.raises(LocalError, match="at most 65535 octets, not 65536"):
        header(0, 65532)
