"""Symmetries of parameters, canonical forms, and equality of functions."""
