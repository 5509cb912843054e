"""Filters: which frames of a capture are judged, by a simple expression over addresses, tags, protocols and ports.

    expression  term { or term }
    term        factor { and factor }
    factor      not factor | ( expression ) | primitive
    primitive   [src | dst] host ADDRESS         [src | dst] net ADDRESS/BITS
                [tcp | udp | sctp] [src | dst] port NUMBER | FIRST-LAST
                ether [src | dst] host MAC       ether proto NUMBER
                vlan [ID]                        proto NUMBER
                ip ip6 arp macsec eapol tcp udp sctp icmp icmp6 esp ah

`!`, `&&` and `||` stand for the words. What is asked is what stands on the wire before anything is opened; `vlan` looks
at every tag of a stack.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, NoReturn, TypeAlias, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.coverage.columns import Mask
from lab.coverage.traits import Columns, Reader
from lab.errors import InputError

Test: TypeAlias = Callable[[Columns], Mask]

_TOKEN: Final = re.compile(r"\s*(?:([()!]|&&|\|\|)|([^\s()!&|]+)|(\S))")
_SIGNS: Final = {"!": "not", "&&": "and", "||": "or"}
_ENDS: Final = {"src": (0,), "dst": (1,)}
_ETHER_TYPES: Final = {"ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806, "macsec": 0x88E5, "eapol": 0x888E}
_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmp6": 58, "esp": 50, "ah": 51}
_WORDS: Final = (
    "and", "or", "not", "host", "net", "port", "ether", "vlan", "proto", "src", "dst", *_ETHER_TYPES, *_PROTOCOLS
)  # fmt: skip
_MAC: Final = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)
_WITH_PORTS: Final = ("tcp", "udp", "sctp")
_MOST_NESTED: Final = 100
_HALF: Final = (1 << 64) - 1


class _Token(NamedTuple):
    word: str
    at: int


@final
class Filter:
    """A filter over the frames of one capture, which are given in order."""

    def __init__(self, expression: str) -> None:
        """Read the expression.

        Raises:
            InputError: it is none; the place is told.
        """
        self.expression: Final = expression
        self._test: Final = _Parser(expression).parse()
        self._reader: Final = Reader()

    def rows(self, burst: Burst) -> Column:
        """The rows of a burst that pass."""
        return np.flatnonzero(self._test(self._reader.columns(burst)))


@final
class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression: Final = expression
        self._tokens: Final = list(self._split())
        self._next = 0
        self._depth = 0

    def parse(self) -> Test:
        """The whole expression as one test."""
        test = self._any()
        if self._word() is not None:
            self._refuse("is one word too many; `and` or `or` stands between two conditions")
        return test

    def _split(self) -> Iterator[_Token]:
        for found in _TOKEN.finditer(self._expression):
            group = next(number for number in (1, 2, 3) if found.group(number) is not None)
            if group == 3:
                self._fail(found.start(3), f"`{found.group(3)}` is no sign of a filter; write && or ||")
            word = found.group(group)
            yield _Token(_SIGNS.get(word, word), found.start(group))

    def _word(self) -> str | None:
        return self._tokens[self._next].word.lower() if self._next < len(self._tokens) else None

    def _take(self, *words: str) -> str | None:
        """Step over the next word if it is one of these."""
        word = self._word()
        if word is None or word not in words:
            return None
        self._next += 1
        return word

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda of: _either(test(of) for test in tests)

    def _all(self) -> Test:
        tests = [self._factor()]
        while self._take("and"):
            tests.append(self._factor())
        return tests[0] if len(tests) == 1 else lambda of: np.logical_and.reduce([test(of) for test in tests])

    def _factor(self) -> Test:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            self._refuse("is nested too deep")
        if self._take("not"):
            test = _not(self._factor())
        elif self._take("("):
            test = self._any()
            if not self._take(")"):
                self._refuse("stands where a `)` should", "a `)`")
        else:
            test = self._primitive()
        self._depth -= 1
        return test

    def _primitive(self) -> Test:
        word = self._take(*_WORDS) or ""
        if word in _ETHER_TYPES:
            return _ether_type(_ETHER_TYPES[word])
        if word in _PROTOCOLS:
            test = _protocol(_PROTOCOLS[word], {"icmp": 4, "icmp6": 6}.get(word))
            with_ports = word in _WITH_PORTS and self._word() in ("src", "dst", "port")
            return _both(test, self._at_ends(("port",))) if with_ports else test
        if word == "vlan":
            return _vlan(self._number("a VLAN ID", 4095) if (self._word() or "").isdigit() else None)
        if word == "proto":
            return _protocol(self._number("an IP protocol's number", 255), None)
        if word == "ether":
            if self._take("proto"):
                return _ether_type(self._number("an EtherType", 0xFFFF))
            return self._at_ends(("host",), ether=True)
        if word in ("host", "net", "port", "src", "dst"):
            self._next -= 1
            return self._at_ends(("host", "net", "port"))
        if word:
            self._next -= 1
        near = difflib.get_close_matches(self._word() or "", _WORDS, 1, 0.6)
        hint = (
            f"did you mean `{near[0]}`?" if near else "conditions begin with host, net, port, ether, vlan, ip, udp, ..."
        )
        return self._refuse(f"is no condition; {hint}", "a condition, such as `host 10.0.0.1`")

    def _at_ends(self, kinds: tuple[str, ...], *, ether: bool = False) -> Test:
        """What follows at the source, the destination or either end."""
        ends = _ENDS.get(self._take("src", "dst") or "", (0, 1))
        kind = self._take(*kinds)
        if kind is None:
            wanted = " or ".join(f"`{each}`" for each in kinds)
            self._refuse(f"stands where {wanted} should", wanted)
        if ether:
            return _mac(self._mac(), ends)
        if kind == "port":
            return _ports(self._ports(), ends)
        return _address(self._network(host=kind == "host"), ends)

    def _value(self, wanted: str) -> str:
        """The next word, whatever it is."""
        if self._word() is None:
            self._refuse("", wanted)
        self._next += 1
        return self._tokens[self._next - 1].word

    def _number(self, wanted: str, most: int) -> int:
        word = self._value(wanted)
        try:
            number = int(word, 0)
        except ValueError:
            number = -1
        if not 0 <= number <= most:
            self._next -= 1
            self._refuse(f"is not {wanted}: a number from 0 to {most}")
        return number

    def _ports(self) -> tuple[int, int]:
        word = self._value("a port")
        low, dash, high = word.partition("-")
        if not low.isdigit() or (dash and not high.isdigit()) or not int(low) <= int(high or low) <= 65535:
            self._next -= 1
            self._refuse("is no port: a number from 0 to 65535, or two of them as FIRST-LAST")
        return int(low), int(high or low)

    def _mac(self) -> int:
        word = self._value("a MAC address")
        if not _MAC.fullmatch(word):
            self._next -= 1
            self._refuse("is no MAC address such as 02:00:00:00:00:01")
        return int(re.sub("[:-]", "", word), 16)

    def _network(self, *, host: bool) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        word = self._value("an IP address" if host else "a network such as 10.0.0.0/8")
        try:
            if not host and "/" not in word:
                raise ValueError
            return ipaddress.ip_network(ipaddress.ip_address(word) if host else word)
        except ValueError:
            self._next -= 1
        try:
            right = f"; its network is {ipaddress.ip_network(word, strict=False)}"
        except ValueError:
            right = ""
        return self._refuse("is no IP address" if host else f"is no network such as 10.0.0.0/8{right}")

    def _refuse(self, text: str, wanted: str = "more") -> NoReturn:
        """Raise the error that points at the next word, or at the end where `wanted` is missing."""
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            self._fail(token.at, f"`{token.word}` {text}")
        self._fail(len(self._expression), f"the filter ends where {wanted} should follow")

    def _fail(self, at: int, text: str) -> NoReturn:
        raise InputError(f"--filter, column {at + 1}: {text}\n  {self._expression}\n  {' ' * at}^")


def _not(test: Test) -> Test:
    return lambda of: ~test(of)


def _both(one: Test, other: Test) -> Test:
    return lambda of: one(of) & other(of)


def _either(tests: Iterable[Mask]) -> Mask:
    mask: Mask = np.logical_or.reduce(tuple(tests))
    return mask


def _ether_type(number: int) -> Test:
    return lambda of: of.ether_type == number


def _protocol(number: int, version: int | None) -> Test:
    return lambda of: (of.protocol == number) & (of.version == version if version else of.version != 0)


def _vlan(number: int | None) -> Test:
    return lambda of: _either(of.vlans >= 0 if number is None else of.vlans == number)


def _mac(number: int, ends: tuple[int, ...]) -> Test:
    return lambda of: _either(of.macs[end] == number for end in ends)


def _ports(bounds: tuple[int, int], ends: tuple[int, ...]) -> Test:
    return lambda of: _either((of.ports[end] >= bounds[0]) & (of.ports[end] <= bounds[1]) for end in ends)


def _address(network: ipaddress.IPv4Network | ipaddress.IPv6Network, ends: tuple[int, ...]) -> Test:
    mask, number = int(network.netmask), int(network.network_address)
    (mask_upper, upper), (mask_lower, lower) = (
        (np.uint64(mask >> shift & _HALF), np.uint64(number >> shift & _HALF)) for shift in (64, 0)
    )
    return lambda of: (
        (of.version == network.version)
        & _either((of.upper[end] & mask_upper == upper) & (of.lower[end] & mask_lower == lower) for end in ends)
    )
