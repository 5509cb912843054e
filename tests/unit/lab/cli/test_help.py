"""Help texts, as a terminal shows them."""

from __future__ import annotations

import pytest

from lab.cli.main import COMMANDS, run


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), ["keys", "wireshark"]], ids=" ".join)
def test_signs_for_click_are_not_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    assert "\\b" not in capsys.readouterr().out


def test_examples_stand_on_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "wireshark", "--help"])
    assert "\n  wireproof keys wireshark ws\n" in capsys.readouterr().out
