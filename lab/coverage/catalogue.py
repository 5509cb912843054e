"""What each finding means: why it matters, and what to change. Data; a row a code."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lab.coverage.document import Finding

# code -> (why it matters, what to change)
_ENTRIES: Final = {
    "cleartext": (
        "Whoever has access to this wire reads these frames, and can change them unnoticed.",
        "Find out what sent them and why it was not protected: a route around the tunnel, a port without MACsec, or"
        " traffic outside of the selectors. Then protect it, or expect it to be clear and say so.",
    ),
    "esp-null": (
        "ESP without encryption authenticates packets; everybody can read them.",
        "Choose an encryption transform for this SA, as ENCR_AES_GCM_16.",
    ),
    "macsec-integrity-only": (
        "MACsec without confidentiality authenticates frames; everybody on the wire can read them.",
        "Turn encryption on at both ends (in MKA: confidentiality offset 0), or expect integrity only and say so.",
    ),
    "macsec-encrypted": (
        "The segment was meant to be clear, so what runs here is not what was described.",
        "Correct the expectation, or find out who protects this wire.",
    ),
    "esp": (
        "ESP was seen where something else was expected to be outermost, so the expected layer was not there.",
        "Correct the expectation, or find out why the expected layer is missing.",
    ),
    "ike": (
        "IKE was seen outside of MACsec, so frames leave this port unprotected by it.",
        "Find out why the port sends frames before, or beside, its MACsec.",
    ),
    "inside-cleartext": (
        "Inside MACsec these frames are clear: whoever decrypts on the next hop reads them.",
        "Route this traffic into the tunnel, or do not expect IPsec here.",
    ),
    "inside-esp-null": (
        "Inside MACsec these packets are authenticated but not encrypted.",
        "Choose an encryption transform for this SA.",
    ),
    "inside-malformed": (
        "What is inside contradicts its own standard, so it cannot be said what it is.",
        "Look at the frames named; find the sender that builds them.",
    ),
    "canary-in-clear": (
        "A canary is traffic whose content is known. It was read on a wire where nobody should be able to.",
        "Follow the canary's way in the path evidence: the segment before this one decided to send it so.",
    ),
    "canary-outside-ipsec": (
        "The canary went through MACsec but around the tunnel: every node between the links reads it.",
        "Make the route through the tunnel the more specific one, at both ends.",
    ),
    "canary-outside-macsec": (
        "The canary was in the tunnel, but this wire carried it without MACsec.",
        "Find out why the port sends frames beside its MACsec.",
    ),
    "malformed": (
        "A frame that its standard forbids can hide anything, and receivers differ in what they make of it.",
        "Look at the frames named; find the sender that builds them.",
    ),
    "cut": (
        "A frame that was cut cannot be authenticated, so nothing is proven of it.",
        "Capture whole frames: no snap length.",
    ),
    "dropped": (
        "Frames that the tap lost were seen by nobody.",
        "Capture with larger buffers, or at a lower rate, and again.",
    ),
    "routing": (
        "Which prefixes are announced, and which neighbours live, is readable on this wire; without TCP-AO or TCP MD5"
        " on the session it can be forged, too.",
        "Nothing where the link's own routing may be clear; otherwise protect the link, or have the session inside.",
    ),
    "odd": ("Nothing was checked in these frames, and that is no fault of theirs.", "Nothing, if it was expected."),
    "nonce-reuse": (
        "Under one key, a nonce was used for two different contents. With AES-GCM, and ChaCha20-Poly1305, that gives"
        " away the difference of both and the means to forge more (SP 800-38D 8); with CBC, that both begin alike.",
        "Replace the key now. Then find out how the numbers could start again: a key kept over a restart, the same"
        " static key on two links, a copy of a running machine.",
    ),
    "sequence-reuse": (
        "A sender must never repeat a sequence number under one SA (RFC 4303 3.3.3). A receiver with anti-replay drops"
        " one of the two; one without it cannot tell replays from traffic.",
        "Rekey, and find out how the sequence numbers could start again.",
    ),
    "seen-again": (
        "The same unit, octet for octet, was on this wire more than once: a retransmission, a capture that sees frames"
        " twice, or a replay. An anti-replay window must discard all but one.",
        "Nothing, if it was expected. Else look at who sent the second copy, and at the receiver's late counter.",
    ),
    "weak-encryption": (
        "The content is encrypted with a cipher that has fallen out of use for good reasons.",
        "Agree on ENCR_AES_GCM_16 with 256 bits, or on AES-CBC with an integrity transform of SHA-2.",
    ),
    "weak-integrity": (
        "The integrity transform rests on a hash function that is being retired.",
        "Agree on AUTH_HMAC_SHA2_256_128 or better, or on an AEAD.",
    ),
    "weak-prf": (
        "Keys are derived with a function that rests on a hash function that is being retired.",
        "Agree on PRF_HMAC_SHA2_256 or better.",
    ),
    "weak-group": (
        "Who records this key exchange and can solve it later, reads everything that its keys protected.",
        "Agree on group 14, 19, 20 or 31, for IKE and for PFS; in Azure: DHGroup14, ECP256 or ECP384, and PFS2048,"
        " ECP256 or ECP384.",
    ),
    "no-pfs": (
        "A new key was derived from the old secret alone: who learns that secret has all keys that follow.",
        "Set a PFS group for the child SAs, at both ends; Azure: pfsGroup ECP384.",
    ),
    "lifetime-passed": (
        "The SA was used longer, or for more, than its policy allows.",
        "Find out why no rekey took place: the peer's lifetime, a rekey that failed, clocks.",
    ),
    "numbers-low": (
        "When the numbers run out, the SA must stop (802.1AE-2018 10.5.2, RFC 4303 3.3.3): soon, on a fast link.",
        "Use an XPN cipher suite, or ESN, or rekey earlier.",
    ),
    "ikev1": (
        "IKEv1 is historic (RFC 9395): no modern protection against denial of service, and no rekey in place.",
        "Use IKEv2.",
    ),
    "key-shared": (
        "One key protects several links, so its loss is the loss of all of them, and one wrong number a nonce reuse.",
        "Give each link a key of its own.",
    ),
    "confidentiality-offset": (
        "The first octets of every frame stay readable by agreement: with 30, IPv4 headers; with 50, IPv6 headers.",
        "Use confidentiality offset 0, unless something on the way must read those headers.",
    ),
}  # fmt: skip

_UNITS: Final = {
    "failed": (
        "The frame was changed on its way, was made by somebody without the key, or the key at hand is another one.",
        "Check that this is the key of this SA; if it is, look for who changes frames on this segment.",
    ),
    "no-key": (
        "Without its key, nobody can tell whether a frame is what it looks like. Looking random proves nothing.",
        "Hand over the key log of this SA.",
    ),
    "incomplete": (
        "A part of the packet is missing, so its ICV could not be computed.",
        "Capture from before the first fragment, without losses; or avoid fragmentation by a smaller MTU.",
    ),
}


def explained(finding: Finding) -> Finding:
    """The finding with why it matters and what to change."""
    known = _ENTRIES.get(finding.code)
    if known is None:
        known = next((entry for end, entry in _UNITS.items() if finding.code.endswith(f"-{end}")), ("", ""))
    return replace(finding, why=known[0], change=known[1])


CODES: Final = frozenset(_ENTRIES)
