"""Command lines in scripts and shell histories: words, with the line that each command starts on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_PROMPT = re.compile(r"^\s*(?:\S*[#$%>]\s+|\d+\s+)?(?=(?:sudo\s+)?(?:/\S*/)?ip\s)")


def ip_commands(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Each call of iproute2's `ip`: its line, and its words behind `ip` and its options, such as `-n NAMESPACE`."""
    number = 0
    while number < len(lines):
        first, text = number + 1, lines[number]
        while text.endswith("\\") and number + 1 < len(lines):
            number += 1
            text = text[:-1] + " " + lines[number]
        number += 1
        if " ip " not in f" {text}" and "/ip " not in text:
            continue
        for command in re.split(r"\s*(?:;|&&|\|\|)\s*", _PROMPT.sub("", text)):
            words = _words(command)
            if words:
                yield first, words


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return []
    while words and words[0].rpartition("/")[2] != "ip":
        words.pop(0)
    words = words[1:]
    while words and words[0].startswith("-"):
        takes_one = words.pop(0) in ("-n", "-netns", "-f", "-family", "-b", "-batch")
        if takes_one and words:
            words.pop(0)
    return words
