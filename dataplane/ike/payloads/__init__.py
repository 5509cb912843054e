"""The payloads of IKEv2, one file each: octets and records. What they mean in an exchange is decided elsewhere."""
