"""Changing the keys of an MKA-keyed link of a lab that runs, while probes pass over it, and what it cost them.

By the link's policy a new CAK replaces the old one at one end after the other, as at Azure's port, or stands beside it
until both ends have both. Half of it can be left undone, to see what that looks like.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.canary.probes import ProbeEnd, Probes
from lab.capture import keylog
from lab.coverage.caks import on_file
from lab.errors import InputError
from lab.holder import caks
from lab.holder.client import Client
from lab.holder.inside import doing_inside
from lab.holder.proof import keys_on_file
from lab.holder.unsecured import trouble
from lab.host.entering import Entrance
from lab.model.link import Link
from lab.model.macsec import CakChange, MkaKeys
from lab.model.secret import SecretReference
from lab.model.topology import Topology
from lab.topology.vaults import Roots, open_pair, renew_pair
from lab.vault.refusal import VaultError

Document = dict[str, Any]

_PATIENCE = 15.0  # seconds for both ends to be secured: more than a peer lives that is not heard
_GLANCE = 0.02


@dataclass(frozen=True, slots=True)
class Pair:
    """A CKN and its CAK, as the drivers are told."""

    ckn: bytes
    cak: bytes = field(repr=False)

    @property
    def fields(self) -> dict[str, str]:
        """Both as hex digits."""
        return {"ckn": self.ckn.hex(), "cak": self.cak.hex()}


def new_pair(
    ends: Ends, topology: Topology, roots: Roots, *, ckn: SecretReference | None, cak: SecretReference | None
) -> tuple[Pair, bool]:
    """The pair that the vaults hold now for a link, or for these references instead of its own.

    Where both ends have it already, new versions are made first; whether that was so is said as well.

    Raises:
        InputError: a vault refuses, or holds what cannot be a key; the link keeps the one that it has.
    """
    keys, policy = mka_keys(ends.link), ends.link.macsec
    assert policy is not None
    ckn, cak = ckn or keys.ckn, cak or keys.cak
    try:
        pair = Pair(*open_pair(policy, ckn, cak, roots, topology.identity, time.time()))
        if not all(ends.holds(node, pair) for node in ends.nodes):
            return pair, False
        renew_pair(ckn, cak, roots, time.time())
        return Pair(*open_pair(policy, ckn, cak, roots, topology.identity, time.time())), True
    except InputError as error:
        hint = f"; it is of lab {ends.client.folder.name}: wireproof vault --lab {ends.client.folder.name} ..."
        own = isinstance(error, VaultError) and {ckn.vault, cak.vault} & roots.own
        raise InputError(f"{ends.link.segment} keeps its key: {error}{hint if own else ''}") from None


class Ends:
    """Both ends of a link, spoken to through the lab's process 1."""

    def __init__(self, client: Client, link: Link) -> None:
        """Of a link of the client's lab."""
        self.client = client
        self.link = link
        self.nodes = tuple(end.node for end in link.ends)

    def tell(self, node: str, verb: str, **fields: object) -> Document:
        """Have one end do something.

        Raises:
            WireproofError: it cannot, or says nothing.
        """
        command = {"part": self.link.segment, "verb": verb, **fields}
        answer: Document = self.client.ask("command", node=node, command=command, timeout=_PATIENCE)
        return answer

    def holds(self, node: str, pair: Pair) -> bool:
        """Whether an end has this pair."""
        return bool(self.tell(node, "holds-cak", **pair.fields)["holds"])

    def await_secured(self, done: Callable[[Document], bool]) -> tuple[bool, str | None]:
        """Wait until both ends are secured and `done`; else say why they are not."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            statuses = {node: self.tell(node, "status") for node in self.nodes}
            if all(status["secured"] and done(status) for status in statuses.values()):
                return True, None
            if time.monotonic() > deadline:
                return False, _said(statuses)
            time.sleep(_GLANCE)


def in_use(status: Document) -> Document | None:
    """The SAK that an end transmits with, by its status."""
    return next((sak for sak in status["saks"] if sak["transmits"]), None)


def mka_keys(link: Link) -> MkaKeys:
    """What keys the link.

    Raises:
        InputError: it is not MKA.
    """
    policy = link.macsec
    if policy is None or not isinstance(policy.keys, MkaKeys):
        raise InputError(f"{link.segment} has static SAKs, which never change; with `ckn` and `cak` MKA would key it")
    return policy.keys


def change_cak(ends: Ends, pair: Pair, *, only: str | None, pause: float, run_on: float) -> Document:
    """Give the ends a new pair, or one of them alone, by the link's policy; `pause` seconds lie between the two.

    Raises:
        InputError: the policy does not allow this pair; nothing has changed.
    """
    change = mka_keys(ends.link).change
    targets = [node for node in ends.nodes if only in (None, node)]
    missing = [node for node in targets if not ends.holds(node, pair)]
    if change is CakChange.HITLESS:
        _check_name(ends, missing, pair)
    _log(ends, pair)
    with _probing(ends) as finish:
        began = time.monotonic()
        for number, node in enumerate(missing):
            if number:
                time.sleep(pause)
            ends.tell(node, "add-cak" if change is CakChange.HITLESS else "replace-cak", **pair.fields)
        secured, why = _conclude(ends, pair, change, is_half=only is not None)
        took = time.monotonic() - began
        time.sleep(run_on)
        if only is not None:
            statuses = {node: ends.tell(node, "status") for node in ends.nodes}
            secured = all(status["secured"] for status in statuses.values())
            why = None if secured else _said(statuses)
        directions = finish()
    return {
        "segment": ends.link.segment,
        "change": str(change),
        "ckn": pair.ckn.hex(),
        "changed_at": missing,
        "secured": secured,
        "seconds": None if only is not None or not secured else round(took, 3),
        "why": why,
        "directions": directions,
    }


def rekey(ends: Ends, *, run_on: float) -> Document:
    """Have the key server make a fresh SAK under the CAK that there is.

    Raises:
        InputError: there is no key server.
    """
    before = {node: in_use(ends.tell(node, "status")) for node in ends.nodes}
    old = [(sak["key_server_mi"], sak["key_number"]) for sak in before.values() if sak is not None]

    def is_fresh(status: Document) -> bool:
        sak = in_use(status)
        return sak is not None and (sak["key_server_mi"], sak["key_number"]) not in old

    with _probing(ends) as finish:
        began = time.monotonic()
        server = _ask_for_sak(ends)
        secured, why = ends.await_secured(is_fresh)
        took = time.monotonic() - began
        time.sleep(run_on)
        directions = finish()
    return {
        "segment": ends.link.segment,
        "key_server": server,
        "secured": secured,
        "seconds": round(took, 3) if secured else None,
        "why": why,
        "directions": directions,
    }


def _ask_for_sak(ends: Ends) -> str:
    for node in ends.nodes:
        try:
            ends.tell(node, "rekey")
        except InputError:  # the other one is the key server
            continue
        return node
    raise InputError(f"{ends.link.segment} has no key server; see `wireproof macsec status {ends.link.segment}`")


def _check_name(ends: Ends, missing: Sequence[str], pair: Pair) -> None:
    """Two CAKs that an end holds at a time are told apart by their names."""
    for node in missing:
        held = [participant["ckn"] for participant in ends.tell(node, "status")["participants"]]
        if pair.ckn.hex() in held:
            raise InputError(
                f"{ends.link.segment} keeps its key: a hitless change needs a new CKN, and {node} knows another CAK by "
                "this one"
            )


def _conclude(ends: Ends, pair: Pair, change: CakChange, *, is_half: bool) -> tuple[bool, str | None]:
    """Wait for the new pair; where the old one still stands beside it, take it away."""
    if is_half:
        return False, None

    def uses_it(status: Document) -> bool:
        sak = in_use(status)
        return sak is not None and sak["ckn"] == pair.ckn.hex()

    secured, why = ends.await_secured(uses_it)
    if not secured or change is not CakChange.HITLESS:
        return secured, why
    for node in ends.nodes:
        for participant in ends.tell(node, "status")["participants"]:
            if participant["ckn"] != pair.ckn.hex():
                ends.tell(node, "remove-cak", ckn=participant["ckn"])
    return ends.await_secured(lambda status: uses_it(status) and len(status["participants"]) == 1)


def _log(ends: Ends, pair: Pair) -> None:
    """A link whose CAK is in the lab's key log has all of its CAKs there, before they are used."""
    folder, segment = ends.client.folder, ends.link.segment
    if segment in on_file(keys_on_file(folder)):
        keylog.append(folder.keys, caks.record(segment, pair.ckn, pair.cak))


