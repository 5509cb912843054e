"""The three wrongs. A bad frame is not among them: it is a value, `Discarded`, with the standard's reason."""

from __future__ import annotations


class LocalError(Exception):
    """The caller used an engine wrongly: a key of the wrong length, an SA that does not exist."""


class WireError(Exception):
    """The octets cannot be this PDU. Raised by parsers; never leaves an engine."""


class IntegrityError(Exception):
    """An integrity check failed. Says nothing about where or why: a failure must give an attacker nothing."""
