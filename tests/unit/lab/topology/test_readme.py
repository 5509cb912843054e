"""The description of topology files names every key, role, cipher and shipped file there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.azure import ipsec
from lab.azure.macsec import CIPHERS
from lab.model.roles import Role
from lab.topology import raw, raw_azure, raw_bgp
from lab.topology.written import Written

FOLDER = Path(__file__).parents[4] / "topologies"
RECORDS: tuple[type[Written], ...] = (
    raw.RawTopology, raw.RawNode, raw.RawLink, raw.RawMacsec, raw.RawConnection, raw.RawConnectionEnd,
    raw.RawIpsecPolicy, raw.RawImpairments, raw.RawImpairment, raw_bgp.RawBgp, raw_bgp.RawNeighbor,
    *(kind for kind in vars(raw_azure).values() if isinstance(kind, type) and issubclass(kind, Written)),
)  # fmt: skip
KEYS = [name for kind in RECORDS for name in kind.model_fields]
POLICY = {
    *ipsec.IPSEC_ENCRYPTION, *ipsec.IPSEC_INTEGRITY, *ipsec.IKE_ENCRYPTION, *ipsec.INTEGRITY, *ipsec.DH_GROUPS,
    *ipsec.PFS_GROUPS, *ipsec.CONNECTION_MODES,
} - {"DHGroup1", "PFS1"}  # fmt: skip
WORDS = sorted({*KEYS, *Role, *CIPHERS, *POLICY, *(path.stem for path in FOLDER.glob("*.yaml"))})


@pytest.mark.parametrize("word", WORDS)
def test_readme_names(word: str) -> None:
    assert f"`{word}`" in (FOLDER / "README.md").read_text()
