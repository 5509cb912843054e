"""One clear frame among 100,000 that are protected: found and named, wherever it is."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cli.main import run
from tests.bench.verify_traffic import write
from tests.unit.lab.coverage.packets import A, B, ethernet, ipv4, ipv6, ping, udp

FRAMES = 100_000
CLEAR = {
    "ping": ethernet(ping()),
    "tagged": ethernet(ping(), tags=b"\x88\xa8\0\7\x81\0\0\5"),
    "udp6": ethernet(ipv6(17, udp(1, 2, b"x")), 0x86DD),
    "nothing known": ethernet(b"octets of nobody's protocol".ljust(46), 0x9999),
    "option": ethernet(ipv4(17, udp(1, 2, b"x"), options=b"\1\1\1\1")),
    "MPLS": B + A + b"\x88\x47" + bytes(60),
}


@pytest.fixture(scope="module")
def haystack(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write(tmp_path_factory.mktemp("haystack"), FRAMES, "imix")


def records(octets: bytes) -> Iterator[int]:
    """Where each record of a classic capture starts, and where the last ends."""
    position = 24
    while position < len(octets):
        yield position
        position += 16 + int(struct.unpack_from("<I", octets, position + 8)[0])
    yield position


@pytest.mark.parametrize("name", CLEAR)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_clear_frame_is_found_and_named(
    name: str, workers: int, haystack: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, keys = haystack
    octets = capture.read_bytes()
    starts = list(records(octets))
    place = random.Random(name).choice((0, FRAMES, random.Random(f"{name} {workers}").randrange(FRAMES)))
    record = struct.pack("<IIII", 1_700_000_000, 0, len(CLEAR[name]), len(CLEAR[name])) + CLEAR[name]
    mixed = tmp_path / "mixed.pcap"
    mixed.write_bytes(octets[: starts[place]] + record + octets[starts[place] :])
    code = run(["verify", str(mixed), "--keys", str(keys), "--json", "--workers", str(workers)])
    (segment,) = json.loads(capsys.readouterr().out)["segments"]
    assert (code, segment["verdict"], segment["frames"]) == (1, "violated", FRAMES + 1)
    (finding,) = [finding for finding in segment["findings"] if finding["severity"] == "critical"]
    assert (finding["code"], finding["frames"], finding["count"]) == ("cleartext", [place + 1], 1)
    assert segment["macsec"]["authenticated"] + segment["esp"]["authenticated"] == FRAMES
