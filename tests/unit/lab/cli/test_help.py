"""Help texts, as a terminal shows them."""

from __future__ import annotations

import pytest

from lab.cli.main import COMMANDS, SECTIONS, run


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), ["keys", "wireshark"]], ids=" ".join)
def test_signs_for_click_are_not_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    assert "\\b" not in capsys.readouterr().out


def test_examples_stand_on_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "wireshark", "--help"])
    assert "\n  wireproof keys wireshark ws\n" in capsys.readouterr().out


def test_every_command_is_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    grouped = [name for names in SECTIONS.values() for name in names]
    assert set(grouped) <= set(COMMANDS)
    assert all(listed.count(name) == 1 for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "No such command 'statsu'. Did you mean 'status'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["prove", "--timeout", "0"], "'0' is not a number of seconds from 0.1 on."),
        (["prove", "--timeout", "nan"], "'nan' is not a number of seconds from 0.1 on."),
        (["prove", "--pause", "inf"], "'inf' is not a number of seconds from 0 on."),
        (["prove", "--pause", "soon"], "'soon' is not a number of seconds from 0 on."),
        (["up", "macsec-pair", "--name", ""], "'' cannot be a lab's name"),
    ],
)
def test_bad_usage_says_what_would_be_right(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 3
    assert said in capsys.readouterr().err
