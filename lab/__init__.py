"""Everything of wireproof that touches the world: topologies, namespaces, captures, verdicts, the command line."""
