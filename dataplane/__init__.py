"""MACsec, MKA, IKEv2, ESP as engines without a world: octets, clock and entropy in, octets and events out."""
