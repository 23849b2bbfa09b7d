"""Stations on the network that have not connected yet: found, told apart, and joined to those that have (SPEC S14)."""
