"""Keys: misuse is refused, and nothing shows them."""

from __future__ import annotations

import pytest

from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.macsec.suites import GCM_AES_128
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.events import CreateTransmitSa
from dataplane.mka.kay import KaY
from dataplane.mka.keys import Cak, kdf
from tests.exchange.mka.lan import pair


@pytest.mark.parametrize("octets", [0, 15, 17, 24, 33])
def test_a_cak_has_16_or_32_octets(octets: int) -> None:
    with pytest.raises(LocalError, match="16 or 32"):
        Cak(cak=Secret(bytes(octets)), ckn=b"ckn")


@pytest.mark.parametrize("ckn", [b"", bytes(33)])
def test_a_ckn_has_1_to_32_octets(ckn: bytes) -> None:
    with pytest.raises(LocalError, match="1 to 32"):
        Cak(cak=Secret(bytes(16)), ckn=ckn)


@pytest.mark.parametrize("bits", [0, 7, 129, 128 * 256])
def test_the_kdf_gives_whole_octets_of_at_most_255_blocks(bits: int) -> None:
    with pytest.raises(LocalError, match="KDF"):
        kdf(bytes(16), b"label", b"context", bits)


def test_a_nonce_is_as_long_as_the_sak() -> None:
    with pytest.raises(LocalError, match="nonce"):
        Cak(cak=Secret(bytes(16)), ckn=b"ckn").derive_sak(nonce=bytes(12), members=[], kn=1)


def test_two_participants_cannot_have_one_ckn_nor_a_stranger_leave() -> None:
    kay = KaY(KayConfiguration(sci=bytes(8), policy=SakPolicy(suite=GCM_AES_128)), random=bytes)
    cak = Cak(cak=Secret(bytes(16)), ckn=b"ckn")
    kay.add_participant(cak, 0.0)
    with pytest.raises(LocalError, match="already"):
        kay.add_participant(cak, 0.0)
    with pytest.raises(LocalError, match="no participant"):
        kay.remove_participant(b"other", 0.0)


@pytest.mark.parametrize(
    ("sci", "priority", "version"), [(bytes(7), 16, 3), (bytes(8), 256, 3), (bytes(8), -1, 3), (bytes(8), 16, 0)]
)
def test_configurations_that_cannot_be(sci: bytes, priority: int, version: int) -> None:
    with pytest.raises(LocalError):
        KayConfiguration(
            sci=sci, policy=SakPolicy(suite=GCM_AES_128), key_server_priority=priority, version=version
        )  # fmt: skip


def test_events_come_before_frames() -> None:
    lan = pair()
    lan.run(0.05)
    kay = lan.members[0].kay
    kay.rekey(lan.now)
    with pytest.raises(LocalError, match="events"):
        kay.to_send(lan.now)
    lan.members[0].work()


def test_nothing_shows_a_key() -> None:
    lan = pair()
    lan.run(0.05)
    member = lan.members[0]
    keys = [event.sak.key.reveal() for event in member.events if isinstance(event, CreateTransmitSa)]
    cak = Cak(cak=Secret(bytes(range(1, 17))), ckn=b"ckn")
    shown = repr(member.events) + repr(member.kay.status(lan.now)) + repr(cak) + repr(member.kay.configuration)
    for key in [*keys, bytes(range(1, 17)), cak.ick.reveal(), cak.kek.reveal()]:
        assert key.hex() not in shown
        assert repr(key)[2:-1] not in shown
