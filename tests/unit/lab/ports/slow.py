"""The slow, obvious twins of the fast paths: one segment at a time, one 16-bit word at a time, by the RFCs."""

from __future__ import annotations

from dataclasses import dataclass, replace


def internet_checksum_sum(octets: bytes) -> int:
    """RFC 1071, word by word, with the carry brought back each time."""
    total = 0
    for i in range(0, len(octets), 2):
        total += int.from_bytes(octets[i : i + 2].ljust(2, b"\0"), "big")
        if total > 0xFFFF:
            total -= 0xFFFF
    return total


def internet_checksum(octets: bytes) -> bytes:
    return (0xFFFF - internet_checksum_sum(octets)).to_bytes(2, "big")


@dataclass(frozen=True, kw_only=True)
class Tcp:
    """A TCP segment with all that is around it."""

    link: bytes = bytes.fromhex("020000000002 020000000001 0800")
    is_ipv4: bool = True
    source: bytes = bytes([10, 0, 0, 1])
    destination: bytes = bytes([10, 0, 0, 2])
    identification: int = 0xFFF0
    fragment: int = 0x4000
    hop_limit: int = 64
    ports: bytes = bytes.fromhex("04571451")
    sequence: int = 1000
    acknowledgement: int = 77
    flags: int = 0x10
    window: int = 500
    options: bytes = bytes.fromhex("0101080a0011223344556677")
    payload: bytes = b""

    @property
    def header_octets(self) -> int:
        return len(self.link) + (20 if self.is_ipv4 else 40) + 20 + len(self.options)

    def pseudo_header(self, length: int) -> bytes:
        return self.source + self.destination + length.to_bytes(4, "big") + b"\0\0\0\6"

    def tcp(self, checksum: bytes) -> bytes:
        return (
            self.ports
            + (self.sequence % 2**32).to_bytes(4, "big")
            + self.acknowledgement.to_bytes(4, "big")
            + bytes([(20 + len(self.options)) << 2, self.flags])
            + self.window.to_bytes(2, "big")
            + checksum
            + b"\0\0"
            + self.options
            + self.payload
        )

    def ip(self, length: int) -> bytes:
        if not self.is_ipv4:
            return bytes.fromhex("60012345") + length.to_bytes(2, "big") + bytes([6, self.hop_limit]) + self.addresses
        head = bytes([0x45, 0]) + (20 + length).to_bytes(2, "big") + (self.identification % 65536).to_bytes(2, "big")
        head += self.fragment.to_bytes(2, "big") + bytes([self.hop_limit, 6])
        return head + internet_checksum(head + self.addresses) + self.addresses

    @property
    def addresses(self) -> bytes:
        return self.source + self.destination

    def frame(self) -> bytes:
        """As it belongs on a wire."""
        bare = self.tcp(b"\0\0")
        whole = self.tcp(internet_checksum(self.pseudo_header(len(bare)) + bare))
        return self.link + self.ip(len(bare)) + whole

    def super_frame(self) -> bytes:
        """As the kernel hands it over whole: the pseudo-header's sum alone in the checksum field."""
        bare = self.tcp(b"\0\0")
        partial = internet_checksum_sum(self.pseudo_header(len(bare))).to_bytes(2, "big")
        return self.link + self.ip(len(bare)) + self.tcp(partial)

    def segments(self, mss: int) -> list[bytes]:
        """What segmentation makes of it."""
        cuts = range(0, len(self.payload), mss)
        made = []
        for index, cut in enumerate(cuts):
            flags = self.flags
            if index != 0:
                flags &= ~0x80  # CWR
            if index != len(cuts) - 1:
                flags &= ~0x09  # PSH, FIN
            made.append(
                replace(
                    self,
                    payload=self.payload[cut : cut + mss],
                    identification=self.identification + index,
                    sequence=self.sequence + cut,
                    flags=flags,
                ).frame()
            )
        return made


IPV6 = Tcp(
    link=bytes.fromhex("020000000002 020000000001 86dd"),
    is_ipv4=False,
    source=bytes.fromhex("20010db8000000000000000000000001"),
    destination=bytes.fromhex("20010db8000000000000000000000002"),
)
TAGGED = Tcp(link=bytes.fromhex("020000000002 020000000001 8100006481000065 0800"))
PACKET = Tcp(link=b"")
KINDS = {"ipv4": Tcp(), "ipv6": IPV6, "qinq": TAGGED, "packet": PACKET, "no options": Tcp(options=b"")}


def payload(octets: int) -> bytes:
    """Octets that differ from place to place, and never by the same."""
    return bytes((i * i * 31 + i * 7 + (i >> 8)) & 0xFF for i in range(octets))
