"""Closed formulas and bounds for numbers of regions, facets and steps between regions: integers and fractions.

Arrangements: ``n`` hyperplanes in ``R^m``. *Simple*: every ``k <= m`` of them meet in codimension ``k`` and no ``m +
1`` of them meet. *Simple central*: all through the origin, and every ``k <= m`` of them meet in codimension ``k``.
Networks: ``n_0`` inputs and the widths ``n_1, ..., n_L`` of the layers that apply a ReLU.

Sources: Buck, *Partition of space*, Amer. Math. Monthly 50 (1943); Zaslavsky, *Facing up to arrangements*, Mem. AMS 154
(1975); Cover, *Geometrical and statistical properties of systems of linear inequalities*, IEEE Trans. EC-14 (1965);
Montufar, Pascanu, Cho, Bengio, arXiv 1402.1869; Montufar, *Notes on the number of linear regions of deep neural
networks*, SampTA 2017; Serra, Tjandraatmadja, Ramalingam, arXiv 1711.02114; Hinz, van de Geer, arXiv 1806.01918;
Gaines, Bi, ICLR 2026 (mean number of facets).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any, Literal

from exactfd import rationals
from exactfd.errors import InputError
from exactfd.geometry.transversality import is_simple
from exactfd.network import Network

Kind = Literal["upper", "reached", "exact", "limit"]
Histogram = Literal["binomial", "full"]


# ---------------------------------------------------------------------- arrangements


def affine_faces(n: int, m: int, k: int) -> int:
    """Number of ``k``-dimensional cells of a simple arrangement of ``n`` hyperplanes in ``R^m``.

    ``C(n, m - k) * sum_{i <= k} C(n - m + k, i)``: the flats of dimension ``k``, each cut by the other hyperplanes.
    Source: Buck 1943; Zaslavsky 1975, Theorem A (``k = m``).

    >>> [affine_faces(8, 3, k) for k in range(4)]
    [56, 196, 232, 93]
    """
    _check(n, m, k)
    return comb(n, m - k) * sum(comb(n - m + k, i) for i in range(k + 1)) if m - k <= n else 0


def affine_bounded_faces(n: int, m: int, k: int) -> int:
    """Number of those that are bounded: ``C(n, m - k) * C(n - m + k - 1, k)``.

    Source: Buck 1943; Zaslavsky 1975, Theorem C (``k = m``).

    >>> [affine_bounded_faces(8, 3, k) for k in range(4)]
    [56, 140, 120, 35]
    """
    _check(n, m, k)
    left = n - (m - k)  # hyperplanes that cut a flat of dimension k
    if left < 0:
        return 0
    return comb(n, m - k) * (comb(left - 1, k) if left else int(k == 0))


def central_faces(n: int, m: int, k: int) -> int:
    """Number of ``k``-dimensional cells of a simple central arrangement of ``n`` hyperplanes in ``R^m``.

    For ``k >= 1`` there are ``C(n, m - k)`` flats, each cut into ``2 sum_{i < k} C(n - m + k - 1, i)`` regions; the
    origin is the cell of dimension 0 where ``n >= m``. Source: Cover 1965, Theorem 1 (``k = m``); Zaslavsky 1975.

    >>> [central_faces(8, 3, k) for k in range(4)]
    [1, 56, 112, 58]
    """
    _check(n, m, k)
    if k == 0:
        return int(n >= m)
    left = n - (m - k)
    if left < 0:
        return 0
    return comb(n, m - k) * (2 * sum(comb(left - 1, i) for i in range(k)) if left else 1)


def arrangement_mean_facets(n: int, m: int, *, central: bool = False) -> Fraction:
    """Mean number of facets of the regions of a simple (central) arrangement: ``2 f_{m-1} / f_m``.

    It is below ``2 m`` and tends to it as ``n`` grows; for central arrangements it tends to ``2 (m - 1)``.
    Source: each facet is shared by two regions; Buck 1943 and Cover 1965 for the numbers.

    >>> arrangement_mean_facets(8, 3), arrangement_mean_facets(8, 3, central=True)
    (Fraction(464, 93), Fraction(112, 29))
    """
    faces = central_faces if central else affine_faces
    return Fraction(2 * faces(n, m, m - 1), faces(n, m, m)) if m else Fraction(0)


def _check(n: int, m: int, k: int) -> None:
    if n < 0 or not 0 <= k <= m:
        raise InputError(f"expected n >= 0 hyperplanes and 0 <= k <= m, found n = {n}, m = {m}, k = {k}")


# ---------------------------------------------------------------------- regions of networks


def montufar_2014(inputs: int, widths: Sequence[int]) -> int:
    """A number of regions that some parameter reaches:
    ``(prod_{l < L} floor(n_l / n_0)^{n_0}) sum_{j <= n_0} C(n_L, j)``.

    Raises ``InputError`` unless every ``n_l >= n_0``. Source: arXiv 1402.1869, Theorem 4.

    >>> montufar_2014(2, (4, 4))
    44
    """
    _check_widths(inputs, widths, least=inputs)
    folds: int = math.prod(n // inputs for n in widths[:-1]) ** inputs
    return folds * _choices(widths, inputs)


def serra_lower(inputs: int, widths: Sequence[int]) -> int:
    """A number of regions that some parameter reaches:
    ``(prod_{l < L} (floor(n_l / n_0) + 1)^{n_0}) sum_{j <= n_0} C(n_L, j)``.

    Raises ``InputError`` unless every ``n_l >= 3 n_0``. Source: arXiv 1711.02114, section 4 (lower bound).

    >>> serra_lower(1, (3, 3)), serra_lower(2, (6, 6))
    (16, 352)
    """
    _check_widths(inputs, widths, least=3 * inputs)
    folds: int = math.prod(n // inputs + 1 for n in widths[:-1]) ** inputs
    return folds * _choices(widths, inputs)


def montufar_2017(inputs: int, widths: Sequence[int]) -> int:
    """Upper bound of the number of regions: ``prod_l sum_{j <= m_l} C(n_l, j)``, ``m_l = min(n_0, ..., n_{l-1})``.

    Source: Montufar 2017, Proposition 3.

    >>> montufar_2017(2, (3, 3))
    49
    """
    _check_widths(inputs, widths, least=1)
    result, dimension = 1, inputs
    for n in widths:
        result *= sum(comb(n, j) for j in range(dimension + 1))
        dimension = min(dimension, n)
    return result


def serra_upper(inputs: int, widths: Sequence[int]) -> int:
    """Upper bound of the number of regions: ``sum prod_l C(n_l, j_l)`` over all ``(j_1, ..., j_L)`` with
    ``0 <= j_l <= min(n_0, n_1 - j_1, ..., n_{l-1} - j_{l-1}, n_l)``.

    Source: arXiv 1711.02114, Theorem 1. Counted from the last layer back, one entry for each dimension.

    >>> serra_upper(2, (3, 3)), serra_upper(784, (11, 11))
    (40, 2449868)
    """
    _check_widths(inputs, widths, least=1)
    after: dict[int, int] = {}  # dimension of the image so far -> number of choices in the layers from here on
    for n in reversed(widths):
        known = after
        after = {
            d: sum(comb(n, j) * known.get(min(d, n - j), 1) for j in range(min(d, n) + 1))
            for d in range(min(inputs, max(widths)) + 1)
        }
    return after.get(min(inputs, max(widths, default=0)), 1)


def hinz_van_de_geer(inputs: int, widths: Sequence[int], *, histogram: Histogram = "binomial") -> int:
    """Upper bound of the number of regions as the sum of the entries of ``B_L ... B_1 e_{n_0}``.

    The vector counts regions by the dimension of their image; ``B_l`` sends a region of dimension ``d`` to a histogram
    of at most ``sum_{j <= d} C(n_l, j)`` regions. With ``"binomial"``, ``C(n_l, j)`` of them have dimension
    ``min(d, n_l - j)``, which gives the bound of Serra et al.; with ``"full"`` all have dimension ``min(d, n_l)``,
    which gives that of Montufar 2017. Source: arXiv 1806.01918 (the framework and these two choices).

    >>> hinz_van_de_geer(2, (3, 3)), hinz_van_de_geer(2, (3, 3), histogram="full")
    (40, 49)
    """
    _check_widths(inputs, widths, least=1)
    if histogram not in ("binomial", "full"):
        raise InputError(f'histogram: expected "binomial" or "full", found {histogram!r}')
    vector = {inputs: 1}
    for n in widths:
        image: dict[int, int] = {}
        for d, count in vector.items():
            for j in range(min(d, n) + 1):
                dimension = min(d, n - j if histogram == "binomial" else n)
                image[dimension] = image.get(dimension, 0) + count * comb(n, j)
        vector = image
    return sum(vector.values())


def regions_on_a_line(widths: Sequence[int]) -> int:
    """Most regions that a line meets, for every parameter: ``(n_1 + 1) ... (n_L + 1)``.

    On its line the network has one input, and each layer cuts each interval at most once per neuron. A segment between
    points of two regions can be moved so that it leaves every region but the last through a facet: the dual graph has
    diameter at most this number minus one. Source: Montufar 2017, Proposition 3 with ``n_0 = 1``.

    >>> regions_on_a_line((3, 4))
    20
    """
    return math.prod(n + 1 for n in widths)


def _choices(widths: Sequence[int], inputs: int) -> int:
    return sum(comb(widths[-1], j) for j in range(inputs + 1)) if widths else 1


def _check_widths(inputs: int, widths: Sequence[int], *, least: int) -> None:
    if inputs < 1 or any(n < 1 for n in widths):
        raise InputError(f"expected positive sizes, found {inputs} inputs and widths {tuple(widths)}")
    if any(n < least for n in widths):
        raise InputError(f"this bound needs widths of at least {least} for {inputs} inputs, found {tuple(widths)}")


# ---------------------------------------------------------------------- all of them for one network


@dataclass(frozen=True, slots=True)
class Bound:
    """One entry of the library, for one network.

    Attributes
    ----------
    quantity
        ``"regions"``, ``"bounded_regions"``, ``"mean_facets"`` or ``"diameter"``.
    name, source
        What it is called, and the paper.
    kind
        ``"upper"``: no parameter has more. ``"reached"``: some parameter of this architecture has at least so many.
        ``"exact"``: this parameter has exactly so many. ``"limit"``: what arrangements tend to as they grow.
    value
        An integer or a fraction; None where the hypothesis does not hold or is not known to.
    hypothesis
        What it needs, in words.
    holds
        Whether the hypothesis holds; None where that was too hard to decide.
    """

    quantity: str
    name: str
    kind: Kind
    value: int | Fraction | None
    hypothesis: str
    holds: bool | None
    source: str

    def __repr__(self) -> str:
        return f"Bound({self.quantity}, {self.kind}: {self.value}, {self.name})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>, {self.source}; {self.hypothesis}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; fractions and integers as text."""
        return {
            "quantity": self.quantity,
            "name": self.name,
            "kind": self.kind,
            "value": None if self.value is None else rationals.format_rational(Fraction(self.value)),
            "hypothesis": self.hypothesis,
            "holds": self.holds,
            "source": self.source,
        }


