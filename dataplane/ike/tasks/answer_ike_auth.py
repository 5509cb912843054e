"""IKE_AUTH, the responder's side: who is it, does it know the shared key, and may it have its child (RFC 7296 1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.crypto.compare import equal
from dataplane.ike.events import Cause, ChildSaFailed
from dataplane.ike.handshake import Handshake
from dataplane.ike.keymat import Freshness
from dataplane.ike.machine import IkeInput
from dataplane.ike.message import Message
from dataplane.ike.payloads.authentication import SHARED_KEY_MIC, AuthenticationPayload
from dataplane.ike.payloads.identification import IdentificationInitiator, IdentificationResponder
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.policy import Childless, Peer
from dataplane.ike.tasks.child_offer import answer
from dataplane.ike.tasks.create_child import install_new
from dataplane.ike.tasks.ike_auth import auth_of_initiator, auth_of_responder
from dataplane.ike.tasks.ppk import mixed_keys, ppk_asked_for
from dataplane.ike.tasks.task import Answer, Refusal
from dataplane.ike.uniqueness import begin_anew
from dataplane.ipsec.proposals import choose

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


class AnswerIkeAuth(Answer):
    """Authenticate the initiator and ourselves."""

    def __init__(self) -> None:
        self._payloads: tuple[Payload, ...] = ()

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Establish the IKE SA and its first child, or end it."""
        assert sa.handshake is not None, "IKE_AUTH comes after IKE_SA_INIT"
        try:
            self._authenticate(sa, sa.handshake, message)
        except Refusal as refusal:
            self._payloads = (refusal.notify,)
            sa.end(refusal.cause, refusal.detail, now, linger=True)
            return
        sa.announce_keys()
        idr = IdentificationResponder(identity=sa.local_id)
        proof = AuthenticationPayload(data=auth_of_responder(sa, sa.handshake, idr.emit()))
        ppk = (Notify(notify_type=NotifyType.PPK_IDENTITY),) if sa.uses_ppk else ()
        sa.apply(IkeInput.PEER_AUTH)
        sa.establish(sa.peer.ike.lifetime.draw(sa.host.random), now)
        child = self._child(sa, sa.handshake, message, now) if message.first(SecurityAssociation) is not None else ()
        self._payloads = (idr, proof, *child, *ppk)
        if message.notify(NotifyType.INITIAL_CONTACT) is not None:
            begin_anew(sa, now)

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """IDr, AUTH, [SA, TSi, TSr | N(error)], [N(PPK_IDENTITY)], or N(AUTHENTICATION_FAILED) alone."""
        return self._payloads

    def _authenticate(self, sa: IkeSa, handshake: Handshake, message: Message) -> None:
        idi = message.one(IdentificationInitiator)
        auth = message.first(AuthenticationPayload)
        peer = _peer_of(sa, message)
        if peer is None:
            wanted = message.first(IdentificationResponder)
            detail = f"{idi.identity} asked for {'anybody' if wanted is None else wanted.identity}"
            raise _failed(Cause.UNKNOWN_IDENTITY, detail)
        sa.peer = peer
        sa.local_id = peer.local_id
        sa.channel.window.retransmission = peer.retransmission
        if auth is None or auth.method != SHARED_KEY_MIC:
            raise _failed(Cause.AUTHENTICATION_FAILED, f"{idi.identity} wants another method than a shared key")
        data = self._ppk(sa, handshake, message, auth.data)
        assert sa.keys is not None, "IKE_AUTH comes after the keys"
        if not equal(data, auth_of_initiator(sa, handshake, sa.keys, idi.emit())):
            raise _failed(Cause.AUTHENTICATION_FAILED, f"the AUTH of {idi.identity} does not fit our shared key")
        if message.first(SecurityAssociation) is None and peer.childless is Childless.NEVER:  # RFC 6023 3
            notify = Notify(notify_type=NotifyType.INVALID_SYNTAX)
            raise Refusal(notify, Cause.CHILDLESS_REFUSED, f"{idi.identity} asked for no child")
        sa.remote_id = idi.identity

    def _ppk(self, sa: IkeSa, handshake: Handshake, message: Message, auth: bytes) -> bytes:
        """Mix the PPK in, if both want it; the AUTH data that then counts (RFC 8784 3)."""
        ppk = sa.peer.ppk
        if ppk is not None and handshake.use_ppk and ppk_asked_for(message, ppk):
            sa.keys, sa.uses_ppk = mixed_keys(sa, ppk), True
            return auth
        if ppk is not None and ppk.required:
            raise _failed(Cause.PPK_MISMATCH, "the peer does not use our post-quantum preshared key")
        if message.notify(NotifyType.PPK_IDENTITY) is None:
            return auth
        without = message.notify(NotifyType.NO_PPK_AUTH)
        if without is None:
            raise _failed(Cause.PPK_MISMATCH, "the peer insists on a post-quantum preshared key unknown here")
        return without.data

    def _child(self, sa: IkeSa, handshake: Handshake, message: Message, now: float) -> tuple[Payload, ...]:
        fresh = Freshness(ni=handshake.ni, nr=handshake.nr)
        try:
            child, payloads = answer(sa, sa.peer.children, message, fresh, in_auth=True, now=now)
        except Refusal as refusal:  # RFC 7296 1.2: the IKE SA stands
            sa.host.emit(
                ChildSaFailed(peer=sa.peer.name, child="", rekeyed=None, cause=refusal.cause, detail=refusal.detail)
            )
            return (refusal.notify,)
        child.sends = True
        install_new(sa, child)
        return payloads


def _peer_of(sa: IkeSa, message: Message) -> Peer | None:
    """The peer that goes by the initiator's identity and whose policy allows what was chosen; a named one first."""
    theirs = message.one(IdentificationInitiator).identity
    ours = message.first(IdentificationResponder)
    assert sa.suite is not None, "IKE_AUTH comes after the keys"
    chosen = sa.suite.proposal
    fitting = [
        peer
        for peer in sa.host.peers(sa.local, sa.remote)
        if peer.remote_id in (None, theirs)
        and (ours is None or ours.identity == peer.local_id)
        and choose((chosen,), peer.ike.proposals) is not None
    ]
    return min(fitting, key=lambda peer: peer.remote_id is None, default=None)


def _failed(cause: Cause, detail: str) -> Refusal:
    return Refusal(Notify(notify_type=NotifyType.AUTHENTICATION_FAILED), cause, detail)
