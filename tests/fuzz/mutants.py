"""Mutants of octets that are good, and a target that is called with many of them."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence


def mutate(octets: bytes, dice: random.Random) -> bytes:
    """Flip, cut, double, insert, overwrite: a few of them."""
    mutant = bytearray(octets)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(mutant) + 1)
        how = dice.randrange(5)
        if how == 0 and at < len(mutant):
            mutant[at] ^= 1 << dice.randrange(8)
        elif how == 1:
            del mutant[at : at + dice.randint(1, 20)]
        elif how == 2:
            mutant[at:at] = mutant[at : at + dice.randint(1, 200)]
        elif how == 3:
            mutant[at:at] = dice.randbytes(dice.randint(1, 8))
        else:
            mutant[at : at + 4] = dice.choice((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00"))
    return bytes(mutant)


Target = Callable[[bytes], object]
Mutate = Callable[[bytes, random.Random], bytes]


def run(target: Target, corpus: Sequence[bytes], rounds: int, seed: int, how: Mutate = mutate) -> None:
    """Call a target with so many mutants of a corpus; a failure names the octets."""
    dice = random.Random(seed)
    for _ in range(rounds):
        mutant = how(dice.choice(corpus), dice)
        try:
            target(mutant)
        except Exception as error:
            raise AssertionError(f"fails on {mutant.hex()}") from error


def main(targets: Mapping[str, Target], seeds: Callable[[str], Sequence[bytes]], how: Mutate = mutate) -> None:
    """TARGET [ROUNDS [SEED]], from the command line."""
    target, *numbers = sys.argv[1:]
    rounds, seed = (*map(int, numbers), *(10_000, 0)[len(numbers) :])
    run(targets[target], seeds(target), rounds, seed, how)
