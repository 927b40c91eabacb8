"""Polynomial maps over Q whose coordinates are grouped in blocks, one for each activation pattern."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import rationals
from exactfd.errors import InputError, ShapeError
from exactfd.jacobians import (
    FloatArray,
    ModularNetwork,
    exact_factors,
    next_inputs,
    parameter_places,
)
from exactfd.linalg import modular
from exactfd.linalg.residues import RationalTable
from exactfd.network import Network
from exactfd.symbolic import parameter_symbols
from exactfd.varieties.grading import IntArray, torus_weights
from exactfd.varieties.patterns import (
    Architecture,
    Pattern,
    labels_of,
    pattern_text,
)
from exactfd.varieties.symbols import block_expressions

if TYPE_CHECKING:
    import sympy


class Parametrisation(Protocol):
    """A polynomial map from parameters to an ambient space, with names for the coordinates; what engines for equations
    read. Modular numbers are residues as :func:`exactfd.linalg.modular.reduce` gives them.
    """

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the ``N`` ambient coordinates, in order."""

    @property
    def parameters(self) -> int:
        """Number ``P`` of parameters."""

    @property
    def grading(self) -> IntArray:
        """Weights ``g x N`` of the coordinates under a torus that acts on the variety: every vanishing polynomial is a
        sum of vanishing polynomials that are homogeneous for each row.
        """

    def images(self, prime: int, parameters: FloatArray) -> FloatArray:
        """Images of ``k`` parameters, ``k x P -> k x N``, modulo a prime below ``2^23``."""

    def image(self, parameters: Sequence[fmpq]) -> list[fmpq]:
        """Image of one parameter, exact."""

    def jacobian_modular(self, prime: int, parameters: FloatArray) -> FloatArray:
        """Jacobian at one parameter, ``N x P``, modulo a prime below ``2^23``."""

    def jacobian(self, parameters: Sequence[fmpq]) -> fmpq_mat:
        """Jacobian at one parameter, ``N x P``, exact."""

    def expressions(self) -> list[sympy.Expr]:
        """The coordinates as expanded polynomials in the parameters."""


