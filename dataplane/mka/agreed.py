"""A SAK that the members of a CA agree on: how a key server makes one, how a member takes one from an MKPDU."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from dataplane.errors import IntegrityError
from dataplane.macsec.association import Sak
from dataplane.macsec.suites import GCM_AES_128, SSCI_OCTETS, CipherSuite, suite_identified
from dataplane.mka.keys import Cak, number_sscis, xpn_salt
from dataplane.mka.paramsets.distributed import DistributedSak
from dataplane.mka.paramsets.peerlists import LivePeerList
from dataplane.mka.paramsets.sakuse import KeyIdentifier

_WRAP_OCTETS: Final = 8
_OFFSETS: Final = {1: 0, 2: 30, 3: 50}
_FIELDS: Final = {offset: field for field, offset in _OFFSETS.items()}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SakPolicy:
    """Which SAKs are for us: their cipher suite, whether they encrypt, and the offset that we ask for as key server.

    A member obeys the key server's offset, but never sends readable frames where its own policy is to encrypt.
    `explicit_suite` names GCM-AES-128 in full as key server, too; by default it goes without its name.
    """

    suite: CipherSuite
    confidentiality: bool = True
    confidentiality_offset: int = 0
    explicit_suite: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedSak:
    """A SAK with its name, its AN, the CKN of the CA it was agreed in, and the SSCI of each member's MI (0: no XPN).

    `since` is when it was agreed.
    """

    identifier: KeyIdentifier
    an: int
    sak: Sak
    ckn: bytes
    members: Mapping[bytes, int]
    since: float

    def ssci(self, mi: bytes) -> bytes | None:
        """A member's SSCI as the SecY wants it; None without XPN."""
        return self.members[mi].to_bytes(SSCI_OCTETS, "big") if self.sak.suite.xpn else None


@final
class Refusal(enum.Enum):
    """Why a distributed SAK is not taken."""

    NO_MACSEC = "the key server wants no MACsec"
    CIPHER_SUITE = "the key server's cipher suite is not ours"
    CONFIDENTIALITY = "the key server asks for integrity only, our policy is to encrypt"
    NOT_LISTED = "the key server does not list us as live"
    UNKNOWN_MEMBER = "not all members are known that the SSCIs depend on"
    DAMAGED = "the SAK was not wrapped with our key"


def generate(
    cak: Cak,
    policy: SakPolicy,
    *,
    own: tuple[bytes, bytes],
    peers: Mapping[bytes, bytes],
    kn: int,
    an: int,
    random: Callable[[int], bytes],
    now: float,
) -> AgreedSak:
    """A fresh SAK for us and all live peers (802.1X-2020 9.8.1). `own` and `peers` are MIs with their SCIs."""
    mi, sci = own
    scis = {mi: sci, **peers}
    identifier = KeyIdentifier(mi, kn)
    key = cak.derive_sak(nonce=random(policy.suite.key_octets), members=sorted(scis), kn=kn)
    sscis = number_sscis(scis.values())
    return AgreedSak(
        identifier=identifier,
        an=an,
        sak=Sak(
            suite=policy.suite,
            key=key,
            salt=xpn_salt(identifier) if policy.suite.xpn else b"",
            confidentiality=policy.confidentiality,
            confidentiality_offset=policy.confidentiality_offset,
        ),
        ckn=cak.ckn,
        members={member: sscis[scis[member]] if policy.suite.xpn else 0 for member in scis},
        since=now,
    )


def distribute(agreed: AgreedSak, cak: Cak, policy: SakPolicy) -> DistributedSak:
    """The parameter set that takes a SAK to the other members (802.1X-2020 11.11.1)."""
    suite = agreed.sak.suite
    default = suite is GCM_AES_128 and not policy.explicit_suite
    return DistributedSak(
        an=agreed.an,
        confidentiality=_FIELDS[agreed.sak.confidentiality_offset] if agreed.sak.confidentiality else 0,
        kn=agreed.identifier.kn,
        cipher_suite=None if default else suite.identifier,
        wrapped=cak.wrap(agreed.sak.key),
    )


def take(
    distributed: DistributedSak,
    live_list: LivePeerList | None,
    cak: Cak,
    policy: SakPolicy,
    *,
    own_mi: bytes,
    server_mi: bytes,
    sci_of: Callable[[bytes], bytes | None],
    now: float,
) -> AgreedSak | Refusal:
    """The SAK in an MKPDU of the key server, or why it is not for us."""
    if not distributed.wrapped:  # 802.1X-2020 9.7: the key server has decided against MACsec
        return Refusal.NO_MACSEC
    identifier = distributed.cipher_suite
    suite = GCM_AES_128 if identifier is None else suite_identified(identifier)
    if suite is not policy.suite or len(distributed.wrapped) != suite.key_octets + _WRAP_OCTETS:
        return Refusal.CIPHER_SUITE
    confidentiality = distributed.confidentiality != 0
    if policy.confidentiality and not confidentiality:
        return Refusal.CONFIDENTIALITY
    listed = [] if live_list is None else [peer.mi for peer in live_list.peers]
    if own_mi not in listed:  # a SAK is for the members that its key server knows to be live (802.1X-2020 9.8)
        return Refusal.NOT_LISTED
    server_ssci = 0 if live_list is None else live_list.key_server_ssci
    members = _members(suite, listed, server_mi, server_ssci, sci_of)
    if members is None:
        return Refusal.UNKNOWN_MEMBER
    try:
        key = cak.unwrap(distributed.wrapped)
    except IntegrityError:
        return Refusal.DAMAGED
    name = KeyIdentifier(server_mi, distributed.kn)
    return AgreedSak(
        identifier=name,
        an=distributed.an,
        sak=Sak(
            suite=suite,
            key=key,
            salt=xpn_salt(name) if suite.xpn else b"",
            confidentiality=confidentiality,
            confidentiality_offset=_OFFSETS.get(distributed.confidentiality, 0),
        ),
        ckn=cak.ckn,
        members=members,
        since=now,
    )


def _members(
    suite: CipherSuite,
    listed: Sequence[bytes],
    server_mi: bytes,
    server_ssci: int,
    sci_of: Callable[[bytes], bytes | None],
) -> dict[bytes, int] | None:
    """All members' MIs with their SSCIs; None when these cannot be known yet."""
    everybody = [server_mi, *listed]
    if not suite.xpn:
        return dict.fromkeys(everybody, 0)
    scis = {mi: sci_of(mi) for mi in everybody}
    known = {mi: sci for mi, sci in scis.items() if sci is not None}
    if len(known) == len(scis):  # 802.1AE-2018 10.7.13: by the order of the SCIs
        sscis = number_sscis(known.values())
        return {mi: sscis[sci] for mi, sci in known.items()}
    if not server_ssci:
        return None
    # A key server of MKA version 3 lists the others in the order of their SSCIs and tells its own (802.1X-2020 9.10).
    free = (number for number in range(1, len(listed) + 2) if number != server_ssci)
    return {server_mi: server_ssci, **dict(zip(listed, free, strict=False))}
