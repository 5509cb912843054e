"""A node's end of a tagged or protected link: its ports, its SecY if it has one, and what they have to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

from dataplane.batch import Batch
from dataplane.macsec.events import PnExhausted, SecyEvent
from dataplane.macsec.secy import SecY
from lab.errors import InputError
from lab.host.channel import Message
from lab.host.packet import PacketPort, keep_kernel_off
from lab.host.tap import Kind, TunTapPort
from lab.model.link import Interface, Link
from lab.nodes.edge import Edge
from lab.nodes.line import Line
from lab.nodes.loop import Loop
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
        """Open the ports and key the SecY.

        Raises:
            InputError: a secret is not what the link needs.
            MachineError: a device is not there, or may not be used.
        """
        self.name: Final = link.segment
        self.key_records: Sequence[Mapping[str, object]] = ()
        self._line: Final = line
        self._secy: SecY | None = None
        if link.macsec is not None:
            keyed = static_secy(link, end, link.macsec, secrets)
            self._secy, self.key_records = keyed.secy, (keyed.key_record,)
        controlled, common = _open_ports(link, end)
        self._edge: Final = Edge(controlled=controlled, common=common, secy=self._secy, clear=clear, wire=wire)

    def join(self, loop: Loop) -> None:
        """Begin to move frames."""
        loop.watch(self._edge.controlled, self._edge.outward if self._secy is None else self._outward)
        loop.watch(self._edge.common, self._edge.inward)

    def status(self) -> dict[str, object]:
        """The edge's."""
        return self._edge.status()

    def command(self, verb: str, fields: Message) -> object:
        """`settle`: take in all that waits on the wire, then say how it is, as `status` does.

        Raises:
            InputError: there is no such verb.
        """
        del fields
        if verb == "settle":
            for _ in range(_MOST_BATCHES):
                if not self._edge.inward():
                    break
            return self.status()
        raise InputError(f"the end of {self.name} knows no verb {verb!r}")

    def close(self) -> None:
        """Close both ports."""
        self._edge.close()

    def _outward(self) -> bool:
        """A turn, and what the SecY has to tell afterwards: PNs are used up by sending."""
        more = self._edge.outward()
        assert self._secy is not None
        while (event := self._secy.next_event()) is not None:
            name, fields = _told(event)
            self._line.event(name, segment=self.name, **fields)
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