def known_bounds(
    inputs: int,
    widths: Sequence[int],
    *,
    whole_space: bool = True,
    simple: bool | None = None,
    simple_central: bool | None = None,
    zero_biases: bool | None = None,
    supertransversal: bool | None = None,
) -> list[Bound]:
    """Every entry of the library that speaks about a network with these sizes, hypotheses checked.

    Parameters
    ----------
    inputs, widths
        ``n_0``, and the widths of the layers that apply a ReLU.
    whole_space
        Whether the exact numbers are those of all of ``R^{n_0}`` (not of a box).
    simple, simple_central
        Whether the first layer is a simple (central) arrangement.
    zero_biases
        Whether all biases are zero.
    supertransversal
        Whether the network is generic and supertransversal.

    Examples
    --------
    >>> {b.name: b.value for b in known_bounds(2, (3, 3)) if b.kind == "upper" and b.quantity == "regions"}
    {'Montufar 2017': 49, 'Serra et al. 2018': 40, 'Hinz, van de Geer': 40}
    """
    n0, sizes = inputs, tuple(widths)
    text = f"widths {', '.join(map(str, sizes)) or 'none'}"
    wide, wider = all(n >= n0 for n in sizes), all(n >= 3 * n0 for n in sizes)

    def entry(
        quantity: str, name: str, kind: Kind, value: Any, hypothesis: str, holds: bool | None, source: str
    ) -> Bound:
        return Bound(quantity, name, kind, value() if holds else None, hypothesis, holds, source)

    always = "every parameter"
    found = [
        entry("regions", "Montufar 2014", "reached", lambda: montufar_2014(n0, sizes), f"widths >= {n0}", wide,
              "arXiv 1402.1869, Theorem 4"),
        entry("regions", "Serra et al. 2018", "reached", lambda: serra_lower(n0, sizes), f"widths >= {3 * n0}", wider,
              "arXiv 1711.02114, section 4"),
        entry("regions", "Montufar 2017", "upper", lambda: montufar_2017(n0, sizes), always, True,
              "SampTA 2017, Proposition 3"),
        entry("regions", "Serra et al. 2018", "upper", lambda: serra_upper(n0, sizes), always, True,
              "arXiv 1711.02114, Theorem 1"),
        entry("regions", "Hinz, van de Geer", "upper", lambda: hinz_van_de_geer(n0, sizes), always, True,
              "arXiv 1806.01918, binomial histograms"),
        entry("diameter", "steps on a line", "upper", lambda: regions_on_a_line(sizes) - 1, always, True,
              f"(n_1 + 1) ... (n_L + 1) - 1 with {text}: Montufar 2017, n_0 = 1"),
        entry("mean_facets", "2 n_0", "upper", lambda: 2 * n0, "all of space, generic and supertransversal",
              _both(whole_space, supertransversal), "Gaines, Bi, ICLR 2026"),
        entry("mean_facets", "2 (n_0 - 1)", "limit", lambda: 2 * (n0 - 1), "all of space, all biases zero",
              _both(whole_space, zero_biases), "Gaines, Bi, ICLR 2026"),
    ]  # fmt: skip
    if len(sizes) == 1:
        n, buck, cover = sizes[0], "Buck 1943, Zaslavsky 1975", "Cover 1965, Zaslavsky 1975"
        affine, central = _both(whole_space, simple), _both(whole_space, simple_central)
        plain, through = "all of space, simple arrangement", "all of space, simple central arrangement"
        found += [
            entry("regions", "Zaslavsky", "exact", lambda: affine_faces(n, n0, n0), plain, affine, buck),
            entry("bounded_regions", "Zaslavsky", "exact", lambda: affine_bounded_faces(n, n0, n0), plain, affine,
                  buck),
            entry("mean_facets", "2 f_(n_0 - 1) / f_(n_0)", "exact", lambda: arrangement_mean_facets(n, n0), plain,
                  affine, buck),
            entry("regions", "central", "exact", lambda: central_faces(n, n0, n0), through, central, cover),
            entry("mean_facets", "2 f_(n_0 - 1) / f_(n_0), central", "exact",
                  lambda: arrangement_mean_facets(n, n0, central=True), through, central, cover),
            entry("diameter", "all hyperplanes", "exact", lambda: n if affine or n0 > 1 else 1,
                  f"{plain}, central or not", _either(affine, central), "opposite regions at infinity"),
        ]  # fmt: skip
    return found


