"""From a node's BGP, as the model has it, to BIRD's configuration. Pure text; it holds passwords, so it is never shown.

The three short timers (no delay, retry after 1 s, wait 1 s after an error) are what make sessions start in less than a
second, which is what BIRD waits at least; hold and keepalive times end a session whose peer is gone, where BFD is not
in use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from netaddr import IPNetwork

from lab.model.bgp import Bgp, HostRoute, Neighbor

TIMERS: Final = "connect delay time 0; connect retry time 1; error wait time 1, 2; hold time 9; keepalive time 3;"
BFD_MILLISECONDS: Final = 300
BFD_MULTIPLIER: Final = 3
MAIN_TABLE: Final = 254

_HEAD: Final = """\
log stderr { warning, error, fatal, bug, auth };
router id %s;
protocol device devices { scan time 1; }
"""
_BFD: Final = """\
protocol bfd bfd_links {
  interface "*" { min rx interval %(ms)d ms; min tx interval %(ms)d ms; idle tx interval %(ms)d ms; multiplier %(n)d; };
}
"""
_KERNEL: Final = """\
protocol kernel kernel_main {
  scan time 2; merge paths yes limit 16;
  ipv4 { import none; export filter { if source = RTS_BGP || proto = "host_routes" then accept; reject; }; };
}
"""
# A route table of a subnet has what BGP learned, too, but for the prefixes that the table has routes of its own for.
_KERNEL_TABLE: Final = """\
ipv4 table subnet_%(number)d;
protocol pipe pipe_%(number)d {
  table master4; peer table subnet_%(number)d; import none;
  export filter { %(own)sif source = RTS_BGP then accept; reject; };
}
protocol kernel kernel_%(number)d {
  kernel table %(number)d; scan time 2; merge paths yes limit 16;
  ipv4 { table subnet_%(number)d; import none; export all; };
}
"""
_SESSION: Final = """\
protocol bgp %(name)s {
  %(timers)s%(disabled)s
  local %(local)s as %(asn)d; neighbor %(address)s as %(peer_asn)d; %(options)s
  ipv4 {
    import table on; next hop self;%(limit)s
    import filter { bgp_local_pref = %(preference)d; accept; };
    export filter {%(hide)s %(told)s reject; };
  };
}
"""


def session_name(neighbor: str) -> str:
    """What BIRD calls a session: a prefix keeps it from being a word of BIRD's."""
    return "p_" + neighbor.replace("-", "_").replace("/", "__")


def render(
    bgp: Bgp,
    passwords: Mapping[str, bytes],
    preferences: Mapping[str, int],
    tables: Mapping[int, Iterable[IPNetwork]],
    disabled: Collection[str] = (),
) -> str:
    """The configuration of one node's BIRD.

    `passwords` are by the text of their references, `preferences` what was changed since, by neighbour. `tables` are
    the kernel's further tables that get what is learned, each with the prefixes that it gets from elsewhere.
    `disabled` are the neighbours with whom there is to be no session.
    """
    parts = [_HEAD % bgp.router_id]
    if any(neighbor.bfd for neighbor in bgp.neighbors):
        parts.append(_BFD % {"ms": BFD_MILLISECONDS, "n": BFD_MULTIPLIER})
    parts.append(_static("own", (f"route {prefix} blackhole;" for prefix in bgp.originated)))
    parts.append(_static("host_routes", (_host_route(route) for route in bgp.host_routes if not route.in_kernel)))
    parts.append(_KERNEL)
    for number, own in tables.items():
        skipped = _prefixes(own)
        without = f"if net ~ {skipped} then reject; " if skipped else ""
        parts.append(_KERNEL_TABLE % {"number": number, "own": without})
    for neighbor in bgp.neighbors:
        parts.append(_session(bgp, neighbor, passwords, preferences, is_disabled=neighbor.name in disabled))
    return "".join(parts)


def _static(name: str, routes: Iterable[str]) -> str:
    lines = "".join(f"  {route}\n" for route in routes)
    return f"protocol static {name} {{\n  ipv4;\n{lines}}}\n" if lines else ""


def _host_route(route: HostRoute) -> str:
    hop = f'"{route.device}"' if route.device is not None else str(route.via)
    return f"route {route.destination}/32 via {hop};"


def _session(
    bgp: Bgp, neighbor: Neighbor, passwords: Mapping[str, bytes], preferences: Mapping[str, int], *, is_disabled: bool
) -> str:
    options = ["direct;"] if not neighbor.multihop else ["multihop 2;"]
    if neighbor.bfd:
        options.append("bfd on;")
    if neighbor.password is not None:
        options.append(f'password "{passwords[str(neighbor.password)].decode()}";')
    hide = f" bgp_path.delete([{', '.join(map(str, neighbor.hidden_asns))}]);" if neighbor.hidden_asns else ""
    limit = f" import limit {neighbor.most_prefixes} action disable;" if neighbor.most_prefixes else ""
    return _SESSION % {
        "name": session_name(neighbor.name),
        "timers": TIMERS,
        "disabled": " disabled;" if is_disabled else "",
        "local": neighbor.local_address,
        "asn": bgp.asn,
        "address": neighbor.address,
        "peer_asn": neighbor.asn,
        "options": " ".join(options),
        "limit": limit,
        "preference": preferences.get(neighbor.name, neighbor.preference),
        "hide": hide,
        "told": _told(bgp, neighbor),
    }


def _told(bgp: Bgp, neighbor: Neighbor) -> str:
    """The filter of what a neighbour is told."""
    own = _prefixes(bgp.advertise if neighbor.advertise is None else neighbor.advertise)
    accepted = f'if proto = "own" && net ~ {own} then accept;' if own else ""
    if neighbor.advertise is None and bgp.passes_on:
        # What has the neighbour's AS in its path it would drop as a loop (RFC 4271 9.1.2).
        loop = f" && ! (bgp_path ~ [= * {neighbor.asn} * =])" if neighbor.asn != bgp.asn else ""
        accepted += f" if source = RTS_BGP{loop} then accept;"
    return accepted


def _prefixes(prefixes: Iterable[IPNetwork]) -> str:
    listed = ", ".join(map(str, sorted(prefixes)))
    return f"[{listed}]" if listed else ""
