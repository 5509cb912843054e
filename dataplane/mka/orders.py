"""A KaY's orders carried out on a SecY: one verb of 802.1AE-2018 10.7 each. For whoever drives both."""

from __future__ import annotations

from dataplane.errors import LocalError
from dataplane.macsec.channel import ReceiveChannel
from dataplane.macsec.secy import SecY
from dataplane.mka.events import (
    CreateReceiveSa,
    CreateReceiveSc,
    CreateTransmitSa,
    DeleteReceiveSa,
    DeleteReceiveSc,
    DeleteTransmitSa,
    EnableReceiveSa,
    EnableTransmitSa,
    RaiseLowestPn,
    SecyOrder,
)


def carry_out(order: SecyOrder, secy: SecY) -> None:
    """Carry out one order. Orders in their order never fail on a SecY that nobody else manages.

    Raises:
        LocalError: the SecY is not in the state in which the earlier orders left it.
    """
    match order:
        case CreateReceiveSc():
            secy.create_receive_channel(order.sci)
        case DeleteReceiveSc():
            secy.delete_receive_channel(order.sci)
        case CreateReceiveSa():
            _channel(secy, order.sci).create_sa(order.an, order.sak, ssci=order.ssci)
        case EnableReceiveSa():
            _channel(secy, order.sci).enable_sa(order.an)
        case DeleteReceiveSa():
            _channel(secy, order.sci).delete_sa(order.an)
        case RaiseLowestPn():
            _channel(secy, order.sci).raise_pn(order.an, lowest_pn=order.lowest_pn)
        case CreateTransmitSa():
            secy.transmit.create_sa(order.an, order.sak, ssci=order.ssci)
        case EnableTransmitSa():
            secy.transmit.enable_sa(order.an)
        case DeleteTransmitSa():
            secy.transmit.delete_sa(order.an)


def next_pns(secy: SecY) -> dict[int, int]:
    """The next PN of each transmit SA by AN, as `KaY.handle_timer` wants it."""
    sas = (secy.transmit.sa(an) for an in range(4))
    return {sa.an: sa.next_pn for sa in sas if sa is not None}


def _channel(secy: SecY, sci: bytes) -> ReceiveChannel:
    channel = secy.receive_channel(sci)
    if channel is None:
        raise LocalError(f"there is no receive SC with SCI {sci.hex()}")
    return channel
