"""How a KaY takes part: what management decides and MKA does not negotiate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from dataplane.errors import LocalError
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.paramsets.basic import MKA_VERSION
from dataplane.mka.paramsets.header import SCI_OCTETS
from dataplane.wire.eapol import PAE_GROUP_ADDRESS
from dataplane.wire.ethernet import MAC_OCTETS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KayConfiguration:
    """How a KaY takes part. `sci` is that of its transmit SC; MKPDUs are sent from the MAC address in it.

    `key_server_priority` is 0 to 255: the lowest number wins, 255 is never key server. With `delay_protect` frames that
    were on their way for more than about two seconds are refused; MKPDUs are sent twice a second then. Priority and SCI
    decide between equals; `version` and `icv_indicator` are for peers that are particular about them.

    Raises:
        LocalError: the SCI has not 8 octets, or a number does not fit an octet.
    """

    sci: bytes
    policy: SakPolicy
    key_server_priority: int = 16
    delay_protect: bool = False
    version: int = MKA_VERSION
    icv_indicator: bool = False
    group_address: bytes = PAE_GROUP_ADDRESS

    def __post_init__(self) -> None:
        if len(self.sci) != SCI_OCTETS:
            raise LocalError(f"an SCI has {SCI_OCTETS} octets, not {len(self.sci)}")
        if not (0 <= self.key_server_priority <= 255 and 1 <= self.version <= 255):
            raise LocalError("a key server priority is 0 to 255, an MKA version 1 to 255")

    @property
    def source(self) -> bytes:
        """The MAC address that MKPDUs come from."""
        return self.sci[:MAC_OCTETS]
