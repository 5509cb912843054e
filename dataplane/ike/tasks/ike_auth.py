"""IKE_AUTH: both ends prove that they know the shared key, and agree on a first child (RFC 7296 1.2, 2.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dataplane.crypto.compare import equal
from dataplane.ike.authentication import shared_key_auth
from dataplane.ike.events import Cause, ChildSaFailed
from dataplane.ike.handshake import Handshake
from dataplane.ike.keymat import Freshness, IkeKeys
from dataplane.ike.machine import IkeInput
from dataplane.ike.message import Message
from dataplane.ike.payloads.authentication import SHARED_KEY_MIC, AuthenticationPayload
from dataplane.ike.payloads.identification import IdentificationInitiator, IdentificationResponder
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.policy import Childless, ChildPolicy
from dataplane.ike.rules import ExchangeType
from dataplane.ike.tasks.child_offer import ChildOffer, offer_in_auth, settle
from dataplane.ike.tasks.create_child import CreateChild, install_new
from dataplane.ike.tasks.informational import DeleteIke, DeleteUnborn
from dataplane.ike.tasks.negotiation import cause_of
from dataplane.ike.tasks.ppk import identity_notify, mixed_keys, ppk_accepted
from dataplane.ike.tasks.task import Refusal, Task

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


def auth_of_initiator(sa: IkeSa, handshake: Handshake, keys: IkeKeys, id_body: bytes) -> bytes:
    """The initiator's authentication data, to send or to compare."""
    assert sa.suite is not None, "IKE_AUTH comes after the keys"
    return shared_key_auth(
        sa.suite.make_prf(),
        sa.peer.psk,
        first_message=handshake.request,
        peer_nonce=handshake.nr,
        sk_p=keys.pi,
        id_body=id_body,
    )


def auth_of_responder(sa: IkeSa, handshake: Handshake, id_body: bytes) -> bytes:
    """The responder's authentication data, to send or to compare."""
    assert sa.suite is not None, "IKE_AUTH comes after the keys"
    assert sa.keys is not None, "IKE_AUTH comes after the keys"
    return shared_key_auth(
        sa.suite.make_prf(),
        sa.peer.psk,
        first_message=handshake.response,
        peer_nonce=handshake.ni,
        sk_p=sa.keys.pr,
        id_body=id_body,
    )


