"""The affine map of a network on cells that are known by their ternary tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpz, fmpz_mat

from exactfd.geometry.labels import split_layers
from exactfd.network import Network


class CellMaps:
    """Affine maps of one network, cell by cell; a cell shares the layers with the one before it where labels agree.

    >>> net = Network([([["1/2"]], [1]), ([[3]], [0])])
    >>> CellMaps(net)([1])
    ([3, 6], 2)
    """

    def __init__(self, network: Network) -> None:
        n = network.input_dimension
        self._network = network
        self._layers = [network.augmented(number).numer_denom() for number in range(1, network.depth + 1)]
        self._zero = [fmpz(0)] * (n + 1)
        identity = [[fmpz(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]
        # per layer: the labels of its inputs (None for the inputs of the network), rows and their common denominator
        self._stack: list[tuple[tuple[int, ...] | None, list[list[Any]], Any]] = [(None, identity, fmpz(1))]

    def __call__(self, labels: Sequence[int]) -> tuple[fmpz_mat, fmpz]:
        """``(A, q)`` with ``F(x) = A (x, 1) / q`` on the cell with these labels, ``q > 0``, ``A`` of ``n_0 + 1``
        columns. Neurons with label 0 are masked like those with label -1: their output is 0 on the cell either way.

        Source: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Lemma 2.8.
        """
        parts = split_layers(labels, self._network.relu_widths)
        known = 1
        while known < len(self._stack) and self._stack[known][0] == parts[known - 1]:
            known += 1
        del self._stack[known:]
        for number, part in enumerate(parts[known - 1 :], start=known - 1):
            rows, scale = self._outputs(number)
            kept = [row if label > 0 else self._zero for row, label in zip(rows, part, strict=True)]
            self._stack.append((part, [*kept, [*self._zero[:-1], scale]], scale))
        if len(parts) == len(self._layers):  # the output has a ReLU
            _, rows, scale = self._stack[-1]
            return fmpz_mat(rows[:-1]), scale
        rows, scale = self._outputs(len(parts))
        return fmpz_mat(rows), scale

    def neurons(self, labels: Sequence[int]) -> list[list[Any]]:
        """The pre-activation of every ReLU neuron on the cell with these labels, as a row of ``n_0 + 1`` integers: a
        positive multiple of the affine function ``(a, c)`` that it is there, layer by layer.

        Source: as :meth:`__call__`.

        >>> CellMaps(Network([([["1/2"]], [1]), ([[3]], [0])], output_activation="relu")).neurons([1, 1])
        [[1, 2], [3, 6]]
        """
        self(labels)
        return [row for number in range(len(self._network.relu_widths)) for row in self._outputs(number)[0]]

    def _outputs(self, number: int) -> tuple[list[list[Any]], Any]:
        """Pre-activations of a layer (counted from 0) from the inputs on the stack."""
        matrix, denominator = self._layers[number]
        _, inputs, scale = self._stack[number]
        return (matrix * fmpz_mat(inputs)).tolist(), denominator * scale
