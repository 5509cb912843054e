"""What the golden files hold, made from the code as it is. Run as a module, it writes them anew:

    .venv/bin/python -m tests.golden.render

Then read the difference before you commit it: these texts are what a user sees.
"""

from __future__ import annotations

from pathlib import Path

from lab.errors import InputError
from lab.report.device_config import VENDORS, device_config
from lab.topology.load import loads
from lab.topology.plan import plan
from lab.topology.render import as_text

HERE = Path(__file__).parent
TOPOLOGIES = HERE.parent.parent / "topologies"


def errors(path: Path) -> str:
    """Every problem of a file."""
    try:
        loads(path.read_text(), path.name)
    except InputError as error:
        return f"{error}\n"
    return "loads\n"


def warnings(path: Path) -> str:
    """Every warning of a file that loads."""
    return "".join(f"{warning}\n" for warning in loads(path.read_text(), path.name).warnings)


def steps(path: Path) -> str:
    """The plan of a file that loads."""
    return as_text(plan(loads(path.read_text(), path.name))) + "\n"


def devices() -> dict[Path, str]:
    """The on-premises side of connections, in each vendor's words."""
    made = {}
    for name in ("coexist-more-specific", "expressroute-circuit"):
        topology = loads((TOPOLOGIES / f"{name}.yaml").read_text(), name)
        for vendor in VENDORS:
            made[HERE / "devices" / f"{name}-{vendor}.txt"] = device_config(topology, "tunnel1", vendor)
    return made


def golden() -> dict[Path, str]:
    """Every golden file with what it should hold."""
    files = {path.with_suffix(".expected"): errors(path) for path in sorted((HERE / "errors").glob("*.yaml"))}
    files |= {path.with_suffix(".expected"): warnings(path) for path in sorted((HERE / "warnings").glob("*.yaml"))}
    planned = [*TOPOLOGIES.glob("*.yaml"), *(HERE / "plans").glob("*.yaml")]
    files |= devices()
    return files | {HERE / "plans" / f"{path.stem}.txt": steps(path) for path in sorted(planned)}


if __name__ == "__main__":
    for file, text in golden().items():
        file.write_text(text)
