"""The path as a drawing: nodes in layers from left to right, each link with a lane for either direction.

Only geometry is here, in whole units of the drawing, and what each lane is made of. How it looks is the template's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lab.coverage.document import DirectionReport, Report, SegmentReport, Verdict
from lab.coverage.facts import LinkReport, NodeReport, PathReport

BOX_WIDTH: Final = 138
_BOX_HEIGHT: Final = 62
_PORT_HEIGHT: Final = 46
_LINK: Final = 124
_ROW_GAP: Final = 56
_MARGIN: Final = 18
_LANE: Final = 9  # from a link's middle to either lane's
_ARROW: Final = 13

TUBES: Final = {
    "X_MACSEC": ("macsec",),
    "X_IPSEC": ("ipsec",),
    "X_BOTH": ("macsec", "ipsec"),
    "NX": ("clear",),
    "NX_BYPASS": ("clear",),
    "NX_NULL": ("clear",),
    "NX_INTEGRITY_ONLY": ("integrity",),
    "NX_UNVERIFIED": ("unverified",),
    "NX_MALFORMED": ("malformed",),
}
"""What a lane is drawn with for each word of coverage, from the outside in. Control frames are not drawn."""

_SPOKEN: Final = {
    "macsec": "MACsec",
    "ipsec": "IPsec",
    "clear": "clear",
    "integrity": "integrity only",
    "unverified": "not verified",
    "malformed": "malformed",
}
_ORDER: Final = tuple(_SPOKEN)
_BOTH: Final = frozenset({"macsec", "ipsec"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node, by its upper left corner."""

    name: str
    role: str
    x: int
    y: int
    height: int

    @property
    def middle(self) -> int:
        """The height of its middle."""
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One direction of a link. `tubes` are what was seen in it, from the outside in; none: nothing was seen."""

    path: str
    arrow: str
    tubes: tuple[str, ...]
    title: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A link with its lanes, its mark in the middle, and its label above."""

    segment: str
    anchor: str
    verdict: Verdict
    label: str
    lanes: tuple[Lane, ...]
    x: int
    y: int
    label_x: int
    label_y: int
    label_anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The whole drawing."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    words: str


def draw(report: Report) -> Picture:
    """Draw the path of a report, or what its segments' names tell of one."""
    path = report.path or guess(report.segments)
    layers = _layers(path)
    boxes = _boxes(path, layers)
    segments = {segment.segment: segment for segment in report.segments}
    wires = tuple(_wires([link for link in path.links if link.segment in segments], boxes, segments, layers))
    return Picture(
        width=max(box.x for box in boxes.values()) + BOX_WIDTH + _MARGIN,
        height=max(box.y + box.height for box in boxes.values()) + _MARGIN,
        boxes=tuple(boxes.values()),
        wires=wires,
        words="; ".join(f"{wire.segment}: {wire.label}, {wire.verdict}" for wire in wires),
    )


def guess(segments: Sequence[SegmentReport]) -> PathReport:
    """A path out of segments' names, `A--B`; a name of another kind gets two nodes of its own, its senders."""
    nodes: dict[str, NodeReport] = {}
    links = []
    for number, segment in enumerate(segments):
        near, dashes, far = segment.segment.partition("--")
        if not (dashes and near and far):
            senders = [direction.label for direction in segment.directions][:2]
            senders = senders if len(senders) == 2 else ["one end", "other end"]
            near, far = (f"{number}\0{sender}" for sender in senders)
        for name in (near, far):
            nodes.setdefault(name, NodeReport(name=name, role=""))
        links.append(LinkReport(segment=segment.segment, ends=(near, far)))
    return PathReport(name="", nodes=tuple(nodes.values()), links=tuple(links), known=False)


def lane_tubes(direction: DirectionReport | None) -> tuple[str, ...]:
    """What was seen in a direction, from the outside in."""
    if direction is None:
        return ()
    seen = {tube for word in direction.coverage for tube in TUBES.get(word, ())}
    return tuple(tube for tube in _ORDER if tube in seen)


def spoken(tubes: Iterable[str]) -> str:
    """What was seen, in words, from the inside out."""
    layers = [tube for tube in tubes if tube in ("macsec", "ipsec")]
    words = [" in ".join(_SPOKEN[tube] for tube in reversed(layers))] if layers else []
    words += [_SPOKEN[tube] for tube in tubes if tube not in layers]
    return " and ".join(words) or "nothing seen"


def _layers(path: PathReport) -> dict[str, int]:
    """How far each node is from the path's first end; a part that hangs together with nothing starts anew."""
    near: dict[str, list[str]] = {node.name: [] for node in path.nodes}
    for link in path.links:
        near[link.ends[0]].append(link.ends[1])
        near[link.ends[1]].append(link.ends[0])
    layers: dict[str, int] = {}
    ends = [node.name for node in path.nodes if node.role in ("onprem", "host")]
    for root in (*ends, *near):
        if root in layers:
            continue
        layers[root], front = 0, [root]
        while front:
            following = []
            for name in front:
                for other in near[name]:
                    if other not in layers:
                        layers[other] = layers[name] + 1
                        following.append(other)
            front = following
    return layers


