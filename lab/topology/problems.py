"""Where problems of a file are gathered, so that all of them are told at once, each with its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.errors import InputError, Problem
from lab.topology.document import Document, Path

# From this likeness on, of 0 to 1, one name is probably meant to be the other.
_ALIKE = 0.6


@dataclass(slots=True, kw_only=True)
class Problems:
    """What is wrong in a document, and what is only unwise."""

    document: Document
    wrong: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, path: Path, text: str) -> None:
        """Something is wrong at `path`."""
        self._note(self.wrong, path, text)

    def warn(self, path: Path, text: str) -> None:
        """Something at `path` is allowed, and probably not what was meant."""
        self._note(self.warnings, path, text)

    def raise_if_any(self) -> None:
        """Tell everything that is wrong, in the order of the file.

        Raises:
            InputError: something is.
        """
        if self.wrong:
            raise InputError(self.in_order(self.wrong))

    @staticmethod
    def in_order(notes: Iterable[Problem]) -> tuple[Problem, ...]:
        """In the order of the file."""
        return tuple(sorted(notes, key=lambda problem: problem.line or 0))

    def _note(self, notes: list[Problem], path: Path, text: str) -> None:
        problem = Problem(file=self.document.file, line=self.document.line(path), text=text)
        if problem not in notes:
            notes.append(problem)


def near(word: str, known: Iterable[str]) -> str:
    """What would be right instead of `word`: the name that it resembles most, else all that there are."""
    names = [str(name) for name in known]
    if not names:
        return "there are none"
    likeness = [difflib.SequenceMatcher(None, word.lower(), name.lower()).ratio() for name in names]
    if max(likeness) >= _ALIKE:
        return f"did you mean {names[likeness.index(max(likeness))]!r}?"
    return f"known are {', '.join(names)}"
