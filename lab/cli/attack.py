"""`wireproof attack`: a man in the middle of a segment, what he does, and what the receivers do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.directions import arrow, direction_option, directions, ends_of
from lab.cli.observe import json_option, lab_option
from lab.errors import ExitCode, InputError
from lab.holder.client import Client
from lab.holder.labs import choose
from lab.replay.order import AttackKind, AttackOrder
from lab.topology import quantities

_PATIENCE = 30.0
_FOR_EVER = 1e6  # as near as poll(2) has it


@click.command("attack")
@click.argument("segment", metavar="SEGMENT|list")
@click.argument("kind", required=False, metavar="KIND|stop")
@direction_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same, the same attack.")
@click.option("--percent", type=float, default=100.0, show_default=True, help="Of the frames that it concerns.")
@click.option("--count", type=int, metavar="N", help="End after so many frames in each direction.")
@click.option("--duration", metavar="TIME", help="End after that time, as in 10s.")
@click.option("--until-stopped", is_flag=True, help="Go on until Ctrl-C or `stop`, as without --count and --duration.")
@click.option("--wait", metavar="TIME", help="replay, delay: how much later; inject-clear: between two frames.")
@click.option(
    "--how", type=click.Choice(["rewrite", "drop"]), help="downgrade: rewrite what negotiates, or let it not arrive."
)
@click.option("--background", is_flag=True, help="Return at once; `stop` ends it and reports.")
@click.option("--attack", "number", type=int, metavar="N", help="stop: this one alone.")
@lab_option
@json_option
def attack_command(
    segment: str, kind: str | None, *, lab_name: str | None, as_json: bool, number: int | None, **options: Any
) -> ExitCode:
    """Attack the frames of a segment, and report what the receivers did with them.

    \b
    replay        protected frames come once more, later, as they were
    tamper        one bit is flipped behind the header of protected frames
    drop, delay, reorder, duplicate    any frames
    inject-clear  forged frames: in clear, and as if protected with a wrong ICV
    strip         protection is taken off; what is left goes on as if clear
    downgrade     MKPDUs and IKE_SA_INIT messages ask for less, or are lost

    \b
    wireproof attack ce--msee1 tamper --percent 10 --duration 10s
    wireproof attack ce--msee1 replay --background
    wireproof attack list
    wireproof attack ce--msee1 stop     # ends it, and shows what has ended before

    The man in the middle is spliced into the wire for that time, and leaves no trace there. Exits with 2 when no frame
    came that the attack concerns.
    """  # noqa: D301 - click's sign for lines that stay as they are
    with Client(choose(lab_name)) as client:
        if segment == "list":
            return _list(client, as_json)
        ends = ends_of(client, segment)
        if kind == "stop":
            reports = client.ask("stop-attacks", timeout=_PATIENCE, segment=segment, attack=number)
        else:
            order = _order(kind, ends, options)
            if options["background"]:
                begun = client.ask("attack", timeout=_PATIENCE, segment=segment, order=order)
                return _tell_begun(segment, begun, as_json)
            reports = _in_foreground(client, segment, order)
    print_json(reports) if as_json else _print(reports, ends)
    if not any(part["did"] for report in reports for part in report["done"].values()):
        note("nothing was done: no frame came that the attack concerns")
        return ExitCode.UNPROVEN
    return ExitCode.OK


def _order(kind: str | None, ends: tuple[str, str], options: Mapping[str, Any]) -> dict[str, object]:
    if kind not in tuple(AttackKind):
        said = "an attack is missing" if kind is None else f"there is no attack {kind!r}"
        raise InputError(f"{said}; write one of {', '.join(AttackKind)}, or stop")
    if options["until_stopped"] and (options["duration"] or options["count"]):
        raise InputError("--until-stopped is neither for a --duration nor for a --count")
    order = {
        "kind": kind,
        "directions": directions(options["direction"], ends),
        "seed": options["seed"],
        "share": options["percent"] / 100,
        "count": options["count"],
        "how": options["how"],
    }
    for name in ("duration", "wait"):
        try:
            order[name] = None if options[name] is None else quantities.time(options[name])
        except quantities.QuantityError as error:
            raise InputError(f"--{name}: {error}") from None
    return AttackOrder.from_fields(order).as_fields()  # refused here, before anybody is told that it began


def _in_foreground(client: Client, segment: str, order: Mapping[str, object]) -> list[Mapping[str, Any]]:
    """Wait until it has ended, or end it when interrupted."""
    if order["duration"] is None:
        note(f"{order['kind']} on {segment}; Ctrl-C ends it")
    try:
        return [client.ask("attack", timeout=_FOR_EVER, segment=segment, order=order, wait=True)]
    except KeyboardInterrupt:
        note("")
        found: list[Mapping[str, Any]] = client.ask("stop-attacks", timeout=_PATIENCE, segment=segment, own=True)
        return found


def _tell_begun(segment: str, begun: Mapping[str, Any], as_json: bool) -> ExitCode:
    if as_json:
        print_json({"segment": segment, **begun})
    else:
        note(f"attack {begun['attack']} on {segment} has begun; `wireproof attack {segment} stop` ends it")
    return ExitCode.OK


def _list(client: Client, as_json: bool) -> ExitCode:
    segments = [each["segment"] for each in client.ask("status")["segments"]]
    states = {segment: client.ask("adversary", timeout=_PATIENCE, segment=segment) for segment in segments}
    states = {segment: state for segment, state in states.items() if state["attacks"] or state["ended"]}
    if as_json:
        print_json(states)
        return ExitCode.OK
    rows = [
        (segment, attack["attack"], attack["kind"], said, " ".join(attack["directions"]), _done(attack))
        for segment, state in states.items()
        for said, attacks in (("runs", state["attacks"]), ("ended", state["ended"]))
        for attack in attacks
    ]
    if rows:
        print_table(("segment", "attack", "kind", "state", "directions", "done"), rows)
    else:
        note("no attack")
    return ExitCode.OK


def _done(report: Mapping[str, Any]) -> str:
    return "; ".join(f"{way}: {_counts(part['did'])}" for way, part in report["done"].items())


def _print(reports: list[Mapping[str, Any]], ends: tuple[str, str]) -> None:
    for report in reports:
        title = f"attack {report['attack']} on {report['segment']}: {report['kind']}, seed {report['seed']}"
        rows = [(arrow(way, ends), _counts(part["seen"]), _counts(part["did"])) for way, part in report["done"].items()]
        print_table(("one way", "frames seen", "done"), rows, title=title)
        print_table(("receiver", "counted by", "counted meanwhile"), _received(report))


def _received(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for node, receiver in report["receivers"].items():
        who = "its driver" if receiver["driver"] else "its kernel, on all devices"
        who += "" if receiver["answers"] else ", which does not answer"
        if receiver["counters"] or not node.endswith(" gateway"):
            yield node, who, _counts(receiver["counters"])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
