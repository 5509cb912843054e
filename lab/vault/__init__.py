"""A key vault in files: secrets with versions, identities, an audit log, and the ways in which reading can fail."""
