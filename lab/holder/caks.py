"""CAKs in a lab's key log: from them alone, everything that an MKA-keyed link carried can be opened.

Those that were made for the lab go with it, so they are always on file. One from a vault of the user's outlives the
lab, and is written down only when that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.capture.keys import MkaCak
from lab.model.link import Link
from lab.model.macsec import MkaKeys
from lab.model.topology import Topology


def record(segment: str, ckn: bytes, cak: bytes) -> dict[str, object]:
    """The key log's object for a CAK of a segment."""
    return {"type": MkaCak.TYPE, "ckn": ckn.hex(), "cak": cak.hex(), "segment": segment}


def records(topology: Topology, secrets: Mapping[str, bytes], *, every: bool) -> list[dict[str, object]]:
    """What is to be on file when the lab comes up; with `every`, also CAKs that outlive it."""
    own = {made.vault for made in topology.generated_secrets}
    found: list[dict[str, object]] = []
    for link in topology.links:
        for keys in pairs_of(link):
            made = record(link.segment, secrets[str(keys.ckn)], secrets[str(keys.cak)])
            if (every or keys.cak.vault in own) and made not in found:
                found.append(made)
    return found


def pairs_of(link: Link) -> list[MkaKeys]:
    """What keys a link: one pair, or two where an end was told another one."""
    policies = [] if link.macsec is None else [link.macsec, *(policy for _, policy in link.mistakes)]
    return [policy.keys for policy in policies if isinstance(policy.keys, MkaKeys)]
