"""A whole conversation of two engines, the same whenever it is held, and what somebody with the keys can make of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dataplane.ike.events import IkeKeysDerived, IkeSaEstablished, IkeSaId
from dataplane.ike.host import Datagram
from dataplane.ike.message import Message, links_of
from dataplane.ike.payloads.encrypted import EncryptedFragment
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.protection import _sealed, make_cipher, open_sealed
from dataplane.wire.ike_header import IkeHeader
from tests.exchange.ike.pair import Node, Pair

# From the type of the first payload inside and all payloads' octets to others.
Alter: TypeAlias = Callable[[int, bytes], tuple[int, bytes]]


class Conversation:
    """A set-up, a rekey of each kind, and the end; every datagram is the same whenever it is held."""

    def __init__(self) -> None:
        self.pair = Pair()
        a, b = self.pair.a, self.pair.b
        self.wishes: list[Callable[[], None]] = [a.initiate, a.rekey_child, b.rekey_ike, a.delete]

    def next(self) -> tuple[str, Datagram] | None:
        """The next datagram, off the wire, and which way it goes."""
        pair = self.pair
        while pair.silent():
            if not self.wishes:
                return None
            self.wishes.pop(0)()
        return ("-->", pair.a.outbox.popleft()) if pair.a.outbox else ("<--", pair.b.outbox.popleft())

    def receiver(self, direction: str) -> Node:
        return self.pair.b if direction == "-->" else self.pair.a

    def rest(self) -> list[tuple[str, Datagram]]:
        """What is still to come, delivered."""
        said = []
        while (each := self.next()) is not None:
            said.append(each)
            self.receiver(each[0]).receive(each[1])
        return said


CONVERSATION = Conversation().rest()
PLACES = range(len(CONVERSATION))
PROTECTED = range(2, len(CONVERSATION))  # after IKE_SA_INIT there are keys


def at_message(index: int) -> Conversation:
    """The conversation up to a datagram that was sent and has not arrived."""
    held = Conversation()
    for direction, datagram in CONVERSATION[:index]:
        assert held.next() == (direction, datagram)
        held.receiver(direction).receive(datagram)
    assert held.next() == CONVERSATION[index]
    return held


def resealed(pair: Pair, datagram: Datagram, alter: Alter) -> Datagram:
    """The datagram with its inside altered by somebody who has the keys."""
    header = IkeHeader.parse(datagram.octets)
    told = pair.keys()[IkeSaId(header.spi_i, header.spi_r)]
    key, check = (told.keys.ei, told.keys.ai) if header.is_initiator else (told.keys.er, told.keys.ar)
    cipher = make_cipher(told.suite, key, check, bytes)
    part = EncryptedFragment.of(links_of(header, datagram.octets)[-1])
    first, chain = alter(part.first_inner, open_sealed(cipher, datagram.octets, part.sealed))
    octets = _sealed(cipher, Message.of(header, ()), PayloadType.SK, first, chain, b"")
    return datagram._replace(octets=octets)


def inside_of(index: int) -> bytes:
    """What is inside a message of the conversation."""
    found = []

    def look(first: int, chain: bytes) -> tuple[int, bytes]:
        found.append(chain)
        return first, chain

    resealed(at_message(index).pair, CONVERSATION[index][1], look)
    return found[0]


def sound(pair: Pair) -> None:
    """What the drivers heard holds together: children that are there, keys told once and before they are used."""
    for node in (pair.a, pair.b):
        node.sending_spi()
        assert node.living_spis() == {child.spi_in for child in node.children}
        keys = node.told(IkeKeysDerived)
        assert len({event.ike for event in keys}) == len(keys)
        assert {event.ike for event in node.told(IkeSaEstablished)} <= {event.ike for event in keys}
