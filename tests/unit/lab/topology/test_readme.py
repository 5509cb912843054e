"""The description of topology files names every key, role, cipher and shipped file there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.azure.macsec import CIPHERS
from lab.model.roles import Role
from lab.topology import raw

FOLDER = Path(__file__).parents[4] / "topologies"
KINDS = (raw.RawTopology, raw.RawNode, raw.RawLink, raw.RawMacsec, raw.RawImpairments, raw.RawImpairment)
KEYS = [name for kind in KINDS for name in kind.model_fields]
WORDS = sorted({*KEYS, *Role, *CIPHERS, *(path.stem for path in FOLDER.glob("*.yaml"))})


@pytest.mark.parametrize("word", WORDS)
def test_readme_names(word: str) -> None:
    assert f"`{word}`" in (FOLDER / "README.md").read_text()
