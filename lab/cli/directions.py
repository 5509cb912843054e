"""Directions of a segment, as commands take and show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from lab.errors import InputError
from lab.holder.client import Client

direction_option = click.option(
    "--direction",
    default="both",
    show_default=True,
    metavar="WAY",
    help="both, a_to_b (from the segment's first end), b_to_a, or the node that sends.",
)


def ends_of(client: Client, segment: str) -> tuple[str, str]:
    """The nodes at both ends of a segment.

    Raises:
        InputError: there is no such segment.
    """
    segments: list[Mapping[str, Any]] = client.ask("status")["segments"]
    for each in segments:
        if each["segment"] == segment:
            first, second = (end.partition(":")[0] for end in each["ends"])
            return first, second
    raise InputError(f"there is no segment {segment!r}; there are {', '.join(each['segment'] for each in segments)}")


def directions(text: str, ends: tuple[str, str]) -> list[str]:
    """The directions that are meant.

    Raises:
        InputError: there is none of that name.
    """
    known = {"both": ["a_to_b", "b_to_a"], "a_to_b": ["a_to_b"], "b_to_a": ["b_to_a"]}
    known |= {ends[0]: ["a_to_b"], ends[1]: ["b_to_a"]}
    if text not in known:
        raise InputError(f"there is no direction {text!r}; write one of {', '.join(known)}")
    return known[text]


def arrow(direction: str, ends: tuple[str, str]) -> str:
    """A direction, to be shown."""
    near, far = ends if direction == "a_to_b" else ends[::-1]
    return f"{near} -> {far}"
