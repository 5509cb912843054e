"""Drivers: an engine, its ports and one loop, in a process of the node's own. Only here does an engine meet a clock."""
