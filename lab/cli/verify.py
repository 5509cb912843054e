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
    from lab.model.expectation import Expectation


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@rendering_options
def verify_command(
    captures: tuple[Path, ...],
    key_logs: tuple[Path, ...],
    expectations: tuple[str, ...],
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
    """
    from dataclasses import replace

    from lab.capture import keylog
    from lab.coverage.examine import examine
    from lab.coverage.provenance import formed_here
    from lab.coverage.segment import Segment
    from lab.report.again import form_again
    from lab.report.bundle import is_bundle, unpacked

    renderings = Renderings(html=html, junit=junit, as_json=as_json, rules=rules)
    if any(map(is_bundle, captures)):
        if len(captures) > 1 or expectations:
            raise InputError("a bundle is verified by itself, against the expectations that are in it")
        keys = [key for key_log in key_logs for key in keylog.read(key_log)] if key_logs else None
        with unpacked(captures[0]) as bundle:
            report = form_again(bundle, keys)
        note("the verdict is the one that was saved, but for the clock")
        return hand_out(report, renderings)
    names = segment_names(captures)
    expected = read_expectations(expectations, names)
    keys = [key for key_log in key_logs for key in keylog.read(key_log)]
    report = examine(
        [
            Segment(name=name, capture=capture, expect=expected.get(name))
            for name, capture in zip(names, captures, strict=True)
        ],
        keys,
    )
    report = replace(report, provenance=formed_here())
    return hand_out(report, renderings)


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
