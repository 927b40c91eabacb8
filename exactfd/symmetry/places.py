"""Which entries of theta belong to which neuron."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from exactfd.network import Network


class Places:
    """Indices of theta by layer and neuron, layers and neurons counted from 0."""

    def __init__(self, network: Network) -> None:
        self.architecture = architecture = network.architecture
        sizes = [n * (m + 1) for m, n in pairwise(architecture)]
        self._starts = np.cumsum([0, *sizes]).tolist()

    def row(self, layer: int, neuron: int) -> range:
        """The weights into a neuron, and its bias last."""
        width = self.architecture[layer] + 1
        first = self._starts[layer] + neuron * width
        return range(first, first + width)

    def weight(self, layer: int, neuron: int, source: int) -> int:
        """The weight into a neuron from a neuron of the layer before."""
        return self.row(layer, neuron)[source]

    def outgoing(self, layer: int, neuron: int) -> list[int]:
        """The weights out of a hidden neuron."""
        return [self.weight(layer + 1, i, neuron) for i in range(self.architecture[layer + 2])]

    def biases(self, layer: int) -> list[int]:
        """The biases of a layer."""
        return [self.row(layer, i)[-1] for i in range(self.architecture[layer + 1])]

    def layer(self, layer: int) -> range:
        """All entries of a layer."""
        return range(self._starts[layer], self._starts[layer + 1])
