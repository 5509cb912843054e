"""The kernel's IPsec SAs as iproute2 knows them: what `ip xfrm state` prints, and `ip xfrm state add` in scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lab.capture.foreign import kernel_names
from lab.capture.foreign.commands import ip_commands
from lab.capture.foreign.found import Found, NotImportedError, Object

_RECORD: Final = re.compile(r"src \S+ dst \S+")
_COMMAND: Final = re.compile(r"\bip\b.*\bx(frm)?\s+s(tate)?\s+(add|update)\b")
_VERBS: Final = ("add", "update")
_ALGORITHMS: Final = ("aead", "enc", "auth", "auth-trunc")


def claims(line: str) -> bool:
    """Whether a line is of an SA."""
    return bool(_RECORD.match(line) or _COMMAND.search(line))


def read(file: str, lines: list[str], found: Found) -> None:
    """Read every SA of ESP; of others it is told that they are passed over."""
    for number, words in _states(lines):
        try:
            fields = _state(words)
        except NotImportedError as error:
            found.problem(file, number, str(error))
        else:
            found.key(file, number, fields)


def _states(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The words of each SA, and the line on which it starts."""
    words: list[str] = []
    first = 0
    for number, line in enumerate(lines, 1):
        if _RECORD.match(line):
            if words:
                yield first, words
            words, first = line.split(), number
        elif words and line[:1] in (" ", "\t"):
            words += line.split()
        elif words:
            yield first, words
            words = []
    if words:
        yield first, words
    for number, command in ip_commands(lines):
        family = len(command) > 3 and "xfrm".startswith(command[0]) and "state".startswith(command[1])
        if family and command[2] in _VERBS:
            yield number, command[3:]


def _state(words: list[str]) -> Object:
    ends = words[: words.index("sel")] if "sel" in words else words  # selectors have a source and destination, too
    proto, spi, mode = (_after(ends, word) for word in ("proto", "spi", "mode"))
    if proto != "esp":
        raise NotImportedError(f"an SA of {(proto or 'nothing')[:10]}: a key log holds those of ESP")
    if spi is None:
        raise NotImportedError("an SA without an SPI")
    if "<<Keys" in ends:
        raise NotImportedError(f"the keys of SPI {spi[:10]} are hidden: list them as root, without `nokeys`")
    fields: Object = {"type": "esp-sa", "spi": _spi(spi), "dst": _after(ends, "dst")}
    fields["mode"] = "transport" if mode in ("transport", "beet") else "tunnel"
    if "esn" in ends:
        fields["esn"] = True
        upper, lower = _latest(ends)
        fields["first_seq"] = upper << 32 | lower if upper else None
    return fields | _algorithms(ends)


def _algorithms(words: list[str]) -> Object:
    given = {word: words[place + 1 : place + 4] for place, word in enumerate(words) if word in _ALGORITHMS}
    if "aead" in given:
        name, key, bits = (*given["aead"], "", "", "")[:3]
        return {"encryption": kernel_names.aead(name, bits), "encryption_key": _key(key)}
    cipher, cipher_key = (*given.get("enc", ["ecb(cipher_null)"]), "", "")[:2]
    encryption = kernel_names.cipher(cipher)
    check = given.get("auth-trunc") or given.get("auth")
    if check is None or len(check) < 2 or check[0] == "digest_null":
        raise NotImportedError("an SA without a key to check its ICV with: nothing can be proven by it")
    cut = check[2] if "auth-trunc" in given and len(check) > 2 else None
    return {
        "encryption": encryption,
        "encryption_key": None if encryption == "ENCR_NULL" else _key(cipher_key),
        "integrity": kernel_names.mac(check[0], cut),
        "integrity_key": _key(check[1]),
    }


def _after(words: list[str], word: str) -> str | None:
    place = words.index(word) if word in words else len(words)
    return words[place + 1] if place + 1 < len(words) else None


def _spi(text: str) -> str:
    try:
        number = int(text.partition("(")[0], 0)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 32:
        raise NotImportedError(f"SPI {text[:20]!r}, which is no number of 32 bits")
    return f"{number:08x}"


def _key(text: str) -> str:
    if not re.fullmatch(r"0x(?:[0-9a-fA-F]{2})+", text):
        raise NotImportedError("a key that is not there, or not written as 0x and hex digits")
    return text[2:].lower()


def _latest(words: list[str]) -> tuple[int, int]:
    """How far the SA has come: of what was received and what was sent, one is 0."""
    counts = []
    for upper, lower in (("seq-hi", "seq"), ("oseq-hi", "oseq")):
        halves = [re.sub(r"[^0-9a-fx]", "", _after(words, word) or "0") for word in (upper, lower)]
        counts.append(tuple(int(half, 16) for half in halves))
    upper_half, lower_half = max(counts)
    return upper_half, lower_half
