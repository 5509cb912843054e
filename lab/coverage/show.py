"""Specimens made presentable: opened once more, this time to be read, and taken apart at each stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lab.capture.frame import ETHERNET, Frame
from lab.capture.keys import Key
from lab.coverage import census
from lab.coverage.classify import BY_LINK_TYPE, ethernet
from lab.coverage.evidence.dissect import dissect, dissect_esp_payload, dissect_ike
from lab.coverage.evidence.specimens import Specimens
from lab.coverage.facts import Layer, SpecimenReport, Stage
from lab.coverage.opening import Learning, Openers

MOST_OCTETS: Final = 160
"""Of each stage: enough for headers and the start of what they carry."""
_MOST_OPENED: Final = 4


def show(specimens: Specimens, keys: Sequence[Key], learned: Learning) -> tuple[SpecimenReport, ...]:
    """Every specimen, in the order of frames."""
    if not specimens.kept:
        return ()
    openers = Openers(keys, learned, reveal=True)
    told = [
        SpecimenReport(
            frame=specimen.frame.number,
            what=key,
            time=specimen.frame.timestamp_ns or None,
            stages=tuple(_stages(specimen.frame, openers)),
        )
        for key, specimen in specimens.kept.items()
    ]
    return tuple(sorted(told, key=lambda each: each.frame))


def _stages(frame: Frame, openers: Openers) -> Iterator[Stage]:
    octets, link_type = frame.octets, frame.link_type
    yield _stage("on the wire", octets, dissect(octets, link_type), frame.original_length)
    sight = BY_LINK_TYPE[link_type](octets, frame.original_length)
    if len(octets) < frame.original_length:
        return
    for _ in range(_MOST_OPENED):
        if sight.fragment is not None:
            return
        found = openers.open(sight, octets, link_type)
        if found.outcome != census.AUTHENTICATED or not found.content:
            return
        protocol = census.PROTOCOL_OF[found.kind]
        if protocol == "macsec":
            octets, link_type = found.content, ETHERNET
            title = "MACsec opened" if found.kind == census.MACSEC_ENCRYPTED else "MACsec checked and taken off"
            yield _stage(title, octets, dissect(octets, ETHERNET))
            sight = ethernet(octets, len(octets))
            continue
        if protocol == "esp":
            yield _stage("ESP opened", found.content, dissect_esp_payload(found.content))
        elif protocol == "ike":
            yield _stage("IKE deciphered", found.content, dissect_ike(found.content))
        return


def _stage(title: str, octets: bytes, layers: tuple[Layer, ...], length: int | None = None) -> Stage:
    return Stage(title=title, length=length or len(octets), octets=octets[:MOST_OCTETS], layers=layers)
