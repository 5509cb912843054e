"""Topologies: text -> what was written, with its lines -> the resolved model -> a plan of operations. Touches nothing."""
