"""ReLU networks with exact rational parameters.

A network of architecture ``(n_0, ..., n_d)`` is a list of augmented matrices ``A^l = [W^l | b^l]`` of shape
``n_l x (n_{l-1} + 1)``. Hidden layers apply ReLU; the output layer is affine (``output_activation="identity"``, as in
Grigsby, Lindsey, Rolnick, arXiv 2306.06179) or has a ReLU too (``"relu"``, as in Grigsby, Lindsey, Meyerhoff, Wu,
arXiv 2209.04036). The parameter ``theta`` lists the layers in order, each row by row, a row being (weights, bias).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import frameworks, rationals
from exactfd.errors import InputError, ShapeError

if TYPE_CHECKING:
    import sympy

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
OutputActivation = Literal["identity", "relu"]
_FLOATS = (np.float64, np.float32, np.float16)  # float64 holds them all exactly
FORMAT = "exactfd-network"
VERSION = 1


class Network:
    """A ReLU network whose weights and biases are exact rationals. Frozen: every operation gives a new one.

    Parameters
    ----------
    layers
        Pairs ``(weight, bias)`` of array-likes with shapes ``n_l x n_{l-1}`` and ``n_l``; entries are anything that
        :func:`exactfd.rationals.to_fmpq` takes, each exactly.
    output_activation
        ``"identity"`` (default) or ``"relu"``.

    Raises
    ------
    ShapeError, InputError
        naming the layer and the place in it.

    Examples
    --------
    Example 1.1 of arXiv 2209.04036:

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> net.architecture, net.parametric_dimension, net.upper_bound
    ((1, 2, 1), 7, 5)
    >>> net.ternary_tuple(["5/2"])
    (0, 1, 1)
    """

    __slots__ = ("__dict__", "_augmented", "output_activation")

    _augmented: tuple[fmpq_mat, ...]
    output_activation: OutputActivation

    def __init__(self, layers: Iterable[tuple[Any, Any]], *, output_activation: OutputActivation = "identity") -> None:
        if output_activation not in ("identity", "relu"):
            raise InputError(f'output_activation: expected "identity" or "relu", found {output_activation!r}')
        augmented: list[fmpq_mat] = []
        floats: list[FloatArray] = []
        if isinstance(layers, (str, bytes)) or not isinstance(layers, Iterable):
            raise ShapeError(f"expected a list of layers (weight, bias), found {type(layers).__name__}")
        for number, layer in enumerate(layers, start=1):
            try:
                weight, bias = layer
            except (TypeError, ValueError):
                raise ShapeError(f"layer {number}: expected a pair (weight, bias)") from None
            rows = rationals.matrix_rows(weight, what=f"layer {number}: weight")
            column = rationals.vector(bias, what=f"layer {number}: bias")
            fan_in = augmented[-1].nrows() if augmented else None
            augmented.append(_augment(number, rows, column, fan_in))
            if all(type(part) is np.ndarray and part.dtype in _FLOATS for part in (weight, bias)):
                floats.append(np.column_stack([weight, bias]).astype(np.float64) + 0.0)  # zeros without a sign
        if not augmented:
            raise ShapeError("a network has at least one layer, found none")
        object.__setattr__(self, "_augmented", tuple(augmented))
        object.__setattr__(self, "output_activation", output_activation)
        if len(floats) == len(augmented):  # nothing to find out later
            self.__dict__.update(nearest_layers=_frozen(floats), stored_in_floats=True)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"networks are frozen: cannot set {name!r}; build a new Network instead")

    # ------------------------------------------------------------------ other ways in

    @classmethod
    def from_arrays(
        cls, layers: Iterable[tuple[Any, Any]], *, output_activation: OutputActivation = "identity"
    ) -> Network:
        """Network from ``[(W, b), ...]``, ``W`` of shape ``n_l x n_{l-1}`` (the same as the constructor)."""
        return cls(layers, output_activation=output_activation)

    @classmethod
    def from_theta(
        cls, architecture: Sequence[int], theta: Any, *, output_activation: OutputActivation = "identity"
    ) -> Network:
        """Network from a flat parameter in the order of the module docstring.

        >>> Network.from_theta((1, 2, 1), [2, -5, -1, 4, 1, 1, 1]).theta()[:4]
        (Fraction(2, 1), Fraction(-5, 1), Fraction(-1, 1), Fraction(4, 1))
        """
        sizes = checked_architecture(architecture)
        values = rationals.vector(theta, what="theta")
        expected = sum(n * (m + 1) for m, n in pairwise(sizes))
        if len(values) != expected:
            raise ShapeError(f"theta: architecture {sizes} has {expected} parameters, found {len(values)}")
        layers, start = [], 0
        for m, n in pairwise(sizes):
            rows = [values[start + i * (m + 1) : start + (i + 1) * (m + 1)] for i in range(n)]
            layers.append(([row[:-1] for row in rows], [row[-1] for row in rows]))
            start += n * (m + 1)
        return cls(layers, output_activation=output_activation)

    @classmethod
    def from_torch(cls, model: Any, *, output_activation: OutputActivation | None = None) -> Network:
        """Network from a PyTorch ``nn.Sequential`` of ``Linear`` and ``ReLU`` (``Flatten``, ``Identity`` and
        ``Dropout`` are read past), or from a ``state_dict``; every float is taken exactly.

        A ``state_dict`` does not say which activations were used: ReLU between layers is then assumed and the output
        is affine unless ``output_activation`` says otherwise. Raises ``InputError`` on any other module.
        """
        layers, found = frameworks.layers_of_torch(model)
        return cls(layers, output_activation=output_activation or found)

    @classmethod
    def from_sklearn(cls, mlp: Any) -> Network:
        """Network from a fitted scikit-learn ``MLPRegressor`` or ``MLPClassifier`` with ``activation="relu"``.

        The output is the pre-activation of the last layer (before any softmax or logistic function).
        """
        return cls(frameworks.layers_of_sklearn(mlp))

    # ------------------------------------------------------------------ sizes

    @cached_property
    def architecture(self) -> tuple[int, ...]:
        """``(n_0, ..., n_d)``."""
        return (self._augmented[0].ncols() - 1, *(a.nrows() for a in self._augmented))

    @property
    def depth(self) -> int:
        """Number ``d`` of affine layers."""
        return len(self._augmented)

    @property
    def input_dimension(self) -> int:
        """``n_0``."""
        return self.architecture[0]

    @property
    def output_dimension(self) -> int:
        """``n_d``."""
        return self.architecture[-1]

    @cached_property
    def parametric_dimension(self) -> int:
        """``D``, the number of parameters."""
        return sum(n * (m + 1) for m, n in pairwise(self.architecture))

    @cached_property
    def hidden_neurons(self) -> int:
        """``n_1 + ... + n_{d-1}``."""
        return sum(self.architecture[1:-1])

    @property
    def upper_bound(self) -> int:
        """``D' = D - (number of hidden neurons)``, which bounds the functional dimension at every parameter
        (arXiv 2209.04036, Theorem 7.1).
        """
        return self.parametric_dimension - self.hidden_neurons

    @cached_property
    def relu_widths(self) -> tuple[int, ...]:
        """Widths of the layers that apply a ReLU, in order: the shape of a ternary tuple."""
        return self.architecture[1:] if self.output_activation == "relu" else self.architecture[1:-1]

    @cached_property
    def max_bits(self) -> int:
        """Largest bit length of a numerator or denominator among the parameters."""
        return max(
            max(int(entry.p).bit_length(), int(entry.q).bit_length()) for a in self._augmented for entry in a.entries()
        )

    @cached_property
    def nearest_layers(self) -> tuple[FloatArray, ...]:
        """The augmented matrices with each entry rounded to the nearest float; infinite when out of range. Not exact
        unless :attr:`stored_in_floats`.
        """
        return self._floats[0]

    @cached_property
    def stored_in_floats(self) -> bool:
        """Whether every parameter is a float64."""
        return self._floats[1]

    @cached_property
    def _floats(self) -> tuple[tuple[FloatArray, ...], bool]:
        """Both of these: they take one way through all entries."""
        found = [rationals.to_floats(a) for a in self._augmented]
        return _frozen(table for table, _ in found), all(same for _, same in found)

    @cached_property
    def supports(self) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], ...]:
        """Which entries of the augmented matrices are not zero."""
        if self.stored_in_floats:
            return tuple(a != 0 for a in self.nearest_layers)
        return tuple(np.array([[entry != 0 for entry in row] for row in a.tolist()]) for a in self._augmented)

    # ------------------------------------------------------------------ parameters

    def augmented(self, layer: int) -> fmpq_mat:
        """A fresh copy of ``A^l = [W^l | b^l]``, ``l = 1, ..., d``, shape ``n_l x (n_{l-1} + 1)``."""
        if not 1 <= layer <= self.depth:
            raise InputError(f"layers are numbered 1 to {self.depth}, found {layer}")
        return fmpq_mat(self._augmented[layer - 1])

    def theta(self) -> tuple[Fraction, ...]:
        """The parameter as a flat tuple of fractions: layers in order, row by row, (weights, bias)."""
        return tuple(rationals.to_fraction(entry) for a in self._augmented for entry in a.entries())

    def parameter_names(self) -> tuple[str, ...]:
        """Names in the order of :meth:`theta`: ``W2[1,3]`` is row 1, column 3 of layer 2, ``b2[1]`` its bias.

        All indices count from 1, as in the papers.
        """
        names = []
        for layer, (m, n) in enumerate(pairwise(self.architecture), start=1):
            for i in range(1, n + 1):
                names += [f"W{layer}[{i},{j}]" for j in range(1, m + 1)] + [f"b{layer}[{i}]"]
        return tuple(names)

    # ------------------------------------------------------------------ evaluation

    def preactivations(self, point: Any) -> list[list[fmpq]]:
        """Exact ``z^1(x), ..., z^d(x)`` at a rational point of ``R^{n_0}``."""
        x = rationals.vector(point, what="point")
        if len(x) != self.input_dimension:
            raise ShapeError(f"point: the network has {self.input_dimension} inputs, found {len(x)} coordinates")
        result = []
        for index, a in enumerate(self._augmented):
            column = a * fmpq_mat(len(x) + 1, 1, [*x, fmpq(1)])
            z: list[fmpq] = column.entries()
            result.append(z)
            if index < len(self._augmented) - 1:
                x = [value if value > 0 else fmpq(0) for value in z]
        return result

    def evaluate(self, point: Any) -> tuple[Fraction, ...]:
        """Exact ``F_theta(x)``, ``n_d`` fractions.

        >>> Network([([[1]], ["-1/3"])]).evaluate([1])
        (Fraction(2, 3),)
        """
        z = self.preactivations(point)[-1]
        if self.output_activation == "relu":
            z = [value if value > 0 else fmpq(0) for value in z]
        return tuple(rationals.to_fraction(value) for value in z)

    def ternary_tuple(self, point: Any) -> tuple[int, ...]:
        """Exact labels ``sign(z^l_i(x))`` of every ReLU neuron, layer by layer (length ``sum(relu_widths)``).

        Source: arXiv 2209.04036, Definition 2.4 (ternary labels).
        """
        layers = self.preactivations(point)[: len(self.relu_widths)]
        return tuple((value > 0) - (value < 0) for z in layers for value in z)

    # ------------------------------------------------------------------ conversions

    def to_dict(self) -> dict[str, Any]:
        """The network file of version 1 (``schemas/network-v1.json``) as JSON-ready values."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "architecture": list(self.architecture),
            "output_activation": self.output_activation,
            "layers": [
                {
                    "weight": [[rationals.format_rational(e) for e in row[:-1]] for row in a.tolist()],
                    "bias": [rationals.format_rational(row[-1]) for row in a.tolist()],
                }
                for a in self._augmented
            ],
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the canonical JSON: sorted keys, no spaces, reduced fractions."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_fractions(self) -> list[tuple[list[list[Fraction]], list[Fraction]]]:
        """Layers as nested lists of ``Fraction``: ``[(weight, bias), ...]``."""
        result = []
        for a in self._augmented:
            rows = rationals.to_fractions(a)
            result.append(([row[:-1] for row in rows], [row[-1] for row in rows]))
        return result

    def to_numpy(self) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Layers as float64 arrays ``[(W, b), ...]``, each entry correctly rounded. Not exact."""
        return [(table[:, :-1].copy(), table[:, -1].copy()) for table in self.nearest_layers]

    def to_sympy(self) -> list[tuple[sympy.Matrix, sympy.Matrix]]:
        """Layers as SymPy matrices of rationals ``[(W, b), ...]``, exact."""
        tables = [rationals.to_sympy(a) for a in self._augmented]
        return [(table[:, :-1], table[:, -1]) for table in tables]

    def rounded(self, step: Any) -> Network:
        """Every parameter at the nearest multiple of ``step`` (a positive rational), ties to even multiples."""
        unit = rationals.to_fmpq(step)
        if unit <= 0:
            raise InputError(f"the rounding step is a positive rational, found {unit}")
        return self._mapped([[rationals.round_to(e, unit) for e in a.entries()] for a in self._augmented])

    def _mapped(self, entries: Sequence[Sequence[fmpq]]) -> Network:
        flat = [entry for layer in entries for entry in layer]
        return Network.from_theta(self.architecture, flat, output_activation=self.output_activation)

    def __eq__(self, other: object) -> bool:
        """Same output activation and the same parameter, exactly."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.output_activation == other.output_activation and self._augmented == other._augmented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self.architecture, self.theta(), self.output_activation)

    def __repr__(self) -> str:
        shape = ",".join(str(n) for n in self.architecture)
        return f"Network(({shape}), output_activation={self.output_activation!r}, sha256:{self.digest[:12]})"

    def _repr_html_(self) -> str:
        return (
            f"<b>ReLU network</b> {self.architecture}, output {self.output_activation}; D = "
            f"{self.parametric_dimension}, D' = {self.upper_bound}, <code>sha256:{self.digest[:12]}</code>"
        )


