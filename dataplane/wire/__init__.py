"""Headers: one file each, parse and emit. Octet rules only; what a cipher suite decides belongs to an engine."""
