"""What a lab has left to be judged by: its captures, key log, topology and record of canaries, running or ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.capture.keys import Key
from lab.coverage.document import Report
from lab.coverage.proof import Proof, examine_lab, read_proof
from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.labs import is_listening, known
from lab.holder.proof import flush_captures, keys_on_file
from lab.host.state import LabFolder, folders
from lab.model.topology import Topology
from lab.topology.load import load


@dataclass(frozen=True, slots=True, kw_only=True)
class LabEvidence:
    """A lab's files, whole up to now."""

    folder: LabFolder
    topology: Topology
    captures: Mapping[str, Path]
    keys: Sequence[Key]
    proof: Proof

    def seeds(self) -> list[dict[str, object]]:
        """What happened in the lab by a seed, so that it can be made to happen again."""
        if not self.folder.events.exists():
            return []
        events = [json.loads(line) for line in self.folder.events.read_text().splitlines()]
        return [event for event in events if "seed" in event]


def take_evidence(name: str | None) -> LabEvidence:
    """The evidence of the lab of that name; without a name of the one that runs, else of the only one there is.

    Raises:
        InputError: there is none, there are several, or one has left nothing to judge.
        CheckFailedError: the lab ended meanwhile.
    """
    folder = _choose(name)
    if not folder.topology.is_file():
        raise InputError(f"lab {folder.name} has left no captures; `wireproof up FILE` makes one")
    topology = load(folder.topology)
    proof = read_proof(folder.proof) if folder.proof.exists() else Proof()
    if is_listening(folder):
        with Client(folder) as client:
            captured = flush_captures(client)
        proof = replace(proof, dropped={each.segment: each.dropped for each in captured if each.dropped})
    captures = {link.segment: folder.captures / f"{link.segment}.pcapng" for link in topology.links}
    keys = keys_on_file(folder)
    return LabEvidence(folder=folder, topology=topology, captures=captures, keys=keys, proof=proof)


def examine_folder(evidence: LabEvidence) -> Report:
    """The report on a lab's evidence.

    Raises:
        InputError: a capture cannot be read, or breaks off.
    """
    return examine_lab(evidence.topology, evidence.captures, evidence.keys, evidence.proof)


def _choose(name: str | None) -> LabFolder:
    if name is not None:
        return LabFolder.of(name)
    living = [lab.folder for lab in known() if lab.lives]
    candidates = living or [folder for folder in folders() if folder.topology.is_file()]
    if not candidates:
        raise InputError("there is no lab, and none has left captures; `wireproof up FILE` makes one")
    if len(candidates) > 1:
        raise InputError(f"there are several labs, name one: {', '.join(folder.name for folder in candidates)}")
    return candidates[0]
