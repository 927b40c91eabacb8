"""Rank and kernel of matrices of numbers: exact (FLINT), modulo a prime, float (NumPy). The kinds never mix."""
