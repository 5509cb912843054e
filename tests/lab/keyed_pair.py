"""The pair's link keyed by MKA, and its secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lab.model.macsec import CakChange, MkaKeys, SciEncoding
from lab.model.secret import SecretReference
from lab.model.topology import Topology
from tests.lab.pair import pair_topology

CKN, CAK, OTHER_CKN, OTHER_CAK = (
    SecretReference(vault="kv-test", secret=name) for name in ("ckn", "cak", "other-ckn", "other-cak")
)


def keyed_topology(
    *, delay_protection: bool = False, mistake: dict[str, object] | None = None, **options: Any
) -> Topology:
    """As `pair_topology`. `mistake` is what b was told otherwise: ckn, cak, cipher_suite or sci_encoding."""
    topology = pair_topology(**options)
    link = topology.links[0]
    assert link.macsec is not None
    keys = MkaKeys(ckn=CKN, cak=CAK, change=CakChange.HITLESS, delay_protection=delay_protection)
    policy = replace(link.macsec, keys=keys)
    link = replace(link, macsec=policy)
    if mistake is not None:
        by_mka: dict[str, Any] = {name: mistake[name] for name in ("ckn", "cak") if name in mistake}
        rest: dict[str, Any] = {name: value for name, value in mistake.items() if name not in by_mka}
        link = replace(link, mistakes=(("b", replace(policy, keys=replace(keys, **by_mka), **rest)),))
    return replace(topology, links=(link,))


def keyed_secrets(topology: Topology) -> dict[str, bytes]:
    """A CKN and a CAK as long as the suite wants it, and others like them."""
    policy = topology.links[0].macsec
    assert policy is not None
    octets = 32 if "256" in policy.cipher_suite else 16
    return {
        str(CKN): b"the name of the key",
        str(CAK): bytes(range(octets)),
        str(OTHER_CKN): b"another name",
        str(OTHER_CAK): bytes(range(1, octets + 1)),
    }


MISTAKES: dict[str, tuple[dict[str, object], tuple[str, str]]] = {
    # What b was told otherwise, and what is then said to be the trouble at a and at b.
    "cak": ({"cak": OTHER_CAK}, ("cak", "cak")),
    "ckn": ({"ckn": OTHER_CKN}, ("ckn", "ckn")),
    "cipher-suite": ({"cipher_suite": "GCM-AES-XPN-128"}, ("sak-not-taken", "cipher-suite")),
    "sci-state": ({"sci_encoding": SciEncoding.END_STATION}, ("sci-state", "sci-state")),
}
"""Mistakes by what they are."""
