"""How long traffic stands still when a link under it is cut, with BFD on it, and how long BGP takes from `up` on."""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.sizes_bench import Lab
from tests.lab.failover import cut_under_traffic

TOPOLOGIES = Path(__file__).resolve().parents[2] / "topologies"
WANTED_GAP, WANTED_UP = 1.5, 3.0


def main() -> int:
    """Print medians; exit with 1 when one is over what it may be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.rounds} rounds each; load {os.getloadavg()[0]:.1f}")
    gaps, ups = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="wireproof-bench-") as name, Lab(Path(name), direct()) as lab:
            lab.run("prove")
            start = functools.partial(_start, lab)
            captures = Path(name) / "wireproof" / "expressroute-bgp" / "captures"
            found = cut_under_traffic(start, lab.run, captures, "ce--msee1", 6.0)
            gaps.append(found.gap)
            print(f"  cut: silent for {found.gap:.2f} s, {found.lost} of {found.sent} datagrams lost")
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="wireproof-bench-") as name:
            began = time.monotonic()
            with Lab(Path(name), (TOPOLOGIES / "coexist-more-specific.yaml").read_text()) as lab:
                lab.run("prove")
                ups.append(time.monotonic() - began)
                print(f"  from `up` to proven, BGP over links and in tunnels: {ups[-1]:.2f} s")
    gap, up = statistics.median(gaps), statistics.median(ups)
    print(f"a cut link: {gap:.2f} s (at most {WANTED_GAP}); up and proven: {up:.2f} s (at most {WANTED_UP})")
    return int(gap > WANTED_GAP or up > WANTED_UP)


def direct() -> str:
    """Private peering on both links of a port pair, inside MACsec."""
    return (TOPOLOGIES / "expressroute-bgp.yaml").read_text()


def _start(lab: Lab, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        lab.command(*arguments), env=lab.environment, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
