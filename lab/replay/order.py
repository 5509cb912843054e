"""What an attack is told: its kind, which frames, how many, for how long. Checked here, wherever it comes from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from lab.errors import InputError
from lab.model.impairment import WireDirection

_LONGEST: Final = 60.0  # seconds that a frame is held, or a man in the middle waits between two of his own


class AttackKind(enum.StrEnum):
    """What a man in the middle can do."""

    REPLAY = "replay"
    TAMPER = "tamper"
    DROP = "drop"
    DELAY = "delay"
    REORDER = "reorder"
    DUPLICATE = "duplicate"
    INJECT_CLEAR = "inject-clear"
    STRIP = "strip"
    DOWNGRADE = "downgrade"


class How(enum.StrEnum):
    """What a downgrade does with messages that negotiate protection."""

    REWRITE = "rewrite"
    DROP = "drop"


# What an attack waits for, in seconds: before a frame comes again, or at all; between two frames of its own.
WAITS: Final[Mapping[AttackKind, float]] = {
    AttackKind.REPLAY: 0.5,
    AttackKind.DELAY: 0.1,
    AttackKind.INJECT_CLEAR: 0.1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackOrder:
    """An attack. `share` of the frames that it concerns suffer it, at most `count` of them in each direction.

    `wait` is in seconds, and means something to the kinds in `WAITS`; None is what stands there. `duration`, in
    seconds, is None for an attack that lasts until it is stopped. The same seed and frames make the same attack.
    """

    kind: AttackKind
    directions: tuple[WireDirection, ...] = tuple(WireDirection)
    seed: int = 0
    share: float = 1.0
    count: int | None = None
    duration: float | None = None
    wait: float | None = None
    how: How = How.REWRITE

    def __post_init__(self) -> None:
        for wrong, text in (
            (not self.directions, "an attack needs a direction"),
            (not 0 < self.share <= 1, f"a share is more than 0% and at most 100%, not {self.share * 100:.6g}%"),
            (self.count is not None and self.count < 1, f"a count is 1 or more, not {self.count}"),
            (self.duration is not None and self.duration <= 0, f"a duration is more than 0 s, not {self.duration} s"),
            (
                self.kind is AttackKind.INJECT_CLEAR and self.share != 1,
                "inject-clear makes frames of its own, and harms none: it has a wait between two, and no percentage",
            ),
            (
                self.wait is not None and self.kind not in WAITS,
                f"{self.kind} waits for nothing; {', '.join(WAITS)} do",
            ),
            (
                self.wait is not None and not 0.001 <= self.wait <= _LONGEST,
                f"a wait is 1ms to {_LONGEST:.0f}s",
            ),
            (
                self.how is not How.REWRITE and self.kind is not AttackKind.DOWNGRADE,
                f"only downgrade has a choice how, not {self.kind}",
            ),
        ):
            if wrong:
                raise InputError(text)

    @property
    def pause(self) -> float:
        """The wait in force."""
        return WAITS.get(self.kind, 0.0) if self.wait is None else self.wait

    def as_fields(self) -> dict[str, object]:
        """As JSON carries it."""
        return {
            "kind": str(self.kind),
            "directions": [str(direction) for direction in self.directions],
            "seed": self.seed,
            "share": self.share,
            "count": self.count,
            "duration": self.duration,
            "wait": self.wait,
            "how": str(self.how),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Back from JSON; fields that are not there are at their defaults.

        Raises:
            InputError: it is no attack.
        """
        given = {name: fields[name] for name in cls.__dataclass_fields__ if fields.get(name) is not None}
        try:
            return cls(
                **given
                | {"kind": AttackKind(given["kind"])}
                | ({"how": How(given["how"])} if "how" in given else {})
                | (
                    {"directions": tuple(WireDirection(each) for each in given["directions"])}
                    if "directions" in given
                    else {}
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"no attack: {error}; kinds are {', '.join(AttackKind)}") from None