def _unpickle(architecture: tuple[int, ...], theta: tuple[Fraction, ...], output_activation: Any) -> Network:
    return Network.from_theta(architecture, theta, output_activation=output_activation)


def checked_architecture(architecture: Sequence[int]) -> tuple[int, ...]:
    """``(n_0, ..., n_d)`` as a tuple. Raises ``InputError`` unless it is at least two positive integers."""
    sizes = tuple(architecture) if isinstance(architecture, Iterable) else ()
    if len(sizes) < 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in sizes):
        raise InputError(f"an architecture has at least two positive sizes (n_0, ..., n_d), found {architecture}")
    return sizes


def _frozen(arrays: Iterable[FloatArray]) -> tuple[FloatArray, ...]:
    result = tuple(arrays)
    for array in result:
        array.flags.writeable = False
    return result


def _augment(number: int, rows: list[list[fmpq]], bias: list[fmpq], fan_in: int | None) -> fmpq_mat:
    if not rows or not rows[0]:
        raise ShapeError(f"layer {number}: weight is empty; a layer has at least one neuron and one input")
    columns = len(rows[0])
    if fan_in is not None and columns != fan_in:
        hint = "; pass its transpose?" if len(rows) == fan_in else ""
        raise ShapeError(
            f"layer {number}: weight has {columns} columns but layer {number - 1} has {fan_in} neurons{hint}"
        )
    if len(bias) != len(rows):
        raise ShapeError(f"layer {number}: weight has {len(rows)} rows but bias has {len(bias)} entries")
    return fmpq_mat(len(rows), columns + 1, [e for row, b in zip(rows, bias, strict=True) for e in (*row, b)])
