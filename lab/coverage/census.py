"""The classes that hold every frame exactly once, by what is outermost on the wire. Small numbers, to index lists."""

from __future__ import annotations

from typing import Final

(
    MACSEC_ENCRYPTED,
    MACSEC_INTEGRITY_ONLY,
    MKA,
    IKE,
    ESP,
    ESP_NULL,
    CONTROL,
    MALFORMED,
    CLEARTEXT,
) = range(9)

NAMES: Final = (
    "macsec-encrypted",
    "macsec-integrity-only",
    "mka",
    "ike",
    "esp",
    "esp-null",
    "control",
    "malformed",
    "cleartext",
)

# What anybody reads on the wire. Integrity without confidentiality is clear unless it was asked for.
CLEAR: Final = frozenset({CLEARTEXT, ESP_NULL, MACSEC_INTEGRITY_ONLY})
PROTOCOL_OF: Final = {
    MACSEC_ENCRYPTED: "macsec",
    MACSEC_INTEGRITY_ONLY: "macsec",
    MKA: "mka",
    IKE: "ike",
    ESP: "esp",
    ESP_NULL: "esp",
}
PROTOCOLS: Final = ("macsec", "mka", "ike", "esp")
"""What is counted by units whose ICV was checked."""

AUTHENTICATED, FAILED, NO_KEY = range(3)
OUTCOMES: Final = ("authenticated", "failed", "no_key")
"""What a check can say; a unit that is malformed or cut by the snap length has none."""

# The layers that a frame's content was found under, as bits.
UNDER_MACSEC: Final = 1
UNDER_IPSEC: Final = 2
