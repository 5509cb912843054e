"""Captured frames put back on a wire, and a man in the middle of one; and what becomes of the frames."""
