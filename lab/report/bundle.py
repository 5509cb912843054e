"""A bundle: everything that a verdict on a lab rests on, in one archive that any machine can go through again.

A gzipped tar of a few members with fixed names, the manifest first. The same content gives the same octets.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final

from lab.errors import InputError, Problem

FORMAT: Final = "wireproof.bundle/1"
MOST_OCTETS: Final = 8 << 30
"""Of all members together, unpacked."""

MANIFEST: Final = "manifest.json"
TOPOLOGY: Final = "topology.yaml"
PROOF: Final = "proof.json"
VERDICT: Final = "verdict.json"
KEYS: Final = "keys.jsonl"
HTML: Final = "report.html"
JUNIT: Final = "report.junit.xml"

_MOST_MANIFEST: Final = 1 << 20
_NAME: Final = re.compile(
    r"topology\.yaml|proof\.json|verdict\.json|keys\.jsonl|report\.html|report\.junit\.xml"
    r"|captures/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.pcapng"
)
_NEEDED: Final = (TOPOLOGY, PROOF, VERDICT)
_PIECE: Final = 1 << 20
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was unpacked, every member of it as the manifest says."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def has_keys(self) -> bool:
        """Whether the key log is in it."""
        return (self.folder / KEYS).exists()

    def captures(self) -> dict[str, Path]:
        """The captures by their segments."""
        return {path.stem: path for path in sorted((self.folder / "captures").glob("*.pcapng"))}


def pack(target: Path, folder: Path, facts: Mapping[str, object]) -> None:
    """Put the files of a folder into a bundle, with these facts in its manifest.

    Raises:
        InputError: a file has a name that no member can have, they are too large, or the bundle cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        raise InputError(f"no member of a bundle can be called {', '.join(wrong)}")
    total = sum(path.stat().st_size for path in files)
    if total > MOST_OCTETS:
        raise InputError(f"the captures have {total} octets together; a bundle holds {MOST_OCTETS}")
    members = [
        {"name": name, "octets": path.stat().st_size, "sha256": _sha256(path)}
        for name, path in zip(names, files, strict=True)
    ]
    manifest = json.dumps({"format": FORMAT, **facts, "members": members}, indent=2).encode() + b"\n"
    secret = KEYS in names
    try:
        with (
            _created(target, secret=secret) as stream,
            gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
        ):
            archive.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
            for name, path in zip(names, files, strict=True):
                with path.open("rb") as member:
                    archive.addfile(_member(name, path.stat().st_size), member)
    except OSError as error:
        raise InputError([Problem(file=str(target), text=f"cannot be written: {error.strerror or error}")]) from None


def is_bundle(path: Path) -> bool:
    """Whether a file looks like a bundle: a gzipped tar whose first member is the manifest."""
    try:
        with gzip.open(path) as stream:
            head = stream.read(512)
    except (OSError, EOFError, ValueError):
        return False
    return head[:100].rstrip(b"\0") == MANIFEST.encode() and head[257:262] == b"ustar"


@contextmanager
def unpacked(path: Path) -> Iterator[Bundle]:
    """Unpack a bundle into a folder that lasts as long as the `with`.

    Nothing is written elsewhere, nothing that the manifest does not list, and not more of it than it says.

    Raises:
        InputError: it cannot be read, is no bundle, or is not what its manifest says.
    """
    with TemporaryDirectory(prefix="wireproof-bundle-") as name:
        folder = Path(name)
        (folder / "captures").mkdir()
        try:
            with gzip.open(path) as stream:
                manifest = _unpack(stream, folder)
        except (OSError, EOFError, zlib.error) as error:
            raise _wrong(path, f"cannot be unpacked: {error}") from None
        except (ValueError, RecursionError) as error:
            raise _wrong(path, f"is no bundle that can be trusted: {error}") from None
        yield Bundle(folder=folder, manifest=manifest)


