"""What a wire does to frames on purpose. The fields are netem's, and mean what they mean there."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


class WireDirection(enum.StrEnum):
    """Which way along a link: from its first end to its second, or back."""

    A_TO_B = "a_to_b"
    B_TO_A = "b_to_a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What frames of one direction suffer on their one way. Times are in seconds, shares from 0 to 1.

    `delay`: every frame comes so much later; `jitter`: more or less by up to so much, each value as probable as any
    other, so frames may overtake each other. `rate`: the wire carries so many bits a second, frame after frame. `loss`,
    `corrupt` (one bit is flipped) and `duplicate` are the share of frames that suffer it, each decided by itself;
    `reorder` is the share that is not delayed, and so overtakes those before it.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    corrupt: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether frames suffer nothing."""
        return self == type(self)()

    def as_fields(self) -> dict[str, float]:
        """The fields that are not 0."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    @classmethod
    def from_fields(cls, given: Mapping[str, object]) -> Self:
        """Back from such fields.

        Raises:
            ValueError: one is not known, or is no number from 0 on.
        """
        known = {field.name for field in fields(cls)}
        values = {}
        for name, value in given.items():
            if name not in known or isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ValueError(f"{name!r}: {value!r} is no impairment")
            values[name] = float(value)
        return cls(**values)

    def __str__(self) -> str:
        return " ".join(f"{name} {_TEXT[name](value)}" for name, value in self.as_fields().items()) or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """Both directions of a link. The same seed makes the same faults."""

    a_to_b: Impairment = Impairment()
    b_to_a: Impairment = Impairment()
    seed: int = 0

    def towards(self, direction: WireDirection) -> Impairment:
        """One direction's."""
        return self.a_to_b if direction is WireDirection.A_TO_B else self.b_to_a

    @classmethod
    def of(cls, directions: dict[WireDirection, Impairment], seed: int) -> Self:
        """From the directions that are given; the others suffer nothing."""
        return cls(
            a_to_b=directions.get(WireDirection.A_TO_B, Impairment()),
            b_to_a=directions.get(WireDirection.B_TO_A, Impairment()),
            seed=seed,
        )


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1_000), ("us", 1_000_000)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.6g}{unit}"
    return f"{seconds * 1_000_000:.6g}us"


def _share(share: float) -> str:
    return f"{share * 100:.6g}%"


def _rate(bits: float) -> str:
    for unit, scale in (("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000)):
        if bits >= scale:
            return f"{bits / scale:.6g}{unit}"
    return f"{bits:.6g}bit"


_TEXT = {
    "delay": _time,
    "jitter": _time,
    "loss": _share,
    "rate": _rate,
    "corrupt": _share,
    "duplicate": _share,
    "reorder": _share,
}
