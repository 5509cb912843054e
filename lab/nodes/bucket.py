"""Token buckets: what a gateway's size lets through. Pure: octets and clock readings in, times and decisions out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, final

# What may pass at once, in seconds at the rate: less, and a timer that comes late costs throughput.
BURST_SECONDS: Final = 0.05
_LEAST_BURST: Final = 64 << 10


@final
class Bucket:
    """Fills at a rate, up to its burst; what passes takes from it, and may take more than is there.

    Who paces takes a batch whenever the bucket is not in debt, and waits until the debt is paid: on the long run no
    more passes than the rate. Who polices asks for each packet whether all of it is there.
    """

    def __init__(self, octets_per_second: float, *, burst: float | None = None) -> None:
        self.rate: Final = octets_per_second
        self.burst: Final = burst if burst is not None else max(_LEAST_BURST, octets_per_second * BURST_SECONDS)
        self._tokens = self.burst
        self._at: float | None = None

    @classmethod
    def of_mbps(cls, mbps: float) -> Bucket:
        """One for a rate in Mb/s."""
        return cls(mbps * 125_000)

    def ready_at(self, now: float) -> float:
        """When the bucket is out of debt: `now` or earlier when it is."""
        self._fill(now)
        return now if self._tokens >= 0 else now - self._tokens / self.rate

    def take(self, octets: int, now: float) -> None:
        """Take what passes, into debt if need be."""
        self._fill(now)
        self._tokens -= octets

    def fits(self, octets: int, now: float) -> bool:
        """Whether so many octets are there."""
        self._fill(now)
        return self._tokens >= octets

    def _fill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now if self._at is None else max(self._at, now)


@final
class Limit:
    """Several buckets, through all of which the same packets go: a tunnel's own, and its gateway's."""

    def __init__(self, buckets: Iterable[Bucket]) -> None:
        self._buckets: Final = tuple(buckets)

    def ready_at(self, now: float) -> float:
        """When all are out of debt."""
        return max((bucket.ready_at(now) for bucket in self._buckets), default=now)

    def take(self, octets: int, now: float) -> None:
        """Take what passes from each."""
        for bucket in self._buckets:
            bucket.take(octets, now)

    def passing(self, lengths: Sequence[int], now: float) -> list[int] | None:
        """Police packets: the indexes of those that pass; None when all do."""
        passed = []
        for index, octets in enumerate(lengths):
            if all(bucket.fits(octets, now) for bucket in self._buckets):
                self.take(octets, now)
                passed.append(index)
        return None if len(passed) == len(lengths) else passed
