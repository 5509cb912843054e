"""A canary's token as careless software hides it, and frames that carry it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence

from tests.unit.lab.coverage.packets import A4, B4, A, B, ethernet, ipv4, udp

TOKEN = b"5ad0c1b2e3f40516a7b8c9dadbecfd0e"
NOISE = b"\x93some text around it, \0\xff"


def hidden() -> Iterator[tuple[str, bytes]]:
    """Ways of hiding the token, by name, and what stands in the payload."""
    yield "as sent", TOKEN
    for before in range(3):
        text = NOISE[:before] + TOKEN
        yield f"base64 behind {before}", base64.b64encode(text)
        yield (
            f"base64 behind {before} and more",
            base64.b64encode(NOISE[: 30 + before].ljust(30 + before, b"~") + text + NOISE),
        )
        yield f"base64url behind {before}", base64.urlsafe_b64encode(text + b"\xfb\xff").rstrip(b"=")
        for shift in (0, 9, 21, 33, 45):
            mime = base64.encodebytes(bytes(shift) + text + NOISE)
            yield f"MIME behind {shift + before}", mime.replace(b"\n", b"\r\n")
    yield "UTF-16LE", TOKEN.decode().encode("utf-16-le")
    yield "UTF-16BE", TOKEN.decode().encode("utf-16-be")
    yield "UTF-16 with a mark", TOKEN.decode().encode("utf-16")
    yield "hexadecimal", TOKEN.hex().encode()
    yield "upper-case hexadecimal", b"0X" + TOKEN.hex().upper().encode()


def datagram(payload: bytes, source: bytes = A) -> bytes:
    """A UDP frame with this payload."""
    here, there = (A4, B4) if source == A else (B4, A4)
    other = B if source == A else A
    return ethernet(ipv4(17, udp(7000, 7007, payload), source=here, target=there), source=source, target=other)


def segments(payload: bytes, cuts: Sequence[int], *, sequence: int = 0xFFFFFFF0, source: bytes = A) -> list[bytes]:
    """TCP frames with the payload cut at these places."""
    here, there = (A4, B4) if source == A else (B4, A4)
    other = B if source == A else A
    made = []
    for start, end in zip((0, *cuts), (*cuts, len(payload)), strict=True):
        head = struct.pack("!HHIIBBHHH", 7000, 7007, (sequence + start) % 2**32, 1, 0x50, 0x18, 512, 0, 0)
        packet = ipv4(6, head + payload[start:end], source=here, target=there)
        made.append(ethernet(packet, source=source, target=other))
    return made
