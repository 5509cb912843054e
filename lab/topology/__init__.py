"""Topologies: text -> what was written -> the resolved model -> a plan of operations. Touches nothing."""
