"""What a gateway of Azure's lets through, by iperf3, against the figure of its size; and without limits.

A lab of two nodes and one tunnel is stood up for each size, as a user would. What leaves the gateway waits for its turn
(pacing); what comes in too fast is dropped (policing), which TCP does not use to the full. So sizes are judged by UDP
that is offered somewhat faster than they let through; TCP is shown beside it.
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
_PAYLOAD = 1372
_WITH_HEADERS = 1400 / _PAYLOAD  # iperf3 counts what UDP carries, the gateway whole packets
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
                reached = {
                    figure: lab.mbps(_TO_ONPREM, options.seconds, *_offered(figure * _MORE)) * _WITH_HEADERS
                    for figure in set(figures.values())
                }
                tcp = lab.mbps(_TO_ONPREM, options.seconds)
            print(f"{policy:10} no limits   UDP {max(reached.values()):.0f} Mb/s, TCP {tcp:.0f} Mb/s from Azure")
            for sku, figure in figures.items():
                udp = _offered(figure * _MORE)
                with Lab(Path(name), topology(sku, policy)) as lab:
                    ways = [lab.mbps(way, options.seconds, *udp) * _WITH_HEADERS for way in (_TO_ONPREM, _TO_AZURE)]
                    tcp = lab.mbps(_TO_ONPREM, options.seconds)
                within = all(abs(way - figure) <= 0.05 * figure for way in ways)
                can = reached[figure] > 1.05 * figure
                far += can and not within
                judged = ("within 5 %" if within else "NOT within 5 %") if can else "this machine does not reach it"
                print(
                    f"{policy:10} {sku:10} figure {figure}: UDP {ways[0]:.1f} Mb/s from Azure, {ways[1]:.1f} to it: "
                    f"{judged}; TCP {tcp:.0f} from it"
                )
    return 1 if far else 0


def _offered(mbps: float) -> tuple[str, ...]:
    """iperf3's words for UDP at this rate, in packets that fill the tunnel's MTU."""
    return ("-u", "-b", f"{mbps:.0f}M", "-l", str(_PAYLOAD))


if __name__ == "__main__":
    sys.exit(main())
