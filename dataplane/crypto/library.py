"""Which library does the cryptography: names and versions, for whoever has to say what was used."""

from __future__ import annotations

from importlib.metadata import version

from cryptography.hazmat.backends.openssl.backend import backend


def library_versions() -> dict[str, str]:
    """The package that is called, and the library behind it."""
    return {"cryptography": version("cryptography"), "openssl": backend.openssl_version_text()}
