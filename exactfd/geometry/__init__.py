"""Hyperplanes, signs, cells: the canonical polyhedral complex and what it takes to find it exactly."""
