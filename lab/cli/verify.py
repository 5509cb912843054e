"""`wireproof verify`: a verdict on captures, offline and without privileges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.console import note
from lab.cli.renderings import Renderings, hand_out, rendering_options
from lab.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from lab.capture.keys import Key
    from lab.coverage.document import Report
    from lab.model.expectation import Expectation

LEAST_CANARY = 8


@click.command("verify")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--keys", "key_logs", metavar="FILE", multiple=True, type=click.Path(path_type=Path), help="A key log; repeatable."
)
@click.option(
    "--expect",
    "expectations",
    metavar="SEGMENT=WHAT",
    multiple=True,
    help="What a segment must show: clear, macsec, ipsec or macsec+ipsec; with `:integrity-only`, MACsec may leave"
    " frames readable. SEGMENT is the capture's name without its endings. Repeatable.",
)
@click.option(
    "--canary",
    "canaries",
    metavar="TOKEN",
    multiple=True,
    help="What was sent to be looked for: text, or hex:DIGITS. It must be found inside the protection that is expected,"
    " and nowhere else, in base64, hexadecimal or UTF-16 neither. Repeatable.",
)
@click.option(
    "--filter",
    "words",
    metavar="EXPRESSION",
    help="Judge only frames that pass, such as `udp port 4500`; the grammar is above.",
)
@click.option("--partial", is_flag=True, help="Judge a capture that breaks off by what comes before; never proven.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 64),
    help="Processes that look at frames side by side; the verdict is the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@rendering_options
def verify_command(
    captures: tuple[Path, ...],
    key_logs: tuple[Path, ...],
    expectations: tuple[str, ...],
    canaries: tuple[str, ...],
    words: str | None,
    partial: bool,
    workers: int,
    as_json: bool,
    html: Path | None,
    junit: Path | None,
    rules: tuple[str, ...],
) -> ExitCode:
    """Prove what captures carried, from their octets and a key log alone.

    Each CAPTURE (pcap or pcapng, plain or gzipped) is one segment. Every frame is classified, whatever is protected is
    checked with the keys, and the verdict is printed: proven, violated or unproven.

    A bundle that `wireproof save` made, given instead of captures, is gone through again: its verdict must be the one
    that was saved, but for the clock.

    \b
    A filter is made of conditions with `and`, `or`, `not` and parentheses:
      [src|dst] host ADDRESS              [src|dst] net ADDRESS/BITS
      [tcp|udp] [src|dst] port N|N-M      ether [src|dst] host MAC
      vlan [ID]   proto N   ether proto N
      ip ip6 arp macsec eapol tcp udp sctp icmp icmp6 esp ah
    It asks what stands on the wire before anything is opened.
    """  # noqa: D301 - click's sign for lines that stay as they are
    from lab.capture import keylog
    from lab.cli.progress import octets_bar
    from lab.coverage.examine import Manner, examine
    from lab.coverage.filter import Filter
    from lab.coverage.judge import Evidence
    from lab.coverage.segment import Segment
    from lab.report.bundle import is_bundle

    renderings = Renderings(html=html, junit=junit, as_json=as_json, rules=rules)
    if any(map(is_bundle, captures)):
        if len(captures) > 1 or expectations or canaries or words is not None or partial:
            raise InputError("a bundle is verified by itself, and against what is in it: give keys alone")
        return hand_out(_again(captures[0], key_logs), renderings)
    names = segment_names(captures)
    expected = read_expectations(expectations, names)
    evidence = Evidence(tokens=read_canaries(canaries))
    if words is not None:
        Filter(words)
    keys = [key for key_log in key_logs for key in keylog.read(key_log)]
    segments = [
        Segment(name=name, capture=capture, expect=expected.get(name), evidence=evidence)
        for name, capture in zip(names, captures, strict=True)
    ]
    with octets_bar("reading", octets_to_read(captures, keys)) as progress:
        report = examine(segments, keys, Manner(workers=workers, filter=words, partial=partial, progress=progress))
    return hand_out(report, renderings)


def _again(path: Path, key_logs: Sequence[Path]) -> Report:
    """The report on a bundle, whose verdict is the one that was saved."""
    from lab.capture import keylog
    from lab.report.again import form_again
    from lab.report.bundle import unpacked

    keys = [key for key_log in key_logs for key in keylog.read(key_log)] if key_logs else None
    with unpacked(path) as bundle:
        report = form_again(bundle, keys)
    note("the verdict is the one that was saved, but for the clock")
    return report


def octets_to_read(captures: Sequence[Path], keys: Sequence[Key]) -> int:
    """How many octets of files will be read; 0 where that is not known. With a CAK, each file is read twice."""
    from lab.capture.keys import MkaCak

    passes = 2 if any(isinstance(key, MkaCak) for key in keys) else 1
    return passes * sum(capture.stat().st_size for capture in captures if capture.is_file())


def read_canaries(words: Sequence[str]) -> tuple[bytes, ...]:
    """The octets that canaries are.

    Raises:
        InputError: one is no text of 8 octets or more, nor the hex of so many; all such are named.
    """
    canaries, problems = [], []
    for word in words:
        digits = word.removeprefix("hex:")
        try:
            canary = word.encode() if digits == word else bytes.fromhex(digits)
        except ValueError:
            canary = b""
        if len(canary) < LEAST_CANARY:
            text = f"write {LEAST_CANARY} octets or more, as text or as hex:DIGITS: what is shorter is met by accident"
            problems.append(Problem(file=f"--canary {word}", text=text))
        canaries.append(canary)
    if problems:
        raise InputError(problems)
    return tuple(canaries)


def segment_names(captures: Sequence[Path]) -> list[str]:
    """A name for each capture: the file's without its endings or, where two are alike, the whole path."""
    stems = []
    for capture in captures:
        name = capture.name.removesuffix(".gz")
        stems.append(name.removesuffix(".pcapng").removesuffix(".pcap").removesuffix(".cap") or capture.name)
    return [stem if stems.count(stem) == 1 else str(capture) for stem, capture in zip(stems, captures, strict=True)]


def read_expectations(words: Sequence[str], segments: Sequence[str]) -> dict[str, Expectation]:
    """The expectation of each segment that is named in a `SEGMENT=WHAT`.

    Raises:
        InputError: a segment that is not there, or an expectation that nobody can have; all of them are named.
    """
    import difflib

    expected: dict[str, Expectation] = {}
    problems = []
    for word in words:
        segment, equals, what = word.rpartition("=")
        expectation = _expectation(what)
        if not equals or expectation is None:
            text = "write SEGMENT=clear, =macsec, =ipsec or =macsec+ipsec; :integrity-only may follow macsec"
            problems.append(Problem(file=f"--expect {word}", text=text))
        elif segment not in segments:
            near = difflib.get_close_matches(segment, segments, 1, 0.5)
            known = f"did you mean {near[0]}?" if near else f"there are {', '.join(segments)}"
            problems.append(Problem(file=f"--expect {word}", text=f"there is no segment {segment}; {known}"))
        else:
            expected[segment] = expectation
    if problems:
        raise InputError(problems)
    return expected


def _expectation(what: str) -> Expectation | None:
    from lab.model.expectation import Expectation, Layer

    word, _, qualifier = what.partition(":")
    macsec, ipsec = (Layer.MACSEC,), (Layer.IPSEC,)
    layers = {"clear": (), "macsec": macsec, "ipsec": ipsec, "macsec+ipsec": macsec + ipsec}.get(word)
    if layers is None or qualifier not in ("", "integrity-only") or (qualifier and Layer.MACSEC not in layers):
        return None
    return Expectation(layers=layers, integrity_only=bool(qualifier))
