"""The algebra of traffic selectors: holding, meeting, narrowing, covering."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from dataplane.errors import LocalError
from dataplane.ipsec.selectors import (
    ANY_IPV4,
    ANY_IPV6,
    OPAQUE_PORTS,
    TrafficSelector,
    covers,
    narrow,
)

of = TrafficSelector.of
TCP, UDP = 6, 17


def span(start: str, end: str) -> TrafficSelector:
    return TrafficSelector(start=ip_address(start), end=ip_address(end))


@pytest.mark.parametrize(
    ("selector", "address", "protocol", "port", "holds"),
    [
        (ANY_IPV4, "203.0.113.9", 99, None, True),
        (ANY_IPV4, "::1", 6, 80, False),
        (of("10.0.0.0/16"), "10.0.0.0", TCP, 80, True),
        (of("10.0.0.0/16"), "10.0.255.255", TCP, 80, True),
        (of("10.0.0.0/16"), "10.1.0.0", TCP, 80, False),
        (of("2001:db8::/32"), "2001:db8:ffff::1", 58, None, True),
        (of("10.0.0.0/8", protocol=TCP), "10.0.0.1", TCP, None, True),
        (of("10.0.0.0/8", protocol=TCP), "10.0.0.1", UDP, 53, False),
        (of("10.0.0.0/8", protocol=TCP, ports=(80, 90)), "10.0.0.1", TCP, 80, True),
        (of("10.0.0.0/8", protocol=TCP, ports=(80, 90)), "10.0.0.1", TCP, 91, False),
        (of("10.0.0.0/8", protocol=TCP, ports=(80, 90)), "10.0.0.1", TCP, None, False),
        (of("10.0.0.0/8", protocol=TCP, ports=OPAQUE_PORTS), "10.0.0.1", TCP, None, True),
        (of("10.0.0.0/8", protocol=TCP, ports=OPAQUE_PORTS), "10.0.0.1", TCP, 80, False),
        (of("10.0.0.0/8", protocol=1, ports=(8 << 8, 8 << 8 | 255)), "10.0.0.1", 1, 8 << 8, True),
    ],
)
def test_holds(selector: TrafficSelector, address: str, protocol: int, port: int | None, holds: bool) -> None:
    assert selector.holds(ip_address(address), protocol, port) is holds


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        (of("10.0.0.0/8"), of("10.1.0.0/16"), of("10.1.0.0/16")),
        (of("10.0.0.0/16"), of("10.1.0.0/16"), None),
        (span("10.0.0.5", "10.0.0.20"), span("10.0.0.10", "10.0.1.0"), span("10.0.0.10", "10.0.0.20")),
        (ANY_IPV4, ANY_IPV6, None),
        (ANY_IPV4, of("10.0.0.0/8", protocol=TCP), of("10.0.0.0/8", protocol=TCP)),
        (of("10.0.0.0/8", protocol=TCP), of("10.0.0.0/8", protocol=UDP), None),
        (
            of("10.0.0.0/8", protocol=TCP, ports=(1, 100)),
            of("10.0.0.0/8", protocol=TCP, ports=(50, 200)),
            of("10.0.0.0/8", protocol=TCP, ports=(50, 100)),
        ),
        (
            of("10.0.0.0/8", protocol=TCP, ports=(1, 2)),
            of("10.0.0.0/8", protocol=TCP, ports=(3, 4)),
            None,
        ),
        (
            of("10.0.0.0/8", protocol=TCP),
            of("10.0.0.0/8", protocol=TCP, ports=OPAQUE_PORTS),
            of("10.0.0.0/8", protocol=TCP, ports=OPAQUE_PORTS),
        ),
        (
            of("10.0.0.0/8", protocol=TCP, ports=(0, 65534)),
            of("10.0.0.0/8", protocol=TCP, ports=OPAQUE_PORTS),
            None,
        ),
    ],
)
def test_what_two_select_both(a: TrafficSelector, b: TrafficSelector, both: TrafficSelector | None) -> None:
    assert a & b == both
    assert b & a == both
    if both is not None:
        assert both in a
        assert both in b


PAIR = (of("10.0.0.0/16"), of("10.2.0.0/16"))


@pytest.mark.parametrize(
    ("proposed", "policy", "result"),
    [
        ([ANY_IPV4], PAIR, PAIR),
        (PAIR, [ANY_IPV4], PAIR),
        ([of("192.168.0.0/16")], PAIR, ()),
        ([ANY_IPV4, ANY_IPV6], [ANY_IPV4], (ANY_IPV4,)),
        # The packet that asked for the SA comes first, and the prefix around it takes it in (RFC 7296 2.9).
        ([TrafficSelector.single("10.0.0.7", protocol=TCP), of("10.0.0.0/16")], [ANY_IPV4], (of("10.0.0.0/16"),)),
        ([of("10.0.0.0/8"), of("10.0.0.0/16")], [ANY_IPV4], (of("10.0.0.0/8"),)),
        ([], PAIR, ()),
        (PAIR, [], ()),
    ],
)
def test_narrowing(
    proposed: list[TrafficSelector], policy: list[TrafficSelector], result: tuple[TrafficSelector, ...]
) -> None:
    assert narrow(proposed, policy) == tuple(result)
    assert covers(proposed, narrow(proposed, policy))
    assert covers(policy, narrow(proposed, policy))


def test_covering() -> None:
    assert covers([ANY_IPV4], PAIR)
    assert not covers(PAIR, [ANY_IPV4])
    assert not covers([ANY_IPV4], [ANY_IPV6])
    assert covers([], [])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: of("10.0.0.1/8"), "host bits set"),
        (lambda: of("nonsense"), "nonsense"),
        (lambda: span("10.0.0.2", "10.0.0.1"), "not a range of addresses"),
        (lambda: TrafficSelector(start=IPv4Address(0), end=IPv6Address(1)), "not a range of addresses"),
        (lambda: of("10.0.0.0/8", protocol=TCP, ports=(2, 1)), "2-1 is not a range of ports"),
        (lambda: of("10.0.0.0/8", protocol=TCP, ports=(0, 65536)), "not a range of ports"),
        (lambda: of("10.0.0.0/8", protocol=256), "protocol has 8 bits"),
        (lambda: of("10.0.0.0/8", ports=(1, 2)), "any protocol has any ports"),
    ],
)
def test_misuse_says_what_is_wrong(call: Callable[[], object], says: str) -> None:
    with pytest.raises(LocalError, match=says):
        call()


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (ANY_IPV4, "0.0.0.0/0"),
        (span("10.0.0.1", "10.0.0.2"), "10.0.0.1-10.0.0.2"),
        (TrafficSelector.single("2001:db8::1"), "2001:db8::1/128"),
        (of("10.0.0.0/8", protocol=TCP), "10.0.0.0/8[6]"),
        (of("10.0.0.0/8", protocol=TCP, ports=(80, 80)), "10.0.0.0/8[6/80]"),
        (of("10.0.0.0/8", protocol=TCP, ports=(80, 90)), "10.0.0.0/8[6/80-90]"),
        (of("10.0.0.0/8", protocol=UDP, ports=OPAQUE_PORTS), "10.0.0.0/8[17/opaque]"),
    ],
)
def test_as_text(selector: TrafficSelector, text: str) -> None:
    assert str(selector) == text
