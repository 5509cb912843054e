"""What was negotiated for an IKE SA, and what each direction's protection takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dataplane.crypto.prf import Prf
from dataplane.errors import LocalError
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import Transform, TransformType, encryption, integrity


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSuite:
    """Encryption, its integrity check (None with an AEAD, RFC 5282 8), PRF and key exchange of an IKE SA."""

    proposal: Proposal
    encryption: Transform
    integrity: Transform | None
    prf: Transform
    ke: Transform

    @classmethod
    def of(cls, chosen: Proposal) -> Self:
        """The suite of a chosen IKE proposal.

        Raises:
            LocalError: another protocol, or not one usable transform of each type that it needs.
        """
        kinds = (TransformType.ENCR, TransformType.PRF, TransformType.KE)
        checks = [each for each in chosen.of(TransformType.INTEG) if each.id != 0]
        if chosen.protocol is not SecurityProtocol.IKE or any(len(chosen.of(kind)) != 1 for kind in kinds):
            raise LocalError(f"{chosen} is not a choice for IKE")
        encr, prf, ke = (chosen.of(kind)[0] for kind in kinds)
        about = encryption(encr)
        if about.is_aead == bool(checks) or len(checks) > 1 or not about.is_confidential or ke.id == 0:
            raise LocalError(f"{chosen} is not a choice for IKE")
        return cls(proposal=chosen, encryption=encr, integrity=checks[0] if checks else None, prf=prf, ke=ke)

    @property
    def encryption_key_octets(self) -> int:
        """The length of SK_ei and SK_er, an AEAD's salt included."""
        about = encryption(self.encryption)
        return (self.encryption.key_bits or about.key_bits[0]) // 8 + about.salt_octets

    @property
    def integrity_key_octets(self) -> int:
        """The length of SK_ai and SK_ar, 0 with an AEAD."""
        return 0 if self.integrity is None else integrity(self.integrity).key_octets

    def make_prf(self) -> Prf:
        """The PRF itself."""
        return Prf(self.prf.name)

    def __str__(self) -> str:
        parts = (self.encryption, self.integrity, self.prf, self.ke)
        return "/".join(str(each) for each in parts if each is not None)
