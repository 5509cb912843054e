"""Keys imported from the log of a charon that runs: the same that our side of the tunnels has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplane.ike.events import ChildSaEstablished, IkeSaEstablished
from lab.capture.foreign.read import read
from tests.interop.strongswan.rig import AZURE, CHACHA, MODERN, OUR_ADDRESS, THEIR_ADDRESS, Policy, Rig

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def telling(strongswan: None) -> Iterator[Rig]:
    """A charon that logs its keys."""
    with Rig({"filelog": {"lab": {"ike": 4, "chd": 4, "mgr": 2}}}) as made:
        yield made


@pytest.mark.parametrize("by_us", [True, False], ids=["by-us", "by-strongswan"])
@pytest.mark.parametrize("policy", [AZURE, MODERN, CHACHA], ids=str)
def test_keys_of_tunnels_and_of_their_successors(telling: Rig, policy: Policy, by_us: bool, tmp_path: Path) -> None:
    gateway = telling.prepare(policy)
    telling.establish(gateway, by_us=by_us)
    for rekey in (telling.charon.rekey_child, gateway.rekey_child, gateway.rekey_ike, telling.charon.rekey_ike):
        command = rekey()
        if command is not None:
            telling.obey(command)
        telling.settled()
    log = tmp_path / "charon.log"
    log.write_text(telling.charon.log())
    found = read([log])
    known = {str(each.get("spi") or f"{each['spi_i']} {each['spi_r']}"): each for each in found.objects}
    children = gateway.told(ChildSaEstablished)
    assert len(children) >= 3
    for child in children:
        for spi, keys, target in (
            (child.spi_in, child.keys_in, OUR_ADDRESS),
            (child.spi_out, child.keys_out, THEIR_ADDRESS),
        ):
            fields = known[spi.hex()]
            assert fields["encryption_key"] == keys.encryption.reveal().hex()
            assert fields.get("integrity_key", "") == keys.integrity.reveal().hex()
            assert (fields["dst"], fields["mode"]) == (target, "tunnel")
    established = gateway.told(IkeSaEstablished)
    assert len(established) >= 3
    assert {f"{sa.ike.spi_i.hex()} {sa.ike.spi_r.hex()}" for sa in established} <= set(known)
    assert found.problems == []
