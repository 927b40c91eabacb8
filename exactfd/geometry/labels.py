"""Ternary labels, flat or layer by layer, and the smoothness rule that reads nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from exactfd.errors import ShapeError


def split_layers(labels: Sequence[int], relu_widths: Sequence[int]) -> list[tuple[int, ...]]:
    """A flat ternary tuple cut into its layers.

    Raises ``ShapeError`` where the length is not ``sum(relu_widths)``.

    >>> split_layers((1, 0, -1), (2, 1))
    [(1, 0), (-1,)]
    """
    if len(labels) != sum(relu_widths):
        raise ShapeError(f"labels: widths {tuple(relu_widths)} need {sum(relu_widths)} labels, found {len(labels)}")
    return [tuple(int(label) for label in labels[start:stop]) for start, stop in pairwise(_cuts(relu_widths))]


def is_smooth_tuple(labels: Sequence[int], relu_widths: Sequence[int]) -> bool:
    """Whether points with this ternary tuple are parametrically smooth.

    They are iff every neuron with label 0 is masked: in some later ReLU layer (the output layer's included when it has
    a ReLU) all labels are -1, so no path leads from the neuron to an output. Labels 0 and +1 let a path through,
    because nearby parameters have nonzero weights and may have the neuron active.

    Source: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, section 2 (parametrically smooth points).

    >>> is_smooth_tuple((0, 1, -1), (2, 1)), is_smooth_tuple((0, 1, 1), (2, 1))
    (True, False)
    """
    masked = False
    for layer in reversed(split_layers(labels, relu_widths)):
        if 0 in layer and not masked:
            return False
        masked = masked or all(label == -1 for label in layer)
    return True


def smooth_mask(labels: np.ndarray[Any, Any], relu_widths: Sequence[int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """:func:`is_smooth_tuple` for each row of an ``(m, N)`` array of labels.

    Source: as there.

    >>> smooth_mask(np.array([[0, 1, -1], [0, 1, 1]]), (2, 1)).tolist()
    [True, False]
    """
    if labels.ndim != 2 or labels.shape[1] != sum(relu_widths):
        raise ShapeError(
            f"labels: widths {tuple(relu_widths)} need shape (m, {sum(relu_widths)}), found {labels.shape}"
        )
    smooth = np.ones(len(labels), dtype=bool)
    masked = np.zeros(len(labels), dtype=bool)
    for start, stop in reversed(list(pairwise(_cuts(relu_widths)))):
        layer = labels[:, start:stop]
        smooth &= masked | (layer != 0).all(axis=1)
        masked |= (layer == -1).all(axis=1)
    return smooth


def _cuts(widths: Sequence[int]) -> list[int]:
    cuts = [0]
    for width in widths:
        cuts.append(cuts[-1] + width)
    return cuts
