from __future__ import annotations

import pytest

from lab.nodes.bucket import Bucket, Limit


def test_it_starts_full_and_fills_up_to_its_burst() -> None:
    bucket = Bucket(1000, burst=500)
    assert bucket.fits(500, 0.0)
    assert not bucket.fits(501, 0.0)
    bucket.take(500, 0.0)
    assert not bucket.fits(1, 0.0)
    assert bucket.fits(100, 0.1)
    assert bucket.fits(500, 10.0)
    assert not bucket.fits(501, 1000.0)


def test_debt_is_paid_at_the_rate() -> None:
    bucket = Bucket(1000, burst=500)
    bucket.take(1500, 1.0)
    assert bucket.ready_at(1.0) == pytest.approx(2.0)
    assert bucket.ready_at(1.5) == pytest.approx(2.0)
    assert bucket.ready_at(3.0) == 3.0


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = Bucket(1000, burst=500)
    bucket.take(500, 5.0)
    assert not bucket.fits(1, 5.0)
    assert not bucket.fits(1, 4.0)
    assert bucket.fits(99, 5.1)


@pytest.mark.parametrize("batch", [1400, 20_000, 200_000])
def test_who_paces_gets_the_rate_and_no_more(batch: int) -> None:
    bucket = Bucket.of_mbps(100)
    now = sent = 0.0
    while now < 10:
        now = max(now, bucket.ready_at(now))
        bucket.take(batch, now)
        sent += batch
    assert sent == pytest.approx(12.5e6 * 10, rel=0.02)


def test_who_polices_gets_the_rate_and_no_more() -> None:
    limit = Limit([Bucket.of_mbps(100)])
    passed = 0
    for tick in range(10_000):  # 20 packets a millisecond are 240 Mb/s
        kept = limit.passing([1500] * 20, tick / 1000)
        passed += 20 if kept is None else len(kept)
    assert passed * 1500 == pytest.approx(12.5e6 * 10, rel=0.02)


def test_the_narrowest_of_several_decides() -> None:
    wide, narrow = Bucket(10_000, burst=1000), Bucket(1000, burst=1000)
    limit = Limit([wide, narrow])
    limit.take(2000, 0.0)
    assert limit.ready_at(0.0) == pytest.approx(1.0)
    assert limit.passing([10], 0.5) == []
    assert limit.passing([10, 10_000, 10], 1.1) == [0, 2]
    assert limit.passing([10, 10], 1.2) is None


def test_no_bucket_no_limit() -> None:
    limit = Limit([])
    assert limit.ready_at(7.0) == 7.0
    limit.take(1 << 40, 7.0)
    assert limit.passing([1 << 40], 7.0) is None


def test_tunnels_share_their_gateways_bucket() -> None:
    gateway = Bucket(1000, burst=1000)
    first, second = Limit([gateway, Bucket(5000, burst=5000)]), Limit([gateway, Bucket(5000, burst=5000)])
    first.take(3000, 0.0)
    assert second.ready_at(0.0) == pytest.approx(2.0)
