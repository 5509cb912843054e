"""Keys: SKEYSEED and what grows from it, the keys of a rekeyed IKE SA, KEYMAT of a child, and the PPK mixed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dataplane.crypto.prf import Prf
from dataplane.crypto.secret import Secret
from dataplane.ike.suite import IkeSuite
from dataplane.ipsec.suites import EspKeys, EspSuite


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeKeys:
    """The seven keys of an IKE SA (RFC 7296 2.14). With an AEAD, ai and ar are empty, ei and er end in a salt."""

    d: Secret
    ai: Secret
    ar: Secret
    ei: Secret
    er: Secret
    pi: Secret
    pr: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What both ends brought to an exchange: nonces and SPIs of the SA that is made, initiator's first."""

    ni: bytes
    nr: bytes
    spi_i: bytes = b""
    spi_r: bytes = b""


def skeyseed(prf: Prf, fresh: Freshness, shared: bytes) -> bytes:
    """SKEYSEED of a first IKE SA: prf(Ni | Nr, g^ir)."""
    if prf.name == "PRF_AES128_CMAC":  # RFC 7296 2.14: a PRF with a key of one length takes half from each nonce
        return prf(fresh.ni[:8] + fresh.nr[:8], shared)
    return prf(fresh.ni + fresh.nr, shared)


def rekeyed_skeyseed(old_prf: Prf, old_sk_d: Secret, fresh: Freshness, shared: bytes) -> bytes:
    """SKEYSEED of an IKE SA made by another: prf(SK_d (old), g^ir | Ni | Nr), with the old SA's PRF (RFC 7296 2.18)."""
    return old_prf(old_sk_d.reveal(), shared, fresh.ni, fresh.nr)


def ike_keys(suite: IkeSuite, seed: bytes, fresh: Freshness) -> IkeKeys:
    """The keys of an IKE SA: prf+(SKEYSEED, Ni | Nr | SPIi | SPIr), with the new SA's PRF and SPIs (RFC 7296 2.14)."""
    prf = suite.make_prf()
    encryption, integrity = suite.encryption_key_octets, suite.integrity_key_octets
    lengths = (prf.key_length, integrity, integrity, encryption, encryption, prf.key_length, prf.key_length)
    stream = prf.plus(seed, fresh.ni + fresh.nr + fresh.spi_i + fresh.spi_r, sum(lengths))
    keys = []
    for length in lengths:
        keys.append(Secret(stream[:length]))
        stream = stream[length:]
    return IkeKeys(d=keys[0], ai=keys[1], ar=keys[2], ei=keys[3], er=keys[4], pi=keys[5], pr=keys[6])


def mix_ppk(prf: Prf, ppk: Secret, keys: IkeKeys) -> IkeKeys:
    """The keys with a post-quantum preshared key in SK_d, SK_pi and SK_pr (RFC 8784 3)."""

    def mixed(key: Secret) -> Secret:
        return Secret(prf.plus(ppk.reveal(), key.reveal(), prf.key_length))

    return replace(keys, d=mixed(keys.d), pi=mixed(keys.pi), pr=mixed(keys.pr))


def child_keys(prf: Prf, sk_d: Secret, suite: EspSuite, fresh: Freshness, shared: bytes) -> tuple[EspKeys, EspKeys]:
    """The keys of a child: of the direction from the exchange's initiator, then of the other (RFC 7296 2.17).

    `shared` is g^ir of the exchange, empty without PFS.
    """
    length = suite.keymat_octets
    keymat = prf.plus(sk_d.reveal(), shared + fresh.ni + fresh.nr, 2 * length)
    return suite.keys(keymat[:length]), suite.keys(keymat[length:])
