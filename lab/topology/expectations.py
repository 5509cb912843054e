"""What must be seen on each segment, and between which nodes canaries travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.model.expectation import Expectation, Layer
from lab.model.link import Link
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawExpect
from lab.topology.wires import Wire

CLEAR = Expectation(layers=())
_LAYERS = {
    "clear": (),
    "macsec": (Layer.MACSEC,),
    "ipsec": (Layer.IPSEC,),
    "macsec+ipsec": (Layer.MACSEC, Layer.IPSEC),
}
# The expectation of every segment that has none of its own.
EVERY_OTHER = "*"


def read_expectations(
    written: Mapping[str, RawExpect | None], wires: Sequence[Wire], all_wires: bool, problems: Problems
) -> dict[str, Expectation]:
    """The expectation of each segment. Without `all_wires`, some link could not be read."""
    segments = [wire.segment for wire in wires]
    read: dict[str, Expectation] = {}
    for segment, raw in written.items():
        path: Path = ("expect", segment)
        if segment not in segments and segment != EVERY_OTHER and all_wires:
            problems.add(path, f"there is no segment {segment!r}; {near(segment, segments)}")
        read[segment] = CLEAR if raw is None else _expectation(raw, path, problems)
    for wire in wires:
        expectation = read.get(wire.segment) or read.get(EVERY_OTHER)
        if expectation is None:
            text = (
                f"nothing is expected of segment {wire.segment}; write `{wire.segment}: {_guess(wire)}` under `expect:`"
            )
            problems.add(wire.path, text)
            continue
        read[wire.segment] = expectation
        _compare(wire, expectation, problems)
    return read


def _expectation(raw: RawExpect, path: Path, problems: Problems) -> Expectation:
    layers = _LAYERS.get(raw.show)
    if layers is None:
        problems.add(path, f"{raw.show!r} cannot be expected of a segment; {near(raw.show, _LAYERS)}")
        return CLEAR
    if raw.integrity_only and Layer.MACSEC not in layers:
        problems.add(
            (*path, "integrity_only"), f"'integrity_only' concerns MACsec, and {raw.show!r} has none; take it away"
        )
    if raw.clear_routing and not layers:
        problems.add((*path, "clear_routing"), f"{raw.show!r} lets everything go in clear; take 'clear_routing' away")
    return Expectation(layers=layers, integrity_only=raw.integrity_only)


def _guess(wire: Wire) -> str:
    return "macsec" if wire.raw.macsec else "clear"


def _compare(wire: Wire, expectation: Expectation, problems: Problems) -> None:
    """An expectation that the topology itself cannot meet may be meant so, as in a negative control."""
    macsec = wire.raw.macsec
    expected = Layer.MACSEC in expectation.layers
    if expected and macsec is None:
        problems.warn(wire.path, f"{wire.segment} is expected to show macsec and has no `macsec:`; it will be violated")
    elif macsec is not None and not expected:
        problems.warn(wire.path, f"{wire.segment} has `macsec:` and is expected to show {expectation}")
    elif macsec is not None and not macsec.encrypt and not expectation.integrity_only:
        text = (
            f"{wire.segment} does not encrypt, which counts as clear; expect `{{show: macsec, integrity_only: true}}`"
        )
        problems.warn(wire.path, text)


def compare_tunnels(links: Sequence[Link], has_tunnels: bool, problems: Problems) -> None:
    """The same for IPsec, which is no link's own."""
    for link in links:
        if link.expect is not None and Layer.IPSEC in link.expect.layers and not has_tunnels:
            text = f"{link.segment} is expected to show ipsec and there are no `connections:`; it will be violated"
            problems.warn(("expect", link.segment), text)


def read_traffic(
    written: Sequence[Sequence[str | None] | None] | None, roles: Mapping[str, Role | None], problems: Problems
) -> tuple[tuple[str, str], ...]:
    """The pairs of nodes between which canaries travel; when none are written, every on-premises host and workload."""
    if written is None:
        return tuple(
            (a, b)
            for a, role in roles.items()
            if role is Role.ONPREM
            for b, other in roles.items()
            if other is Role.WORKLOAD
        )
    pairs: list[tuple[str, str]] = []
    for i, pair in enumerate(written):
        path: Path = ("traffic", i)
        if pair is None or None in pair:
            continue
        names = [name for name in pair if name is not None]
        for name in names:
            if name not in roles:
                problems.add(path, f"there is no node {name!r}; {near(name, roles)}")
        if len(names) != 2 or names[0] == names[1]:
            problems.add(path, f"traffic goes between two nodes, as in `[onprem, workload]`, not {', '.join(names)}")
        elif (names[0], names[1]) in pairs or (names[1], names[0]) in pairs:
            problems.add(path, f"{names[0]} and {names[1]} are a pair already; canaries travel both ways")
        else:
            pairs.append((names[0], names[1]))
    return tuple(pairs)
