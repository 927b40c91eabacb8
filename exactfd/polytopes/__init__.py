"""Polytopes of a network: their shapes, and the notions of linear regions."""
