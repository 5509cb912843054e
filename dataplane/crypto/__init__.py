"""The only room that knows the crypto library. What it raises for octets from a wire is IntegrityError or WireError."""
