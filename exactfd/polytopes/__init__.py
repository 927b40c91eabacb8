"""Polytopes of a network: shapes of one and of all, slices, the dual graph, bounds, and notions of linear regions."""
