"""How `wireproof macsec` puts things."""

from __future__ import annotations

import pytest

from lab.cli.macsec import duration
from lab.cli.main import run


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, None), (0.0, "0.0 s"), (9.94, "9.9 s"), (10.4, "10 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"),
     (7200, "2 h"), (2 * 86400, "2 d"), (360 * 86400, "360 d"), (2.3e12, "72,883 years")],
)  # fmt: skip
def test_durations(seconds: float | None, words: str | None) -> None:
    assert duration(seconds) == words


def test_there_must_be_a_lab(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("runtime")
    folder.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert run(["macsec", "status"]) == 3
    assert run(["macsec", "rotate", "ce--msee1"]) == 3
