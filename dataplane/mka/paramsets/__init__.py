"""The parameter sets of an MKPDU, one file a family: octets to records and back, no protocol."""
