"""What BIRD answers -> sessions and routes. The only file that knows BIRD's way to put things; it opens nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from lab.host.bird import Line

_PROTOCOL, _DETAIL, _ROUTE, _BFD = 1002, 1006, 1007, 1020
_ATTRIBUTE: Final = 1012

_ROUTE_LINE: Final = re.compile(
    r"(?P<prefix>[0-9a-f.:]+/\d+)?\s+(?P<kind>\w+)"
    r" \[(?P<protocol>\S+) (?P<since>\S+)(?: from (?P<source>\S+))?\](?P<best> \*)? \((?P<preference>\d+)\S*\)"
)
_HOP: Final = re.compile(r"(?:via (?P<via>\S+) )?(?:on|dev) (?P<device>\S+)")
_COUNTS: Final = re.compile(r"(\d+) (imported|exported|preferred)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A BGP session. `state` is BGP's own word (RFC 4271 8.2.2), as Established; `why` is the last error, if any."""

    name: str
    state: str
    address: str
    asn: int
    since: str
    why: str = ""
    imported: int = 0
    exported: int = 0
    preferred: int = 0

    @property
    def is_established(self) -> bool:
        """Whether routes can be told."""
        return self.state == "Established"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route that BIRD knows. `kind` is unicast, blackhole, unreachable ...; `best` says that it is the one in use."""

    prefix: str
    kind: str
    protocol: str
    best: bool
    hops: tuple[tuple[str, str], ...] = ()
    as_path: tuple[int, ...] = ()
    local_preference: int | None = None
    next_hop: str = ""


@dataclass(slots=True)
class _Protocol:
    name: str
    kind: str
    since: str
    info: str
    details: dict[str, str] = field(default_factory=dict)


def sessions(lines: Iterable[Line]) -> tuple[Session, ...]:
    """The BGP sessions in an answer to `show protocols all`."""
    return tuple(_session(protocol) for protocol in _protocols(lines) if protocol.kind == "BGP")


def _protocols(lines: Iterable[Line]) -> Iterator[_Protocol]:
    current: _Protocol | None = None
    for line in lines:
        if line.number == _PROTOCOL:
            if current is not None:
                yield current
            name, kind, _, _, since, *rest = [*line.text.split(maxsplit=5), ""][:6]
            current = _Protocol(name=name, kind=kind, since=since, info=rest[0] if rest else "")
        elif line.number == _DETAIL and current is not None:
            key, colon, value = line.text.strip().partition(":")
            if colon:
                current.details.setdefault(key, value.strip())
    if current is not None:
        yield current


def _session(protocol: _Protocol) -> Session:
    details = protocol.details
    counts = {word: int(number) for number, word in _COUNTS.findall(details.get("Routes", ""))}
    return Session(
        name=protocol.name,
        # A protocol that was switched off has no BGP state.
        state=details.get("BGP state", "Down"),
        address=details.get("Neighbor address", "").partition("%")[0],
        asn=int(details.get("Neighbor AS", "0")),
        since=protocol.since,
        why=details.get("Last error", ""),
        imported=counts.get("imported", 0),
        exported=counts.get("exported", 0),
        preferred=counts.get("preferred", 0),
    )


def routes(lines: Iterable[Line]) -> tuple[Route, ...]:
    """The routes in an answer to `show route all`, with or without more behind it."""
    return tuple(_routes(lines))


def _routes(lines: Iterable[Line]) -> Iterator[Route]:
    current: Route | None = None
    prefix = ""
    for line in lines:
        found = _ROUTE_LINE.match(line.text) if line.number == _ROUTE else None
        if found is not None:
            if current is not None:
                yield current
            prefix = found["prefix"] or prefix
            current = Route(
                prefix=prefix, kind=found["kind"], protocol=found["protocol"], best=found["best"] is not None
            )
        elif current is not None:
            current = _with_detail(current, line)
    if current is not None:
        yield current


def _with_detail(route: Route, line: Line) -> Route:
    text = line.text.strip()
    if line.number == _ROUTE and (hop := _HOP.match(text)):
        return replace(route, hops=(*route.hops, (hop["via"] or "", hop["device"])))
    name, _, value = text.partition(": ")
    if name == "BGP.as_path":
        return replace(route, as_path=tuple(int(asn) for asn in re.findall(r"\d+", value)))
    if name == "BGP.local_pref":
        return replace(route, local_preference=int(value))
    if name == "BGP.next_hop":
        return replace(route, next_hop=value)
    return route


def bfd_states(lines: Iterable[Line]) -> dict[str, str]:
    """The state of each BFD session in an answer to `show bfd sessions`, by the peer's address."""
    states = {}
    for line in lines:
        words = line.text.split()
        if line.number == _BFD and len(words) >= 3 and words[0][0].isdigit():
            states[words[0]] = words[2]
    return states
