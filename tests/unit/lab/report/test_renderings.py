"""JSON against its schema, JUnit, HTML and the picture: every capture, and what is hostile in names and texts."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from lab.cli.main import run
from lab.coverage.document import DirectionReport, Report, SegmentReport, Verdict
from lab.coverage.examine import examine
from lab.coverage.facts import LinkReport, NodeReport, PathReport
from lab.coverage.judge import Evidence
from lab.coverage.provenance import formed_here
from lab.coverage.rules.checks import apply_packs
from lab.coverage.rules.pack import names
from lab.coverage.segment import Segment
from lab.model.expectation import Expectation, Layer
from lab.report.as_json import SCHEMA_FILE, as_json, iso
from lab.report.charts import chart, spell_seconds
from lab.report.html import as_html
from lab.report.junit import as_junit
from lab.report.picture import anchor, draw, spoken
from tests.captures import cases
from tests.captures.cases import NAMES, frames_of, keys_of, path_of
from tests.unit.lab.report.test_report import VIOLATED, segment

SCHEMA = json.loads(SCHEMA_FILE.read_text())
VOID = {"meta", "link", "br", "path", "circle", "rect", "polygon", "img", "hr"}


def full(*captures: str) -> Report:
    """Everything that a report can have."""
    report = examine(
        [Segment(name=name, capture=path_of(name)) for name in captures],
        [key for name in captures for key in keys_of(name)],
    )
    return replace(report, rules=apply_packs(report, names()), provenance=formed_here())


class Page(HTMLParser):
    """A page read strictly enough to see that every element is closed, and what refers to what."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.foreign: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and (value or "").startswith("#"):
                self.links.append((value or "")[1:])
            elif name in ("src", "href", "action", "data", "poster", "srcset") and value != "data:,":
                self.foreign.append((tag, value or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", NAMES[::2])
def test_every_capture_in_every_rendering(name: str) -> None:
    report = full(name)
    jsonschema.validate(json.loads(json.dumps(as_json(report))), SCHEMA)
    page = Page(as_html(report))
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.links) <= set(page.ids)
    suites = ET.fromstring(as_junit(report))
    told = suites.findall(".//testcase")
    assert len(told) >= max(1, len(report.segments[0].directions))
    assert len(told) == int(suites.get("tests", "0"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layers", [None, (), (Layer.MACSEC,), (Layer.IPSEC,), (Layer.MACSEC, Layer.IPSEC)])
def test_a_pipeline_that_reads_junit_is_told_what_the_verdict_is(name: str, layers: tuple[Layer, ...] | None) -> None:
    expect = None if layers is None else Expectation(layers=layers)
    for keys, evidence in ((keys_of(name), Evidence()), ((), Evidence()), (keys_of(name), Evidence(dropped=1))):
        (one,) = cases.report(frames_of(name), keys, expect=expect, evidence=evidence).segments
        suites = ET.fromstring(as_junit(Report(segments=(one,))))
        failures, errors = int(suites.get("failures", "0")), int(suites.get("errors", "0"))
        expected = {Verdict.PROVEN: (False, False), Verdict.VIOLATED: (True, False), Verdict.UNPROVEN: (False, True)}
        told = (failures > 0, errors > 0 and not failures)
        assert told == expected[one.verdict], (one.verdict, one.reasons, one.directions)


def test_the_schema_is_one_and_refuses_what_is_wrong() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = json.loads(json.dumps(as_json(Report(segments=(segment(),)))))
    jsonschema.validate(document, SCHEMA)
    for change in ({"verdict": "maybe"}, {"schema": "wireproof.coverage/2"}, {"segments": [{"segment": "x"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | change, SCHEMA)
    segment_of = document["segments"][0]
    for field, value in (("census", {"magic": {"frames": 1, "octets": 1}}), ("macsec", {"authenticated": 1})):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | {"segments": [segment_of | {field: value}]}, SCHEMA)


def test_report_schema_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA


def test_the_page_needs_nothing_else() -> None:
    text = as_html(full(*NAMES[:3]))
    page = Page(text)
    assert page.foreign == []
    assert not {"script", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"url\((?!#)|@import|https?://", text)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    for landmark in ("header", "main", "footer", "nav"):
        assert page.tags.count(landmark) == 1


def test_no_key_is_in_any_rendering() -> None:
    captures = ("ss-gcm-x25519", "mka_psk128_pair", "ss-cbc128-sha1-modp2048")
    report = full(*captures)
    texts = (as_html(report), json.dumps(as_json(report)), as_junit(report))
    for name in captures:
        for line in path_of(name).with_suffix(".keys.jsonl").read_text().splitlines():
            for field, value in json.loads(line).items():
                if field.startswith(("sk_", "sak", "cak")) or field.endswith("_key"):
                    assert all(value not in text and value[:32] not in text for text in texts), field


HOSTILE = "<script>alert('1')</script> & \"x\"\x00\x1b[31m]]>"


def test_hostile_names_stay_text() -> None:
    report = Report(segments=(segment(HOSTILE, reasons=(HOSTILE,), findings=VIOLATED.findings, expect=HOSTILE),))
    page = Page(as_html(report))
    assert "script" not in page.tags
    assert any("<script>alert" in text for text in page.texts)
    suites = ET.fromstring(as_junit(report))
    assert "<script>" in (suites.find("testsuite").get("name") or "")  # type: ignore[union-attr]  # it is there


def test_junit_says_which_direction_broke() -> None:
    def way(source: str, target: str, verdict: Verdict) -> DirectionReport:
        return DirectionReport(label="out", frames=9, data=9, authenticated=9, token_frames=None, source=source,
                               target=target, verdict=verdict, reasons=("because",))  # fmt: skip

    one = segment("a--b", ends=("a", "b"), directions=(way("a", "b", Verdict.VIOLATED),))
    two = segment("b--c", directions=(way("b", "c", Verdict.PROVEN), way("c", "b", Verdict.UNPROVEN)))
    three = segment("empty", directions=(), verdict=Verdict.UNPROVEN)
    suites = ET.fromstring(as_junit(Report(segments=(one, two, three))))
    outcomes = {
        (case.get("classname"), case.get("name")): sorted(child.tag for child in case)
        for case in suites.iter("testcase")
    }
    assert outcomes == {
        ("a--b", "a to b"): ["failure"], ("a--b", "b to a"): ["error"], ("b--c", "b to c"): ["system-out"],
        ("b--c", "c to b"): ["error"], ("empty", "no direction"): ["error"],
    }  # fmt: skip
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("5", "1", "3")


def path(*links: tuple[str, str], roles: dict[str, str] | None = None) -> PathReport:
    nodes = list(dict.fromkeys(name for link in links for name in link))
    return PathReport(
        name="p", nodes=tuple(NodeReport(name=name, role=(roles or {}).get(name, "router")) for name in nodes),
        links=tuple(LinkReport(segment="--".join(link), ends=link) for link in links),
    )  # fmt: skip


def drawn(of: PathReport, **fields: object) -> Report:
    return Report(segments=tuple(segment(link.segment, ends=link.ends, **fields) for link in of.links), path=of)


DIRECT = path(("onprem", "vpn"), ("vpn", "ce"), ("ce", "msee1"), ("ce", "msee2"), ("msee1", "gw"), ("msee2", "gw"),
              ("gw", "workload"), roles={"onprem": "onprem"})  # fmt: skip


def test_a_path_is_drawn_from_left_to_right_with_its_branches_apart() -> None:
    picture = draw(drawn(DIRECT))
    at = {box.name: (box.x, box.middle) for box in picture.boxes}
    assert at["onprem"][0] < at["vpn"][0] < at["ce"][0] < at["msee1"][0] < at["gw"][0] < at["workload"][0]
    assert at["msee1"][0] == at["msee2"][0]
    assert at["msee1"][1] < at["ce"][1] < at["msee2"][1]
    assert {wire.segment for wire in picture.wires} == {link.segment for link in DIRECT.links}
    assert all(len(wire.lanes) == 2 for wire in picture.wires)
    for box in picture.boxes:
        assert 0 < box.x < picture.width
        assert 0 < box.y < box.y + box.height < picture.height


@pytest.mark.parametrize("of", [
    path(("a", "b")), path(("a", "b"), ("b", "c"), ("c", "a")), path(("a", "b"), ("c", "d")),
    path(*((f"n{i}", f"n{j}") for i in range(5) for j in range(i))), path(("hub", "a"), ("hub", "b"), ("hub", "c")),
])  # fmt: skip
def test_any_path_can_be_drawn_without_boxes_on_each_other(of: PathReport) -> None:
    picture = draw(drawn(of))
    assert {wire.segment for wire in picture.wires} == {link.segment for link in of.links}
    columns: dict[int, list[tuple[int, int]]] = {}
    for box in picture.boxes:
        columns.setdefault(box.x, []).append((box.y, box.y + box.height))
    for column in columns.values():
        column.sort()
        assert all(above[1] < below[0] for above, below in itertools.pairwise(column))


def test_two_links_between_the_same_nodes_are_two_wires() -> None:
    twice = PathReport(name="p", nodes=(NodeReport(name="a", role=""), NodeReport(name="b", role="")), links=(
        LinkReport(segment="one", ends=("a", "b")), LinkReport(segment="two", ends=("a", "b"))))  # fmt: skip
    one, two = draw(drawn(twice)).wires
    assert one.y != two.y


def test_directions_find_their_lanes_whichever_end_is_left() -> None:
    def way(source: str, target: str, word: str) -> DirectionReport:
        return DirectionReport(label="x", frames=1, data=1, authenticated=1, token_frames=None, source=source,
                               target=target, coverage={word: 1, "NX_CONTROL": 3})  # fmt: skip

    for ends in (("a", "b"), ("b", "a")):
        of = path(ends, roles={"a": "onprem"})
        ways = (way("a", "b", "X_MACSEC"), way("b", "a", "NX"))
        (wire,) = draw(drawn(of, directions=ways)).wires
        assert [lane.tubes for lane in wire.lanes] == [("macsec",), ("clear",)]  # rightward, leftward


def test_captures_without_a_topology_are_drawn_by_their_names() -> None:
    picture = draw(Report(segments=(segment("a--b"), segment("b--c"), segment("something"))))
    assert {"a", "b", "c"} < {box.name for box in picture.boxes}
    assert len(picture.boxes) == 5
    assert len(picture.wires) == 3


@pytest.mark.parametrize(("tubes", "words"), [
    (("macsec", "ipsec"), "IPsec in MACsec"), (("macsec",), "MACsec"), (("macsec", "clear"), "MACsec and clear"),
    ((), "nothing seen"), (("integrity",), "integrity only"),
])  # fmt: skip
def test_what_is_seen_in_words(tubes: tuple[str, ...], words: str) -> None:
    assert spoken(tubes) == words


def test_anchors_are_identifiers_and_different() -> None:
    segments = ["a--b", "a b", "a.b", "ä--b", "../x", "a_b"]
    anchors = [anchor(each) for each in segments]
    assert len(set(anchors)) == len(segments)
    assert not any(re.search(r"[\s\"'<>]", each) for each in anchors)


def test_the_chart_holds_every_frame() -> None:
    report: SegmentReport = full("mka_psk128_pair").segments[0]
    assert report.timeline is not None
    drawn_chart = chart(report.timeline)
    assert set(drawn_chart.present) == set(report.census)
    told = sum(int(bar.title.split()[0]) for bar in drawn_chart.bars)
    assert told == report.frames
    assert all(0 <= bar.y <= 90 and bar.height > 0 for bar in drawn_chart.bars)


@pytest.mark.parametrize(("seconds", "words"), [(0.0123, "12.3 ms"), (5.0, "5 s"), (600, "10 min"), (86400, "24 h")])
def test_times_in_words(seconds: float, words: str) -> None:
    assert spell_seconds(seconds) == words


def test_instants_have_nine_digits() -> None:
    assert iso(1_795_469_621_239_742_464) == "2026-11-23T21:33:41.239742464Z"


def test_files_that_cannot_be_written_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = path_of(NAMES[0])
    for option in ("--html", "--junit"):
        assert run(["verify", str(capture), option, str(tmp_path / "no" / "x")]) == 3
        assert "cannot be written: No such file" in capsys.readouterr().err


def test_verify_writes_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "ss-gcm-x25519"
    words = ["verify", str(path_of(name)), "--keys", str(path_of(name).with_suffix(".keys.jsonl")), "--html",
             str(tmp_path / "r.html"), "--junit", str(tmp_path / "j.xml"), "--rules", "rfc-9206"]  # fmt: skip
    assert run(words) == 0
    assert "CNSA Suite" in capsys.readouterr().out
    assert Page((tmp_path / "r.html").read_text()).open == []
    assert ET.parse(tmp_path / "j.xml").getroot().tag == "testsuites"
    assert run([*words[:-4], "--junit", "-"]) == 0
    assert ET.fromstring(capsys.readouterr().out).tag == "testsuites"
    assert run([*words[:-2], "--rules", "none"]) == 3
    assert "there is no rule pack 'none'" in capsys.readouterr().err