def _said(statuses: dict[str, Document]) -> str:
    return "; ".join(
        f"{node}: {'secured' if status['secured'] else trouble(status)}" for node, status in statuses.items()
    )


# --- traffic ----------------------------------------------------------------------------------------------------------


@contextmanager
def _probing(ends: Ends) -> Iterator[Callable[[], list[Document]]]:
    """Probes pass over the link meanwhile; what is given ends them, and says what became of them."""
    probes = [ProbeEnd(node=end.node, device=end.addressed_device, mac=bytes(end.mac.packed)) for end in ends.link.ends]
    with ExitStack() as stack:
        stop, going = os.pipe()
        stack.callback(os.close, stop)
        running = stack.enter_context(os.fdopen(going, "wb"))
        work = functools.partial(_probe, probes, stop)
        result = stack.enter_context(doing_inside(ends.client, ends.nodes, work, keep=[stop]))

        def finish() -> list[Document]:
            running.close()
            directions: list[Document] = result()
            return directions

        yield finish


def _probe(probes: Sequence[ProbeEnd], stop: int, entrance: Entrance) -> list[Document]:
    """What runs in the lab."""
    both = Probes(probes, lambda node: entrance.nodes[node].visit(entrance.home), time.monotonic)
    both.run(stop)
    return [
        {
            "from": lane.source.node,
            "to": lane.target.node,
            "sent": len(lane.sent),
            "lost": lane.lost,
            "longest_gap": round(lane.longest_gap, 3),
        }
        for lane in both.lanes
    ]
