"""`wireproof save`: everything a verdict rests on, in one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.console import note
from lab.cli.observe import lab_option
from lab.errors import ExitCode, InputError

if TYPE_CHECKING:
    from lab.holder.evidence import LabEvidence


@click.command("save")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--with-keys", is_flag=True, help="Put the key log in, too; the archive is then yours alone (mode 0600).")
@lab_option
def save_command(file: Path, with_keys: bool, lab_name: str | None) -> ExitCode:
    """Put a lab's topology, captures, verdict and report, versions and seeds into FILE, a .tar.gz.

    `wireproof verify FILE` forms the same verdict again, on any machine. Keys are left out unless you say --with-keys;
    whoever verifies then needs the key log.

    \b
    wireproof save evidence.tar.gz --with-keys
    wireproof verify evidence.tar.gz
    """  # noqa: D301 - click's sign for lines that stay as they are
    import json
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from lab.capture import keylog
    from lab.coverage.proof import examine_lab
    from lab.coverage.provenance import formed_here
    from lab.holder.evidence import take_evidence
    from lab.report import bundle
    from lab.report.as_json import as_json
    from lab.report.html import as_html
    from lab.report.junit import as_junit

    if file.exists():
        raise InputError(f"{file} is there already; remove it, or choose another name")
    evidence = take_evidence(lab_name)
    with TemporaryDirectory(prefix="wireproof-save-") as name:
        folder = Path(name)
        captures = _copy(evidence, folder)
        keys = keylog.read(folder / bundle.KEYS)
        report = examine_lab(evidence.topology, captures, keys, evidence.proof)
        report = replace(report, provenance=formed_here(folder / bundle.TOPOLOGY))
        (folder / bundle.PROOF).write_text(json.dumps(evidence.proof.as_json()) + "\n")
        (folder / bundle.VERDICT).write_text(json.dumps(as_json(report), indent=1) + "\n")
        (folder / bundle.HTML).write_text(as_html(report), encoding="utf-8")
        (folder / bundle.JUNIT).write_text(as_junit(report), encoding="utf-8")
        said = "included" if with_keys and keys else "left out" if keys else "none on file"
        if keys and not with_keys:
            (folder / bundle.KEYS).unlink()
        assert report.provenance is not None
        bundle.pack(file, folder, {
            "lab": evidence.folder.name,
            "verdict": str(report.verdict),
            "keys": said,
            "key_ids": [key.key for key in report.keys],
            "versions": dict(report.provenance.versions),
            "seeds": evidence.seeds(),
            "saved": report.provenance.clock["formed"],
        })  # fmt: skip
    note(f"{file}: {len(captures)} captures, verdict {report.verdict}, keys {said}")
    return ExitCode.OK


def _copy(evidence: LabEvidence, folder: Path) -> dict[str, Path]:
    """The captures as they are now, then all keys up to now, and the topology; give where the captures are."""
    from lab.capture.snapshot import copy_whole_blocks

    (folder / "captures").mkdir()
    captures = {}
    try:
        for segment, path in evidence.captures.items():
            captures[segment] = folder / "captures" / path.name
            copy_whole_blocks(path, captures[segment])
        (folder / "keys.jsonl").touch(mode=0o600)
        if evidence.folder.keys.exists():
            (folder / "keys.jsonl").write_bytes(evidence.folder.keys.read_bytes())
        (folder / "topology.yaml").write_bytes(evidence.folder.topology.read_bytes())
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be copied: {error.strerror}") from None
    return captures
