"""Why a link is not secured, in the words of both of its ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.model.link import Link


def why(link: Link, drivers: Mapping[str, Any]) -> str:
    """What each end says, by what its driver tells of itself; `drivers` are statuses by node."""
    return "; ".join(f"{end.node}: {_said(drivers.get(end.node), link.segment)}" for end in link.ends)


def _said(driver: Mapping[str, Any] | None, segment: str) -> str:
    mka = ((driver or {}).get("segments") or {}).get(segment, {}).get("mka")
    if mka is None:
        return "its driver says nothing"
    if mka["secured"]:
        return "secured"
    return trouble(mka)


def trouble(mka: Mapping[str, Any]) -> str:
    """The trouble of a KaY by its status: its name, what it is, and what was seen."""
    if mka["trouble"] is None:
        return "keys are being agreed on"
    detail = f" ({mka['detail']})" if mka["detail"] else ""
    return f"{mka['trouble']}: {mka['why']}{detail}"
