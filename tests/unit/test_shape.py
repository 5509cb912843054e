"""Taste that survives people: the house's rules that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for room in ("lab", "dataplane") for path in (ROOT / room).rglob("*.py"))


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    """Every text file that git knows."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_doors_are_kept() -> None:
    """import-linter's contracts in pyproject.toml: which room may import which."""
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_outgrows_its_job(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_class_has_more_than_a_dozen_public_methods(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            public = [
                item.name for item in node.body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                and not item.name.startswith("_")
                and not any(isinstance(mark, ast.Name) and mark.id == "property" for mark in item.decorator_list)
            ]  # fmt: skip
            assert len(public) <= 12, f"{node.name}: {public}"


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError")
    assert [str(path) for path in SOURCES if later.search(path.read_text())] == []


def test_no_file_names_a_package_index_or_a_home(committed: list[Path]) -> None:
    words = re.compile("index-" + "url|extra-" + "index|" + "/ro" + "ot/|/ho" + "me/[a-z]")
    bad = []
    for path in committed:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if words.search(text):
            bad.append(str(path.relative_to(ROOT)))
    assert bad == []


def test_every_pin_is_exact_and_every_dependency_is_pinned() -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        assert version, f"constraints.txt: {line!r} is not NAME==VERSION"
        pins[name.lower().replace("_", "-")] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"], "hatchling", "editables"]
    names = {re.split("[><=]", want)[0].lower().replace("_", "-") for want in wanted}
    assert names - pins.keys() == set()
