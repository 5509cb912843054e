"""ExpressRoute gateway SKUs, with the vendor's throughput in Mb/s."""

from __future__ import annotations

from typing import Final

SKUS: Final = {
    "Standard": 1000,
    "HighPerformance": 2000,
    "UltraPerformance": 10000,
    "ErGw1AZ": 1000,
    "ErGw2AZ": 2000,
    "ErGw3AZ": 10000,
    "ErGwScale": 40000,
}
