"""Static SAKs: a SecY keyed from secrets, one SAK for each direction, in use from the first frame on.

A secret holds the SAK and, with an XPN suite, the 12 octets of salt behind it. They are made anew whenever a lab is, so
PNs start at 1 and no nonce comes twice. SSCIs go by the SCIs: the greatest is 1 (802.1AE-2018 10.7.13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dataplane.crypto.secret import Secret
from dataplane.macsec.association import Sak
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import SALT_OCTETS, CipherSuite, suite_named
from lab.errors import InputError
from lab.model.link import Interface, Link
from lab.model.macsec import MacsecPolicy, StaticKeys
from lab.nodes.secy import key_record, make_secy, sci_of

_AN: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticSecY:
    """A SecY with its SAs in use, and the object that must be in the key log before it sends: it shows the SAK."""

    secy: SecY
    key_record: Mapping[str, object] = field(repr=False)


def static_secy(link: Link, end: Interface, policy: MacsecPolicy, secrets: Mapping[str, bytes]) -> StaticSecY:
    """The SecY of one end of a link whose policy this is, keyed from `secrets` by the text of their references.

    Raises:
        InputError: the policy has no static SAKs, or a secret is missing or not of the suite's length.
    """
    suite = suite_named(policy.cipher_suite)
    peer = link.other_end(end.node)
    own_sci, peer_sci = sci_of(end.mac), sci_of(peer.mac)
    own_ssci, peer_ssci = _sscis(suite, own_sci, peer_sci)
    own_sak, peer_sak = (_sak(link, policy, suite, interface.node, secrets) for interface in (end, peer))
    secy = make_secy(end, policy)
    channel = secy.create_receive_channel(peer_sci)
    channel.create_sa(_AN, peer_sak, ssci=peer_ssci)
    channel.enable_sa(_AN)
    secy.transmit.create_sa(_AN, own_sak, ssci=own_ssci)
    secy.transmit.enable_sa(_AN)
    return StaticSecY(secy=secy, key_record=key_record(own_sci, _AN, own_sak, own_ssci))


def _sak(link: Link, policy: MacsecPolicy, suite: CipherSuite, node: str, secrets: Mapping[str, bytes]) -> Sak:
    """The SAK with which `node` sends."""
    if not isinstance(policy.keys, StaticKeys):
        raise InputError(f"{link.segment}: its keys are MKA's to make; this driver installs static SAKs alone")
    reference = str(dict(policy.keys.saks)[node])
    octets = secrets.get(reference)
    if octets is None:
        raise InputError(f"{link.segment}: there is no secret {reference}, the SAK of {node}")
    wanted = suite.key_octets + (SALT_OCTETS if suite.xpn else 0)
    if len(octets) != wanted:
        raise InputError(
            f"{link.segment}: the SAK of {node}, {reference}, has {len(octets)} octets; {suite.name} takes {wanted}"
        )
    return Sak(
        suite=suite,
        key=Secret(octets[: suite.key_octets]),
        salt=octets[suite.key_octets :],
        confidentiality=policy.confidentiality,
        confidentiality_offset=policy.confidentiality_offset,
    )


def _sscis(suite: CipherSuite, own: bytes, peer: bytes) -> tuple[bytes | None, bytes | None]:
    """The SSCIs of two SCs; none where the suite knows none."""
    if not suite.xpn:
        return None, None
    first, second = (number.to_bytes(4, "big") for number in (1, 2))
    return (first, second) if own > peer else (second, first)
