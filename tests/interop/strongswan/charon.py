"""strongSwan's IKE daemon with ESP in user space (kernel-libipsec), in a place of a world; settings are nested dicts.

charon-systemd needs no systemd: with settings and a control socket of its own, any number can run side by side.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from tests.interop.world import Command, World

Settings: TypeAlias = Mapping[str, "str | int | Settings"]

DAEMON = Path("/usr/sbin/charon-systemd")
CONNECTION, CHILD = "lab", "net"
# kernel-libipsec before kernel-netlink, which then does addresses and routes alone.
_PLUGINS = (
    "random nonce openssl gmp aes sha1 sha2 md5 hmac kdf gcm curve25519 chapoly kernel-libipsec kernel-netlink"
    " socket-default vici"
)
_PATIENCE = 20.0


def text_of(settings: Settings, indent: str = "") -> str:
    """Settings as strongSwan's files have them."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines.append(f"{indent}{name} {{\n{text_of(value, indent + '  ')}{indent}}}\n")
        else:
            lines.append(f"{indent}{name} = {value}\n")
    return "".join(lines)


def merged(a: Settings, b: Settings) -> Settings:
    """Settings with others over them."""
    found = dict(a)
    for name, value in b.items():
        before = found.get(name)
        found[name] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return found


class Charon:
    """A daemon that runs. `settings` are of the whole daemon; `configure` gives it its one connection."""

    def __init__(self, world: World, place: str, settings: Settings | None = None) -> None:
        self._world = world
        self._place = place
        self._folder = world.folder / f"charon-{place}-{time.monotonic_ns()}"
        self._folder.mkdir()
        self._log = self._folder / "charon.log"
        self._environment = {
            "STRONGSWAN_CONF": str(self._folder / "strongswan.conf"),
            "SWANCTL_DIR": str(self._folder),
        }
        self._socket = f"unix://{self._folder / 'vici'}"
        daemon: Settings = {
            "load": _PLUGINS,
            "install_virtual_ip": "no",
            "retransmit_timeout": "1.0",
            "retransmit_tries": 4,
            "retransmit_jitter": 0,
            "make_before_break": "no",
            "plugins": {"vici": {"socket": self._socket}, "kernel-libipsec": {"allow_peer_ts": "yes"}},
            "journal": {"default": -1},
            "filelog": {"lab": {"path": str(self._log), "default": 1, "ike": 2, "time_format": "%H:%M:%S",
                                "flush_line": "yes"}},
        }  # fmt: skip
        (self._folder / "strongswan.conf").write_text(text_of({"charon-systemd": merged(daemon, settings or {})}))
        self._process = world.start(place, str(DAEMON), environment=self._environment)
        end = time.monotonic() + _PATIENCE
        while not (self._folder / "vici").exists():
            assert not self._process.ended(), self._process.printed()
            assert time.monotonic() < end, f"charon does not answer: {self.log()}"
            time.sleep(0.02)

    def configure(self, connection: Settings, secrets: Settings) -> None:
        """Forget what there is, and take this connection."""
        self.configure_as_printed(text_of({"connections": {CONNECTION: connection}, "secrets": secrets}))

    def configure_as_printed(self, text: str) -> None:
        """Forget what there is, and take what a swanctl.conf says."""
        (self._folder / "swanctl.conf").write_text(text)
        self.swanctl("--load-all", "--clear", "--noprompt")

    def swanctl(self, *arguments: str) -> str:
        """What a command to the daemon prints.

        Raises:
            AssertionError: it failed.
        """
        return self._world.run(
            self._place, "env", *(f"{name}={value}" for name, value in self._environment.items()),
            "swanctl", *arguments, "--uri", self._socket,
        )  # fmt: skip

    def order(self, *arguments: str) -> Command:
        """Start a command to the daemon that needs the peer to be at work meanwhile."""
        return self._world.start(
            self._place, "swanctl", *arguments, "--uri", self._socket, environment=self._environment
        )

    def initiate(self) -> Command:
        """Set up the connection's child, and the IKE SA first if there is none."""
        return self.order("--initiate", "--child", CHILD, "--timeout", "15")

    def rekey_child(self) -> Command:
        """Replace the child."""
        return self.order("--rekey", "--child", CHILD)

    def rekey_ike(self) -> Command:
        """Replace the IKE SA."""
        return self.order("--rekey", "--ike", CONNECTION)

    def terminate_child(self) -> Command:
        """Close the child."""
        return self.order("--terminate", "--child", CHILD, "--timeout", "15")

    def terminate(self, *, patience: int = 15) -> Command:
        """Close the IKE SA; without an answer for so many seconds, just forget it."""
        return self.order("--terminate", "--ike", CONNECTION, "--timeout", str(patience), "--force")

    def living(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """The SPIs of its IKE SAs that are up, initiator's first, and of the children not deleted, inbound first."""
        raw = self.swanctl("--list-sas", "--raw")
        ikes = re.findall(r"state=(\w+) local-host=.*?initiator-spi=([0-9a-f]+) responder-spi=([0-9a-f]+)", raw)
        # For some seconds it lists children that it has replaced, to take in packets that are late.
        children = re.findall(r"state=(\w+) mode=TUNNEL .*?spi-in=([0-9a-f]+) spi-out=([0-9a-f]+)", raw)
        return (
            {(spi_i, spi_r) for state, spi_i, spi_r in ikes if state != "CONNECTING"},
            {(spi_in, spi_out) for state, spi_in, spi_out in children if state != "DELETED"},
        )

    @property
    def pid(self) -> int:
        """The daemon's process, as whoever asks sees it."""
        return self._process.pid

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