def _boxes(path: PathReport, layers: dict[str, int]) -> dict[str, Box]:
    degrees = {
        name: max(
            sum(name in link.ends and layers[_other(link, name)] > layer for link in path.links),
            sum(name in link.ends and layers[_other(link, name)] < layer for link in path.links),
        )
        for name, layer in layers.items()
    }
    columns: dict[int, list[NodeReport]] = {}
    for node in path.nodes:
        columns.setdefault(layers[node.name], []).append(node)
    heights = {name: max(_BOX_HEIGHT, _PORT_HEIGHT * degree) for name, degree in degrees.items()}
    tallest = max(sum(heights[n.name] for n in column) + _ROW_GAP * (len(column) - 1) for column in columns.values())
    boxes: dict[str, Box] = {}
    for layer in sorted(columns):
        column = columns[layer]
        y = _MARGIN + (tallest - sum(heights[n.name] for n in column) - _ROW_GAP * (len(column) - 1)) // 2
        for node in column:
            height = heights[node.name]
            name = node.name.rpartition("\0")[2]
            boxes[node.name] = Box(
                name=name, role=node.role, x=_MARGIN + layer * (BOX_WIDTH + _LINK), y=y, height=height
            )
            y += height + _ROW_GAP
    return boxes


def _wires(
    links: Sequence[LinkReport], boxes: dict[str, Box], segments: dict[str, SegmentReport], layers: dict[str, int]
) -> Iterator[Wire]:
    for link in links:
        left, right = sorted(link.ends, key=lambda name: (layers[name], boxes[name].y))
        segment = segments[link.segment]
        directions = _directions(segment, link, left)
        tubes = [lane_tubes(direction) for direction in directions]
        if layers[left] == layers[right]:
            start = (boxes[left].x + BOX_WIDTH // 2, boxes[left].y + boxes[left].height)
            end = (boxes[right].x + BOX_WIDTH // 2, boxes[right].y)
        else:
            start = (boxes[left].x + BOX_WIDTH, _port(left, link, links, boxes, layers))
            end = (boxes[right].x, _port(right, link, links, boxes, layers))
        x, y = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2
        # The label stands beside a slope, where that leaves room, and above what is level.
        upright, slope = start[0] != end[0], (end[1] > start[1]) - (end[1] < start[1])
        seen = tuple(tube for tube in _ORDER if any(tube in each for each in tubes))
        yield Wire(
            segment=link.segment,
            anchor=anchor(link.segment),
            verdict=segment.verdict,
            label=spoken(seen) if len(seen) - (set(seen) >= _BOTH) <= 2 else "mixed",
            lanes=tuple(
                _lane(start, end, direction, tube, way)
                for way, direction, tube in zip((1, -1), directions, tubes, strict=True)
            ),
            x=x,
            y=y,
            label_x=x + 6 * slope if upright else x + 26,
            label_y=y - 24 if upright else y + 5,
            label_anchor=("end", "middle", "start")[slope + 1] if upright else "start",
        )


def _directions(segment: SegmentReport, link: LinkReport, left: str) -> tuple[DirectionReport | None, ...]:
    """The direction from the left node, then the one to it."""
    rightward = leftward = None
    for place, direction in enumerate(segment.directions[:2] if segment.ends is None else segment.directions):
        if direction.source is not None:
            from_left = direction.source == left
        elif direction.label in ("in", "out"):
            from_left = (direction.label == "out") == (link.ends[0] == left)
        else:
            from_left = place == 0
        if from_left:
            rightward = direction
        else:
            leftward = direction
    return rightward, leftward


def _port(
    name: str, link: LinkReport, links: Sequence[LinkReport], boxes: dict[str, Box], layers: dict[str, int]
) -> int:
    """The height at which a link meets a node: those on one side of it share its height, ordered by where they go."""
    side = layers[_other(link, name)] > layers[name]
    alike = [each for each in links if name in each.ends and (layers[_other(each, name)] > layers[name]) == side]
    alike.sort(key=lambda each: (boxes[_other(each, name)].middle, each.segment))
    place, box = alike.index(link), boxes[name]
    return box.y + box.height * (2 * place + 1) // (2 * len(alike))


def _lane(
    start: tuple[int, int], end: tuple[int, int], direction: DirectionReport | None, tubes: tuple[str, ...], way: int
) -> Lane:
    """One lane; `way` is 1 for the one from start to end, which is above or on the right."""
    (x1, y1), (x2, y2) = start, end
    if x1 == x2:  # one above the other
        x = x1 + way * _LANE
        low, high = (y1, y2 - _ARROW) if way > 0 else (y1 + _ARROW, y2)
        tip, base = (y2, y2 - _ARROW) if way > 0 else (y1, y1 + _ARROW)
        path, arrow = f"M{x} {low}L{x} {high}", f"{x},{tip} {x - 8},{base} {x + 8},{base}"
    else:
        y1, y2 = y1 - way * _LANE, y2 - way * _LANE
        near, far = (x1, x2 - _ARROW) if way > 0 else (x1 + _ARROW, x2)
        middle = (x1 + x2) // 2
        path = f"M{near} {y1}C{middle} {y1} {middle} {y2} {far} {y2}"
        arrow = (
            f"{x2},{y2} {x2 - _ARROW},{y2 - 8} {x2 - _ARROW},{y2 + 8}"
            if way > 0
            else f"{x1},{y1} {x1 + _ARROW},{y1 - 8} {x1 + _ARROW},{y1 + 8}"
        )
    title = "nothing seen" if direction is None else f"{direction.title}: {spoken(tubes)}, {direction.frames} frames"
    verdict = Verdict.UNPROVEN if direction is None else direction.verdict
    return Lane(path=path, arrow=arrow, tubes=tubes, title=title, verdict=verdict)


def anchor(segment: str) -> str:
    """What a segment's section is called in links: signs that an identifier cannot have are replaced by their code."""
    return "segment-" + "".join(sign if sign.isalnum() or sign in "-_" else f".{ord(sign):x}." for sign in segment)


def _other(link: LinkReport, name: str) -> str:
    return link.ends[1] if link.ends[0] == name else link.ends[0]
