"""The peer table: who is potential, who is live, who is forgotten."""

from __future__ import annotations

from dataplane.mka.paramsets.basic import BasicParameterSet, MacsecCapability
from dataplane.mka.paramsets.peerlists import PeerId
from dataplane.mka.peers import PeerTable

NEVER = float("-inf")


def said_by(number: int, mn: int, *, sci: int | None = None) -> BasicParameterSet:
    return BasicParameterSet(
        key_server_priority=16,
        key_server=False,
        macsec_desired=True,
        macsec_capability=MacsecCapability.CONFIDENTIALITY,
        sci=bytes.fromhex(f"0200000000{number if sci is None else sci:02x}0001"),
        mi=mi(number),
        mn=mn,
        ckn=b"ckn",
    )


def mi(number: int) -> bytes:
    return bytes(11) + bytes((number,))


def test_heard_then_live_then_gone() -> None:
    table = PeerTable()
    assert table.hear(said_by(1, 1), proved_until=NEVER, proves_now=False, now=0.0)
    assert (list(table.potential), list(table.live)) == ([mi(1)], [])
    assert not table.hear(said_by(1, 2), proved_until=NEVER, proves_now=False, now=1.0)
    assert table.potential_ids() == (PeerId(mi(1), 2),)
    assert table.hear(said_by(1, 3), proved_until=9.0, proves_now=True, now=2.0)
    assert (list(table.potential), list(table.live)) == ([], [mi(1)])
    assert table.live_ids() == (PeerId(mi(1), 3),)
    assert table.next_expiry() == 9.0
    assert not table.expire(8.9)
    assert table.expire(9.0)
    assert table.live_ids() == ()
    assert table.next_expiry() is None
    assert table.latest_mn(mi(1)) == 3  # its MKPDUs of that time do not bring it back


def test_who_no_longer_lists_us_is_not_kept_live_by_being_heard() -> None:
    table = PeerTable()
    table.hear(said_by(1, 1), proved_until=8.0, proves_now=True, now=0.0)
    table.hear(said_by(1, 2), proved_until=NEVER, proves_now=False, now=7.0)
    assert list(table.live) == [mi(1)]
    assert table.expire(8.0)


def test_a_new_mi_of_the_same_sci_takes_the_place_of_the_old_one_when_it_is_live() -> None:
    table = PeerTable()
    table.hear(said_by(1, 7, sci=5), proved_until=8.0, proves_now=True, now=0.0)
    table.hear(said_by(2, 1, sci=5), proved_until=NEVER, proves_now=False, now=1.0)
    assert (list(table.live), list(table.potential)) == ([mi(1)], [mi(2)])
    table.hear(said_by(2, 2, sci=5), proved_until=9.0, proves_now=True, now=1.1)
    assert (list(table.live), list(table.potential)) == ([mi(2)], [])
    assert table.latest_mn(mi(1)) == 7


def test_hearsay_makes_potential_peers_of_strangers_only() -> None:
    table = PeerTable()
    table.hear(said_by(1, 1), proved_until=8.0, proves_now=True, now=0.0)
    listed = tuple(PeerId(mi(number), 4) for number in (1, 2, 9))
    table.hear_of(listed, own_mi=mi(9), now=1.0)
    assert table.potential_ids() == (PeerId(mi(2), 4),)
    assert table.any_potential
    assert table.sci_of(mi(2)) is None
    assert not table.expire(6.9)
    table.expire(7.0)
    assert not table.any_potential


def test_live_peers_are_listed_in_the_order_of_their_sscis() -> None:
    table = PeerTable()
    for number, sci in ((1, 3), (2, 9), (3, 6)):
        table.hear(said_by(number, 1, sci=sci), proved_until=8.0, proves_now=True, now=0.0)
    assert [peer.mi for peer in table.live_ids()] == [mi(2), mi(3), mi(1)]
