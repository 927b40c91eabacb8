"""Symmetries of parameters, canonical forms of their orbits, and equality of functions."""