def network_bounds(network: Network, *, whole_space: bool = True, supertransversal: bool | None = None) -> list[Bound]:
    """:func:`known_bounds` of a network; whether its first layer is simple is decided here.

    ``supertransversal`` is what a :class:`~exactfd.CanonicalComplex` says of being generic and supertransversal.
    Source: as there.

    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, 1]], [0])])
    >>> [(b.quantity, str(b.value)) for b in network_bounds(net) if b.kind == "exact" and b.holds]
    [('regions', '7'), ('bounded_regions', '1'), ('mean_facets', '18/7'), ('diameter', '3')]
    """
    widths = network.relu_widths
    biases = [row[-1] for layer in range(1, len(widths) + 1) for row in network.augmented(layer).tolist()]
    simple = central = None
    if len(widths) == 1:
        simple, central = is_simple(network.augmented(1)), is_simple(network.augmented(1), central=True)
    return known_bounds(
        network.input_dimension,
        widths,
        whole_space=whole_space,
        simple=simple,
        simple_central=central,
        zero_biases=not any(bias != 0 for bias in biases),
        supertransversal=supertransversal,
    )


def _both(first: bool, second: bool | None) -> bool | None:
    return second if first else False


def _either(first: bool | None, second: bool | None) -> bool | None:
    return True if first or second else None if None in (first, second) else False
