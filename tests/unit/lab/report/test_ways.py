"""The ways of canaries: there, and what came back of those that are echoed."""

from __future__ import annotations

from lab.coverage.facts import CanaryPath, HopReport
from lab.report.ways import Stretch, Way, telling, ways


def hop(source: str, target: str, form: str, segment: str) -> HopReport:
    return HopReport(
        segment=segment, direction=f"{source} to {target}", form=form, frames=1, first_frame=1, first_time=1,
        encodings=("as sent",),
    )  # fmt: skip


def path(number: int, *hops: HopReport, source: str = "a", target: str = "c") -> CanaryPath:
    return CanaryPath(
        number=number, transport="icmp", source=source, target=target, octets=32, arrived=True, attempts=1, hops=hops
    )


THERE = (hop("a", "b", "in clear", "a--b"), hop("b", "c", "inside IPsec", "b--c1"))
BACK = (hop("c", "b", "in clear", "b--c2"), hop("b", "a", "in clear", "a--b"))


def test_what_comes_back_is_a_way_of_its_own() -> None:
    there, back = ways([path(1, *THERE, *BACK), path(2, *THERE)])
    assert there == Way(
        source="a",
        target="c",
        canaries=2,
        stretches=(
            Stretch(segment="a--b", direction="a to b", forms=(("in clear", 2),)),
            Stretch(segment="b--c1", direction="b to c", forms=(("inside IPsec", 2),)),
        ),
    )
    assert (back.source, back.target, back.canaries) == ("c", "a", 1)
    assert [(each.segment, each.forms) for each in back.stretches] == [
        ("b--c2", (("in clear", 1),)),
        ("a--b", (("in clear", 1),)),
    ]


def test_links_that_share_the_load_stand_beside_each_other() -> None:
    other = (THERE[0], hop("b", "c", "in clear", "b--c2"), hop("c", "d", "in clear", "c--d"))
    first = (*THERE, hop("c", "d", "in clear", "c--d"))
    (way,) = ways([path(1, *first, target="d"), path(2, *other, target="d")])
    assert [each.segment for each in way.stretches] == ["a--b", "b--c1", "b--c2", "c--d"]
    assert [each.forms for each in way.stretches[1:3]] == [(("inside IPsec", 1),), (("in clear", 1),)]


def test_one_wire_is_no_way() -> None:
    assert ways([path(1, hop("a", "c", "in clear", "a--c"), hop("c", "a", "in clear", "a--c"))]) == ()
    assert ways([path(1)]) == ()


def test_a_part_of_a_way_is_told_only_where_it_differs() -> None:
    tail = hop("c", "d", "in clear", "c--d")
    whole = path(1, *THERE, tail, target="d")
    same = path(2, THERE[1], tail, source="b", target="d")
    other = path(3, hop("b", "c", "in clear", "b--c1"), tail, source="b", target="d")
    assert [(way.source, way.target) for way in telling(ways([whole, same]))] == [("a", "d")]
    assert [(way.source, way.target) for way in telling(ways([whole, other]))] == [("a", "d"), ("b", "d")]
    assert [(way.source, way.target) for way in telling(ways([whole, whole]))] == [("a", "d")]
