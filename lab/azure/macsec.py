"""MACsec on ExpressRoute Direct, in Azure's spelling, and what each word means in the standard's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cipher:
    """A cipher that a link can be given. `suite` is the standard's name, `key_octets` the length of its SAK.

    A CAK has as many octets as the suite's SAK: Azure takes 32 hex digits for the 128-bit ones, 64 for the others.
    """

    name: str
    suite: str
    key_octets: int
    salt_octets: int

    @property
    def is_xpn(self) -> bool:
        """Whether packet numbers have 64 bits."""
        return self.salt_octets > 0


CIPHERS = {
    cipher.name: cipher
    for cipher in (
        Cipher(name="GcmAes128", suite="GCM-AES-128", key_octets=16, salt_octets=0),
        Cipher(name="GcmAes256", suite="GCM-AES-256", key_octets=32, salt_octets=0),
        Cipher(name="GcmAesXpn128", suite="GCM-AES-XPN-128", key_octets=16, salt_octets=12),
        Cipher(name="GcmAesXpn256", suite="GCM-AES-XPN-256", key_octets=32, salt_octets=12),
    )
}

# Whether a SecTAG names its SC. Azure's default is Disabled; some peers cannot do without it.
SCI_STATES = ("Enabled", "Disabled")


def cipher_of_suite(suite: str) -> Cipher:
    """The cipher that is this suite.

    Raises:
        KeyError: Azure has no cipher for it.
    """
    for cipher in CIPHERS.values():
        if cipher.suite == suite:
            return cipher
    raise KeyError(suite)
