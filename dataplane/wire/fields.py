"""Header fields on their way out: a value must fit its field, so that every record can be emitted."""

from __future__ import annotations

from dataplane.errors import LocalError


def check_fields(**fields: tuple[int, int]) -> None:
    """Check that each field's (value, bits) fits.

    Raises:
        LocalError: one does not.
    """
    for name, (value, bits) in fields.items():
        if not 0 <= value < 1 << bits:
            raise LocalError(f"{name} has {bits} bits: {value} does not fit")
