"""`wireproof macsec`: how links are protected and, where one is not, why; and changes of their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from lab.cli.console import Seconds, note, print_json, print_table
from lab.cli.observe import json_option, lab_option
from lab.errors import ExitCode, InputError

if TYPE_CHECKING:
    from lab.model.secret import SecretReference

_RUN_ON = 1.0
_YEAR = 365.25 * 86400


@click.group("macsec")
def macsec_command() -> None:
    """See how links are protected, and change their keys."""


@macsec_command.command("status")
@click.argument("link", required=False)
@lab_option
@json_option
def status_command(link: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show both ends of LINK, or of every link with MACsec: keys, packet numbers and how long they last, counters.

    Exits with 1 when a link is not secured; then each end says why.
    """
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.macsec import links
    from lab.topology.load import load

    folder = choose(lab_name)
    with Client(folder) as client:
        found = links(client, load(folder.topology), link)
    if as_json:
        print_json(found)
    else:
        _print_links(found)
    return ExitCode.OK if all(each["secured"] for each in found) else ExitCode.VIOLATED


@macsec_command.command("rotate")
@click.argument("link")
@click.option("--rekey", "sak_only", is_flag=True, help="Keep the CAK; have the key server make a fresh SAK.")
@click.option("--only", metavar="NODE", help="Change this end alone, and leave the rest to be done.")
@click.option("--ckn", metavar="URL", help="Take the CKN from this secret.")
@click.option("--cak", metavar="URL", help="Take the CAK from this secret.")
@click.option(
    "--pause",
    type=Seconds(0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long it takes from one end to the other.",
)
@click.option(
    "--run-on",
    type=Seconds(0),
    default=_RUN_ON,
    show_default=True,
    metavar="SECONDS",
    help="How long probes go on afterwards.",
)
@lab_option
@json_option
def rotate_command(
    link: str,
    sak_only: bool,
    only: str | None,
    ckn: str | None,
    cak: str | None,
    pause: float,
    run_on: float,
    lab_name: str | None,
    as_json: bool,
) -> ExitCode:
    """Give LINK a new CAK and CKN while probes pass over it, and say what that cost them.

    The pair is what the link's secrets hold now; where both ends have that already, they get new versions first. It is
    installed by the link's policy: `azure` replaces the old pair at one end, then at the other, and frames are lost
    until both have it; `hitless` adds it at both ends and then takes the old one away. Said again after --only, this
    does what is left to do.

    Exits with 1 when the link is not secured in the end, and nothing was left undone on purpose.
    """
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.macsec import protected
    from lab.holder.rotation import Ends, change_cak, mka_keys, new_pair, rekey
    from lab.topology.load import load
    from lab.topology.vaults import Roots
    from lab.vault.roots import user_root

    folder = choose(lab_name)
    topology = load(folder.topology)
    chosen = protected(topology, link)
    mka_keys(chosen)
    if sak_only and (only or ckn or cak):
        raise InputError("--rekey keeps the CAK at both ends; leave --only, --ckn and --cak out")
    if only is not None and only not in [end.node for end in chosen.ends]:
        raise InputError(f"{only} is no end of {link}; its ends are {' and '.join(end.node for end in chosen.ends)}")
    references = [_reference(url) for url in (ckn, cak)]
    with Client(folder) as client:
        ends = Ends(client, chosen)
        if sak_only:
            document = rekey(ends, run_on=run_on)
        else:
            roots = Roots.of(topology, folder.vaults, user_root(os.environ))
            pair, renewed = new_pair(ends, topology, roots, ckn=references[0], cak=references[1])
            if renewed and not as_json:
                note("both ends have what the vault held; its secrets got new versions")
            document = change_cak(ends, pair, only=only, pause=pause, run_on=run_on)
    if as_json:
        print_json(document)
    else:
        _print_change(document)
    return ExitCode.OK if document["secured"] or only is not None else ExitCode.VIOLATED


def _reference(url: str | None) -> SecretReference | None:
    from lab.model.secret import SecretReference
    from lab.vault.names import parse_secret_url

    if url is None:
        return None
    read = parse_secret_url(url)
    return SecretReference(vault=read.vault, secret=read.secret, version=read.version)


# --- what is shown ----------------------------------------------------------------------------------------------------


def _print_links(found: list[dict[str, Any]]) -> None:
    print_table(
        ("link", "suite", "keys", "end", "state", "key server", "members", "AN", "next PN", "left at line rate",
         "SAK age", "protected", "accepted", "other counters"),
        [row for link in found for row in _rows(link)],
    )  # fmt: skip
    for link in found:
        for end in link["ends"]:
            if end["why"]:
                note(f"{link['segment']} at {end['node']}: {end['why']}")


def _rows(link: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for end in link["ends"]:
        counters = end.get("counters", {"protected": None, "accepted": None, "others": {}})
        others = dict(counters["others"])
        if end.get("shut_out"):
            others["shut out"] = end["shut_out"]
        yield (
            link["segment"],
            link["cipher_suite"],
            link["keys"] if link["change"] is None else f"{link['keys']}, {link['change']}",
            end["node"],
            "secured" if end["secured"] else "down",
            end.get("key_server"),
            " ".join(end.get("members", ())),
            end.get("an"),
            end.get("next_pn"),
            duration(end.get("seconds_at_line_rate")),
            duration(end.get("sak_age")),
            counters["protected"],
            counters["accepted"],
            ", ".join(f"{name} {count}" for name, count in others.items()),
        )


def _print_change(document: Mapping[str, Any]) -> None:
    segment = document["segment"]
    if "key_server" in document:
        note(f"{segment}: {document['key_server']} made a fresh SAK")
    elif document["changed_at"]:
        how = "replaced" if document["change"] == "azure" else "added, then the old one taken away,"
        note(f"{segment}: CAK {how} at {' and '.join(document['changed_at'])}; its CKN is {document['ckn']}")
    else:
        note(f"{segment}: nothing to change, CKN {document['ckn']} is in use there")
    if document["seconds"] is not None:
        note(f"{segment}: secured with it after {document['seconds']:.3f} s")
    if not document["secured"]:
        note(f"{segment} is not secured: {document['why']}")
    rows = [
        (lane["from"], lane["to"], lane["sent"], lane["lost"], f"{lane['longest_gap']:.3f} s")
        for lane in document["directions"]
    ]
    print_table(("from", "to", "probes sent", "lost", "longest gap"), rows)


def duration(seconds: float | None) -> str | None:
    """A time in the unit that suits it."""
    if seconds is None:
        return None
    if seconds >= _YEAR:
        return f"{seconds / _YEAR:,.0f} years"
    for unit, octave in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * octave:
            return f"{seconds / octave:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