def _unpack(stream: gzip.GzipFile, folder: Path) -> dict[str, Any]:
    first = _header(stream)
    if first is None or first[0] != MANIFEST or first[1] > _MOST_MANIFEST:
        raise ValueError("its first member is not its manifest")
    manifest = json.loads(b"".join(_content(stream, first[1])))
    left = _listed(manifest)
    while (header := _header(stream)) is not None:
        name, size = header
        if name not in left:
            raise ValueError(f"its manifest does not list a file {name[:100]!r}, or it is there twice")
        octets, sha256 = left.pop(name)
        if size != octets:
            raise ValueError(f"{name} has {size} octets, and should have {octets}")
        if _copy(_content(stream, size), folder / name) != sha256:
            raise ValueError(f"{name} is not what it was: its SHA-256 is another")
    if left:
        raise ValueError(f"{', '.join(sorted(left))} is missing")
    if any(stream.read(_PIECE)) or stream.read(1):  # to the end, where gzip's checksum is
        raise ValueError("it goes on behind its end")
    return manifest  # type: ignore[no-any-return]  # _listed has looked at it


def _header(stream: gzip.GzipFile) -> tuple[str, int] | None:
    """Name and size of the next member, None behind the last. Only what `pack` writes is taken: plain ustar files."""
    block = stream.read(_BLOCK)
    if len(block) < _BLOCK or not any(block):
        return None
    stated = int(block[148:156].strip(b" \0") or b"0", 8)
    if block[257:262] != b"ustar" or stated != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        raise ValueError("a member's header is broken")
    if block[156:157] not in (b"0", b"\0") or any(block[345:500]):
        raise ValueError("a member is something else than a file with a short name")
    return block[:100].rstrip(b"\0").decode("ascii"), int(block[124:136].strip(b" \0") or b"0", 8)


def _content(stream: gzip.GzipFile, size: int) -> Iterator[bytes]:
    """A member's octets, and past its padding."""
    left = size
    while left:
        piece = stream.read(min(_PIECE, left))
        if not piece:
            raise EOFError("it ends in the middle of a member")
        left -= len(piece)
        yield piece
    stream.read(-size % _BLOCK)


def _listed(manifest: Any) -> dict[str, tuple[int, str]]:
    """The members that a manifest lists, with their sizes and hashes."""
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"its manifest is not of the format {FORMAT}")
    listed: dict[str, tuple[int, str]] = {}
    members = manifest.get("members")
    for member in members if isinstance(members, list) else ():
        told = member if isinstance(member, dict) else {}
        name, octets, sha256 = told.get("name"), told.get("octets"), told.get("sha256")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in listed:
            raise ValueError(
                f"its manifest lists {str(name)[:100]!r}, which no member can be called, or lists it twice"
            )
        if type(octets) is not int or octets < 0 or not isinstance(sha256, str):
            raise ValueError(f"its manifest does not say how long {name} is, or its hash")
        listed[name] = (octets, sha256)
    if sum(octets for octets, _ in listed.values()) > MOST_OCTETS:
        raise ValueError(f"its members have more than {MOST_OCTETS} octets together")
    missing = [name for name in _NEEDED if name not in listed]
    if missing:
        raise ValueError(f"its manifest lists no {', '.join(missing)}")
    return listed


def _copy(content: Iterator[bytes], target: Path) -> str:
    """Write a member out; give its hash."""
    digest = hashlib.sha256()
    target.touch(mode=0o600, exist_ok=False)
    with target.open("wb") as writing:
        for piece in content:
            digest.update(piece)
            writing.write(piece)
    return digest.hexdigest()


@contextmanager
def _created(target: Path, *, secret: bool) -> Iterator[BinaryIO]:
    """A new file that is there only when all of it is; of this user alone when it holds keys."""
    new = target.with_name(f".{target.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600 if secret else 0o666)
    try:
        with new.open("wb") as stream:
            yield stream
        new.rename(target)
    finally:
        new.unlink(missing_ok=True)


def _member(name: str, octets: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = octets, 0o600 if name == KEYS else 0o644
    return member


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _wrong(path: Path, text: str) -> InputError:
    return InputError([Problem(file=str(path), text=text)])
