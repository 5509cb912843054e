"""Programs of the system's that a lab may need, beside Python: where they are, and what would bring them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Final

from lab.errors import MachineError
from lab.model.topology import Topology

# Where programs for root are, which a user's PATH may not name.
_PLACES: Final = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin", "/usr/local/bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program: its command, the Debian package that has it, and what a topology has that needs it."""

    command: str
    package: str
    use: str

    @property
    def fix(self) -> str:
        """The command that installs it."""
        return f"sudo apt-get install --no-install-recommends {self.package}"

    def find(self) -> str | None:
        """Its path; None when it is not installed."""
        return shutil.which(self.command, path=os.pathsep.join((os.environ.get("PATH", ""), *_PLACES)))

    def path(self) -> str:
        """Its path.

        Raises:
            MachineError: it is not installed.
        """
        found = self.find()
        if found is None:
            text = f"this topology has {self.use}, and {self.command} is not installed (Debian package {self.package})"
            raise MachineError(text, fix=self.fix)
        return found


BIRD: Final = Program(command="bird", package="bird2", use="`bgp:`")
NFT: Final = Program(command="nft", package="nftables", use="network security groups or circuits")
NFT_OF_WIRES: Final = Program(command="nft", package="nftables", use="impairments")


def check_programs(topology: Topology) -> None:
    """See that the programs that a topology needs are here, before anything is made.

    Raises:
        MachineError: one is not installed; names its package.
    """
    if any(node.bgp is not None for node in topology.nodes):
        BIRD.path()
    if topology.resources.security_groups or topology.resources.circuits:
        NFT.path()
    if any(link.impairments is not None for link in topology.links):
        NFT_OF_WIRES.path()
