"""AUTH with a shared key: who signs what (RFC 7296 2.15, RFC 8784 3)."""

from __future__ import annotations

from typing import Final

from dataplane.crypto.prf import Prf
from dataplane.crypto.secret import Secret

_KEY_PAD: Final = b"Key Pad for IKEv2"


def shared_key_auth(
    prf: Prf, psk: Secret, *, first_message: bytes, peer_nonce: bytes, sk_p: Secret, id_body: bytes
) -> bytes:
    """The authentication data of one end.

    `first_message` is that end's IKE_SA_INIT message, octet for octet as it was sent the last time: with the cookie,
    with the group that was accepted, without the marker of port 4500. `id_body` is its ID payload without the generic
    header, `sk_p` its SK_pi or SK_pr (with the PPK in it, if one is used).
    """
    octets = first_message + peer_nonce + prf(sk_p.reveal(), id_body)
    return prf(prf(psk.reveal(), _KEY_PAD), octets)
