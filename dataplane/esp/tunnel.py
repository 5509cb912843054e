"""A tunnel: what all SAs to one peer share. Outer headers are the caller's to write; here is what goes into them."""

from __future__ import annotations

import enum
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.esp.shape import Shape

_OUTER_OCTETS: Final = {4: 20, 6: 40}
_UDP_OCTETS: Final = 8
# RFC 791 3.1: what every IPv4 host takes; RFC 8200 5: what every IPv6 path carries.
_LEAST_PATH_MTU: Final = {4: 576, 6: 1280}
_LEAST_IPV6_MTU: Final = 1280


class DontFragment(enum.Enum):
    """What becomes of the outer don't-fragment bit (RFC 4301 8.1)."""

    COPY = "copy"
    SET = "set"
    CLEAR = "clear"


@final
class Tunnel:
    """The way to a peer, under the name that SPD entries and SAs give it.

    `outer_version` is the IP version around it, `udp_encapsulation` says whether UDP is too (RFC 3948). `path_mtu` is
    the greatest outer packet in octets. `dscp` None copies the inner DSCP, a number stands for all packets (RFC 4301
    5.1.2.1); ECN is always copied (RFC 6040 4.1). `greatest_mss` None leaves TCP's MSS alone; otherwise a SYN's MSS
    comes down to it, or to what the path carries.
    """

    __slots__ = (
        "_path_mtu", "dont_fragment", "dscp", "greatest_mss", "name", "outer_version", "udp_encapsulation",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        outer_version: int = 4,
        udp_encapsulation: bool = False,
        path_mtu: int = 1500,
        dscp: int | None = None,
        dont_fragment: DontFragment = DontFragment.COPY,
        greatest_mss: int | None = None,
    ) -> None:
        if outer_version not in _OUTER_OCTETS:
            raise LocalError(f"there are IP versions 4 and 6, not {outer_version}")
        if dscp is not None and not 0 <= dscp < 64:
            raise LocalError(f"a DSCP has 6 bits: {dscp} does not fit")
        if greatest_mss is not None and not 64 <= greatest_mss <= 65535:
            raise LocalError(f"an MSS is 64 to 65535 octets, not {greatest_mss}")
        self.name: Final = name
        self.outer_version: Final = outer_version
        self.udp_encapsulation: Final = udp_encapsulation
        self.dscp: Final = dscp
        self.dont_fragment: Final = dont_fragment
        self.greatest_mss: Final = greatest_mss
        self.path_mtu = path_mtu

    @property
    def path_mtu(self) -> int:
        """The greatest outer packet in octets that the path carries unfragmented."""
        return self._path_mtu

    @path_mtu.setter
    def path_mtu(self, octets: int) -> None:
        if not _LEAST_PATH_MTU[self.outer_version] <= octets <= 65535:
            raise LocalError(
                f"a path MTU of IPv{self.outer_version} is {_LEAST_PATH_MTU[self.outer_version]} to 65535, not {octets}"
            )
        self._path_mtu = octets

    def inner_mtu(self, shape: Shape) -> int:
        """The greatest inner packet in octets that goes through in one piece under a suite."""
        outer = _OUTER_OCTETS[self.outer_version] + (_UDP_OCTETS if self.udp_encapsulation else 0)
        return shape.greatest_inner(self._path_mtu - outer)

    def told_mtu(self, version: int, shape: Shape) -> int:
        """The MTU that senders of inner packets of an IP version are told; not below IPv6's least (RFC 8200 5)."""
        mtu = self.inner_mtu(shape)
        return max(mtu, _LEAST_IPV6_MTU) if version == 6 else mtu

    def mss(self, version: int, shape: Shape) -> int | None:
        """The greatest MSS that a SYN may carry, None to leave it alone."""
        if self.greatest_mss is None:
            return None
        return min(self.greatest_mss, self.inner_mtu(shape) - _OUTER_OCTETS[version] - 20)

    def outer_tos(self, inner_tos: int) -> int:
        """DSCP and ECN of the outer header (RFC 4301 5.1.2.1, RFC 6040 4.1)."""
        return inner_tos if self.dscp is None else self.dscp << 2 | inner_tos & 3

    def outer_dont_fragment(self, inner: bool, fits: bool) -> bool:
        """The outer don't-fragment bit; a packet that has to be fragmented never bears it."""
        if not fits or self.dont_fragment is DontFragment.CLEAR:
            return False
        return inner or self.dont_fragment is DontFragment.SET
