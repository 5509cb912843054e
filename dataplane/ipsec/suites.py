"""What was negotiated for ESP, and the keys it needs, in the order that KEYMAT has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import ESN, Strength, Transform, TransformType, encryption, integrity


@dataclass(frozen=True, slots=True, kw_only=True)
class EspKeys:
    """The keys of one direction. An AEAD's encryption key ends with its salt, and its integrity key is empty."""

    encryption: Secret
    integrity: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class EspSuite:
    """An encryption, its integrity check (None with an AEAD), and whether sequence numbers have 64 bits."""

    encryption: Transform
    integrity: Transform | None = None
    esn: bool = False

    def __post_init__(self) -> None:
        about = encryption(self.encryption)
        if about.is_aead and self.integrity is not None:
            raise LocalError(f"{self.encryption} checks integrity itself; {self.integrity} has no place beside it")
        if not about.is_aead:
            if self.integrity is None:  # RFC 4303 3.2.1 allows it, RFC 8221 4 no longer
                raise LocalError(f"{self.encryption} needs an integrity check beside it")
            integrity(self.integrity)

    @classmethod
    def of(cls, chosen: Proposal) -> Self:
        """The suite of a chosen ESP proposal.

        Raises:
            LocalError: another protocol, or not one usable transform of each type.
        """
        encryptions = chosen.of(TransformType.ENCR)
        checks = [each for each in chosen.of(TransformType.INTEG) if each.id != 0]
        if chosen.protocol is not SecurityProtocol.ESP or len(encryptions) != 1 or len(checks) > 1:
            raise LocalError(f"{chosen} is not a choice for ESP")
        return cls(
            encryption=encryptions[0],
            integrity=checks[0] if checks else None,
            esn=ESN in chosen.of(TransformType.ESN),
        )

    @property
    def encryption_key_octets(self) -> int:
        """The length of the encryption key with its salt."""
        about = encryption(self.encryption)
        return (self.encryption.key_bits or about.key_bits[0]) // 8 + about.salt_octets

    @property
    def integrity_key_octets(self) -> int:
        """The length of the integrity key, 0 with an AEAD."""
        return 0 if self.integrity is None else integrity(self.integrity).key_octets

    @property
    def keymat_octets(self) -> int:
        """What one direction takes out of KEYMAT."""
        return self.encryption_key_octets + self.integrity_key_octets

    def keys(self, keymat: bytes) -> EspKeys:
        """The keys of one direction out of its part of KEYMAT: encryption first (RFC 7296 2.17).

        Raises:
            LocalError: not `keymat_octets` long.
        """
        if len(keymat) != self.keymat_octets:
            raise LocalError(f"{self} takes {self.keymat_octets} octets of KEYMAT a direction, not {len(keymat)}")
        cut = self.encryption_key_octets
        return EspKeys(encryption=Secret(keymat[:cut]), integrity=Secret(keymat[cut:]))

    @property
    def objections(self) -> tuple[str, ...]:
        """Why transforms of it are not good, each as `NAME: reason`."""
        transforms = (self.encryption,) if self.integrity is None else (self.encryption, self.integrity)
        return tuple(f"{each}: {each.objection}" for each in transforms if each.strength is not Strength.GOOD)

    def __str__(self) -> str:
        parts = [str(self.encryption)] + ([] if self.integrity is None else [str(self.integrity)])
        return "/".join(parts + (["ESN"] if self.esn else []))
