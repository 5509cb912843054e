"""IKE messages opened with the key log's IKE SAs (RFC 7296, RFC 7383): SK and SKF checked and deciphered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from lab.capture.keys import IkeSa, IkeSk
from lab.coverage.census import AUTHENTICATED, FAILED, IKE, NO_KEY
from lab.coverage.evidence.identity import KeyIdentity, of_ipsec, used_by_ipsec
from lab.coverage.sight import Found, forbidden
from lab.coverage.transforms import Opener, fits, make_opener

_NOTIFY: Final = 41
_SK: Final = 46
_SKF: Final = 53
_INFORMATIONAL: Final = 37
# IKE_AUTH, CREATE_CHILD_SA, IKE_INTERMEDIATE, IKE_FOLLOWUP_KE: nothing of them travels unprotected.
_PROTECTED_EXCHANGES: Final = frozenset({35, 36, 43, 44})
_INITIATOR: Final = 0x08


@final
class _Sa:
    """The openers of one IKE SA, by the sender's I flag."""

    __slots__ = ("identities", "key_id", "name", "openers")

    def __init__(self, key: IkeSa | IkeSk) -> None:
        # Deciphered, too: there are few of these messages, and they tell what was agreed on.
        self.openers: Final[dict[bool, Opener | None]] = {
            True: make_opener(key.encryption, key.sk_ei, key.integrity, key.sk_ai, reveal=True),
            False: make_opener(key.encryption, key.sk_er, key.integrity, key.sk_ar, reveal=True),
        }
        self.identities: Final = {True: _identity(key, initiator=True), False: _identity(key, initiator=False)}
        self.key_id: Final = key.key_id
        self.name: Final = key.encryption.name + (f" with {key.integrity.name}" if key.integrity else "")


@final
class IkeOpener:
    """All IKE SAs of a key log, looked up by both SPIs; a rekeyed SA has SPIs of its own."""

    def __init__(self, keys: Iterable[IkeSa | IkeSk]) -> None:
        self._by_spis: Final[dict[bytes, list[_Sa]]] = {}
        for key in keys:
            self._by_spis.setdefault(key.spi_i + key.spi_r, []).insert(0, _Sa(key))  # newest first

    def open(self, message: bytes) -> Found:
        """Check one whole message, from its header on."""
        if message[17] >> 4 == 1:
            return Found(IKE, None, reason="IKEv1, of which nothing is opened here")
        walked = _find_sk(message)
        if isinstance(walked, str):
            return forbidden(walked)
        start, payload_type = walked
        if payload_type is None:
            return Found(IKE, None, message)
        sas = self._by_spis.get(message[:16], [])
        if not sas:
            return Found(
                IKE, NO_KEY, reason=f"no IKE SA with SPIs {message[:8].hex()} {message[8:16].hex()} in the key log"
            )
        header_end = start + (8 if payload_type == _SKF else 4)  # RFC 7383 2.5: fragment number, total fragments
        known = False
        for sa in sas:
            initiator = bool(message[19] & _INITIATOR)
            opener = sa.openers[initiator]
            if opener is None:
                continue
            known = True
            body = message[header_end:]
            payload = opener.open(message[:header_end], body, b"") if fits(opener, len(body)) else None
            if payload is not None:
                number = int.from_bytes(message[20:24], "big")
                used = used_by_ipsec(sa.identities[initiator], number, body, opener.iv_octets, opener.icv_octets)
                header = message[:16] + bytes([payload_type]) + message[17:28] + message[start:header_end]
                return Found(IKE, AUTHENTICATED, header + payload[: len(payload) - 1 - payload[-1]], used=used)
        if not known:
            return Found(IKE, NO_KEY, reason=f"{sas[0].name} cannot be computed here")
        return Found(IKE, FAILED, reason=f"the ICV does not fit {sas[0].key_id}")


def _identity(key: IkeSa | IkeSk, *, initiator: bool) -> KeyIdentity:
    icv_key = key.sk_ai if initiator else key.sk_ar
    return of_ipsec(
        protocol="ike",
        name=f"{key.key_id} {'from its initiator' if initiator else 'from its responder'}",
        encryption=key.encryption,
        key=(key.sk_ei if initiator else key.sk_er).reveal(),
        integrity=key.integrity,
        icv_key=b"" if icv_key is None else icv_key.reveal(),
        number_bits=32,
    )


def _find_sk(message: bytes) -> tuple[int, int | None] | str:
    """Where the SK or SKF payload starts and which it is, or (0, None) without one; a text where that is illegal."""
    following, position = message[16], 28
    only_notifies = True
    while following:
        if position + 4 > len(message):
            return "IKE payload beyond the message's end (RFC 7296 3.2)"
        length = int.from_bytes(message[position + 2 : position + 4], "big")
        if length < 4 or position + length > len(message):
            return "IKE payload of a length that cannot be (RFC 7296 3.2)"
        if following in (_SK, _SKF):
            if position + length != len(message):  # RFC 7296 3.14: the last payload
                return "IKE message with octets behind its SK payload (RFC 7296 3.14)"
            return position, following
        only_notifies &= following == _NOTIFY
        following = message[position]
        position += length
    if position != len(message):
        return "IKE message with octets behind its last payload (RFC 7296 3.1)"
    exchange = message[18]
    # RFC 7296 1.5: outside of an IKE SA, an INFORMATIONAL carries notifications alone.
    if exchange in _PROTECTED_EXCHANGES or (exchange == _INFORMATIONAL and not only_notifies):
        return "IKE message whose exchange is never unprotected, without an SK payload (RFC 7296 1.2 to 1.5)"
    return 0, None
