"""How many units were protected, as columns: what `Used` says of one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lab.capture.burst import Column
from lab.coverage.columns import gather
from lab.coverage.evidence.identity import FOLD
from lab.coverage.numbers import Numbers


class Uses(NamedTuple):
    """Nonces beyond the domain, ends of ICVs, and octets that were enciphered or authenticated; a row a unit."""

    nonces: Numbers
    icvs: Numbers
    octets: Column


def eights(data: bytes, positions: Column) -> Numbers:
    """The eight octets from each position on, as numbers."""
    return gather(data, positions, 8).view(">u8").astype(np.uint64)


def folded_ivs(data: bytes, positions: Column, octets: int) -> Numbers:
    """`folded` of IVs of 8 or 16 octets, from each position on."""
    if octets <= 8:
        return eights(data, positions)
    return eights(data, positions) * np.uint64(FOLD) + eights(data, positions + 8)
