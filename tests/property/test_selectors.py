"""The algebra of traffic selectors against packets: a narrowed set selects what both sides select, nothing else."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from dataplane.ipsec.selectors import ANY_PORTS, OPAQUE_PORTS, TrafficSelector, covers, narrow

octets = st.integers(0, 15)
few_ports = st.integers(0, 7)
ports = st.one_of(
    st.just(ANY_PORTS),
    st.just(OPAQUE_PORTS),
    st.tuples(few_ports, few_ports).map(lambda pair: (min(pair), max(pair))),
)


def _selector(pair: tuple[int, int], protocol: int, ports: tuple[int, int]) -> TrafficSelector:
    return TrafficSelector(
        start=IPv4Address(min(pair)),
        end=IPv4Address(max(pair)),
        protocol=protocol,
        ports=ports if protocol else ANY_PORTS,
    )


selectors = st.builds(_selector, st.tuples(octets, octets), st.sampled_from([0, 6, 17]), ports)
lists = st.lists(selectors, max_size=4)
packets = st.tuples(octets.map(IPv4Address), st.sampled_from([1, 6, 17]), st.one_of(st.none(), few_ports))


@given(lists, lists, st.lists(packets, min_size=1, max_size=20))
def test_narrowed_is_what_both_hold(
    proposed: list[TrafficSelector],
    policy: list[TrafficSelector],
    many: list[tuple[IPv4Address, int, int | None]],
) -> None:
    result = narrow(proposed, policy)
    assert covers(proposed, result)
    assert covers(policy, result)
    assert not any(a in b for a in result for b in result if a is not b)
    for address, protocol, port in many:
        both = any(each.holds(address, protocol, port) for each in proposed) and any(
            each.holds(address, protocol, port) for each in policy
        )
        assert any(each.holds(address, protocol, port) for each in result) is both


@given(selectors, selectors)
def test_meeting_is_fair_and_idempotent(a: TrafficSelector, b: TrafficSelector) -> None:
    assert a & b == b & a
    assert a & a == a
    assert (a in b) is (a & b == a)
