"""The report in a real browser: it loads without a complaint, shows every segment, can be read by day and by night."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.coverage.document import Report
from lab.coverage.provenance import formed_here
from lab.coverage.rules.checks import apply_packs
from lab.report.html import as_html
from tests.captures.cases import path_of
from tests.interop.conftest import missing
from tests.unit.lab.report.test_renderings import DIRECT, drawn, full

pytestmark = pytest.mark.interop

# It asks the page, which lies in a frame beside it, and leaves what it learned as its own text.
_HARNESS = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:0"><iframe id="page" src="%s"
style="width:100vw;height:100vh;border:0"></iframe><pre id="told"></pre><script>
const light = ([r, g, b]) => { const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
const rgb = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length > 3 && n[3] < 0.5 ? null : n; };
document.getElementById("page").onload = event => {
  const view = event.target.contentWindow, page = view.document, pale = [];
  const ground = node => { for (; node; node = node.parentElement) { const c = rgb(view.getComputedStyle(node)
    .backgroundColor); if (c) return c; } return [255, 255, 255]; };
  for (const node of page.querySelectorAll("body *:not(svg *):not(.skip)")) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [light(rgb(view.getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${node.tagName}.${node.className}: ${node.textContent.slice(0, 30)}`;
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)} ${what}`);
  }
  const box = node => { const r = node.getBoundingClientRect(); return [r.width, r.height]; };
  const svg = page.querySelector(".picture svg").getBoundingClientRect();
  document.getElementById("told").textContent = JSON.stringify({
    title: page.title,
    wires: [...page.querySelectorAll("a.wire")].map(w => [w.dataset.segment, ...box(w)]),
    nodes: [...page.querySelectorAll("g.node")].map(n => [n.dataset.node, ...box(n)]),
    outside: [...page.querySelectorAll(".picture svg text")].map(t => [t.textContent, t.getBoundingClientRect()])
      .filter(([, r]) => r.left < svg.left - 1 || r.right > svg.right + 1).map(([text]) => text),
    lanes: page.querySelectorAll("a.wire polygon").length,
    sections: [...page.querySelectorAll("section.segment")].map(s => s.id),
    wider: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    headless: [...page.querySelectorAll("table")].filter(t => !t.caption || !t.querySelector("thead th[scope]")).length,
    nameless: [...page.querySelectorAll("svg:not([aria-hidden])")].filter(s => !s.getAttribute("aria-label")).length,
    ground: view.getComputedStyle(page.body).backgroundColor,
    pale: [...new Set(pale)],
  });
};
</script>"""

Look = Callable[..., dict[str, Any]]


@pytest.fixture
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("Chromium", "apt-get install chromium")
    assert found is not None
    return found


@pytest.fixture
def look(browser: str, tmp_path: Path) -> Look:
    """Load a page and give what the harness saw; the browser may not say a word."""

    def load(text: str, *, dark: bool = False, width: int = 1280) -> dict[str, Any]:
        (tmp_path / "report.html").write_text(text, encoding="utf-8")
        (tmp_path / "harness.html").write_text(_HARNESS % "report.html", encoding="utf-8")
        ran = start(browser, tmp_path, f"--window-size={width},1000", "--allow-file-access-from-files",
                    f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--virtual-time-budget=20000",
                    "--dump-dom", (tmp_path / "harness.html").as_uri())  # fmt: skip
        complaints = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
        assert complaints == []
        told = re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.S)
        assert told is not None, ran.stdout[-2000:] + ran.stderr[-2000:]
        answer: dict[str, Any] = json.loads(html.unescape(told.group(1)))
        return answer

    return load


def start(browser: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
         "--log-level=0", *words],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def with_everything() -> Report:
    """The direct path with a violated, an unproven and an integrity-only segment, rules and examples."""
    of = drawn(DIRECT)
    real = full("py-ss-cookie", "macsec_gcm-aes-128_sci_integ", "ss-no-proposal", "mka_psk128_pair").segments
    names = [segment.segment for segment in of.segments]
    ends = [link.ends for link in DIRECT.links]
    segments = list(of.segments)
    for place, segment in zip((1, 2, 3, 4), real, strict=True):
        segments[place] = replace(segment, segment=names[place], ends=ends[place])
    report = replace(of, segments=tuple(segments), provenance=formed_here())
    return replace(report, rules=apply_packs(report, ["wireproof", "rfc-9206"]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_shows_every_segment_and_can_be_read(look: Look, dark: bool) -> None:
    report = with_everything()
    seen = look(as_html(report), dark=dark)
    names = [segment.segment for segment in report.segments]
    assert sorted(name for name, *_ in seen["wires"]) == sorted(names)
    assert all(width > 20 and height > 10 for _, width, height in seen["wires"] + seen["nodes"])
    assert {name for name, *_ in seen["nodes"]} == {node.name for node in DIRECT.nodes}
    assert seen["lanes"] == 2 * len(names)
    assert len(seen["sections"]) == len(names)
    assert seen["outside"] == []
    assert (seen["headless"], seen["nameless"]) == (0, 0)
    assert seen["pale"] == []
    assert (seen["ground"] == "rgb(255, 255, 255)") is not dark


def test_the_page_on_a_telephone_does_not_run_off_the_side(look: Look) -> None:
    seen = look(as_html(with_everything()), width=500)
    assert seen["wider"] <= 0
    assert len(seen["wires"]) == len(DIRECT.links)


def test_a_report_on_foreign_captures(look: Look) -> None:
    seen = look(as_html(full("esp_tunnel_natt_tx_aes128-gcm16", "ss-gcm-x25519")))
    assert len(seen["wires"]) == 2
    assert "Violated" in seen["title"]
    assert seen["pale"] == []


def test_it_prints(browser: str, tmp_path: Path) -> None:
    page, paper = tmp_path / "r.html", tmp_path / "r.pdf"
    page.write_text(as_html(with_everything()), encoding="utf-8")
    start(browser, tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    octets = paper.read_bytes()
    assert octets.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", octets)) >= 3
    assert path_of("py-ss-cookie").exists()
