"""A node's end of a tagged or protected link: its ports, its SecY if it has one, and what they have to tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, final

from dataplane.batch import Batch
from dataplane.macsec.events import PnExhausted, SecyEvent
from dataplane.macsec.secy import SecY
from lab.errors import InputError
from lab.host.channel import Message
from lab.host.linkwatch import LinkWatch
from lab.host.packet import PacketPort, keep_kernel_off
from lab.host.tap import Kind, TunTapPort
from lab.model.link import Interface, Link
from lab.model.macsec import MkaKeys
from lab.nodes.edge import Edge
from lab.nodes.keyed import KeyedSecY, cak_of
from lab.nodes.line import Line
from lab.nodes.loop import Loop
from lab.nodes.manage import manage
from lab.nodes.static import static_secy
from lab.ports.port import Port
from lab.ports.tagged import TaggedPort

_MOST_BATCHES: Final = 256  # that wait on a wire: more than a socket's buffer holds


@final
class LinkEnd:
    """A part of a driver. `clear` and `wire` are work space that parts share, since one works at a time."""

    kind: Final = "segments"

    def __init__(
        self, link: Link, end: Interface, secrets: Mapping[str, bytes], line: Line, clear: Batch, wire: Batch
    ) -> None:
        """Open the ports, and key the SecY or have MKA key it.

        Raises:
            InputError: a secret is not what the link needs.
            MachineError: a device is not there, or may not be used.
        """
        self.name: Final = link.segment
        self.key_records: Sequence[Mapping[str, object]] = ()
        self._line: Final = line
        self._clock: Callable[[], float] = time.monotonic
        self._secy: SecY | None = None
        self._keyed: KeyedSecY | None = None
        policy = link.policy(end.node)
        cak = None
        if policy is not None and isinstance(policy.keys, MkaKeys):
            cak = cak_of(link, policy, secrets)
        elif policy is not None:
            static = static_secy(link, end, policy, secrets)
            self._secy, self.key_records = static.secy, (static.key_record,)
        self._watch: LinkWatch | None = None
        controlled, common = _open_ports(link, end)
        if policy is not None and cak is not None:
            self._keyed = KeyedSecY(link, end, policy, cak, common=common, teller=line)
            self._secy = self._keyed.secy
            self._watch = LinkWatch(end.device)
        self._edge: Final = Edge(
            controlled=controlled,
            common=common,
            secy=self._secy,
            clear=clear,
            wire=wire,
            uncontrolled=None if self._keyed is None else self._keyed.receive,
            gate=self._keyed,
        )

    def join(self, loop: Loop) -> None:
        """Begin to move frames."""
        loop.watch(self._edge.controlled, self._edge.outward if self._secy is None else self._outward)
        loop.watch(self._edge.common, self._edge.inward)
        if self._keyed is not None:
            self._clock = loop.clock
            self._keyed.start(loop.clock)
            loop.time(self._keyed)
        if self._watch is not None:
            loop.watch(self._watch, self._look)

    def status(self) -> dict[str, object]:
        """The edge's, and the KaY's under `mka`, where there is one."""
        if self._keyed is None:
            return self._edge.status()
        return self._edge.status() | {"mka": self._keyed.status()}

    def command(self, verb: str, fields: Message) -> object:
        """`settle`: take in all that waits on the wire, then say how it is, as `status` does. Others: see `manage`.

        Raises:
            InputError: there is no such verb, or it cannot be done.
        """
        if verb == "settle":
            for _ in range(_MOST_BATCHES):
                if not self._edge.inward():
                    break
            return self.status()
        answer = None if self._keyed is None else manage(self._keyed, verb, fields)
        if answer is not None:
            return answer
        raise InputError(f"the end of {self.name} knows no verb {verb!r}")

    def close(self) -> None:
        """Close both ports."""
        self._edge.close()
        if self._watch is not None:
            self._watch.close()

    def _look(self) -> bool:
        """Have MKA begin at once when the wire works again."""
        assert self._watch is not None
        assert self._keyed is not None
        if self._watch.came_up():
            self._keyed.port_up()
        return False

    def _outward(self) -> bool:
        """A turn, and what the SecY has to tell afterwards: PNs are used up by sending."""
        more = self._edge.outward()
        assert self._secy is not None
        is_news = False
        while (event := self._secy.next_event()) is not None:
            name, fields = _told(event)
            self._line.event(name, segment=self.name, **fields)
            is_news = True
        if is_news and self._keyed is not None:
            self._keyed.handle_timer(self._clock())  # a fresh SAK is due, and not only at the next hello
        return more


def _told(event: SecyEvent) -> tuple[str, dict[str, object]]:
    if isinstance(event, PnExhausted):
        return "pn-exhausted", {"an": event.an}
    return "pn-threshold", {"an": event.an, "next_pn": event.next_pn}


def _open_ports(link: Link, end: Interface) -> tuple[Port, Port]:
    """The controlled and the common port of one end; tags are put on and taken off between TAP and SecY."""
    assert end.controlled_device is not None
    controlled: Port = TunTapPort(end.controlled_device, Kind.TAP)
    if link.tag.vids:
        controlled = TaggedPort(controlled, link.tag.vids)
    try:
        common = PacketPort(end.device)
        keep_kernel_off(end.device)
    except BaseException:
        controlled.close()
        raise
    return controlled, common
