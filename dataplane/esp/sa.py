"""Security associations: keys at work in one direction, how far their numbers have come, and how old they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from dataplane.antireplay import Bitmap
from dataplane.errors import LocalError
from dataplane.esp.counters import DiscardReason
from dataplane.esp.flow import Key
from dataplane.esp.lifetime import UNLIMITED, Age, Cause, Lifetime
from dataplane.esp.open import Opener, opener
from dataplane.esp.seal import HALF, Sealer, sealer
from dataplane.esp.shape import Shape
from dataplane.esp.tunnel import Tunnel
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.suites import EspKeys, EspSuite

LEAST_SPI: Final = 256  # RFC 4303 2.1: those below are reserved
GREATEST_SPI: Final = HALF - 1
DEFAULT_WINDOW: Final = 1024


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SaParameters:
    """What was agreed for one direction. `local` and `remote` are the selectors of this side and of the peer's.

    Raises:
        LocalError: an SPI that is reserved, or keys of other lengths than the suite's.
    """

    spi: int
    tunnel: Tunnel
    suite: EspSuite
    keys: EspKeys
    local: tuple[TrafficSelector, ...]
    remote: tuple[TrafficSelector, ...]
    lifetime: Lifetime = UNLIMITED

    def __post_init__(self) -> None:
        if not LEAST_SPI <= self.spi <= GREATEST_SPI:
            raise LocalError(f"an SPI is {LEAST_SPI} to {GREATEST_SPI:#x}, not {self.spi:#x}")
        wanted = (self.suite.encryption_key_octets, self.suite.integrity_key_octets)
        given = (len(self.keys.encryption), len(self.keys.integrity))
        if wanted != given:
            raise LocalError(f"the keys of {self.suite} have {wanted} octets, not {given}")


def greatest_sequence(suite: EspSuite) -> int:
    """The last sequence number that a suite has (RFC 4303 2.2, 2.2.1)."""
    return HALF * HALF - 1 if suite.esn else HALF - 1


@final
class OutboundSa:
    """An SA that sends. `next_sequence` is the number to come; `age` counts what was sent."""

    __slots__ = (
        "_inner_mtu", "_path_mtu", "age", "next_sequence", "parameters", "sealer", "shape", "spi_octets", "tunnel",
    )  # fmt: skip

    def __init__(
        self, parameters: SaParameters, now: float, random: Callable[[int], bytes], *, next_sequence: int = 1
    ) -> None:
        """An SA as of `now`; `random(n)` gives n octets that nobody can foresee, for IVs.

        Raises:
            LocalError: a first sequence number that the suite does not have.
        """
        greatest = greatest_sequence(parameters.suite)
        if not 1 <= next_sequence <= greatest:
            raise LocalError(f"a sequence number is 1 to {greatest:#x}, not {next_sequence:#x}")
        self.parameters: Final = parameters
        self.tunnel: Final = parameters.tunnel
        self.shape: Final = Shape.of(parameters.suite)
        self.sealer: Final[Sealer] = sealer(parameters.suite, parameters.keys, random)
        self.spi_octets: Final = parameters.spi.to_bytes(4, "big")
        self.next_sequence = next_sequence
        self.age: Final = Age(parameters.lifetime, now, greatest - next_sequence + 1)
        self._path_mtu = self._inner_mtu = 0

    @property
    def inner_mtu(self) -> int:
        """The greatest inner packet in octets that the tunnel's path carries in one piece."""
        if self._path_mtu != self.tunnel.path_mtu:
            self._path_mtu = self.tunnel.path_mtu
            self._inner_mtu = self.tunnel.inner_mtu(self.shape)
        return self._inner_mtu

    def take(self, count: int, text: int) -> int:
        """Take up to `count` numbers with one upper half for texts of so many octets; give how many there were.

        The numbers begin with what `next_sequence` was. None are left when a hard limit is reached; no number is ever
        given twice (RFC 4303 3.3.3).
        """
        taken = int(min(count, HALF - self.next_sequence % HALF, self.age.room(text)))
        self.next_sequence += taken
        self.age.add(taken, taken * text)
        return taken

    @property
    def spent(self) -> Cause:
        """Why `take` gave nothing."""
        return Cause.SEQUENCE if self.age.are_packets_spent else Cause.KILOBYTES


@final
class InboundSa:
    """An SA that receives. `window` is its anti-replay window; `verdicts` remembers which flows its selectors hold.

    `discarded` counts by reason what was discarded. `last_heard` is when the last authentic packet came, None before.
    """

    __slots__ = (
        "age", "discarded", "last_heard", "opener", "parameters", "shape", "tunnel", "verdicts", "window",
    )  # fmt: skip

    def __init__(
        self, parameters: SaParameters, now: float, *, window: int = DEFAULT_WINDOW, next_sequence: int = 1
    ) -> None:
        """An SA as of `now`, with a window of so many numbers, up to 65,536.

        Raises:
            LocalError: a window or a sequence number that cannot be.
        """
        self.parameters: Final = parameters
        self.tunnel: Final = parameters.tunnel
        self.shape: Final = Shape.of(parameters.suite)
        self.opener: Final[Opener] = opener(parameters.suite, parameters.keys)
        self.window: Final = Bitmap(window, next_number=next_sequence)
        self.age: Final = Age(parameters.lifetime, now)
        self.verdicts: Final[dict[Key, bool]] = {}
        self.discarded: Final[Counter[DiscardReason]] = Counter()
        self.last_heard: float | None = None