class IkeAuth(Task):
    """The initiator's side."""

    exchange: ClassVar[ExchangeType] = ExchangeType.IKE_AUTH
    moves_to_successor: ClassVar[bool] = False

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._offer: ChildOffer | None = None
        self._later: tuple[ChildPolicy, ...] = ()
        self._with_ppk: IkeKeys | None = None

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """IDi, [N(INITIAL_CONTACT)], [IDr], AUTH, [SA, TSi, TSr], [N(PPK_IDENTITY), N(NO_PPK_AUTH)]."""
        assert sa.keys is not None, "IKE_AUTH comes after the keys"
        refusal = self._unwilling(sa)
        if refusal is not None:
            sa.end(*refusal, now)
            return None
        self._later = sa.peer.children
        if sa.peer.children and not self._begins_childless(sa):
            self._offer = offer_in_auth(sa, sa.peer.children[0])
            self._later = sa.peer.children[1:]
        idi = IdentificationInitiator(identity=sa.local_id)
        id_body = idi.emit()
        auth = auth_of_initiator(sa, self._handshake, sa.keys, id_body)
        notifies: tuple[Notify, ...] = ()
        if sa.peer.ppk is not None and self._handshake.use_ppk:
            self._with_ppk = mixed_keys(sa, sa.peer.ppk)
            notifies = (identity_notify(sa.peer.ppk),)
            if not sa.peer.ppk.required:
                notifies += (Notify(notify_type=NotifyType.NO_PPK_AUTH, data=auth),)
            auth = auth_of_initiator(sa, self._handshake, self._with_ppk, id_body)
        else:
            sa.announce_keys()
        first = () if sa.host.established(sa.peer) else (Notify(notify_type=NotifyType.INITIAL_CONTACT),)
        idr = () if sa.remote_id is None else (IdentificationResponder(identity=sa.remote_id),)
        child = () if self._offer is None else self._offer.payloads
        return (idi, *first, *idr, AuthenticationPayload(data=auth), *child, *notifies)

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Check the responder's proof; then there are an IKE SA and, if all went well, its first child."""
        auth = message.first(AuthenticationPayload)
        idr = message.first(IdentificationResponder)
        if auth is None or idr is None:  # RFC 7296 2.21.2: a refusal without proof ends it
            error = message.error
            cause = Cause.INVALID_SYNTAX if error is None else cause_of(error)
            sa.end(cause, f"the peer answered {'nothing' if error is None else error.name}", now)
            return
        problem = self._check(sa, message, auth, idr)
        sa.announce_keys()
        sa.apply(IkeInput.AUTH_ANSWERED)
        if problem is not None:
            notify = Notify(notify_type=NotifyType.AUTHENTICATION_FAILED)
            sa.enqueue(DeleteIke(*problem, notify=notify), first=True)
            return
        sa.remote_id = idr.identity
        sa.establish(sa.peer.ike.lifetime.draw(sa.host.random), now)
        if self._offer is not None:
            self._settle_child(sa, self._offer, message, now)
        sa.early_deletes.clear()
        for policy in self._later:
            sa.enqueue(CreateChild(policy))

    def abandon(self, sa: IkeSa, cause: Cause, detail: str) -> None:
        """The keys were used, so they are told."""
        sa.announce_keys()

    def _unwilling(self, sa: IkeSa) -> tuple[Cause, str] | None:
        ppk = sa.peer.ppk
        if ppk is not None and ppk.required and not self._handshake.use_ppk:  # RFC 8784 3
            return Cause.PPK_MISMATCH, "the peer does not use post-quantum preshared keys"
        if self._handshake.childless:
            return None
        if sa.peer.childless is Childless.FORCE or not sa.peer.children:
            return Cause.CHILDLESS_REFUSED, "the peer does not do IKE SAs without a child"
        return None

    def _begins_childless(self, sa: IkeSa) -> bool:
        return self._handshake.childless and sa.peer.childless in (Childless.PREFER, Childless.FORCE)

    def _check(
        self, sa: IkeSa, message: Message, auth: AuthenticationPayload, idr: IdentificationResponder
    ) -> tuple[Cause, str] | None:
        if sa.remote_id is not None and idr.identity != sa.remote_id:
            return Cause.UNKNOWN_IDENTITY, f"the peer is {idr.identity}, wanted was {sa.remote_id}"
        if self._with_ppk is not None:
            if ppk_accepted(message):
                sa.keys, sa.uses_ppk = self._with_ppk, True
            elif sa.peer.ppk is not None and sa.peer.ppk.required:  # RFC 8784 3
                return Cause.PPK_MISMATCH, "the peer did not use the post-quantum preshared key"
        expected = auth_of_responder(sa, self._handshake, idr.emit())
        if auth.method != SHARED_KEY_MIC or not equal(auth.data, expected):
            return Cause.AUTHENTICATION_FAILED, f"the AUTH of {idr.identity} does not fit our shared key"
        return None

    def _settle_child(self, sa: IkeSa, offered: ChildOffer, message: Message, now: float) -> None:
        error = message.error
        try:
            if error is not None or message.first(SecurityAssociation) is None:  # the IKE SA stands (RFC 7296 1.2)
                name = "nothing" if error is None else error.name
                cause = Cause.REFUSED if error is None else cause_of(error)
                detail = f"the peer answered {name}; offered was {offered.text(cause)}"
                raise Refusal(Notify(notify_type=0), cause, detail)
            fresh = Freshness(ni=self._handshake.ni, nr=self._handshake.nr)
            child = settle(sa, offered, message, fresh, now)
        except Refusal as refusal:
            if error is None:
                sa.enqueue(DeleteUnborn(offered.spi_in), first=True)
            sa.host.emit(
                ChildSaFailed(
                    peer=sa.peer.name,
                    child=offered.policy.name,
                    rekeyed=None,
                    cause=refusal.cause,
                    detail=refusal.detail,
                )
            )
            return
        child.sends = True
        install_new(sa, child)
