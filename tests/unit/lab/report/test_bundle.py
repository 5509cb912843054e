"""Bundles: what is packed comes out again, the same content as the same octets; what was tampered with does not."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.capture import keylog
from lab.capture.frame import Direction
from lab.capture.pcapng import PcapngWriter
from lab.capture.snapshot import copy_whole_blocks
from lab.cli.main import run
from lab.coverage.proof import Proof, SentCanary, examine_lab, read_proof
from lab.coverage.provenance import formed_here
from lab.errors import InputError
from lab.report import bundle
from lab.report.as_json import as_json
from lab.topology.load import load
from tests.unit.lab.coverage.packets import SAK, A, B, ethernet, macsec, ping

TOKEN = "0123456789abcdef" * 2
TOPOLOGY = """
name: two
nodes: {a: {role: host}, b: {role: host}}
links:
  - ends: [a:eth0, b:eth0]
    addresses: [10.0.0.1/24, 10.0.0.2/24]
expect: {"*": macsec}
"""
MEMBERS = {"topology.yaml", "proof.json", "verdict.json", "keys.jsonl", "captures/a--b.pcapng"}


def capture(path: Path) -> None:
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.add_interface(name="eth0")
        for number in range(1, 9):
            source, target, way = (A, B, Direction.OUTBOUND) if number % 2 else (B, A, Direction.INBOUND)
            frame = macsec(ethernet(ping(TOKEN.encode()), source=source, target=target), pn=number)
            writer.write(frame, timestamp_ns=1_760_000_000_000_000_000 + number * 1000, direction=way)


def folder_of(place: Path) -> Path:
    """What `save` packs, of a lab that never ran."""
    folder = place / "evidence"
    (folder / "captures").mkdir(parents=True)
    (folder / "topology.yaml").write_text(TOPOLOGY)
    capture(folder / "captures" / "a--b.pcapng")
    for source in (A, B):
        key = {
            "type": "macsec-sak",
            "sci": (source + b"\0\1").hex(),
            "an": 0,
            "cipher_suite": "GCM-AES-128",
            "sak": SAK.hex(),
        }
        keylog.append(folder / "keys.jsonl", key)
    canary = SentCanary(number=0, token=TOKEN, transport="icmp", source="a", target="b", octets=32, searched=True,
                        arrived=True, attempts=1)  # fmt: skip
    proof = Proof(canaries=(canary,), minimum_frames=4)
    (folder / "proof.json").write_text(json.dumps(proof.as_json()))
    report = examine_lab(
        load(folder / "topology.yaml"),
        {"a--b": folder / "captures" / "a--b.pcapng"},
        keylog.read(folder / "keys.jsonl"),
        proof,
    )
    report = replace(report, provenance=formed_here(folder / "topology.yaml"))
    (folder / "verdict.json").write_text(json.dumps(as_json(report)))
    return folder


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    target = tmp_path / "b.tar.gz"
    bundle.pack(target, folder_of(tmp_path), {"lab": "two"})
    return target


def verify(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = run(["verify", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_what_is_packed_comes_out_again(packed: Path) -> None:
    assert bundle.is_bundle(packed)
    with bundle.unpacked(packed) as out:
        there = {path.relative_to(out.folder).as_posix() for path in out.folder.rglob("*") if path.is_file()}
        assert there == MEMBERS
        assert list(out.captures()) == ["a--b"]
        assert out.manifest["lab"] == "two"
        assert out.has_keys
        folder = out.folder
    assert not folder.exists()


def test_the_same_content_gives_the_same_octets(packed: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar.gz"
    bundle.pack(again, tmp_path / "evidence", {"lab": "two"})
    assert again.read_bytes() == packed.read_bytes()


def test_a_bundle_with_keys_is_its_owners_alone(packed: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    (tmp_path / "evidence" / "keys.jsonl").unlink()
    without = tmp_path / "without.tar.gz"
    bundle.pack(without, tmp_path / "evidence", {})
    assert stat.S_IMODE(without.stat().st_mode) & 0o044


def test_the_verdict_formed_again_is_the_one_that_was_saved_but_for_the_clock(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = verify(capsys, packed, "--json")
    assert (code, err) == (0, "the verdict is the one that was saved, but for the clock\n")
    formed, saved = json.loads(out), json.loads((tmp_path / "evidence" / "verdict.json").read_text())
    assert formed["provenance"].pop("clock")["formed"] == saved["provenance"].pop("clock")["formed"]
    assert json.dumps(formed) == json.dumps(saved)
    assert formed["verdict"] == "proven"
    (hop,) = {(hop["segment"], hop["form"]) for path in formed["canaries"]["paths"] for hop in path["hops"]}
    assert hop == ("a--b", "inside MACsec")


def test_without_keys_nothing_can_be_said_until_they_are_given(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys.jsonl"
    (tmp_path / "evidence" / "keys.jsonl").rename(keys)
    bundle.pack(tmp_path / "c.tar.gz", tmp_path / "evidence", {})
    code, out, err = verify(capsys, tmp_path / "c.tar.gz")
    assert (code, out) == (2, "")
    assert "holds no keys" in err
    assert verify(capsys, tmp_path / "c.tar.gz", "--keys", keys)[0] == 0
    empty = tmp_path / "empty"
    empty.touch()
    code, _, err = verify(capsys, tmp_path / "c.tar.gz", "--keys", empty)
    assert code == 1
    assert "not the one that was saved: " in err


def test_another_verdict_than_the_saved_one_is_a_failed_check(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evidence" / "verdict.json"
    path.write_text(path.read_text().replace('"proven"', '"violated"', 1))
    bundle.pack(tmp_path / "c.tar.gz", tmp_path / "evidence", {})
    code, _, err = verify(capsys, tmp_path / "c.tar.gz")
    assert code == 1
    assert 'verdict was "violated" and is "proven"' in err
    assert "other versions" not in err
    path.write_text(path.read_text().replace('"python": "', '"python": "another '))
    bundle.pack(tmp_path / "d.tar.gz", tmp_path / "evidence", {})
    code, _, err = verify(capsys, tmp_path / "d.tar.gz")
    assert (code, "formed by other versions: python was another " in err) == (1, True)


@pytest.mark.parametrize("saved", ["", "[]", "3", "[" * 100_000, '{"provenance": 3}', '{"provenance": {"clock": []}}'])
def test_a_verdict_that_is_none(packed: Path, tmp_path: Path, saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "evidence" / "verdict.json").write_text(saved)
    bundle.pack(packed, tmp_path / "evidence", {})
    code, _, err = verify(capsys, packed)
    assert (code, "verdict.json: is no verdict" in err) == (3, True)


def test_without_its_capture_a_segment_is_not_judged(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evidence" / "captures" / "a--b.pcapng").unlink()
    bundle.pack(packed, tmp_path / "evidence", {})
    code, _, err = verify(capsys, packed)
    assert (code, "a--b" in err) == (3, True)


@pytest.mark.parametrize("words", [["x.pcap"], ["--expect", "a=clear"], ["--canary", "12345678"], ["--filter", "udp"]])
def test_a_bundle_is_verified_by_itself(packed: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = verify(capsys, packed, *words)
    assert code == 3
    assert "a bundle is verified by itself" in err


Members = list[tuple[tarfile.TarInfo, bytes]]


def members_of(path: Path) -> Members:
    with tarfile.open(path) as archive:
        return [(member, (archive.extractfile(member) or io.BytesIO()).read()) for member in archive]


def repacked(path: Path, members: Members) -> Path:
    target = path.with_name("tampered.tar.gz")
    with gzip.GzipFile(target, "wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for member, octets in members:
            archive.addfile(member, io.BytesIO(octets) if member.isreg() else None)
    return target


def with_manifest(members: Members, change: Callable[[Any], None]) -> Members:
    manifest = json.loads(members[0][1])
    change(manifest)
    octets = json.dumps(manifest).encode()
    head = tarfile.TarInfo("manifest.json")
    head.size = len(octets)
    return [(head, octets), *members[1:]]


def odd(name: str, kind: bytes = tarfile.REGTYPE, octets: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(octets) if kind == tarfile.REGTYPE else 0, "/etc/passwd"
    return member, octets


def list_it(name: str, octets: bytes = b"x") -> Callable[[Any], None]:
    entry = {"name": name, "octets": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
    return lambda manifest: manifest["members"].append(entry)


@pytest.mark.parametrize(("change", "told"), [
    (lambda m: [*m, odd("captures/more.pcapng")], "does not list a file 'captures/more.pcapng'"),
    (lambda m: [*m, odd("../outside")], "does not list a file '../outside'"),
    (lambda m: [*with_manifest(m, list_it("../outside")), odd("../outside")], "no member can be called"),
    (lambda m: [*with_manifest(m, list_it("/etc/x")), odd("/etc/x")], "no member can be called"),
    (lambda m: [*with_manifest(m, list_it("captures/../../x.pcapng"))], "no member can be called"),
    (lambda m: [*with_manifest(m, list_it("captures/l.pcapng", b"")), odd("captures/l.pcapng", tarfile.SYMTYPE)],
     "something else than a file"),
    (lambda m: [*with_manifest(m, list_it("captures/l.pcapng", b"")), odd("captures/l.pcapng", tarfile.LNKTYPE)],
     "something else than a file"),
    (lambda m: [*m, m[-1]], "or it is there twice"),
    (lambda m: m[:-1], "is missing"),
    (lambda m: m[1:], "its first member is not its manifest"),
    (lambda m: [*m[:1], (m[1][0], m[1][1][:99] + b"!" + m[1][1][100:]), *m[2:]], "its SHA-256 is another"),
    (lambda m: with_manifest(m, lambda manifest: manifest.update(format="x")), "is not of the format"),
    (lambda m: with_manifest(m, lambda manifest: manifest["members"].clear()), "its manifest lists no topology.yaml"),
    (lambda m: with_manifest(m, lambda manifest: manifest["members"][0].update(octets=1 << 40)), "more than"),
    (lambda m: with_manifest(m, lambda manifest: manifest["members"][0].update(octets=3)), "and should have 3"),
    (lambda m: with_manifest(m, lambda manifest: manifest["members"][0].update(octets=-1)), "does not say how long"),
    (lambda m: with_manifest(m, lambda manifest: manifest["members"].append(manifest["members"][0])), "lists it twice"),
])  # fmt: skip
def test_a_bundle_that_was_tampered_with_is_refused(
    packed: Path, change: Callable[[Members], Members], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = repacked(packed, change(members_of(packed)))
    with pytest.raises(InputError) as error, bundle.unpacked(bad):
        pass
    assert told in str(error.value)
    assert not (tmp_path / "outside").exists()


def test_a_bundle_that_breaks_off_is_refused(packed: Path) -> None:
    octets = packed.read_bytes()
    for end in (len(octets) // 4, len(octets) // 2, len(octets) - 4):
        packed.write_bytes(octets[:end])
        with pytest.raises(InputError), bundle.unpacked(packed):
            pass


@pytest.mark.parametrize("octets", [b"", b"x" * 600, gzip.compress(b"x" * 600, mtime=0), gzip.compress(b"", mtime=0)])
def test_other_files_are_no_bundles(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(octets)
    assert not bundle.is_bundle(path)
    assert not bundle.is_bundle(tmp_path / "nowhere")


def test_a_member_with_a_name_of_its_own_is_not_packed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "captures" / "a b.pcapng").touch()
    with pytest.raises(InputError, match="no member of a bundle can be called"):
        bundle.pack(tmp_path / "c.tar.gz", folder, {})
    assert not (tmp_path / "c.tar.gz").exists()


@pytest.mark.parametrize(("change", "told"), [
    ({"format": "x"}, "its format is 'x'"), ({"canaries": [{}]}, "is not a record"), ({"canaries": 5}, "not a record"),
    ({"minimum_frames": "x"}, "`minimum_frames` is a number, and"), ({"dropped": {"a": "b"}}, "`dropped` counts"),
    ({"canaries": [{"number": 0, "token": 5, "transport": "", "source": "", "target": "", "octets": 1, "searched": True,
                    "arrived": True, "attempts": 1}]}, "of the wrong kind"),
])  # fmt: skip
def test_a_bad_record_of_what_was_sent(tmp_path: Path, change: dict[str, object], told: str) -> None:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(Proof().as_json() | change))
    with pytest.raises(InputError, match=r"proof\.json: ") as error:
        read_proof(path)
    assert told in str(error.value)


def test_a_capture_is_copied_up_to_its_last_whole_block(tmp_path: Path) -> None:
    source, target = tmp_path / "s.pcapng", tmp_path / "t.pcapng"
    capture(source)
    octets = source.read_bytes()
    assert copy_whole_blocks(source, target) == len(octets)
    assert target.read_bytes() == octets
    source.write_bytes(octets[:-10])
    copied = copy_whole_blocks(source, target)
    assert copied < len(octets) - 10
    assert octets.startswith(target.read_bytes())
    assert len(target.read_bytes()) == copied
