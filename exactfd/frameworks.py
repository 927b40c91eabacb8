"""Layers of PyTorch modules and scikit-learn MLPs, read without importing either."""

from __future__ import annotations

from typing import Any, Literal


def layers_of_torch(model: Any) -> tuple[list[tuple[Any, Any]], Literal["identity", "relu"]]:
    raise NotImplementedError


def layers_of_sklearn(mlp: Any) -> list[tuple[Any, Any]]:
    raise NotImplementedError
