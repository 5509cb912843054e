"""What can be asked of a running KaY: the verbs that process 1 passes on to an end of an MKA-keyed link.

Keys come in as hex digits and are never shown again: a wrong one is named by its length alone.
"""

from __future__ import annotations

from collections.abc import Callable

from dataplane.errors import LocalError
from dataplane.mka.keys import Cak
from lab.errors import InputError
from lab.host.channel import Message
from lab.nodes.keyed import KeyedSecY, make_cak


def manage(keyed: KeyedSecY, verb: str, fields: Message) -> dict[str, object] | None:
    """Do what a verb says; None when there is no such verb. The answer is the KaY's status, unless a verb has another.

    Raises:
        InputError: it cannot be done, or a field is missing or wrong.
    """
    known = _VERBS.get(verb)
    if known is None:
        return None
    return known(keyed, fields) or keyed.status()


def _add_cak(keyed: KeyedSecY, fields: Message) -> None:
    """`ckn`, `cak`: take part with one more CAK."""
    keyed.add(_cak(fields))


def _remove_cak(keyed: KeyedSecY, fields: Message) -> None:
    """`ckn`: take part with it no longer."""
    keyed.remove(_octets(fields, "ckn"))


def _replace_cak(keyed: KeyedSecY, fields: Message) -> None:
    """`ckn`, `cak`: take part with this CAK alone."""
    keyed.replace(_cak(fields))


def _rekey(keyed: KeyedSecY, fields: Message) -> None:
    """Make a fresh SAK; refused where another end is the key server."""
    del fields
    if not keyed.rekey():
        raise InputError("this end is not the key server; ask the other one")


def _skip_pns(keyed: KeyedSecY, fields: Message) -> None:
    """`next_pn`: leave out the PNs before it. The peer needs `expect-pn` first, or takes them all for new."""
    pn = _number(fields, "next_pn")
    _checked(lambda: keyed.secy.transmit.skip_pns(_an(keyed), pn))


def _expect_pn(keyed: KeyedSecY, fields: Message) -> None:
    """`next_pn`: expect PNs from it on, of every peer, under the SAK in use."""
    pn = _number(fields, "next_pn")

    def expect() -> None:
        for channel in keyed.secy.receive_channels():
            channel.raise_pn(_an(keyed), next_pn=pn, lowest_pn=pn)

    _checked(expect)


def _holds_cak(keyed: KeyedSecY, fields: Message) -> dict[str, object]:
    """`ckn`, `cak`: whether it takes part with just this CAK under this name."""
    return {"holds": keyed.holds(_cak(fields))}


_VERBS: dict[str, Callable[[KeyedSecY, Message], dict[str, object] | None]] = {
    "status": lambda keyed, fields: None,
    "holds-cak": _holds_cak,
    "add-cak": _add_cak,
    "remove-cak": _remove_cak,
    "replace-cak": _replace_cak,
    "rekey": _rekey,
    "skip-pns": _skip_pns,
    "expect-pn": _expect_pn,
}


def _an(keyed: KeyedSecY) -> int:
    encoding = keyed.secy.transmit.encoding_sa
    if encoding is None:
        raise InputError("nothing is secured here, so there are no packet numbers")
    return encoding.an


def _cak(fields: Message) -> Cak:
    return make_cak(_octets(fields, "ckn"), _octets(fields, "cak"))


def _octets(fields: Message, name: str) -> bytes:
    try:
        return bytes.fromhex(fields[name])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{name!r} is missing, or is no hex digits") from None


def _number(fields: Message, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name!r} is a number from 1 on")
    return value


def _checked(work: Callable[[], None]) -> None:
    try:
        work()
    except LocalError as error:
        raise InputError(str(error)) from None
