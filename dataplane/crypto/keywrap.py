"""AES Key Wrap with its default initial value (RFC 3394 2.2.3.1)."""

from __future__ import annotations

from cryptography.hazmat.primitives import keywrap

from dataplane.errors import IntegrityError, LocalError


def wrap(kek: bytes, key: bytes) -> bytes:
    """Wrap a key of at least 16 octets, a multiple of 8, under a KEK of 16, 24 or 32; 8 octets longer than the key.

    Raises:
        LocalError: the KEK or the key has another length.
    """
    _check_kek(kek)
    if len(key) < 16 or len(key) % 8:  # RFC 3394 2: n >= 2 blocks of 64 bits
        raise LocalError(f"a key to wrap has 16 octets or more, a multiple of 8, not {len(key)}")
    return keywrap.aes_key_wrap(kek, key)


def unwrap(kek: bytes, wrapped: bytes) -> bytes:
    """The key inside `wrapped`.

    Raises:
        IntegrityError: not wrapped under this KEK, or of a length that no wrapped key has.
        LocalError: the KEK has a length other than 16, 24 or 32 octets.
    """
    _check_kek(kek)
    if len(wrapped) < 24 or len(wrapped) % 8:
        raise IntegrityError
    try:
        return keywrap.aes_key_unwrap(kek, wrapped)
    except keywrap.InvalidUnwrap:
        raise IntegrityError from None


def _check_kek(kek: bytes) -> None:
    if len(kek) not in (16, 24, 32):
        raise LocalError(f"a KEK has 16, 24 or 32 octets, not {len(kek)}")
