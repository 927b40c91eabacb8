"""Connected components of a large graph, with arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def components(count: int, first: Numbers, second: Numbers) -> Numbers:
    """The component of each of ``count`` nodes, numbered from 0 by their smallest nodes, for edges ``first - second``.

    Every node points to a smaller one of its component, and paths are shortened, until every edge has one root.

    >>> components(5, np.array([3, 1]), np.array([1, 4])).tolist()
    [0, 1, 2, 1, 1]
    """
    parent = np.arange(count, dtype=np.int64)
    while len(first):
        low, high = np.minimum(first, second), np.maximum(first, second)
        np.minimum.at(parent, high, low)
        while (grand := parent[parent]).tobytes() != parent.tobytes():
            parent = grand
        first, second = parent[first], parent[second]
        apart = first != second
        first, second = first[apart], second[apart]
    return np.unique(parent, return_inverse=True)[1].reshape(-1).astype(np.int64)
