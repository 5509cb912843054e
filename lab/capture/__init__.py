"""Captures and key logs on disk: read and written here, and nowhere judged."""
