"""`wireproof replay`: captured frames put back on a wire, and what the receiver did with each."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.observe import json_option, lab_option
from lab.errors import ExitCode, InputError

if TYPE_CHECKING:
    from lab.holder.client import Client
    from lab.model.link import Link
    from lab.model.topology import Topology
    from lab.replay.player import Played, Stage
    from lab.replay.shots import Shot


@click.command("replay")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--into", "segment", required=True, metavar="SEGMENT", help="The wire on which they are sent.")
@click.option(
    "--at", "pace_text", default="original", show_default=True, metavar="PACE",
    help="original, multiply=N (times as fast), rate=N (frames a second) or topspeed.",
)  # fmt: skip
@click.option("--from", "sender", metavar="NODE", help="Only frames of this end; those of neither are sent as its own.")
@click.option("--frames", "wanted_text", metavar="RANGES", help="Only these frames, as in 10-20 or 1,5,10-20.")
@click.option("--each", is_flag=True, help="A row for each frame, instead of those together that met the same fate.")
@lab_option
@json_option
def replay_command(
    capture: Path,
    segment: str,
    pace_text: str,
    sender: str | None,
    wanted_text: str | None,
    each: bool,
    lab_name: str | None,
    as_json: bool,
) -> ExitCode:
    """Send captured frames once more, each as the end that sent it before, and say what its receiver did with it.

    \b
    wireproof capture ce--msee1 -w link1.pcapng --now
    wireproof replay link1.pcapng --into ce--msee1
    wireproof replay link1.pcapng --into ce--msee1 --from ce --frames 10-20 --at rate=50

    The frames go past impairments and attacks. Exits with 1 when a protected frame is accepted, which an anti-replay
    rule would have discarded; with 2 when nothing was sent.
    """  # noqa: D301 - click's sign for lines that stay as they are
    from lab.capture.source import open_capture
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.replay.outcome import document, findings
    from lab.replay.pace import Pace
    from lab.replay.player import play
    from lab.replay.shots import End, parse_ranges, shots
    from lab.topology.load import load

    pace = Pace.parse(pace_text)
    wanted = None if wanted_text is None else parse_ranges(wanted_text)
    folder = choose(lab_name)
    with Client(folder) as client, ExitStack() as stack:
        topology = load(folder.topology)
        link = next((link for link in topology.links if link.segment == segment), None)
        if link is None:
            there = ", ".join(link.segment for link in topology.links)
            raise InputError(f"there is no segment {segment!r}; there are {there}")
        if sender is not None and sender not in (end.node for end in link.ends):
            raise InputError(f"{sender!r} is no end of {segment}; its ends are {link.a.node} and {link.b.node}")
        a, b = (End(node=end.node, mac=bytes(end.mac.packed)) for end in link.ends)
        frames = stack.enter_context(open_capture(capture))
        played = play(shots(frames, (a, b), sender, wanted), pace, _stage(client, topology, link, stack))
    if as_json:
        print_json(document(played, capture=str(capture), segment=segment, pace=pace_text))
    else:
        _print(played, segment, each)
    if findings(played):
        return ExitCode.VIOLATED
    return ExitCode.OK if played.sent else ExitCode.UNPROVEN


def _stage(client: Client, topology: Topology, link: Link, stack: ExitStack) -> Stage:
    from ipaddress import ip_address

    from lab.replay.look import Kind, destination
    from lab.replay.player import Stage

    wires = {end.node: stack.enter_context(closing(client.wire(link.segment, end.node))) for end in link.ends}
    gateways = {
        ip_address(str(end.address)): f"{end.node} gateway" for each in topology.connections for end in each.ends
    }

    def receiver_of(shot: Shot) -> str:
        assert shot.sender is not None
        at_link = link.other_end(shot.sender).node
        # ESP and IKE are for whoever has the address, however far that is.
        found = destination(shot.octets) if shot.kind in (Kind.ESP, Kind.IKE) else None
        return at_link if found is None else gateways.get(found, at_link)

    return Stage(wires=wires, receiver_of=receiver_of, read=lambda: client.ask("receivers", segment=link.segment))


def _fate(what: str, exact: bool) -> str:
    return what if exact else f"{what} (?)"


def _print(played: Played, segment: str, each: bool) -> None:
    from lab.replay.outcome import alike, attribution, findings, ranges_text

    title = f"replay into {segment}"
    if each:
        rows = [(fate.number, fate.sender, fate.kind, _fate(fate.what, fate.exact)) for fate in played.fates]
        print_table(("frame", "from", "what", "receiver"), rows, title=title)
    else:
        same = [
            (ranges_text(group.numbers), len(group.numbers), group.sender, group.kind, _fate(group.what, group.exact))
            for group in alike(played.fates)
        ]
        print_table(("frames", "count", "from", "what", "receiver"), same, title=title)
    totals = [
        (node, ", ".join(f"{name} {count}" for name, count in counted.items()) or "nothing")
        for node, counted in played.totals.items()
    ]
    print_table(("receiver", "counted meanwhile"), totals)
    said = f"{played.sent} frames sent in {played.seconds:.2f} s; attributed {attribution(played)}"
    if any(not fate.exact for fate in played.fates):
        said += "; (?): other frames may have been counted in their place"
    note(said)
    for why, count in played.skipped.items():
        note(f"{count} frames not sent: {why}")
    if played.interrupted:
        note("interrupted")
    for finding in findings(played):
        note(f"{finding.severity} {finding.code}: {finding.text}")
