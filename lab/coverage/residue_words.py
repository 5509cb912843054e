"""What each protocol leaves readable by design, in words. Data; a row a census class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lab.coverage import census

_WORDS: Final = {
    census.MACSEC_ENCRYPTED: "MACsec leaves MAC addresses, tags before the SecTAG, SCI, AN, PN, lengths and times"
    " readable (802.1AE-2018 9.3); and it ends at the next hop: inside that node everything is clear again.",
    census.MACSEC_INTEGRITY_ONLY: "MACsec without confidentiality leaves everything readable; it only shows changes.",
    census.MKA: "MKA leaves CKN, SCIs, member identifiers and priorities readable; SAKs are wrapped"
    " (802.1X-2020 11.11).",
    census.IKE: "IKE leaves addresses, SPIs, exchange types and message numbers readable, and all of IKE_SA_INIT:"
    " proposals, public values, nonces (RFC 7296 1.2).",
    census.ESP: "ESP leaves the outer IP header, SPI, sequence number, lengths and times readable (RFC 4303 2);"
    " inner addresses, ports and contents are not, in tunnel mode.",
    census.ESP_NULL: "ESP without encryption leaves the whole packet readable.",
    census.CONTROL: "Control frames (ARP, neighbour discovery, LLDP and such) are readable: who is here, and asks for"
    " whom.",
    census.CLEARTEXT: "Clear frames are readable from the first octet to the last.",
    census.MALFORMED: "Malformed frames can be read as they are; nobody knows what they mean.",
}


def by_design(kinds: Iterable[int]) -> tuple[str, ...]:
    """The sentences for the classes that occurred."""
    return tuple(_WORDS[kind] for kind in sorted(set(kinds)) if kind in _WORDS)
