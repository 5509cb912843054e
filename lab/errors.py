"""Exit codes, and the errors that carry one. Every message says what is wrong and what would be right."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """One table for every command."""

    OK = 0
    VIOLATED = 1
    UNPROVEN = 2
    BAD_INPUT = 3
    CANNOT = 4
    BUG = 70


class WireproofError(Exception):
    """An error for the user: printed without a traceback, it ends the command with `exit_code`."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG


class CheckFailedError(WireproofError):
    """A check that the user asked for failed."""

    exit_code = ExitCode.VIOLATED


class UnprovenError(WireproofError):
    """There is not enough evidence for an answer."""

    exit_code = ExitCode.UNPROVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in something that the user wrote: where, what is wrong, what would be right."""

    file: str
    line: int | None = None
    text: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.text}"


class InputError(WireproofError):
    """Bad input or usage. Carries every problem found, not only the first."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, self.problems)))


class MachineError(WireproofError):
    """This machine cannot do it. `fix` is the command, or the step, that would change that."""

    exit_code = ExitCode.CANNOT

    def __init__(self, missing: str, *, fix: str | None = None) -> None:
        self.missing = missing
        self.fix = fix
        super().__init__(missing if fix is None else f"{missing}\n  fix: {fix}")
