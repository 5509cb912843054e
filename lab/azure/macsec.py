"""MACsec on ExpressRoute Direct, in Azure's spelling, and what each word means in the standard's."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """What a secret must hold to serve as a key: hex digits for `least` to `most` octets. `text` says so."""

    text: str
    least: int
    most: int

    def octets(self, value: str) -> bytes:
        """Read a secret's value.

        Raises:
            ValueError: it breaks the rule. Says how many digits there are, never which.
        """
        # bytes.fromhex alone would let spaces pass.
        if not re.fullmatch(r"[0-9a-fA-F]*", value):
            raise ValueError(f"it holds something other than hex digits; {self.text}")
        if len(value) % 2 or not self.least <= len(value) // 2 <= self.most:
            raise ValueError(f"it holds {len(value)} hex digits; {self.text}")
        return bytes.fromhex(value)


CKN_RULE = KeyRule(text="a CKN has an even number of hex digits, 2 to 64", least=1, most=32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cipher:
    """A cipher that a link can be given. `suite` is the standard's name, `key_octets` the length of its SAK."""

    name: str
    suite: str
    key_octets: int
    salt_octets: int

    @property
    def is_xpn(self) -> bool:
        """Whether packet numbers have 64 bits."""
        return self.salt_octets > 0

    @property
    def cak_rule(self) -> KeyRule:
        """A CAK is as long as the suite's SAK: Azure refuses another length."""
        text = f"a CAK of {self.name} has {self.key_octets * 2} hex digits"
        return KeyRule(text=text, least=self.key_octets, most=self.key_octets)

    @property
    def sak_rule(self) -> KeyRule:
        """A static SAK: the key, then with an XPN suite the salt."""
        octets = self.key_octets + self.salt_octets
        text = f"a static SAK of {self.name} has {octets * 2} hex digits"
        if self.salt_octets:
            text += f" ({self.key_octets} octets of key, then {self.salt_octets} of salt)"
        return KeyRule(text=text, least=octets, most=octets)


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
