"""Networks that overlap, found by sorting; the slow twin compares every pair."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from lab.errors import InputError
from lab.topology.load import loads

networks = st.builds(
    lambda first, prefix: IPNetwork(f"10.0.{first >> 8}.{first & 255}/{prefix}").cidr,
    st.integers(0, 1023),
    st.integers(23, 30),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(networks, min_size=2, max_size=6))
def test_a_file_is_refused_just_when_two_of_its_networks_overlap(drawn: list[IPNetwork]) -> None:
    links = "".join(
        f"  - {{name: l{i}, ends: [a:e{i}, b:e{i}], addresses: [{IPAddress(network.first + 1)}/{network.prefixlen}, "
        f"{IPAddress(network.first + 2)}/{network.prefixlen}]}}\n"
        for i, network in enumerate(drawn)
    )
    text = f'name: t\nnodes: {{a: {{role: host}}, b: {{role: host}}}}\nlinks:\n{links}expect: {{"*": clear}}\n'
    overlap = any(a in b or b in a for i, a in enumerate(drawn) for b in drawn[:i])
    try:
        loads(text)
    except InputError as error:
        refusal = str(error)
    else:
        refusal = ""
    # Two equal networks also have equal addresses, which is what is then said.
    assert any(words in refusal for words in ("overlaps with", "is the address of")) == overlap
