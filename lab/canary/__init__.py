"""Canaries: traffic with random tokens in it, sent through a lab so that captures can be searched for the tokens."""
