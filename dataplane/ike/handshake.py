"""What IKE_SA_INIT leaves for IKE_AUTH."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The first exchange of an IKE SA.

    `request` and `response` are its last request and its response, octet for octet: AUTH covers them (RFC 7296 2.15).
    `use_ppk`: both sides can use a post-quantum preshared key (RFC 8784). `childless`: the responder can do without a
    child (RFC 6023).
    """

    ni: bytes
    nr: bytes
    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    use_ppk: bool
    childless: bool
