"""The SecY's door: two data-plane verbs for batches, the same for single frames, and management of channels."""

from __future__ import annotations

from collections import deque
from typing import Final, final

from dataplane.batch import Batch
from dataplane.errors import LocalError
from dataplane.macsec.channel import ReceiveChannel, TransmitChannel, check_sci
from dataplane.macsec.controls import Controls, Generation, SciEncoding, Verification
from dataplane.macsec.counters import Accepted, Discarded, DiscardReason, Outcome, SecyCounters
from dataplane.macsec.events import SecyEvent
from dataplane.macsec.protect import Protection
from dataplane.macsec.recognise import Recognition
from dataplane.macsec.suites import GCM_AES_128, CipherSuite
from dataplane.macsec.validate import Validation
from dataplane.wire.sectag import ICV_OCTETS, LONG_TAG_OCTETS, SHORT_TAG_OCTETS


@final
class SecY:
    """A MAC Security Entity (802.1AE-2018 10): protects what the Controlled Port sends, verifies what arrives for it.

    Keys come by `transmit`, the own SC, and by the receive SCs. VLAN tags and EAPOL are the caller's affair: tags that
    are to travel inside the SecTAG are in the frame already, EAPOL never comes here. No octets make a verb raise.
    """

    def __init__(
        self,
        sci: bytes,
        *,
        cipher_suite: CipherSuite = GCM_AES_128,
        generation: Generation | None = None,
        verification: Verification | None = None,
    ) -> None:
        """A SecY whose transmit SC has this SCI, of 8 octets; without SAs, and strict unless told otherwise.

        Raises:
            LocalError: the SCI has another length.
        """
        self.controls: Final = Controls(
            generation=generation or Generation(),
            verification=verification or Verification(),
            cipher_suite=cipher_suite,
        )
        self.counters: Final = SecyCounters()
        self._events: Final[deque[SecyEvent]] = deque()
        self.transmit: Final = TransmitChannel(sci, self.controls, self._events)
        self._recognition: Final = Recognition(self.controls)
        self._protection: Final = Protection(self.transmit, self.controls, self.counters)
        self._validation: Final = Validation(self._recognition, self.controls, self.counters)

    @property
    def overhead(self) -> int:
        """By how many octets a protected frame is longer than the clear one."""
        explicit = self.controls.generation.sci_encoding is SciEncoding.EXPLICIT
        return (LONG_TAG_OCTETS if explicit else SHORT_TAG_OCTETS) + ICV_OCTETS

    def protect(self, clear: Batch, wire: Batch) -> None:
        """Fill `wire` with the frames of `clear` as they go to the Common Port; discarded ones are counted and absent.

        Raises:
            LocalError: `wire` has fewer slots than `clear` has frames, or is the same batch.
        """
        self._protection.batch(clear, wire)

    def validate(self, wire: Batch, clear: Batch) -> None:
        """Fill `clear` with the frames of `wire` for the Controlled Port; discarded ones are counted and absent.

        Raises:
            LocalError: `clear` has fewer slots than `wire` has frames, or is the same batch.
        """
        self._validation.batch(wire, clear)

    def protect_frame(self, octets: bytes | bytearray | memoryview) -> Outcome:
        """One frame as it goes to the Common Port."""
        out = memoryview(bytearray(len(octets) + LONG_TAG_OCTETS + ICV_OCTETS))
        return _outcome(self._protection.frame(memoryview(octets), out), out)

    def validate_frame(self, octets: bytes | bytearray | memoryview) -> Outcome:
        """One received frame as it goes to the Controlled Port."""
        out = memoryview(bytearray(len(octets)))
        return _outcome(self._validation.frame(memoryview(octets), out), out)

    def next_event(self) -> SecyEvent | None:
        """The oldest event not yet told, or None."""
        return self._events.popleft() if self._events else None

    def create_receive_channel(self, sci: bytes) -> ReceiveChannel:
        """A new receive SC, still without SAs (802.1AE-2018 10.7.11).

        Raises:
            LocalError: there is one with this SCI, it is our own, or it has not 8 octets.
        """
        sci = check_sci(sci)
        if sci in self._recognition.channels or sci == self.transmit.sci:
            raise LocalError(f"there is an SC with SCI {sci.hex()} already")
        channel = ReceiveChannel(sci, self.controls)
        self._recognition.channels[sci] = channel
        return channel

    def receive_channels(self) -> tuple[ReceiveChannel, ...]:
        """All receive SCs, oldest first."""
        return tuple(self._recognition.channels.values())

    def receive_channel(self, sci: bytes) -> ReceiveChannel | None:
        """The receive SC with this SCI, if there is one."""
        return self._recognition.channels.get(bytes(sci))

    def delete_receive_channel(self, sci: bytes) -> None:
        """Delete a receive SC with its SAs and their keys.

        Raises:
            LocalError: there is none with this SCI.
        """
        if self._recognition.channels.pop(bytes(sci), None) is None:
            raise LocalError(f"there is no receive SC with SCI {bytes(sci).hex()}")


def _outcome(result: int | DiscardReason, out: memoryview) -> Outcome:
    return Discarded(result) if isinstance(result, DiscardReason) else Accepted(bytes(out[:result]))
