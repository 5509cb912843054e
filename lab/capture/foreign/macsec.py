"""The kernel's MACsec as iproute2 knows it: what `ip macsec show` prints, and `ip macsec add` in scripts.

The kernel shows who uses which SAK, but no SAK, only its key id. So what is shown is paired with the commands that
installed the SAKs, by device and key id. The commands alone do where they name the SCI; a transmitter's they only name
if `ip link add` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lab.capture.foreign.commands import ip_commands
from lab.capture.foreign.found import Found, NotImportedError, Object

_DEVICE: Final = re.compile(r"\d+: (\S+): protect (?:on|off)")
_SUITE: Final = re.compile(r"\s+cipher suite: (GCM-AES(?:-XPN)?-\d+)")
_CHANNEL: Final = re.compile(r"\s+(TXSC|RXSC): ([0-9a-f]{16})\b")
_ASSOCIATION: Final = re.compile(r"\s+([0-3]): PN \d+,\s*(?:SSCI ([0-9a-f]{8}),? ?)?.*\bkey ([0-9a-f]{2,32})\b")
_COMMAND: Final = re.compile(r"\bip\b.*\bmacsec\s+add\b|\bip\b.*\btype\s+macsec\b")
_ID_DIGITS: Final = 32


@dataclass(slots=True, kw_only=True)
class _Installed:
    """A SAK as a command installed it."""

    file: str
    line: int
    device: str
    an: int
    key_id: str
    sak: str
    sci: str | None
    ssci: str | None = None
    salt: str | None = None
    pn: int = 1
    used: bool = False


@dataclass(slots=True)
class _Device:
    suite: str | None = None
    sci: str | None = None


class _Shown(NamedTuple):
    """An SA as it is shown."""

    file: str
    line: int
    device: str
    sci: str
    an: int
    key_id: str
    ssci: str | None


@dataclass(slots=True)
class Macsec:
    """What all files told of MACsec devices, to be paired in the end. Each file may be of another host."""

    devices: dict[tuple[str, str], _Device] = field(default_factory=dict)
    installed: list[_Installed] = field(default_factory=list)
    shown: list[_Shown] = field(default_factory=list)

    def read(self, file: str, lines: list[str], found: Found) -> None:
        """Take what one file says."""
        self._take_shown(file, lines)
        self._take_commands(file, lines, found)

    def _take_shown(self, file: str, lines: list[str]) -> None:
        device, sci = "", ""
        for number, line in enumerate(lines, 1):
            if match := _DEVICE.match(line):
                device, sci = match.group(1), ""
            elif device and (match := _SUITE.match(line)):
                self._device(file, device).suite = match.group(1)
            elif device and (match := _CHANNEL.match(line)):
                sci = match.group(2)
                if match.group(1) == "TXSC":
                    self._device(file, device).sci = sci
            elif sci and (match := _ASSOCIATION.match(line)):
                an, ssci, key_id = match.groups()
                key_id = key_id.ljust(_ID_DIGITS, "0")
                self.shown.append(_Shown(file, number, device, sci, int(an), key_id, ssci))

    def _take_commands(self, file: str, lines: list[str], found: Found) -> None:
        for number, words in ip_commands(lines):
            try:
                if words[:2] == ["macsec", "add"]:
                    self._add(file, number, words[2:])
                elif words[:1] == ["link"] and _after(words, "type") == "macsec":
                    self._link(file, words)
            except NotImportedError as error:
                found.problem(file, number, str(error))

    def pair(self, found: Found) -> None:
        """Make keys of what belongs together, and tell of what has no SAK or no SCI."""
        for shown in self.shown:
            saks = self._saks_of(shown)
            for sak in saks:
                sak.used = True
                found.key(sak.file, sak.line, self._object(sak, shown.sci, shown.ssci or sak.ssci, shown))
            if not saks:
                text = (
                    f"AN {shown.an} of SCI {shown.sci}: only the id of its key is shown ({shown.key_id}), never the"
                    " key; give the `ip macsec add` lines that installed it, too"
                )
                found.problem(shown.file, shown.line, text)
        for sak in self.installed:
            sci = sak.sci or self._said(sak.file, sak.device, "sci")
            if sci is not None and not sak.used:
                found.key(sak.file, sak.line, self._object(sak, sci, sak.ssci, sak))
            elif not sak.used:
                text = (
                    f"the SAK that {sak.device} transmits with: its SCI is nowhere said, or in several ways; give the"
                    " output of `ip macsec show` of its host, too"
                )
                found.problem(sak.file, sak.line, text)

    def _saks_of(self, shown: _Shown) -> list[_Installed]:
        """The SAKs installed under this id: for this very SC if any were, else all that could be meant."""
        alike = [sak for sak in self.installed if sak.key_id == shown.key_id and sak.an == shown.an]
        sent = self._device(shown.file, shown.device).sci == shown.sci
        mine = [sak for sak in alike if sak.device == shown.device and (sak.sci is None) == sent]
        for best in (
            [sak for sak in mine if sak.file == shown.file and sak.sci in (None, shown.sci)],
            [sak for sak in alike if sak.sci == shown.sci],
            mine,
        ):
            if best:
                return best
        return alike

    def _object(self, sak: _Installed, sci: str, ssci: str | None, where: _Installed | _Shown) -> Object:
        suite = self._said(where.file, where.device, "suite") or self._said(sak.file, sak.device, "suite")
        if suite is None:
            suite = f"GCM-AES-{'XPN-' if sak.salt else ''}{4 * len(sak.sak)}"
        xpn = "XPN" in suite
        return {
            "type": "macsec-sak",
            "sci": sci,
            "an": sak.an,
            "cipher_suite": suite,
            "sak": sak.sak,
            "ssci": ssci if xpn else None,
            "salt": sak.salt if xpn else None,
            "first_pn": sak.pn if sak.pn >> 32 else None,
        }

    def _device(self, file: str, name: str) -> _Device:
        return self.devices.setdefault((file, name), _Device())

    def _said(self, file: str, name: str, what: str) -> str | None:
        """What a file says of its device or, if it does not, all other files alike."""
        own: str | None = getattr(self._device(file, name), what)
        others = {getattr(device, what) for (_, other), device in self.devices.items() if other == name}
        others.discard(None)
        return own or (others.pop() if len(others) == 1 else None)

    def _link(self, file: str, words: list[str]) -> None:
        """`ip link add link LOWER [name] NAME [address MAC] type macsec [sci SCI | port PORT] [cipher SUITE]`."""
        at = words.index("type")
        lower, address = _after(words[:at], "link", 1), _after(words, "address")
        known = ("add", "link", "name", "dev", "address", lower, address)
        names = [word for word in words[1:at] if word not in known]
        if not names:
            return
        device = self._device(file, names[0])
        suite = _after(words, "cipher", at)
        if suite is not None:
            device.suite = suite.upper().replace("DEFAULT", "GCM-AES-128")
        device.sci = _sci(_after(words, "sci", at), address, _after(words, "port", at) or "1") or device.sci

    def _add(self, file: str, line: int, words: list[str]) -> None:
        """`ip macsec add DEV tx|rx ... sa AN pn PN on key ID SAK`; a channel alone has no SAK."""
        if "sa" not in words or "key" not in words:
            return
        place = words.index("key")
        key_id, sak = (*words[place + 1 : place + 3], "", "")[:2]
        sci = _sci(_after(words, "sci"), _after(words, "address"), _after(words, "port"))
        transmits = words[1] == "tx"
        if not transmits and sci is None:
            raise NotImportedError("a SAK to receive with whose SC is not said: by `sci`, or by `address` and `port`")
        ssci = _after(words, "ssci")
        self.installed.append(
            _Installed(
                file=file,
                line=line,
                device=words[0],
                an=_number("sa", _after(words, "sa")),
                key_id=key_id.lower().ljust(_ID_DIGITS, "0"),
                sak=sak.lower(),
                sci=None if transmits else sci,
                ssci=None if ssci is None else f"{_number('ssci', ssci, 16):08x}",
                salt=(_after(words, "salt") or "").lower() or None,
                pn=_number("pn", _after(words, "pn") or _after(words, "xpn") or "1"),
            )
        )


def claims(line: str) -> bool:
    """Whether a line tells of MACsec devices."""
    return bool(_DEVICE.match(line) or _COMMAND.search(line))


def _after(words: list[str], word: str, start: int = 0) -> str | None:
    place = words.index(word, start) if word in words[start:] else len(words)
    return words[place + 1] if place + 1 < len(words) else None


def _sci(sci: str | None, address: str | None, port: str | None) -> str | None:
    if sci is not None:
        return f"{_number('sci', sci, 16):016x}"
    digits = (address or "").replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{12}", digits) or port is None:
        return None
    return f"{digits}{_number('port', port):04x}"


def _number(what: str, text: str | None, base: int = 0) -> int:
    try:
        return int(text or "", base)
    except ValueError:
        raise NotImportedError(f"`{what}` is followed by {(text or 'nothing')[:20]!r}, which is no number") from None
