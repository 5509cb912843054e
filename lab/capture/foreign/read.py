"""Reading files of other programs: which format each is in, and the keys of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lab.capture.foreign import charon_log, macsec, wireshark_tables, xfrm
from lab.capture.foreign.found import Found

_KNOWN: Final = (
    "Wireshark's esp_sa and ikev2_decryption_table, strongSwan's log with keys, `ip xfrm state` and `ip macsec show`,"
    " and the commands that add to those"
)


def read(paths: Iterable[Path]) -> Found:
    """The keys of all these files. What of them cannot be imported, a whole file even, is among the problems."""
    found, devices = Found(), macsec.Macsec()
    for path in paths:
        try:
            lines = _lines(path)
        except OSError as error:
            found.problem(str(path), None, f"it cannot be read: {error.strerror}")
            continue
        known = False
        for form in (wireshark_tables, charon_log, xfrm):
            if any(map(form.claims, lines)):
                form.read(str(path), lines, found)
                known = True
        if any(map(macsec.claims, lines)):
            devices.read(str(path), lines, found)
            known = True
        if not known:
            found.problem(str(path), None, f"no keys of a known format; known are {_KNOWN}")
    devices.pair(found)
    return found


def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode(errors="replace").splitlines()
