"""Where vaults are: those of the user, which stay, and those of a lab, which go with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def user_root(environment: Mapping[str, str]) -> Path:
    """The folder of the user's vaults: $WIREPROOF_VAULTS, else under $XDG_DATA_HOME, else under ~/.local/share."""
    if chosen := environment.get("WIREPROOF_VAULTS"):
        return Path(chosen)
    # The XDG base directory specification: a relative path is to be ignored.
    data = Path(environment.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path(environment.get("HOME") or Path.home()) / ".local" / "share"
    return data / "wireproof" / "vaults"
