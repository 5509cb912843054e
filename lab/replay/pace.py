"""How fast captured frames are sent again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lab.errors import InputError

_WORDS = "original, multiply=N (times as fast), rate=N (frames a second), topspeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`speed` times as fast as captured; or `rate` frames a second; or, without either, as fast as it goes."""

    speed: float | None = None
    rate: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what is written as `original`, `multiply=2`, `rate=100` or `topspeed`.

        Raises:
            InputError: it is none of them.
        """
        word, sign, value = text.partition("=")
        if not sign and word in ("original", "topspeed"):
            return cls(speed=1.0) if word == "original" else cls()
        if word not in ("multiply", "rate") or not sign:
            raise InputError(f"{text!r} is no pace; write one of {_WORDS}")
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0.001 <= number <= 1e9:
            raise InputError(f"{text!r}: {value!r} is not a number from 0.001 on, as in {word}=2")
        return cls(speed=number) if word == "multiply" else cls(rate=number)

    @property
    def is_topspeed(self) -> bool:
        """Whether no frame waits."""
        return self.speed is None and self.rate is None

    def gap(self, before_ns: int, after_ns: int) -> float:
        """Seconds between two frames that were captured at these times; a capture whose clock went back has none."""
        if self.speed is not None:
            return max(0, after_ns - before_ns) / 1e9 / self.speed
        return 0.0 if self.rate is None else 1 / self.rate
