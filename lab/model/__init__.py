"""The resolved topology: frozen, nothing left to guess. Everything downstream reads it, nothing writes it."""
