from __future__ import annotations

from dataplane.esp.counters import DiscardReason
from dataplane.esp.events import Audited
from dataplane.esp.flow import flow_or_none
from lab.nodes.audit import Audit
from tests.unit.dataplane.esp.peers import ipv4


def test_an_event_says_what_is_known_of_the_packet() -> None:
    told: list[dict[str, object]] = []
    audit = Audit(lambda name, **fields: told.append({"event": name, **fields}))
    audit.note("t", Audited(reason=DiscardReason.IN_REPLAYED, at=1.0, spi=0x1234, sequence=7))
    audit.note(None, Audited(reason=DiscardReason.OUT_NO_SA, at=1.0, flow=flow_or_none(ipv4(bytes(8)))))
    assert told == [
        {"event": "esp-discarded", "reason": "InReplayed", "connection": "t", "spi": "00001234", "sequence": 7},
        {"event": "esp-discarded", "reason": "OutNoSa", "source": "192.168.0.10", "destination": "10.0.2.4"},
    ]


def test_a_flood_is_counted_and_not_told() -> None:
    told: list[str] = []
    audit = Audit(lambda name, **fields: told.append(name))
    for i in range(1000):
        audit.note("t", Audited(reason=DiscardReason.IN_NO_SA, at=10.0 + i / 500))
    assert (len(told), audit.untold) == (10, 990)