class BlockParametrisation:
    """What pattern varieties and output varieties share: the masked network applied to constant inputs, block by block.

    Parameters
    ----------
    architecture
        Sizes, with or without biases.
    patterns
        One pattern for each block, all distinct.
    inputs
        For each block a constant matrix of ``n_0 + 1`` rows; the last row is zero without biases.
    order
        Which of the entries, stacked by block, output and column of ``inputs``, is coordinate ``0, 1, ...``.
    """

    #: ``"pattern"`` or ``"output"``.
    kind: str

    def __init__(
        self, architecture: Architecture, patterns: tuple[Pattern, ...], inputs: list[fmpq_mat], order: Sequence[int]
    ) -> None:
        self.architecture = architecture
        self.patterns = patterns
        self.inputs = inputs
        self.labels = labels_of(patterns)
        self._tables = [RationalTable(table) for table in inputs]
        self._order = np.array(order, dtype=np.int64)
        places = parameter_places(architecture.sizes)
        self.kept = np.array(  # places in theta, with biases, of the parameters
            [q for q, (level, _, k) in enumerate(places) if architecture.biases or k < architecture.sizes[level]]
        )

    def same_as(self, other: object) -> bool:
        """Whether another parametrisation has the same kind, architecture, blocks and data, in the same order."""
        return self is other or (
            isinstance(other, BlockParametrisation)
            and (self.kind, self.architecture, self.patterns) == (other.kind, other.architecture, other.patterns)
            and self.inputs == other.inputs
            and self._order.tolist() == other._order.tolist()
        )

    # ------------------------------------------------------------------ sizes and names

    @property
    def parameters(self) -> int:
        """Number of parameters: layers in order, each row by row, the bias (if any) last in its row."""
        return self.architecture.parameters

    @property
    def dimension_of_ambient_space(self) -> int:
        """Number ``N`` of coordinates."""
        return len(self._order)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the ambient coordinates, in order."""
        return tuple(name for name, _ in self._names)

    @property
    def latex_coordinates(self) -> tuple[str, ...]:
        """The same names as LaTeX."""
        return tuple(latex for _, latex in self._names)

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        """Name and LaTeX of each coordinate."""
        raise NotImplementedError

    @cached_property
    def grading(self) -> IntArray:
        """Weights of the coordinates, ``g x N``: a basis of the gradings for which every coordinate is homogeneous
        when the parameters are given suitable weights (see :func:`exactfd.varieties.grading.torus_weights`).
        """
        supports = [[[entry != 0 for entry in row] for row in table.tolist()] for table in self.inputs]
        return torus_weights(self.architecture, self.patterns, supports)[:, self._order]

    def restricted(self, blocks: Sequence[int]) -> BlockParametrisation:
        """The variety of some of the blocks, by number from 0: the image under a coordinate projection."""
        raise NotImplementedError

    # ------------------------------------------------------------------ modulo a prime

    def check_prime(self, prime: int) -> None:
        """Raise ``InputError`` where ``prime`` divides a denominator of the data."""
        self._inputs_modulo(prime)

    def _inputs_modulo(self, prime: int) -> list[FloatArray]:
        tables = [table.modulo(prime) for table in self._tables]
        if any(table is None for table in tables):
            raise InputError(f"prime: {prime} divides a denominator of the data; take another prime")
        return [table for table in tables if table is not None]

    def _layers_modulo(self, parameters: FloatArray) -> list[FloatArray]:
        """Augmented matrices ``k x n_l x (n_{l-1} + 1)`` of ``k`` parameters."""
        if parameters.ndim != 2 or parameters.shape[1] != self.parameters:
            raise ShapeError(f"parameters: expected shape (k, {self.parameters}), found {parameters.shape}")
        theta = np.zeros((len(parameters), self.architecture.template.parametric_dimension))
        theta[:, self.kept] = parameters
        layers, start, sizes = [], 0, self.architecture.sizes
        for m, n in pairwise(sizes):
            layers.append(theta[:, start : start + n * (m + 1)].reshape(-1, n, m + 1))
            start += n * (m + 1)
        return layers

    def images(self, prime: int, parameters: FloatArray) -> FloatArray:
        """Images of ``k`` parameters modulo a prime below ``2^23``, residues, ``k x parameters -> k x N``."""
        layers = self._layers_modulo(parameters)

        def product(left: FloatArray, right: FloatArray) -> FloatArray:
            return modular.multiply(left, right, prime)

        masks = self._masks
        parts = []
        for block, inputs in enumerate(self._inputs_modulo(prime)):
            value = np.broadcast_to(inputs, (len(parameters), *inputs.shape))
            for layer, mask in zip(layers[:-1], masks, strict=False):
                value = next_inputs(layer, mask[[block]], value, product)
            outputs = product(layers[-1], value)
            if len(masks) == len(layers):  # the output has a ReLU
                outputs = outputs * masks[-1][block][:, None]
            parts.append(outputs.reshape(len(parameters), -1))
        return np.concatenate(parts, axis=1)[:, self._order]

    @cached_property
    def _masks(self) -> list[FloatArray]:
        cuts = np.cumsum([0, *self.architecture.relu_widths]).tolist()
        return [(self.labels[:, a:b] > 0).astype(np.float64) for a, b in pairwise(cuts)]

    def network_modulo(self, prime: int, parameters: FloatArray) -> ModularNetwork:
        """The network of one parameter modulo a prime."""
        layers = self._layers_modulo(parameters[None, :])
        return ModularNetwork(self.architecture.template, prime, tuple(layer[0] for layer in layers))

    def factors_modulo(self, prime: int, parameters: FloatArray) -> list[tuple[list[FloatArray], list[FloatArray]]]:
        """For each block the tables ``L^1, ..., L^d`` (each ``n_d x n_l``) and ``R^0, ..., R^{d-1}`` (each
        ``(n_{l-1} + 1) x c``) whose blocks ``L^l (x) (R^{l-1})^T`` are the Jacobian, modulo a prime.
        """
        network = self.network_modulo(prime, parameters)
        result = []
        for block, inputs in enumerate(self._inputs_modulo(prime)):
            left, right = network.factors(self.labels[[block]], inputs[None])
            result.append(([table[0] for table in left], [table[0] for table in right]))
        return result

    def jacobian_modular(self, prime: int, parameters: FloatArray) -> FloatArray:
        """Jacobian at one parameter modulo a prime below ``2^23``, residues, ``N x parameters``."""
        network = self.network_modulo(prime, parameters)
        rows = [
            network.stacked(network.factors(self.labels[[block]], inputs[None]))
            for block, inputs in enumerate(self._inputs_modulo(prime))
        ]
        return np.concatenate(rows)[self._order][:, self.kept]

    # ------------------------------------------------------------------ exact

    def network(self, parameters: Sequence[Any]) -> Network:
        """The network of one parameter (with biases zero where the architecture has none)."""
        values = rationals.vector(parameters, what="parameters")
        if len(values) != self.parameters:
            raise ShapeError(f"parameters: expected {self.parameters} of them, found {len(values)}")
        template = self.architecture.template
        theta = [fmpq(0)] * template.parametric_dimension
        for place, value in zip(self.kept.tolist(), values, strict=True):
            theta[place] = value
        activation = self.architecture.output_activation
        return Network.from_theta(self.architecture.sizes, theta, output_activation=activation)

    def parameters_of(self, network: Network) -> list[fmpq]:
        """The parameter of a network of this architecture. Raises ``ShapeError`` or ``InputError`` where it is none."""
        if network.architecture != self.architecture.sizes:
            raise ShapeError(f"network: expected sizes {self.architecture.sizes}, found {network.architecture}")
        Architecture.of(network, biases=self.architecture.biases)
        theta = [entry for number in range(1, network.depth + 1) for entry in network.augmented(number).entries()]
        return [theta[place] for place in self.kept.tolist()]

    def image(self, parameters: Sequence[Any]) -> list[fmpq]:
        """Image of one parameter, exact, ``N`` rationals."""
        network = self.network(parameters)
        last = network.augmented(network.depth)
        entries: list[fmpq] = []
        for labels, inputs in zip(self.labels.tolist(), self.inputs, strict=True):
            reached = exact_factors(network, labels, inputs)[1][-1]
            rows = (last * fmpq_mat(reached)).tolist()
            if self.architecture.output_activation == "relu":
                kept = labels[-len(rows) :]
                rows = [
                    [entry if label > 0 else fmpq(0) for entry in row] for row, label in zip(rows, kept, strict=True)
                ]
            entries += [entry for row in rows for entry in row]
        return [entries[place] for place in self._order.tolist()]

    def jacobian(self, parameters: Sequence[Any]) -> fmpq_mat:
        """Jacobian at one parameter, exact, ``N x parameters``."""
        network = self.network(parameters)
        kept = self.kept.tolist()
        rows = []
        for labels, inputs in zip(self.labels.tolist(), self.inputs, strict=True):
            left, right = exact_factors(network, labels, inputs)
            for o in range(network.output_dimension):
                for c in range(inputs.ncols()):
                    row = [slope * r[c] for a, b in zip(left, right, strict=True) for slope in a[o] for r in b]
                    rows.append([row[place] for place in kept])
        return fmpq_mat([rows[place] for place in self._order.tolist()])

    # ------------------------------------------------------------------ symbols

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The parameters as SymPy symbols, in order: ``W2_13`` is row 1, column 3 of layer 2, ``b2_1`` its bias."""
        layers, _ = parameter_symbols(self.architecture.sizes)
        theta = [symbol for rows in layers for row in rows for symbol in row]
        return tuple(theta[place] for place in self.kept.tolist())

    def expressions(self) -> list[sympy.Expr]:
        """The coordinates as expanded polynomials in :attr:`symbols`, exact.

        Raises ``InputError`` where they would have more than 200 000 terms.
        """
        entries = block_expressions(self.architecture, self.patterns, self.inputs)
        return [entries[place] for place in self._order.tolist()]

    def latex(self) -> str:
        r"""LaTeX of the parametrisation: each coordinate and its polynomial, with ``W^{(2)}_{1,3}`` for parameters."""
        import sympy

        layers, latex_names = parameter_symbols(self.architecture.sizes)
        theta = [symbol for rows in layers for row in rows for symbol in row]
        names = dict(zip(theta, latex_names, strict=True))
        lines = [
            f"{left} &= {sympy.latex(expression, symbol_names=names)}"
            for (_, left), expression in zip(self._names, self.expressions(), strict=True)
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    # ------------------------------------------------------------------ reports

    def to_dict(self) -> dict[str, Any]:
        """What the variety is: sizes, blocks, coordinates."""
        return {
            "architecture": list(self.architecture.sizes),
            "biases": self.architecture.biases,
            "output_activation": self.architecture.output_activation,
            "blocks": [pattern_text(pattern) for pattern in self.patterns],
            "parameters": self.parameters,
            "coordinates": list(self.coordinates),
        }
