"""Where a user's vaults are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.vault.roots import user_root


@pytest.mark.parametrize(
    ("environment", "root"),
    [
        ({"WIREPROOF_VAULTS": "/v", "XDG_DATA_HOME": "/d", "HOME": "/h"}, "/v"),
        ({"XDG_DATA_HOME": "/d", "HOME": "/h"}, "/d/wireproof/vaults"),
        ({"XDG_DATA_HOME": "d", "HOME": "/h"}, "/h/.local/share/wireproof/vaults"),
        ({"HOME": "/h"}, "/h/.local/share/wireproof/vaults"),
    ],
)
def test_roots(environment: dict[str, str], root: str) -> None:
    assert user_root(environment) == Path(root)
