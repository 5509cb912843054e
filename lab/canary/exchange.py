"""Sending canaries and seeing them arrive: one process, one loop, sockets in many namespaces.

Arriving here is the positive control. A canary that does not arrive says nothing about encryption, only that nothing
was proven; so it is sent again, a few times, and then named.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from lab.canary.canary import Canary, Transport
from lab.host.sockets import CanarySocket, IcmpSocket, TcpConversation, TcpListener, UdpSocket

PORT = 7007  # where canaries are received, in every node
FIRST_SOURCE_PORT = 20000  # canary n is sent from this port + n, so that load sharing sees many flows
RESEND_AFTER = 0.25
BURST = 16  # canaries sent at a time: a queue of a fresh ARP entry holds few packets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one canary."""

    canary: Canary
    arrived: bool
    attempts: int


class Exchange:
    """All sockets of one run. `enter(node)` is a context in which a socket opened belongs to the node's namespace."""

    def __init__(
        self,
        canaries: Iterable[Canary],
        enter: Callable[[str], AbstractContextManager[None]],
        clock: Callable[[], float],
    ) -> None:
        self._canaries = tuple(canaries)
        self._enter = enter
        self._clock = clock
        self._waiting = {canary.number: canary for canary in self._canaries}
        self._attempts = dict.fromkeys(self._waiting, 0)
        self._open = ExitStack()
        self._selector = self._open.enter_context(selectors.DefaultSelector())
        self._icmp: dict[str, IcmpSocket] = {}
        self._udp: dict[int, UdpSocket] = {}
        self._tcp: dict[int, TcpConversation] = {}

    def run(self, timeout: float) -> tuple[Outcome, ...]:
        """Send everything, again where needed, until all has arrived or `timeout` seconds have passed."""
        with self._open:
            self._open_receivers()
            deadline = self._clock() + timeout
            while self._waiting and self._clock() < deadline:
                self._send_round(deadline)
            return tuple(
                Outcome(
                    canary=canary, arrived=canary.number not in self._waiting, attempts=self._attempts[canary.number]
                )
                for canary in self._canaries
            )

    def _open_receivers(self) -> None:
        for node in sorted({end.node for canary in self._canaries for end in (canary.source, canary.target)}):
            with self._enter(node):
                self._icmp[node] = IcmpSocket()
            self._register(self._icmp[node], self._icmp_arrived)
        for node in sorted({canary.target.node for canary in self._canaries}):
            with self._enter(node):
                self._register(UdpSocket(None, PORT), self._udp_arrived)
                self._register(TcpListener(PORT), self._tcp_accepted)

    def _send_round(self, deadline: float) -> None:
        """Send what has not arrived, a burst at a time, and listen until it is time to send again."""
        batch = list(self._waiting.values())
        for start in range(0, len(batch), BURST):
            for canary in batch[start : start + BURST]:
                if canary.number in self._waiting:
                    self._send(canary)
            self._listen(self._clock() + 0.002)
        self._listen(min(deadline, self._clock() + RESEND_AFTER))

    def _send(self, canary: Canary) -> None:
        self._attempts[canary.number] += 1
        target = str(canary.target.address)
        if canary.transport is Transport.ICMP:
            self._icmp[canary.source.node].echo_request(target, canary.number, canary.payload)
        elif canary.transport is Transport.UDP:
            if canary.number not in self._udp:
                with self._enter(canary.source.node):
                    self._udp[canary.number] = UdpSocket(str(canary.source.address), FIRST_SOURCE_PORT + canary.number)
                self._open.callback(self._udp[canary.number].close)
            self._udp[canary.number].send(target, PORT, canary.payload)
        elif canary.number not in self._tcp:  # TCP sends again by itself
            with self._enter(canary.source.node):
                conversation = TcpConversation.connect(
                    str(canary.source.address), FIRST_SOURCE_PORT + canary.number, target, PORT, canary.payload
                )
            self._tcp[canary.number] = conversation
            self._open.callback(conversation.close)
            self._selector.register(conversation, selectors.EVENT_WRITE, self._tcp_sending)

    def _listen(self, until: float) -> None:
        while self._waiting and (left := until - self._clock()) > 0:
            for key, _ in self._selector.select(left):
                key.data(key.fileobj)

    def _arrived(self, number: int, payload: bytes) -> None:
        canary = self._waiting.get(number)
        if canary is not None and payload == canary.payload:
            del self._waiting[number]

    def _icmp_arrived(self, port: IcmpSocket) -> None:
        for number, payload in port.echo_requests():
            self._arrived(number, payload)

    def _udp_arrived(self, port: UdpSocket) -> None:
        for source_port, payload in port.datagrams():
            self._arrived(source_port - FIRST_SOURCE_PORT, payload)

    def _tcp_accepted(self, listener: TcpListener) -> None:
        for conversation in listener.accept():
            self._register(conversation, self._tcp_receiving)

    def _tcp_sending(self, conversation: TcpConversation) -> None:
        if conversation.continue_sending():
            self._selector.unregister(conversation)

    def _tcp_receiving(self, conversation: TcpConversation) -> None:
        whole = conversation.continue_receiving()
        if whole is not None:
            self._arrived(conversation.peer_port - FIRST_SOURCE_PORT, whole)
            self._selector.unregister(conversation)
            conversation.close()

    def _register(self, port: CanarySocket, arrived: Callable[..., None]) -> None:
        self._open.callback(port.close)
        self._selector.register(port, selectors.EVENT_READ, arrived)
