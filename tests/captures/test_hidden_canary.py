"""A canary's token is found in every disguise: on the clear side, where it must be, and as a leak, where it must not.

Each is looked for in a file by `verify`, so by the fast way; and one octet changed, it is not found.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from lab.cli.main import run
from tests.captures.cases import write_pcap
from tests.captures.hidden import NOISE, TOKEN, datagram, hidden, segments
from tests.unit.lab.coverage.packets import SAK, SPI_AB, SPI_BA, A, B, esp_gcm, ethernet, frames, ipv4, macsec, ping

KEYS = [
    *({"type": "macsec-sak", "sci": source.hex() + "0001", "an": 0, "cipher_suite": "GCM-AES-128", "sak": SAK.hex()}
      for source in (A, B)),
    *({"type": "esp-sa", "spi": spi.hex(), "encryption": "ENCR_AES_GCM_16", "mode": "tunnel",
       "encryption_key": bytes(range(0x20, 0x34)).hex()} for spi in (SPI_AB, SPI_BA)),
]  # fmt: skip
Segment = dict[str, object]


def verify(folder: Path, octets: Iterable[bytes], expect: str, capsys: pytest.CaptureFixture[str]) -> Segment:
    """The report on these frames among many others of the same kind."""
    capture, keys = write_pcap(folder / "a.pcap", frames(octets)), folder / "keys.jsonl"
    keys.write_text("".join(json.dumps(key) + "\n" for key in KEYS))
    run(["verify", str(capture), "--keys", str(keys), "--expect", f"a={expect}", "--canary", TOKEN.decode(), "--json"])
    (segment,) = json.loads(capsys.readouterr().out)["segments"]
    return dict(segment)


def named(segment: Segment, code: str) -> list[int]:
    findings = segment["findings"]
    assert isinstance(findings, list)
    return [number for finding in findings if finding["code"] == code for number in finding["frames"]]


def found(segment: Segment) -> list[int]:
    directions = segment["directions"]
    assert isinstance(directions, list)
    return [direction["token_frames"] for direction in directions]


def plain(count: int) -> list[bytes]:
    return [datagram(NOISE * 3, source) for source in (A, B) for _ in range(count)]


def sealed(clear: Iterable[bytes]) -> list[bytes]:
    return [macsec(frame, pn=number) for number, frame in enumerate(clear, 1)]


def tunnelled(clear: Iterable[bytes]) -> list[bytes]:
    made = []
    for number, frame in enumerate(clear, 1):
        spi = SPI_AB if frame[6:12] == A else SPI_BA
        made.append(ethernet(ipv4(50, esp_gcm(frame[14:], spi=spi, sequence=number)), source=frame[6:12]))
    return made


def spoilt(octets: bytes) -> bytes:
    """The same without the token: one octet in the middle is another."""
    middle = len(octets) // 2
    return octets[:middle] + bytes([octets[middle] ^ 2]) + octets[middle + 1 :]


@pytest.mark.parametrize(("name", "payload"), list(hidden()), ids=[name for name, _ in hidden()])
def test_every_disguise(name: str, payload: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    around = plain(5)
    secret = [datagram(NOISE + payload + NOISE, source) for source in (A, B)]
    clear = [*around, *secret]

    control = verify(tmp_path, clear, "clear", capsys)
    assert (control["verdict"], found(control)) == ("proven", [1, 1]), "the positive control"
    assert found(verify(tmp_path, around, "clear", capsys)) == [0, 0]

    leak = verify(tmp_path, [*sealed(around), secret[0]], "macsec", capsys)
    assert (leak["verdict"], named(leak, "canary-in-clear")) == ("violated", [11])
    readable = macsec(secret[0], pn=99, tci=0x20)
    assert named(verify(tmp_path, [*sealed(around), readable], "macsec", capsys), "canary-in-clear") == [11]

    hid = verify(tmp_path, sealed(clear), "macsec", capsys)
    assert (hid["verdict"], found(hid)) == ("proven", [1, 1])
    outside = verify(tmp_path, [*sealed(tunnelled(around)), macsec(secret[1], pn=99)], "macsec+ipsec", capsys)
    assert (outside["verdict"], named(outside, "canary-outside-ipsec")) == ("violated", [11])
    both = verify(tmp_path, sealed(tunnelled(clear)), "macsec+ipsec", capsys)
    assert (both["verdict"], found(both)) == ("proven", [1, 1])


def test_what_is_nearly_the_token_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, payload in hidden():
        if not name.startswith("MIME"):  # half of it is enough where lines are broken
            near = [datagram(spoilt(payload), source) for source in (A, B)]
            halves = name.startswith("base64")
            assert sum(found(verify(tmp_path, near, "clear", capsys))) <= 2 * halves, name


CUTS = [
    *([at] for at in range(len(NOISE) + 1, len(NOISE) + len(TOKEN))),
    [len(NOISE) + 5, len(NOISE) + 20],
    list(range(len(NOISE), len(NOISE) + len(TOKEN) + 1)),
]


@pytest.mark.parametrize("cuts", CUTS, ids=[f"{len(cuts)} at {cuts[0]}" for cuts in CUTS])
def test_split_over_tcp_segments(cuts: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    halves = [segments(NOISE + TOKEN + NOISE, cuts, source=source) for source in (A, B)]
    assert not any(TOKEN in frame for half in halves for frame in half)
    split = [frame for half in halves for frame in half]
    around = plain(3)

    control = verify(tmp_path, [*around, *split], "clear", capsys)
    assert control["verdict"] == "proven"
    assert all(found(control)), "on the clear side"
    assert named(verify(tmp_path, [*sealed(around), *halves[0]], "macsec", capsys), "canary-in-clear")
    outside = verify(tmp_path, [*sealed(tunnelled(around)), *sealed(halves[0])], "macsec+ipsec", capsys)
    assert named(outside, "canary-outside-ipsec")


@pytest.mark.parametrize("seed", range(6))
def test_split_out_of_order_again_and_overlapping(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(seed)
    text = NOISE + TOKEN + NOISE
    cuts = sorted(dice.sample(range(1, len(text)), 12))
    pieces = segments(text, cuts)
    pieces += [segments(text, sorted(dice.sample(range(1, len(text)), 2)))[0] for _ in range(2)]
    dice.shuffle(pieces)
    pieces = [piece for piece in pieces if TOKEN not in piece]
    control = verify(tmp_path, [*plain(2), *pieces], "clear", capsys)
    assert sum(found(control)) > 0


def test_two_streams_do_not_make_a_token_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = segments(TOKEN, [16])
    other = segments(TOKEN, [16], sequence=77)[1]
    assert found(verify(tmp_path, [*plain(2), first, other], "clear", capsys)) == [0, 0]
    assert found(verify(tmp_path, [*plain(2), second, ethernet(ping()), first], "clear", capsys))[0] > 0


def test_many_canaries_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(3)
    tokens = [dice.randbytes(16).hex() for _ in range(60)]
    carried: Sequence[bytes] = [datagram(NOISE + token.encode() + NOISE, dice.choice((A, B))) for token in tokens]
    capture, keys = write_pcap(tmp_path / "a.pcap", frames([*plain(5), *carried])), tmp_path / "k"
    keys.write_text("")
    words = [word for token in tokens for word in ("--canary", token)]
    run(["verify", str(capture), "--keys", str(keys), "--expect", "a=clear", "--json", *words])
    (segment,) = json.loads(capsys.readouterr().out)["segments"]
    assert sum(found(segment)) == 60
