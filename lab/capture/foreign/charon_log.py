"""strongSwan's log with keys in it: charon at level 4 of `ike` and `chd`.

A thread's lines belong together from one message to the next. Keys stand as dumps of octets; which SA they are of is
told around them: by `selected proposal`, by the SPIs of ESP, and by those of IKE in what is hashed for NAT detection
and signed for AUTH. The SPIs of an IKE SA that replaces another one are there at level 2 of `mgr` alone, or in what
`swanctl --list-sas` prints, which may follow in the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final

from lab.capture.algorithms import ENCRYPTIONS, INTEGRITIES, PRFS
from lab.capture.foreign.found import Found, NotImportedError, Object

_LINE: Final = re.compile(r"(?:^|[\s:])(\d+)\[(IKE|CHD|CFG|ENC|NET|MGR)\](?: <[^>]*>)? (.*)")
_DUMP: Final = re.compile(r"^(.*?) => (\d+) bytes @ ")
_ROW: Final = re.compile(r"\s*\d+: ((?:[0-9A-F]{2} ){1,16})")
_SELECTED: Final = re.compile(r"^selected proposal: (IKE|ESP):(\S+)")
_PARSED: Final = re.compile(r"^parsed (\w+) (request|response) \d+ \[(.*)")
_USING: Final = re.compile(r"^\s*using (\w+) for (encryption|integrity)")
_SIDE: Final = re.compile(r"^(?:adding|registering) (inbound|outbound) ESP SA")
_SPI: Final = re.compile(r"^\s*SPI 0x([0-9a-f]{8}), src \S+ dst (\S+)")
_MESSAGE: Final = re.compile(r"received packet: ")
_SENT: Final = re.compile(r"sending packet: ")
_CHECKED_OUT: Final = re.compile(r"checkout IKEv2 SA by message with SPIs ([0-9a-f]{16})_i ([0-9a-f]{16})_r")
_NAMED: Final = re.compile(
    r"IKE_SA (\S+\[\d+\]) (?:rekeyed between|established between|state change: \S+ => ESTABLISHED)"
)
_MANAGED: Final = re.compile(r"SA (\S+\[\d+\]) with SPIs ([0-9a-f]{16})_i ([0-9a-f]{16})_r")
_LISTED: Final = re.compile(r"(\S+): #(\d+), [A-Z]+, IKEv2, ([0-9a-f]{16})_i\*? ([0-9a-f]{16})_r")
_NO_SPI: Final = "0" * 16
_IKE_KEYS: Final = tuple(f"sk_{name}" for name in ("d", "ai", "ar", "ei", "er", "pi", "pr"))
_CHILD_KEYS: Final = {
    f"{what} {side} key": (what, side) for what in ("encryption", "integrity") for side in ("initiator", "responder")
}


@dataclass(slots=True)
class _IkeKeys:
    """The keys of one IKE SA, and what is known of whose they are."""

    line: int
    algorithms: str | None
    spis: tuple[str, str] | None
    keys: dict[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(slots=True)
class _Thread:
    """What a thread has logged since it began to work on a message.

    `initiator` is None until the message is parsed. `checked_out` are the SPIs of the IKE SA that it is about.
    """

    checked_out: tuple[str, str] | None = None
    initiator: bool | None = None
    transport: bool = False
    proposals: dict[str, str] = field(default_factory=dict)
    using: dict[str, str] = field(default_factory=dict)
    spis: tuple[str, str] | None = None
    side: str | None = None
    child: dict[tuple[str, str], str] = field(default_factory=dict)
    ike: _IkeKeys | None = None
    dump: tuple[str, int, int] | None = None  # what, how many octets, on which line
    digits: str = ""

    def reset(self, *, checked_out: tuple[str, str] | None = None, ike: _IkeKeys | None = None) -> None:
        """Forget everything else."""
        fresh = _Thread(checked_out=checked_out, ike=ike)
        for each in fields(fresh):
            setattr(self, each.name, getattr(fresh, each.name))


def claims(line: str) -> bool:
    """Whether a line is from such a log."""
    return bool(_LINE.search(line))


def read(file: str, lines: list[str], found: Found) -> None:
    """Read every key of a log."""
    _Log(file, found).read(lines)


class _Log:
    def __init__(self, file: str, found: Found) -> None:
        self._file: Final = file
        self._found: Final = found
        self._threads: Final[dict[str, _Thread]] = {}
        self._ike: Final[list[_IkeKeys]] = []
        self._spis_of: Final[dict[str, tuple[str, str]]] = {}
        self._proposal_of: Final[dict[tuple[str, str], str]] = {}
        self._handlers: Final = (
            (_DUMP, self._dump),
            (_MESSAGE, self._message),
            (_SENT, self._sent),
            (_PARSED, self._parsed),
            (_SELECTED, self._selected),
            (_USING, self._using),
            (_SIDE, self._side),
            (_SPI, self._child),
            (_CHECKED_OUT, self._checked_out),
            (_MANAGED, self._managed),
            (_NAMED, self._named),
        )

    def read(self, lines: list[str]) -> None:
        """Take every line, then tell what came together."""
        for number, line in enumerate(lines, 1):
            if match := _LINE.search(line):
                thread = self._threads.setdefault(match.group(1), _Thread())
                self._line(number, thread, match.group(3))
            elif match := _LISTED.search(line):
                name, unique, *spis = match.groups()
                self._spis_of[f"{name}[{unique}]"] = (spis[0], spis[1])
        if not self._ike and not self._found.objects:
            text = "no keys are in this log; charon logs them at level 4 of `ike` and `chd`"
            self._found.problem(self._file, None, text)
        for keys in self._ike:
            try:
                self._found.key(self._file, keys.line, self._ike_object(keys))
            except NotImportedError as error:
                self._found.problem(self._file, keys.line, str(error))

    def _line(self, number: int, thread: _Thread, text: str) -> None:
        if thread.dump is not None and (row := _ROW.match(text)):
            thread.digits += row.group(1).replace(" ", "").lower()
            what, octets, line = thread.dump
            if len(thread.digits) >= 2 * octets:
                thread.dump = None
                self._dumped(line, thread, what, thread.digits[: 2 * octets])
            return
        thread.dump = None
        for pattern, take in self._handlers:
            if match := pattern.search(text):
                take(number, thread, match)
                return

    def _dump(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.dump, thread.digits = (match.group(1).strip(), int(match.group(2)), line), ""

    def _message(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        """Another message begins, and nothing said so far is of it but which SA it is for."""
        thread.reset(checked_out=thread.checked_out)

    def _sent(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.reset()

    def _parsed(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.reset(checked_out=thread.checked_out, ike=thread.ike)
        thread.initiator = match.group(2) == "response"
        thread.transport = "USE_TRANSP" in match.group(3)

    def _selected(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.proposals[match.group(1)] = match.group(2)

    def _using(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.using[match.group(2)] = match.group(1)

    def _side(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.side = match.group(1)

    def _checked_out(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        thread.checked_out = (match.group(1), match.group(2)) if match.group(2) != _NO_SPI else None

    def _managed(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        if match.group(3) != _NO_SPI:
            self._spis_of[match.group(1)] = (match.group(2), match.group(3))

    def _named(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        if thread.ike is not None:
            thread.ike.name = thread.ike.name or match.group(1)

    def _dumped(self, line: int, thread: _Thread, what: str, digits: str) -> None:
        key = what.removesuffix(" secret").lower()
        if what == "natd_chunk" and digits[16:32] != _NO_SPI:
            thread.spis = (digits[:16], digits[16:32])
            if "IKE" in thread.proposals:
                self._proposal_of[thread.spis] = thread.proposals["IKE"]
        elif what.startswith("octets = message") and digits[16:32] != _NO_SPI:
            if thread.ike is not None and thread.ike.spis is None:
                thread.ike.spis = (digits[:16], digits[16:32])
        elif what in _CHILD_KEYS:
            thread.child[_CHILD_KEYS[what]] = digits
        elif what.endswith(" secret") and key in _IKE_KEYS:
            self._ike_key(line, thread, key, digits)

    def _ike_key(self, line: int, thread: _Thread, key: str, digits: str) -> None:
        if key == "sk_d":
            # A responder may wait with the keys for the next message, and has them before it can parse that one.
            spis = thread.spis or (thread.checked_out if thread.initiator is None else None)
            thread.ike = _IkeKeys(line, thread.proposals.get("IKE"), spis)
        if thread.ike is not None:
            thread.ike.keys[key] = digits
            if key == "sk_pr":
                self._ike_done(thread.ike)

    def _ike_done(self, keys: _IkeKeys) -> None:
        """All keys of an IKE SA are there, or those that a PPK was mixed into since (RFC 8784 3)."""
        if "sk_ei" in keys.keys:
            self._ike.append(keys)
        elif self._ike:
            self._ike[-1].keys |= keys.keys

    def _ike_object(self, keys: _IkeKeys) -> Object:
        spis = keys.spis or self._spis_of.get(keys.name or "")
        if spis is None:
            whose = keys.name or "an IKE SA"
            text = (
                f"the keys of {whose}: its SPIs are nowhere in this log; log `mgr` at level 2, too, or append what"
                " `swanctl --list-sas` prints"
            )
            raise NotImportedError(text)
        algorithms = keys.algorithms or self._proposal_of.get(spis)
        if algorithms is None:
            raise NotImportedError("keys of an IKE SA without `selected proposal`: log `cfg` at level 1, too")
        names = _names(algorithms.split("/"))
        if "prf" not in names:
            raise NotImportedError("keys of an IKE SA whose proposal has no PRF")
        aead = ENCRYPTIONS[names["encryption"]].aead
        taken = {key: digits for key, digits in keys.keys.items() if not aead or key not in ("sk_ai", "sk_ar")}
        return {"type": "ike-sa", "spi_i": spis[0], "spi_r": spis[1], **names, **taken}

    def _child(self, line: int, thread: _Thread, match: re.Match[str]) -> None:
        spi, destination = match.groups()
        if not thread.child or thread.side is None:
            return  # installed before already, and said again
        try:
            self._found.key(self._file, line, self._child_object(thread, spi, destination))
        except NotImportedError as error:
            self._found.problem(self._file, line, str(error))

    def _child_object(self, thread: _Thread, spi: str, destination: str) -> Object:
        if thread.initiator is None:
            raise NotImportedError(
                f"the keys of SPI {spi}: who began is nowhere in this log; log `enc` at level 1, too"
            )
        proposal = thread.proposals.get("ESP", "")
        names = _names(proposal.split("/") if proposal else thread.using.values())
        sender = "initiator" if thread.initiator == (thread.side == "outbound") else "responder"
        integrity_key = thread.child.get(("integrity", sender))
        return {
            "type": "esp-sa",
            "spi": spi,
            "dst": destination,
            "encryption": names["encryption"],
            "encryption_key": thread.child.get(("encryption", sender)),
            "integrity": names.get("integrity"),
            "integrity_key": integrity_key if "integrity" in names else None,
            "esn": True if "EXT_SEQ" in proposal.split("/") else None,
            "mode": "transport" if thread.transport else "tunnel",
        }


def _names(words: Iterable[str]) -> dict[str, str]:
    """IANA's names for the transforms of a proposal; key lengths stand behind the names, and groups are passed over."""
    names: dict[str, str] = {}
    for word in words:
        plain = word.removesuffix("_CBC") if word.startswith(("3DES", "DES_")) else word
        plain = plain.replace("NULL_AES_GMAC", "NULL_AUTH_AES_GMAC")
        shorter = plain.rpartition("_")[0]
        encryption = next((name for name in (f"ENCR_{plain}", f"ENCR_{shorter}") if name in ENCRYPTIONS), None)
        if word in PRFS:
            names["prf"] = word
        elif f"AUTH_{word}" in INTEGRITIES:
            names["integrity"] = f"AUTH_{word}"
        elif encryption is not None and "encryption" not in names:
            names["encryption"] = encryption
    if "encryption" not in names:
        raise NotImportedError(f"a proposal without a cipher that is known here: {'/'.join(words)[:80]!r}")
    return names
