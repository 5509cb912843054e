"""The objects of a key log that show what an IKE engine agreed on. Never to be printed."""

from __future__ import annotations

from dataplane.crypto.secret import Secret
from dataplane.ike.events import ChildSaEstablished, IkeKeysDerived
from dataplane.ipsec.suites import EspKeys


def ike_record(event: IkeKeysDerived) -> dict[str, object]:
    """An IKE SA's keys."""
    suite, keys = event.suite, event.keys
    record: dict[str, object] = {
        "type": "ike-sa",
        "spi_i": event.ike.spi_i.hex(),
        "spi_r": event.ike.spi_r.hex(),
        "encryption": suite.encryption.name,
        "prf": suite.prf.name,
        "sk_d": _hex(keys.d),
        "sk_ei": _hex(keys.ei),
        "sk_er": _hex(keys.er),
        "sk_pi": _hex(keys.pi),
        "sk_pr": _hex(keys.pr),
    }
    if suite.integrity is not None:
        record |= {"integrity": suite.integrity.name, "sk_ai": _hex(keys.ai), "sk_ar": _hex(keys.ar)}
    return record


def esp_records(event: ChildSaEstablished) -> tuple[dict[str, object], dict[str, object]]:
    """The keys of a child's two directions."""
    return (
        _esp_record(event, event.spi_in, event.local.address, event.keys_in),
        _esp_record(event, event.spi_out, event.remote.address, event.keys_out),
    )


def _esp_record(event: ChildSaEstablished, spi: bytes, target: str, keys: EspKeys) -> dict[str, object]:
    suite = event.suite
    record: dict[str, object] = {
        "type": "esp-sa",
        "spi": spi.hex(),
        "dst": target,
        "encryption": suite.encryption.name,
        "encryption_key": _hex(keys.encryption),
        "esn": suite.esn,
        "mode": "tunnel",
    }
    if suite.integrity is not None:
        record |= {"integrity": suite.integrity.name, "integrity_key": _hex(keys.integrity)}
    return record


def _hex(secret: Secret) -> str:
    return secret.reveal().hex()
