"""`wireproof impair`: what frames of a segment suffer, changed while the lab runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.directions import arrow, direction_option, directions, ends_of
from lab.cli.observe import json_option, lab_option
from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.labs import choose

_PATIENCE = 30.0


@click.command("impair")
@click.argument("segment")
@click.argument("action", type=click.Choice(["set", "show", "clear"]), default="show")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@direction_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same, the same faults.")
@lab_option
@json_option
def impair_command(
    segment: str, action: str, fields: tuple[str, ...], direction: str, seed: int, lab_name: str | None, as_json: bool
) -> None:
    """Set, show or clear what the frames of a segment suffer, one way or both.

    \b
    wireproof impair ce--msee1 set delay=20ms jitter=5ms loss=1% --direction ce
    wireproof impair ce--msee1 show
    wireproof impair ce--msee1 clear

    Fields are netem's: delay and jitter (us, ms, s), loss, corrupt, duplicate and reorder (%), rate (kbit, mbit, gbit).
    Each direction suffers for itself, on its one way: `delay=20ms` both ways adds 40ms to a round trip. `set` replaces
    what was set before for these directions.
    """  # noqa: D301 - click's sign for lines that stay as they are
    from lab.topology.impairments import impairment_of

    given = _given(fields)
    if action == "set" and not given:
        raise InputError("set what? Write as in `delay=20ms loss=1%`; `clear` takes all away")
    if action != "set" and given:
        raise InputError(f"`{action}` takes no fields; `set` does")
    with Client(choose(lab_name)) as client:
        ends = ends_of(client, segment)
        changed = {}
        if action != "show":
            suffered = impairment_of(given).as_fields()
            changed = dict.fromkeys(directions(direction, ends), suffered)
        verb = "adversary" if action == "show" else "impair"
        state = client.ask(verb, timeout=_PATIENCE, segment=segment, seed=seed, **changed)
    if as_json:
        print_json({"segment": segment, **state})
    else:
        _print(segment, ends, state)


def _given(fields: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for field in fields:
        name, sign, value = field.partition("=")
        if not sign or not value:
            raise InputError(f"{field!r} is no field with a value; write as in delay=20ms")
        if name in given:
            raise InputError(f"{name!r} is given twice")
        given[name] = value
    return given


def _print(segment: str, ends: tuple[str, str], state: Mapping[str, Any]) -> None:
    from lab.model.impairment import Impairment

    impaired = {way: lane for way, lane in state["lanes"].items() if lane["impairment"]}
    if not impaired:
        note(f"{segment}: nothing is impaired")
        return
    counters = ("frames", "lost", "corrupted", "duplicated", "reordered", "overlimit", "waiting", "overrun")
    rows = [
        (arrow(way, ends), Impairment(**lane["impairment"]), *(lane["counters"][name] for name in counters))
        for way, lane in impaired.items()
    ]
    print_table(("one way", "suffers", *counters), rows)
