"""Reading text as if it were a file of another program."""

from __future__ import annotations

from pathlib import Path

from lab.capture.foreign.found import Object
from lab.capture.foreign.read import read

DATA = Path(__file__).parent / "data"


def imported(folder: Path, *texts: str) -> tuple[list[Object], list[str]]:
    """The objects in texts, each a file, and the problems with the folder's name left out."""
    paths = []
    for number, text in enumerate(texts, 1):
        paths.append(folder / f"file{number}")
        paths[-1].write_text(text)
    found = read(paths)
    return found.objects, [str(problem).removeprefix(f"{folder}/") for problem in found.problems]
