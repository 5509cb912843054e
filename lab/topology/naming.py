"""What nodes, interfaces, segments and labs may be called, and the MAC address that follows from a name.

Names become namespaces, device names, file names and host names, so they are as narrow as the narrowest of those.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from netaddr import EUI, mac_unix_expanded


@dataclass(frozen=True, slots=True)
class NameRule:
    """What a kind of name may look like, and how that is said."""

    what: str
    pattern: re.Pattern[str]
    rule: str

    def wrong(self, name: str) -> str | None:
        """What is wrong with the name and what would be right; None when it will do."""
        return None if self.pattern.fullmatch(name) else f"{name!r} cannot name {self.what}: {self.rule}"


_LABEL = r"[a-z0-9](?:-?[a-z0-9])*"

LAB = NameRule(
    "a topology",
    re.compile(rf"(?=.{{1,40}}\Z){_LABEL}"),
    "up to 40 lower-case letters, digits and single hyphens, none of them first or last",
)
NODE = NameRule(
    "a node",
    re.compile(rf"(?=.{{1,15}}\Z){_LABEL}"),
    "up to 15 lower-case letters, digits and single hyphens, none of them first or last",
)
SEGMENT = NameRule(
    "a segment",
    re.compile(r"(?=.{1,40}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"),
    "up to 40 lower-case letters, digits and hyphens, no hyphen first or last",
)
# 15 characters are all that Linux has, and `.sec` or `.tag` must fit behind.
# `all` and `default` stand for every device under /proc/sys, and `lo` is the loopback.
DEVICE = NameRule(
    "an interface",
    re.compile(r"(?!(?:all|default|lo)\Z)(?=.{1,11}\Z)[a-z][a-z0-9-]*"),
    "up to 11 lower-case letters, digits and hyphens, a letter first, and not lo, all or default",
)

# As Azure has it; also what nft takes as a comment.
RESOURCE = NameRule(
    "a resource of Azure's",
    re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"),
    "up to 80 letters, digits, underscores, periods and hyphens; a letter or digit first, no period or hyphen last",
)


def default_segment(a: str, b: str) -> str:
    """A segment's name, from the nodes that it joins, in the order written."""
    return f"{a}--{b}"


def mac_address(topology: str, node: str, device: str) -> EUI:
    """A locally administered unicast MAC address: the same names give the same address at every `up`."""
    octets = bytearray(hashlib.sha256(f"{topology}/{node}/{device}".encode()).digest()[:6])
    octets[0] = octets[0] & 0xFC | 0x02
    return EUI(int.from_bytes(octets), version=48, dialect=mac_unix_expanded)
