"""Where problems of a file are gathered, so that all of them are told at once, each with its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.errors import InputError, Problem
from lab.topology.document import Document, Path


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
            raise InputError(sorted(self.wrong, key=lambda problem: problem.line or 0))

    def _note(self, notes: list[Problem], path: Path, text: str) -> None:
        problem = Problem(file=self.document.file, line=self.document.line(path), text=text)
        if problem not in notes:
            notes.append(problem)


def near(word: str, known: Iterable[str]) -> str:
    """What would be right instead of `word`: the name it resembles, else all that there are."""
    names = list(known)
    lowered = {name.lower(): name for name in reversed(names)}
    alike = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if alike:
        return f"did you mean {lowered[alike[0]]!r}?"
    if not names:
        return "there are none"
    return f"known are {', '.join(names)}"
