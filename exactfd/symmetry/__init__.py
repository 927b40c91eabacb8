"""Symmetries of parameters, hidden symmetries, fibers, and equality of functions."""
