"""What a gateway of Azure's lets through, by iperf3, against the figure of its size; and without limits.

A lab of two nodes and one tunnel is stood up for each size, as a user would. What leaves the gateway waits for its turn
(pacing); what comes in too fast is dropped (policing), which TCP does not use to the full. So UDP is offered somewhat
faster than a size lets through; on a busy machine TCP, with its large segments, gets nearer to a large one. What leaves
is judged by the greater of the two, what comes in by UDP, and nothing may be above the figure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.azure.vpn_gateway import SKUS
from tests.lab.test_sizes import many_tunnels

ROOT = Path(__file__).resolve().parents[2]
_MAIN = "from lab.cli.main import main; main()"
_TO_ONPREM, _TO_AZURE = ("vnet-gateway", "vpn-device", "169.254.21.1"), ("vpn-device", "vnet-gateway", "169.254.21.2")
_SIZES = ("Basic", "VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ")
_MTU, _IN_UDP, _IN_TCP = 1400, 1372, 1348  # iperf3 counts what UDP or TCP carries, the gateway whole packets
_MORE = 1.15  # so many times a size's figure is offered
POLICIES = {
    "GCMAES256": ("GCMAES256", "GCMAES256"),
    "AES256": ("AES256", "SHA256"),
}


def topology(sku: str, policy: str) -> str:
    """One tunnel with this ESP policy, at a gateway of that size."""
    encryption, integrity = POLICIES[policy]
    fields = (
        f"saLifeTimeSeconds: 27000, saDataSizeKilobytes: 102400000, ipsecEncryption: {encryption}, "
        f"ipsecIntegrity: {integrity}, ikeEncryption: AES256, ikeIntegrity: SHA256, dhGroup: ECP256, pfsGroup: None"
    )
    psk = "    psk: https://kv-lab.vault.azure.net/secrets/psk0\n"
    return many_tunnels(1, sku).replace(psk, f"{psk}    policy: {{{fields}}}\n")


class Lab:
    """A lab that runs for the time of a `with`."""

    def __init__(self, folder: Path, text: str, *arguments: str) -> None:
        self._path = folder / "sizes.yaml"
        self._path.write_text(text)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONPATH": str(ROOT)}
        self._arguments = arguments

    def __enter__(self) -> Lab:
        self.run("up", str(self._path), *self._arguments)
        return self

    def __exit__(self, *failure: object) -> None:
        self.run("down", "--purge")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", _MAIN, *arguments]

    def run(self, *arguments: str) -> str:
        ran = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr + ran.stdout
        return ran.stdout

    def mbps(self, way: tuple[str, str, str], seconds: int, *extra: str) -> float:
        """What iperf3 sees arrive."""
        client, server, address = way
        listening = self.command("exec", server, "--", "iperf3", "-s", "-1", "--forceflush")
        with subprocess.Popen(listening, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while "listening" not in (line := process.stdout.readline()):
                assert line, "iperf3 does not listen"
            command = ("iperf3", "-c", address, "-C", "reno", "-t", str(seconds), "-J", *extra)
            report = json.loads(self.run("exec", client, "--", *command))
        received = report["end"].get("sum_received") or report["end"]["sum"]
        return float(received["bits_per_second"]) / 1e6


def main() -> int:
    """Print a line a size; exit with 1 when what passes a gateway is not within 5 % of its figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--sku", action="append", choices=[name for name, sku in SKUS.items() if sku.open_to_new])
    options = parser.parse_args()
    far = 0
    print(f"inner MTU 1400, {options.seconds} s each; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="wireproof-bench-") as name:
        for policy in POLICIES:
            figures = {sku: SKUS[sku].tunnel_mbps(policy) for sku in options.sku or _SIZES}
            with Lab(Path(name), topology("VpnGw1AZ", policy), "--no-limits") as lab:
                reached = {figure: _most(lab, figure, options.seconds, _TO_ONPREM) for figure in set(figures.values())}
            print(f"{policy:10} no limits   {max(reached.values()):.0f} Mb/s from Azure")
            for sku, figure in figures.items():
                with Lab(Path(name), topology(sku, policy)) as lab:
                    out = _most(lab, figure, options.seconds, _TO_ONPREM)
                    back = _udp(lab, figure, options.seconds, _TO_AZURE)
                can = reached[figure] > 1.05 * figure
                wrong = max(out, back) > 1.05 * figure or (can and out < 0.95 * figure)
                far += wrong
                judged = "NOT within 5 %" if wrong else "within 5 %" if can else "this machine does not reach it"
                print(f"{policy:10} {sku:10} figure {figure}: {out:.1f} Mb/s from Azure, {back:.1f} to it: {judged}")
    return 1 if far else 0


def _udp(lab: Lab, figure: float, seconds: int, way: tuple[str, str, str]) -> float:
    """Whole packets that arrive, in Mb/s, of UDP in packets that fill the tunnel's MTU."""
    offered = ("-u", "-b", f"{figure * _MORE:.0f}M", "-l", str(_IN_UDP))
    return lab.mbps(way, seconds, *offered) * _MTU / _IN_UDP


def _most(lab: Lab, figure: float, seconds: int, way: tuple[str, str, str]) -> float:
    """The greater of UDP and TCP."""
    return max(_udp(lab, figure, seconds, way), lab.mbps(way, seconds) * _MTU / _IN_TCP)


if __name__ == "__main__":
    sys.exit(main())
