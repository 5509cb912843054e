"""Comparing what an attacker may guess at."""

from __future__ import annotations

from cryptography.hazmat.primitives import constant_time


def equal(a: bytes | bytearray | memoryview, b: bytes | bytearray | memoryview) -> bool:
    """Whether both hold the same octets, in a time that depends on their lengths alone."""
    return constant_time.bytes_eq(bytes(a), bytes(b))
