"""What is noted about a capture beside its counts: small collectors, each bounded, each with `merge`.

A collector knows frames and units, never what was expected of them. Two collectors of the same kind, of neighbouring
parts of one capture, merge into what one of them would have said of both; the earlier part is merged into.
"""
