"""Real IKE conversations, strongSwan's: every message opens, is emitted again octet for octet, and its proofs hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataplane.crypto.secret import Secret
from dataplane.ike.authentication import shared_key_auth
from dataplane.ike.keymat import Freshness, child_keys
from dataplane.ike.message import Message, links_of
from dataplane.ike.payloads.authentication import AuthenticationPayload
from dataplane.ike.payloads.chain import join, split
from dataplane.ike.payloads.identification import IdentificationInitiator, IdentificationResponder
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.protection import open_sealed
from dataplane.ike.rules import Direction, check
from dataplane.ipsec.proposals import is_choice
from dataplane.ipsec.suites import EspSuite
from tests.captures.ike import CAPTURES, log, logged_sas, messages, opened

each = pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)


def psk_of(path: Path) -> Secret:
    """The shared key that the captures' README tells."""
    if path.stem.startswith("ike_psk"):
        return Secret(b"correct horse battery staple")
    return Secret(b"lab-psk-" + path.stem.removeprefix("ss-").encode())


def test_captures_are_here() -> None:
    assert len(CAPTURES) == 17


@each
def test_messages_are_emitted_again(path: Path) -> None:
    sas = logged_sas(path)
    sealed = 0
    for captured in messages(path):
        header, octets = captured.header, captured.octets
        links = links_of(header, octets)
        if not links or links[-1].payload_type != PayloadType.SK:
            assert Message.parse(octets).emit() == octets
            continue
        sealed += 1
        cipher = sas[header.spi_i + header.spi_r].cipher(header)
        body = links[-1].body
        inner = parse_payloads(split(links[-1].next_type, open_sealed(cipher, octets, body)))
        # The same IV and padding, and all the rest made anew from the records.
        iv, aad = body[: cipher.iv_octets], octets[: len(octets) - len(body)]
        first, chain = join(inner)
        plaintext = cipher.open(iv, aad, body[cipher.iv_octets :])
        assert first == links[-1].next_type
        assert plaintext.startswith(chain)
        again = chain + plaintext[len(chain) :]
        message = Message.of(header, inner)
        assert message.header(PayloadType.SK, len(octets)).emit() == octets[:28]
        assert aad + iv + cipher.seal(iv, aad, again) == octets
    assert sealed == json.loads(path.with_suffix(".expected.json").read_text())["ike"]["authenticated"]


@each
def test_messages_are_legal(path: Path) -> None:
    for captured, message in opened(path):
        plain = message.exchange_type == 34
        direction = Direction.RESPONSE if message.is_response else Direction.REQUEST
        violation = check(
            message.exchange_type, direction, message.payloads if plain else (), None if plain else message.payloads
        )
        assert violation is None, captured.header


@each
def test_responders_chose_what_was_offered(path: Path) -> None:
    offers: dict[int, Message] = {}
    for _, message in opened(path):
        offered = message.first(SecurityAssociation)
        if not message.is_response:
            offers[message.exchange_type] = message
        elif offered is not None:
            request = offers[message.exchange_type].one(SecurityAssociation)
            assert is_choice(offered.proposals[0], request.proposals)


@pytest.mark.parametrize(
    "path", [path for path in CAPTURES if path.stem != "py-ss-cookie"], ids=lambda path: path.stem
)  # whose shared key is not known
def test_auth_payloads_prove_the_psk(path: Path) -> None:
    conversation = [pair for pair in opened(path) if pair[1].exchange_type in (34, 35)]
    auths = [message for _, message in conversation if message.first(AuthenticationPayload)]
    for auth in auths:
        inits = [
            pair for pair in conversation if pair[1].exchange_type == 34 and pair[1].first(NoncePayload) is not None
        ]
        # The request is the last one before its answer; the answer is the one whose SPIs live on.
        answer = next(p for p in inits if p[1].is_response and p[1].spi_r == auth.spi_r)
        request = next(p for p in reversed(inits[: inits.index(answer)]) if not p[1].is_response)
        sa = logged_sas(path)[auth.spi_i + auth.spi_r]
        mine, other = (answer, request) if auth.is_response else (request, answer)
        identity = auth.one(IdentificationResponder if auth.is_response else IdentificationInitiator)
        expected = shared_key_auth(
            sa.suite.make_prf(),
            psk_of(path),
            first_message=mine[0].octets,
            peer_nonce=other[1].one(NoncePayload).nonce,
            sk_p=sa.keys.pr if auth.is_response else sa.keys.pi,
            id_body=identity.emit(),
        )
        proves = auth.one(AuthenticationPayload).data == expected
        assert proves == (path.stem != "ss-auth-failed")


@each
def test_children_without_pfs_have_the_logged_keys(path: Path) -> None:
    logged = {entry["spi"]: entry for entry in log(path, "esp-sa")}
    request = nonces = None
    for _, message in opened(path):
        if message.exchange_type == 34 and not message.is_response and message.first(NoncePayload) is not None:
            request = message
        if message.exchange_type == 34 and message.is_response and message.first(NoncePayload) is not None:
            assert request is not None
            nonces = Freshness(ni=request.one(NoncePayload).nonce, nr=message.one(NoncePayload).nonce)
        if message.exchange_type not in (35, 36) or message.notify(NotifyType.AUTHENTICATION_FAILED):
            continue
        if not message.is_response:
            request = message
            continue
        chosen = message.first(SecurityAssociation)
        if chosen is None or message.first(KeyExchangePayload) is not None:
            continue
        assert request is not None
        fresh = nonces
        if message.exchange_type == 36:
            fresh = Freshness(ni=request.one(NoncePayload).nonce, nr=message.one(NoncePayload).nonce)
        assert fresh is not None
        suite = EspSuite.of(chosen.proposals[0])
        sa = logged_sas(path)[message.spi_i + message.spi_r]
        to_responder, to_initiator = child_keys(sa.suite.make_prf(), sa.keys.d, suite, fresh, b"")
        for spi, keys in (
            (chosen.proposals[0].spi, to_responder),
            (request.one(SecurityAssociation).proposals[0].spi, to_initiator),
        ):
            assert logged[spi.hex()]["encryption_key"] == keys.encryption.reveal().hex()
            assert logged[spi.hex()].get("integrity_key", "") == keys.integrity.reveal().hex()
