"""YAML text -> plain values with their lines."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.topology.document import MAX_OCTETS, Value, read


def value_of(text: str) -> Value:
    document, problems = read(text, "f")
    assert problems == []
    return document.data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("-7", -7), ("007", 7), ("1.5", 1.5), ("true", True), ("False", False), ("yes", "yes"), ("on", "on"),
        ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("0x10", "0x10"), ("'7'", "7"), ("10.0.0.1", "10.0.0.1"),
        ("!!str 7", "7"), ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: Value) -> None:
    assert value_of(f"a: {text}") == {"a": value}


def test_an_end_needs_no_quotes_within_brackets() -> None:
    assert value_of("ends: [ce:link1, msee1:link1]") == {"ends": ["ce:link1", "msee1:link1"]}


def test_keys_are_text() -> None:
    assert value_of("{1: a, true: b}") == {"1": "a", "true": "b"}


def test_lines() -> None:
    document, _ = read("a: 1\nb:\n  - x\n  - c: 1\n    d: 2\n", "f")
    assert [document.line(path) for path in ((), ("a",), ("b",), ("b", 0), ("b", 1, "d"))] == [1, 1, 2, 3, 5]
    assert document.line(("b", 1, "e", "f")) == 4, "what is not there is where its holder is"


def test_aliases_and_merges() -> None:
    text = "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {y: 4, <<: [*a, {z: 5}]}\n"
    assert value_of(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
        "d": {"y": 4, "x": 1, "z": 5},
    }


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\na: 2", 2, "'a' is written twice"),
        ("a:", 1, "'a' is empty"),
        ("a: [1, ~]", 1, "an item is empty"),
        ("a: !!int x", 1, "is not of type int"),
        ("a: !!python/object:os.system x", 1, "has no meaning here"),
        ("a: &a [*a]", 1, "inside its own anchor"),
        ("? [1]\n: 2", 1, "a key must be a word"),
        ("a: {<<: 5}", 1, "merges mappings only"),
        (r'a: "\ud83d\ude0d"', 1, "half of a character"),
        (r'"\ud83d": 1', 1, "a key must be a word"),
    ],
)
def test_what_does_not_hinder_reading_is_a_problem(text: str, line: int, what: str) -> None:
    _, problems = read(text, "f")
    assert [(problem.file, problem.line) for problem in problems] == [("f", line)]
    assert what in problems[0].text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("# only this", "is empty"),
        ("a: [1", "f:1: not valid YAML"),
        ("a: b\n\x00", "f:2: not valid YAML: character U+0000"),
        ("---\na: 1\n---\nb: 1", "f:3: not valid YAML"),
        ("[" * 5000, "nested too deeply"),
        ("#" * (MAX_OCTETS + 1), "is longer than"),
        ("a: *b", "undefined alias"),
    ],
)
def test_what_cannot_be_read(text: str, what: str) -> None:
    with pytest.raises(InputError, match="f:") as caught:
        read(text, "f")
    assert what in str(caught.value)
    assert len(caught.value.problems) == 1
