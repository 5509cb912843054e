"""IKEv2 (RFC 7296): keys for ESP agreed with a peer, as an engine without a world. It knows nothing of ESP itself."""
