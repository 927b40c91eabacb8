"""Shapes of polytopes: one at a time, all at once, on slices, their dual graph, and bounds from the literature."""
