"""The fields of one key object, read strictly. What a message says never contains a key."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import TypeAlias, final

from dataplane.crypto.secret import Secret

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_HEX = re.compile(r"(?:[0-9a-f]{2})*")


class FieldError(Exception):
    """A field is missing or wrong; the message says which, and what would be right."""


@final
class Fields:
    """Typed look-ups in one object. Every method raises FieldError; JSON's null counts as absent."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields
        self._kind = fields.get("type")

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return self._fields.get(name) is not None

    def octets(self, name: str, *lengths: int) -> bytes:
        """An octet string, of one of these lengths where any is given."""
        value = self._present(name)
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            raise FieldError(f"`{name}` must be octets in lower-case hex without a prefix")
        octets = bytes.fromhex(value)
        if lengths and len(octets) not in lengths:
            wanted = " or ".join(str(2 * length) for length in lengths)
            raise FieldError(f"`{name}` has {len(value)} hex digits; {self._kind} needs {wanted}")
        return octets

    def secret(self, name: str, *lengths: int) -> Secret:
        """Key material, of one of these lengths where any is given."""
        return Secret(self.octets(name, *lengths))

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number in a range."""
        if not self.has(name):
            return default
        value = self._fields[name]
        if type(value) is not int or not low <= value <= high:
            raise FieldError(f"`{name}` must be a number from {low} to {high}")
        return value

    def an(self) -> int:
        """The association number."""
        self._present("an")
        return self.number("an", 0, 3, 0)

    def choice(self, name: str, choices: Collection[str]) -> str:
        """One of several words."""
        value = self._present(name)
        if not isinstance(value, str) or value not in choices:
            near = difflib.get_close_matches(str(value), choices, 1, 0.5)
            known = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(choices)[:8])}, ..."
            raise FieldError(f"`{name}`: {str(value)[:40]!r} is no name that IANA or IEEE knows; {known}")
        return value

    def text(self, name: str) -> str | None:
        """Any text, None when absent."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise FieldError(f"`{name}` must be text")
        return value

    def flag(self, name: str) -> bool:
        """A boolean, false when absent."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise FieldError(f"`{name}` must be true or false")
        return bool(value)

    def address(self, name: str) -> IPAddress | None:
        """An IP address, None when absent."""
        if not self.has(name):
            return None
        value = self._fields[name]
        try:
            if isinstance(value, str):
                return ipaddress.ip_address(value)
        except ValueError:
            pass
        raise FieldError(f"`{name}` must be an IP address")

    def absent(self, name: str, why: str) -> None:
        """A field that must not be there."""
        if self.has(name):
            raise FieldError(f"`{name}` must be absent: {why}")

    def _present(self, name: str) -> object:
        value = self._fields.get(name)
        if value is None:
            raise FieldError(f"{self._kind} lacks `{name}`")
        return value
