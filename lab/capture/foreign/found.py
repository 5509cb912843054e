"""What was found in a file of another program: key objects, and what could not be made into any, each with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, TypeAlias, final

from lab.capture import keylog
from lab.capture.keyfields import FieldError
from lab.errors import Problem

Object: TypeAlias = dict[str, object]


class NotImportedError(Exception):
    """Something cannot be imported; the message says what, and what would help. It never holds a key."""


@final
class Found:
    """Collects what is found. A key that is found again counts once."""

    def __init__(self) -> None:
        self.problems: Final[list[Problem]] = []
        self._objects: Final[dict[str, Object]] = {}

    @property
    def objects(self) -> list[Object]:
        """The key objects, in the order of finding."""
        return list(self._objects.values())

    def key(self, file: str, line: int, fields: Mapping[str, object]) -> None:
        """Take a key; a field that is None is left out. One that a key log could not hold is a problem."""
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            keylog.parse(given)
        except FieldError as error:
            self.problem(file, line, str(error))
        else:
            self._objects[json.dumps(given, sort_keys=True)] = given

    def problem(self, file: str, line: int | None, text: str) -> None:
        """Tell of something that is not imported."""
        self.problems.append(Problem(file=file, line=line, text=text))
