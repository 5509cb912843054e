"""Who of a connection's two ends begins, when either may."""

from __future__ import annotations

from lab.model.connection import Connection, ConnectionEnd, Initiative


def is_first(connection: Connection, end: ConnectionEnd) -> bool:
    """Whether this end begins at once. Azure asks that the on-premises side does, which a NAT may stand before."""
    other = connection.other_end(end.node)
    if end.initiative is Initiative.RESPONDER or other.initiative is Initiative.INITIATOR:
        return False
    if end.initiative is Initiative.INITIATOR or other.initiative is Initiative.RESPONDER:
        return True
    return end is connection.on_premises
