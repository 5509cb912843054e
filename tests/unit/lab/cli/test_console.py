from __future__ import annotations

import io
import sys

import pytest

from lab.cli.console import note, print_json, print_table


def test_plain_columns_for_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("node", "state"), [("ce", "up"), ("vpn-device", None)], title="Nodes")
    assert capsys.readouterr().out == "Nodes\nNODE        STATE\nce          up\nvpn-device\n"
    print_table(("node",), [])
    assert capsys.readouterr().out == "NODE\n"


def test_a_column_of_nothing_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("node", ""), [("ce", None), ("msee1", "")])
    print_table(("node", ""), [("ce", None), ("msee1", "died")])
    assert capsys.readouterr().out == "NODE\nce\nmsee1\nNODE\nce\nmsee1  died\n"


def test_a_table_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    print_table(("node", "state"), [("[red]", "failed")], title="Nodes")
    assert "│" in out.getvalue()
    assert "[red]" in out.getvalue()


def test_json_and_notes_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, None]})
    note("beside")
    assert capsys.readouterr() == ('{"a": [1, null]}\n', "beside\n")
