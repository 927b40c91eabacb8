"""Symmetries of the parametrisation: directions and moves of the parameter that leave the function unchanged."""
