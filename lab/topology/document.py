"""YAML text -> plain values, each with the line it was written on. Knows nothing of topologies.

YAML 1.2's core schema: only true and false are booleans, `1:30` and `2024-01-01` are text, and a key is always text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from lab.errors import InputError, Problem

# In a list, None keeps the place of an item that could not be used.
Value: TypeAlias = "str | int | float | bool | list[Value | None] | dict[str, Value]"
Path: TypeAlias = tuple[str | int, ...]

MAX_OCTETS = 1 << 20
# Aliases can make a small text stand for a huge one.
MAX_VALUES = 200_000

_TAG = "tag:yaml.org,2002:"
# JSON writes some characters as two codes, which YAML reads as two halves that are no characters.
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONSTRUCT: Mapping[str, Callable[[str], Value]] = {
    "int": int,
    "float": float,
    "bool": lambda text: text.lower() == "true",
}
_CORE = {_TAG + name for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document: its values, and the line of each by its path of keys and indices."""

    file: str
    data: Value
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line on which `path` was written, or whatever holds it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


class _CoreLoader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema of YAML 1.2."""


_CoreLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"<<$", "<"),
):
    # int stands before float: the first that matches wins.
    _CoreLoader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), list(_first))


def read(text: str, file: str) -> tuple[Document, list[Problem]]:
    """Read one YAML document. What is wrong but does not hinder reading on comes back as problems.

    Raises:
        InputError: the text is not YAML, is empty, or is too large.
    """
    if len(text) > MAX_OCTETS:
        raise _refusal(file, None, f"is longer than {MAX_OCTETS} characters; a topology is a page or two of YAML")
    try:
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        raise _refusal(file, *_syntax(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _refusal(file, line, f"not valid YAML: character U+{ord(text[error.position]):04X}") from None
    except RecursionError:
        raise _refusal(file, None, "is nested too deeply; a topology needs six levels") from None
    if root is None:
        raise _refusal(file, None, "is empty; a topology has at least name, nodes and links")
    reading = _Reading(file)
    data = reading.value(root, ())
    return Document(file=file, data={} if data is None else data, lines=reading.lines), reading.problems


def _syntax(error: yaml.MarkedYAMLError) -> tuple[int | None, str]:
    """Where the text ceases to be YAML, and what was being read then."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    began = error.context_mark.line + 1 if error.context_mark else line
    context = f"{error.context}{f' from line {began} on' if began != line else ''}: " if error.context else ""
    hint = "; indent with spaces, not tabs" if r"'\t'" in (error.problem or "") else ""
    return line, f"not valid YAML: {context}{error.problem}{hint}"


def _refusal(file: str, line: int | None, text: str) -> InputError:
    return InputError([Problem(file=file, line=line, text=text)])


class _Reading:
    """One walk over the composed nodes."""

    def __init__(self, file: str) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Path) -> Value | None:
        """The node's value; None when it has none that could be used, which is then among the problems."""
        self.lines.setdefault(path, _line(node))
        if len(self.lines) > MAX_VALUES:
            raise _refusal(self._file, None, f"stands for more than {MAX_VALUES} values; are aliases nested?")
        if node.tag not in _CORE:
            self._problem(node, f"the tag {node.tag!r} has no meaning here; write the value without a tag")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._problem(node, "an alias stands inside its own anchor; write the value out")
            return None
        self._open.add(id(node))
        try:
            return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        finally:
            self._open.discard(id(node))

    def _problem(self, node: yaml.Node, text: str) -> None:
        self.problems.append(Problem(file=self._file, line=_line(node), text=text))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Value | None:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if _SURROGATE.search(text):
            self._problem(node, "holds half of a character; write the character itself, or its code as \\UXXXXXXXX")
            return None
        if kind == "null":
            what = repr(path[-1]) if path and isinstance(path[-1], str) else "an item"
            self._problem(node, f"{what} is empty; write a value or take it away")
            return None
        try:
            return _CONSTRUCT[kind](text) if kind in _CONSTRUCT else text
        except ValueError:
            self._problem(node, f"{text[:40]!r} is not of type {kind}")
            return None

    def _sequence(self, node: yaml.Node, path: Path) -> Value:
        return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Value:
        result: dict[str, Value] = {}
        written: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                self._merge(value_node, path, result)
                continue
            if not isinstance(key_node, yaml.ScalarNode) or _SURROGATE.search(key_node.value):
                self._problem(key_node, "a key must be a word")
                continue
            key = key_node.value
            if key in written:
                self._problem(key_node, f"{key!r} is written twice, first on line {written[key]}; keep one of them")
                continue
            written[key] = _line(key_node)
            self.lines[*path, key] = _line(key_node)
            value = self.value(value_node, (*path, key))
            if value is not None:
                result[key] = value
        return result

    def _merge(self, node: yaml.Node, path: Path, result: dict[str, Value]) -> None:
        """`<<: *anchor`: what is written beside it comes first."""
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                self._problem(source, "<< merges mappings only")
                continue
            merged = self.value(source, path)
            for key, value in merged.items() if isinstance(merged, dict) else ():
                result.setdefault(key, value)


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
