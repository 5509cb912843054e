"""Every capture is reported exactly as an independent program counted it, whichever way its frames are read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lab.capture.frame import LINUX_SLL, LINUX_SLL2, RAW_IP, Direction
from lab.capture.pcapng import PcapngWriter
from lab.cli.main import run
from lab.coverage.examine import examine
from lab.coverage.segment import Segment
from lab.report.as_json import as_json
from tests.captures.cases import NAMES, expected_of, frames_of, key_log_of, keys_of, observe, path_of


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_reported_as_expected(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["verify", str(path_of(name)), "--keys", str(key_log_of(name)), "--json"])
    document = json.loads(capsys.readouterr().out)
    (segment,) = document["segments"]
    expected = expected_of(name)
    assert {field: segment[field] for field in expected} == expected
    assert document["schema"] == "wireproof.coverage/1"
    assert document["verdict"] == segment["verdict"] == _verdict(segment)
    assert code == {"proven": 0, "violated": 1, "unproven": 2}[segment["verdict"]]
    assert sum(count["frames"] for count in segment["census"].values()) == segment["frames"]
    assert sum(count["octets"] for count in segment["census"].values()) == segment["octets"]
    assert "incomplete" not in segment["esp"]


def _verdict(segment: dict[str, dict[str, int]]) -> str:
    """The rule for a segment without an expectation, once more and slowly."""
    clear = {"cleartext", "esp-null", "macsec-integrity-only"} & set(segment["census"])
    units = [segment[protocol] for protocol in ("macsec", "mka", "ike", "esp")]
    if clear or any(unit["failed"] for unit in units) or "malformed" in segment["census"]:
        return "violated"
    authenticated = sum(unit["authenticated"] for unit in units)
    return "proven" if authenticated and not any(unit["no_key"] for unit in units) else "unproven"


@pytest.mark.parametrize("name", NAMES)
def test_no_frame_needs_a_note_that_is_not_about_clear_ones(name: str) -> None:
    (segment,) = examine([Segment(name=name, capture=path_of(name))], keys_of(name)).segments
    bearing = [finding for finding in segment.findings if finding.bears]
    assert {finding.code for finding in bearing} <= {"cleartext", "esp-null", "macsec-integrity-only"}
    for finding in bearing:
        assert finding.count == len(finding.frames) == segment.census[finding.code].frames


@pytest.mark.parametrize("name", NAMES)
def test_pcapng_and_gzip_and_directions_change_nothing(name: str, tmp_path: Path) -> None:
    """As a tap would have written it: the same counts, and directions by name."""
    written = tmp_path / "copy.pcapng"
    first = frames_of(name)[0].octets[6:12]
    with written.open("wb") as stream:
        writer = PcapngWriter(stream, comments=[key.key_id for key in keys_of(name)])
        writer.add_interface(name="eth0", description="the first sender's end")
        for frame in frames_of(name):
            direction = Direction.OUTBOUND if frame.octets[6:12] == first else Direction.INBOUND
            writer.write(frame.octets, timestamp_ns=frame.timestamp_ns, direction=direction)
    zipped = tmp_path / "copy.pcapng.gz"
    zipped.write_bytes(gzip.compress(written.read_bytes()))
    plain, copy, zipped_copy = (
        examine([Segment(name="x", capture=path)], keys_of(name)).segments[0]
        for path in (path_of(name), written, zipped)
    )
    assert copy.census == zipped_copy.census == plain.census
    assert copy.units == zipped_copy.units == plain.units
    assert copy.verdict is zipped_copy.verdict is plain.verdict
    assert {direction.label for direction in copy.directions} <= {"in", "out"}
    assert copy.sha256 != zipped_copy.sha256 != plain.sha256


@pytest.mark.parametrize("name", NAMES)
def test_without_keys_nothing_is_authentic_and_nothing_fails(name: str) -> None:
    seen, bare = observe(frames_of(name), keys_of(name)), observe(frames_of(name), ())
    for protocol, (authenticated, _, _) in seen.units.items():
        checked = sum(bare.units[protocol])
        assert bare.units[protocol][:2] == [0, 0]
        # Only what could be opened shows what is inside.
        assert checked == authenticated or (protocol != "macsec" and seen.units["macsec"][0])
    esp, esp_null = 4, 5
    assert bare.class_frames[esp] == seen.class_frames[esp] + seen.class_frames[esp_null]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("esp_", "ss-", "ike_", "py-"))])
@pytest.mark.parametrize(("link_type", "header"), [
    (RAW_IP, b""),
    (LINUX_SLL, bytes.fromhex("0000000100060200000000010000")),
    (LINUX_SLL2, bytes.fromhex("0000000000020001040602000000000100000000")),
])  # fmt: skip
def test_ipsec_needs_no_ethernet(name: str, link_type: int, header: bytes) -> None:
    """The same packets in captures of other link types: the same units, the same classes of IP."""
    changed = []
    for frame in frames_of(name):
        ether_type, packet = frame.octets[12:14], frame.octets[14:]
        if link_type == LINUX_SLL:
            packet = header + ether_type + packet
        elif link_type == LINUX_SLL2:
            packet = ether_type + header[2:] + packet
        elif ether_type not in (b"\x08\x00", b"\x86\xdd"):
            continue
        changed.append(frame._replace(octets=packet, original_length=len(packet), link_type=link_type))
    seen, plain = observe(changed, keys_of(name)), observe(frames_of(name), keys_of(name))
    assert seen.units == plain.units
    if link_type != RAW_IP:
        assert seen.class_frames == plain.class_frames


@pytest.mark.parametrize("name", ["macsec_gcm-aes-128_sci_conf", "mka_psk128_pair"])
def test_what_covers_mac_addresses_cannot_be_checked_where_there_are_none(name: str) -> None:
    header = bytes.fromhex("0000000100060200000000010000")
    cooked = [
        frame._replace(
            octets=header + frame.octets[12:], original_length=frame.original_length + 2, link_type=LINUX_SLL
        )
        for frame in frames_of(name)
    ]
    seen, plain = observe(cooked, keys_of(name)), observe(frames_of(name), keys_of(name))
    assert seen.class_frames == plain.class_frames
    for protocol in ("macsec", "mka"):
        assert seen.units[protocol] == [0, 0, plain.units[protocol][0]]
    assert any("no MAC" not in note.text and "this link type has none" in note.text for note in
               seen.notes.of("macsec-no-key"))  # fmt: skip


def test_several_captures_are_several_segments_and_the_worst_of_them_counts() -> None:
    names = ["ss-gcm-x25519", "ss-no-proposal", "macsec_gcm-aes-128_es_integ"]
    keys = [key for name in names for key in keys_of(name)]
    report = examine([Segment(name=name, capture=path_of(name)) for name in names], keys)
    assert [segment.verdict for segment in report.segments] == ["proven", "unproven", "violated"]
    assert report.verdict == "violated"
    document = as_json(report)
    assert json.loads(json.dumps(document)) == document
