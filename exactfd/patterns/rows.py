"""Activity and patterns of the rows of a Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.jacobians import SignArray, masks_of
from exactfd.network import Network

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


def rows_of(network: Network, labels: SignArray, *, by_neurons: bool) -> tuple[list[BoolArray], BoolArray]:
    """By row of the Jacobian which neurons are active, layer by layer, and its pattern, without rows of zeros.

    Patterns are those of the last hidden layer before one output, or (not ``by_neurons``) unit vectors for the outputs.
    """
    masks = [mask > 0 for mask in masks_of(labels, network.relu_widths)]
    hidden, ends = masks[: network.depth - 1], masks[network.depth - 1 :]
    if by_neurons:
        hidden = [mask[ends[0][:, 0]] for mask in hidden] if ends else hidden
        return hidden[:-1], hidden[-1]
    point, output = np.indices((len(labels), network.output_dimension)).reshape(2, -1)
    if ends:
        point, output = ends[0].nonzero()
    return [mask[point] for mask in hidden], np.eye(network.output_dimension, dtype=bool)[output]
