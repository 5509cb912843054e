"""Times, shares and rates as people and tc write them: `20ms`, `1%`, `10mbit`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z%]*)", re.IGNORECASE)
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}  # tc(8): SI units


class QuantityError(ValueError):
    """A text that is no such quantity; says what would be one."""


def time(text: str) -> float:
    """Seconds, of a time with its unit.

    Raises:
        QuantityError: it is none.
    """
    return _read(text, _TIMES, "a time, as in 20ms: a number and us, ms or s")


def rate(text: str) -> float:
    """Bits a second, of a rate with its unit.

    Raises:
        QuantityError: it is none.
    """
    return _read(text, _RATES, "a rate, as in 10mbit: a number and bit, kbit, mbit or gbit, a second")


def share(text: str) -> float:
    """A share from 0 to 1, of a percentage.

    Raises:
        QuantityError: it is none.
    """
    found = _read(text, {"%": 0.01}, "a percentage, as in 1%")
    if found > 1:
        raise QuantityError(f"{text!r} is more than all: percentages go up to 100%")
    return found


def _read(text: str, units: Mapping[str, float], right: str) -> float:
    found = _NUMBER.fullmatch(text)
    unit = units.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise QuantityError(f"{text!r} is not {right}")
    return float(found[1]) * unit
