"""The known symmetries of a ReLU network: permutations of the neurons of a hidden layer, and positive scalings.

The group acts on the parameters of one architecture from the left, ``(g @ h).apply(network) ==
g.apply(h.apply(network))``, and every element keeps the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import Any

from flint import fmpq

from exactfd import rationals
from exactfd.errors import InputError, ShapeError
from exactfd.network import Network


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A permutation and positive scales for each hidden layer, an exact value that composes, inverts and acts.

    Neuron ``i`` of hidden layer ``l`` of the image is neuron ``permutations[l][i]`` of the original, its row multiplied
    by ``scales[l][i]``; the columns of the next layer are permuted likewise and divided by the scales. With the
    identity and scales one for inputs and outputs, the image has the entries::

        W'^l[i, j] = scale^l_i W^l[pi^l(i), pi^{l-1}(j)] / scale^{l-1}_j,    b'^l[i] = scale^l_i b^l[pi^l(i)],

    which is the convention of certificates (``docs/certificate-v1.md``, section 4). Neurons count from 0.

    Attributes
    ----------
    permutations
        One tuple per hidden layer, a permutation of ``0, ..., n_l - 1``.
    scales
        One tuple per hidden layer, ``n_l`` positive fractions (anything that :func:`exactfd.rationals.to_fmpq` takes).

    Raises
    ------
    InputError
        where something is no permutation or no positive rational.
    ShapeError
        where the lengths do not fit.

    Notes
    -----
    Source: Grigsby, Lindsey, Rolnick, arXiv 2306.06179, section 1 (permutation and positive scaling keep the function).

    Examples
    --------
    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])])
    >>> g = Symmetry([[1, 0]], [[2, "1/3"]])
    >>> g.apply(net).theta()[:4]
    (Fraction(-2, 1), Fraction(8, 1), Fraction(2, 3), Fraction(-5, 3))
    >>> g @ g.inverse() == Symmetry.identity(net.architecture)
    True
    """

    permutations: tuple[tuple[int, ...], ...]
    scales: tuple[tuple[Fraction, ...], ...]

    def __post_init__(self) -> None:
        permutations = tuple(_permutation(p, number) for number, p in enumerate(self.permutations, start=1))
        scales = tuple(_scales(s, number) for number, s in enumerate(self.scales, start=1))
        sizes = [len(p) for p in permutations], [len(s) for s in scales]
        if sizes[0] != sizes[1]:
            raise ShapeError(f"a symmetry has as many scales as neurons in each layer, found {sizes[1]} for {sizes[0]}")
        object.__setattr__(self, "permutations", permutations)
        object.__setattr__(self, "scales", scales)

    @classmethod
    def identity(cls, architecture: Sequence[int]) -> Symmetry:
        """The neutral element for networks of an architecture ``(n_0, ..., n_d)``."""
        hidden = architecture[1:-1]
        return cls(tuple(tuple(range(n)) for n in hidden), tuple((Fraction(1),) * n for n in hidden))

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the hidden layers on which it acts."""
        return tuple(len(p) for p in self.permutations)

    def __matmul__(self, other: Symmetry) -> Symmetry:
        """First ``other``, then ``self``. Raises ``ShapeError`` where the widths differ."""
        if not isinstance(other, Symmetry):
            return NotImplemented
        if self.widths != other.widths:
            raise ShapeError(f"symmetries compose on the same hidden widths, found {self.widths} and {other.widths}")
        pairs = zip(self.permutations, self.scales, other.permutations, other.scales, strict=True)
        permutations, scales = [], []
        for pi, s, rho, t in pairs:
            permutations.append(tuple(rho[i] for i in pi))
            scales.append(tuple(a * t[i] for i, a in zip(pi, s, strict=True)))
        return Symmetry(tuple(permutations), tuple(scales))

    def inverse(self) -> Symmetry:
        """The element that undoes this one."""
        permutations = [sorted(range(len(p)), key=p.__getitem__) for p in self.permutations]
        scales = [[1 / s[i] for i in inverse] for inverse, s in zip(permutations, self.scales, strict=True)]
        return Symmetry(tuple(map(tuple, permutations)), tuple(map(tuple, scales)))

    def apply(self, network: Network) -> Network:
        """The image of a network, exactly; its function is the same. Raises ``ShapeError`` where the widths differ."""
        if self.widths != network.architecture[1:-1]:
            raise ShapeError(
                f"the symmetry acts on hidden widths {self.widths}, "
                f"the network has {network.architecture[1:-1]}; architecture {network.architecture}"
            )
        ends = (tuple(range(network.input_dimension)), tuple(range(network.output_dimension)))
        permutations = (ends[0], *self.permutations, ends[1])
        ones = [[fmpq(1)] * len(end) for end in ends]
        scales = [ones[0], *([rationals.to_fmpq(s) for s in layer] for layer in self.scales), ones[1]]
        layers = []
        for number in range(1, network.depth + 1):
            rows = network.augmented(number).tolist()
            columns = list(zip(permutations[number - 1], scales[number - 1], strict=True))
            weight, bias = [], []
            for i, scale in zip(permutations[number], scales[number], strict=True):
                weight.append([scale * rows[i][j] / t for j, t in columns])
                bias.append(scale * rows[i][-1])
            layers.append((weight, bias))
        return Network(layers, output_activation=network.output_activation)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, as certificates hold them; numbers as exact text."""
        return {
            "permutations": [list(p) for p in self.permutations],
            "scales": [[rationals.format_rational(s) for s in layer] for layer in self.scales],
        }

    def __repr__(self) -> str:
        moved = sum(i != j for p in self.permutations for i, j in enumerate(p))
        scaled = sum(s != 1 for layer in self.scales for s in layer)
        return f"Symmetry(widths {self.widths}: {moved} neurons moved, {scaled} rescaled)"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def _permutation(values: Any, layer: int) -> tuple[int, ...]:
    try:
        result = tuple(index(value) for value in values)
    except TypeError:
        raise InputError(f"hidden layer {layer}: expected a permutation, found {values!r}") from None
    if sorted(result) != list(range(len(result))):
        raise InputError(f"hidden layer {layer}: expected a permutation of 0, ..., {len(result) - 1}, found {result}")
    return result


def _scales(values: Any, layer: int) -> tuple[Fraction, ...]:
    exact = rationals.vector(values, what=f"hidden layer {layer}: scales")
    for place, value in enumerate(exact):
        if value <= 0:
            raise InputError(f"hidden layer {layer}: scales[{place}]: expected a positive number, found {value}")
    return tuple(rationals.to_fraction(value) for value in exact)
