"""Links: the wire between two nodes, the tags on it, and its MACsec policy. A link is one segment of the path."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netaddr import EUI, IPNetwork

from lab.model.expectation import Expectation
from lab.model.impairment import Impairments
from lab.model.macsec import MacsecPolicy


class TagKind(enum.StrEnum):
    """How frames on a link are tagged."""

    NONE = "none"
    DOT1Q = "dot1q"
    QINQ = "qinq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """The VLAN tags of a link. Both carry EtherType 0x8100, as ExpressRoute's QinQ does."""

    kind: TagKind = TagKind.NONE
    s_vid: int | None = None
    c_vid: int | None = None

    @property
    def vids(self) -> tuple[int, ...]:
        """The VLAN identifiers, outermost first."""
        return tuple(vid for vid in (self.s_vid, self.c_vid) if vid is not None)

    @property
    def octets(self) -> int:
        """What the tags add to a frame."""
        return 4 * len(self.vids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One end of a link.

    `device` is the wire: a veth end of MTU `wire_mtu`, captured from the first frame on. Where frames are tagged or
    protected by us, the wire carries no address: `controlled_device` is a TAP, the addresses are on it, and its MTU
    `mtu` leaves room for what is added below. Otherwise `controlled_device` is None and both MTUs are the same.
    """

    node: str
    device: str
    controlled_device: str | None
    mac: EUI
    addresses: tuple[IPNetwork, ...]
    mtu: int
    wire_mtu: int

    @property
    def addressed_device(self) -> str:
        """The device that bears the addresses."""
        return self.controlled_device or self.device


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A wire between two nodes: exactly one segment, with its expectation (None: nothing is expected of it).

    `macsec` is what both ends are told. `mistakes` are the policies of ends, by their nodes, that were told something
    else, to see what comes of it. `impairments` are those from the start on; a running lab may be told others. `line`
    is where the topology's file has it, if a file does.
    """

    segment: str
    a: Interface
    b: Interface
    tag: Tag
    bandwidth_gbps: int | None
    macsec: MacsecPolicy | None
    expect: Expectation | None
    mistakes: tuple[tuple[str, MacsecPolicy], ...] = ()
    impairments: Impairments | None = None
    line: int | None = None

    @property
    def ends(self) -> tuple[Interface, Interface]:
        """Both ends."""
        return (self.a, self.b)

    def policy(self, node: str) -> MacsecPolicy | None:
        """What the end at `node` was told."""
        return dict(self.mistakes).get(node, self.macsec)

    def end(self, node: str) -> Interface:
        """The end at `node`.

        Raises:
            KeyError: the link does not touch that node.
        """
        for interface in self.ends:
            if interface.node == node:
                return interface
        raise KeyError(node)

    def other_end(self, node: str) -> Interface:
        """The end that faces `node`."""
        return self.b if self.a.node == node else self.a
