"""The key hierarchy of MKA: CAK -> ICK and KEK, CAK -> SAK, and the XPN salts and SSCIs that go with a SAK."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, final

from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.compare import equal
from dataplane.crypto.keywrap import unwrap, wrap
from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.mka.mkpdu import ICV_OCTETS
from dataplane.mka.paramsets.basic import CKN_LIMIT
from dataplane.mka.paramsets.sakuse import KeyIdentifier

CAK_LENGTHS: Final = (16, 32)

_BLOCK_BITS: Final = 128
_KEY_ID_OCTETS: Final = 16


def kdf(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """The KDF of 802.1X-2020 6.2.1: AES-CMAC in counter mode; `bits` is a multiple of 8, at most 255 blocks.

    Raises:
        LocalError: the key is no AES key, or no output has so many bits.
    """
    blocks = -(-bits // _BLOCK_BITS)
    if bits % 8 or not 1 <= blocks <= 255:
        raise LocalError(f"the KDF gives whole octets, up to 255 blocks, not {bits} bits")
    rest = label + b"\0" + context + bits.to_bytes(2, "big")
    output = b"".join(aes_cmac(key, bytes((count,)) + rest) for count in range(1, blocks + 1))
    return output[: bits // 8]


@final
class Cak:
    """A CAK with its name, and the keys that follow from it: the ICK seals MKPDUs, the KEK wraps SAKs.

    `cak` has 16 or 32 octets, `ckn` 1 to 32. No key is ever shown.

    Raises:
        LocalError: a length is another one.
    """

    __slots__ = ("_cak", "_ick", "_kek", "ckn")

    def __init__(self, *, cak: Secret, ckn: bytes) -> None:
        if len(cak) not in CAK_LENGTHS:
            raise LocalError(f"a CAK has 16 or 32 octets, not {len(cak)}")
        if not 1 <= len(ckn) <= CKN_LIMIT:
            raise LocalError(f"a CKN has 1 to {CKN_LIMIT} octets, not {len(ckn)}")
        self.ckn: Final = bytes(ckn)
        self._cak: Final = cak
        # 802.1X-2020 9.3.3: the first 16 octets of the CKN, padded with zeros at the end.
        key_id = ckn[:_KEY_ID_OCTETS].ljust(_KEY_ID_OCTETS, b"\0")
        bits = 8 * len(cak)
        self._ick: Final = Secret(kdf(cak.reveal(), b"IEEE8021 ICK", key_id, bits))
        self._kek: Final = Secret(kdf(cak.reveal(), b"IEEE8021 KEK", key_id, bits))

    def __repr__(self) -> str:
        return f"<Cak {self.ckn.hex()}, {8 * len(self._cak)} bits>"

    @property
    def ick(self) -> Secret:
        """The ICV Key."""
        return self._ick

    @property
    def kek(self) -> Secret:
        """The Key Encrypting Key."""
        return self._kek

    def sealed_frame(self, frame: bytes) -> bool:
        """Whether a frame that ends with its ICV was sealed with the ICK (802.1X-2020 9.4.1)."""
        return equal(frame[-ICV_OCTETS:], aes_cmac(self._ick.reveal(), frame[:-ICV_OCTETS]))

    def wrap(self, sak: Secret) -> bytes:
        """A SAK on its way (802.1X-2020 9.8.2)."""
        return wrap(self._kek.reveal(), sak.reveal())

    def unwrap(self, wrapped: bytes) -> Secret:
        """A SAK that arrived.

        Raises:
            IntegrityError: it was not wrapped under this KEK.
        """
        return Secret(unwrap(self._kek.reveal(), wrapped))

    def derive_sak(self, *, nonce: bytes, members: Sequence[bytes], kn: int) -> Secret:
        """A fresh SAK, as long as the key server's nonce: 16 or 32 octets (802.1X-2020 9.8.1).

        `members` are the MIs of all that the SAK is for, in any order; nonce and KN are never used again.

        Raises:
            LocalError: no SAK is as long as the nonce.
        """
        if len(nonce) not in CAK_LENGTHS:
            raise LocalError(f"a nonce is as long as the SAK, 16 or 32 octets, not {len(nonce)}")
        context = nonce + b"".join(members) + kn.to_bytes(4, "big")
        return Secret(kdf(self._cak.reveal(), b"IEEE8021 SAK", context, 8 * len(nonce)))


def xpn_salt(identifier: KeyIdentifier) -> bytes:
    """The 12-octet salt of an XPN SAK (802.1AE-2018 10.7.8, 802.1X-2020 9.10).

    The key server's MI, its first two octets XOR the low half of the KN, the next two XOR the high half.
    """
    kn = identifier.kn
    mixed = ((kn & 0xFFFF) << 16 | kn >> 16) ^ int.from_bytes(identifier.mi[:4], "big")
    return mixed.to_bytes(4, "big") + identifier.mi[4:]


def number_sscis(scis: Iterable[bytes]) -> dict[bytes, int]:
    """The SSCI of each SCI: the numerically greatest SCI has 1, the next 2 (802.1AE-2018 10.7.13)."""
    return {sci: number for number, sci in enumerate(sorted(set(scis), reverse=True), start=1)}
