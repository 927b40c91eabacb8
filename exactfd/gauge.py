"""The scaling directions of a parameter, and which columns of the Jacobian they make redundant.

Rescaling a hidden neuron by ``t`` and its outgoing weights by ``1/t`` leaves the function alone, so the scaling
directions (the row of the neuron, minus its outgoing column) always lie in the kernel of the Jacobian. As many columns
as they have rank are fixed (the *gauge*) and never enter an elimination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from exactfd.network import Network


def scaling_directions(network: Network) -> list[list[fmpq]]:
    """Tangents of the positive scalings, one vector of length ``D`` for each hidden neuron (zero for a neuron without
    any nonzero weight). Source: arXiv 2209.04036, Section 7.
    """
    augmented = [network.augmented(number).tolist() for number in range(1, network.depth + 1)]
    starts = np.cumsum([0, *[len(a) * len(a[0]) for a in augmented]]).tolist()
    result = []
    for level in range(network.depth - 1):
        width, following = len(augmented[level][0]), augmented[level + 1]
        for neuron, row in enumerate(augmented[level]):
            direction = [fmpq(0)] * network.parametric_dimension
            first = starts[level] + neuron * width
            direction[first : first + width] = row
            for i, outgoing in enumerate(following):
                direction[starts[level + 1] + i * len(outgoing) + neuron] = -outgoing[neuron]
            result.append(direction)
    return result


@dataclass(frozen=True)
class Gauge:
    """Independent scaling directions in echelon form: ``vectors[i]`` is nonzero in ``columns[i]``, where all later
    vectors are zero.

    The direction of a neuron is supported on its weights. Scalings of neurons add up to zero on a nonzero weight
    between two neurons only if both have the same factor, and on one to an input, an output or a bias only if the
    factor is zero. So the relations among the directions are one for each set of neurons that nonzero weights join to
    each other only, and a breadth-first search (from inputs, outputs and biases; in such a set from one of its
    neurons, which is left out) gives each neuron one weight that no neuron found later touches.
    """

    vectors: list[list[fmpq]]
    columns: list[int]
    left_out: list[
        tuple[int, int]
    ]  # (layer, neuron), counted from 0: one of each set of neurons joined to nothing else

    @classmethod
    def of(cls, network: Network) -> Gauge:
        """A largest such family."""
        directions = scaling_directions(network)
        augmented = [network.augmented(number).tolist() for number in range(1, network.depth + 1)]
        edges: dict[tuple[int, int], list[tuple[tuple[int, int], int]]] = {}  # neuron -> neighbours, by parameter
        found: dict[tuple[int, int], int] = {}  # (layer, neuron) -> column, in order of discovery
        starts = np.cumsum([0, *(len(rows) * len(rows[0]) for rows in augmented)]).tolist()
        # The last layer first: fixing a weight to an output leaves the weights into its neuron free, which is where
        # most other kernel vectors have their supports.
        for level, rows in reversed(list(enumerate(augmented))):
            column = starts[level]
            for i, row in enumerate(rows):
                for j, entry in enumerate(row):
                    ends = [(level, i)] if level < network.depth - 1 else []
                    ends += [(level - 1, j)] if level and j < len(row) - 1 else []
                    if entry != 0 and len(ends) == 1:
                        found.setdefault(ends[0], column)
                    elif entry != 0 and ends:
                        edges.setdefault(ends[0], []).append((ends[1], column))
                        edges.setdefault(ends[1], []).append((ends[0], column))
                    column += 1
        queue, left_out = list(found), set[tuple[int, int]]()
        hidden = [(level, i) for level, rows in enumerate(augmented[:-1]) for i in range(len(rows))]
        for start in [None, *hidden]:
            if start is not None and start not in found:
                left_out.add(start)
                queue = [start]
            for neuron in queue:
                for neighbour, position in edges.get(neuron, []):
                    if neighbour not in found and neighbour not in left_out:
                        found[neighbour] = position
                        queue.append(neighbour)
            queue = []
        neurons = np.cumsum([0, *network.architecture[1:]]).tolist()
        vectors = [directions[neurons[level] + i] for level, i in found]
        return cls(vectors, list(found.values()), sorted(left_out))
