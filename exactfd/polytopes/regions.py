"""Notions of linear regions, counted exactly for every parameter.

The six notions are those that Stargalla, Hertrich and Reichman compare in *The computational complexity of counting
linear regions in ReLU neural networks* (2025, arXiv 2505.16716), for ``F: R^{n_0} -> R^{n_d}``:

R1
    Activation regions: nonempty sets ``S_a`` of points with one pattern ``a`` in ``{0, 1}^N``, a neuron being 0 where
    its pre-activation is at most 0. Regions of lower dimension count.
R2
    Activation regions of dimension ``n_0``.
R3
    Convex regions: the fewest closed convex sets with disjoint interiors that cover ``R^{n_0}`` and on each of which
    ``F`` is affine. Bounds only: an open connected region needs one such set if it is convex, else at least two and at
    most as many as it has cells. (If the sets have to meet in common faces, the number is still from R4 to R2.)
R4
    Open connected regions: open connected sets on which ``F`` is affine, maximal among those.
R5
    Closed connected regions: the same with closed sets, each the closure of its interior. (Without that condition there
    are infinitely many: bent lines along which two maps happen to agree with a third.)
R6
    Affine maps: different maps that ``F`` has on open sets.

How they are read off the canonical polyhedral complex, whose cells have ternary labels:

* With the pattern of the earlier layers fixed a layer is affine, so ``S_a`` is where some affine forms are positive and
  others at most 0: it is convex, and a union of cells, those with label 1 exactly where ``a`` is 1. Hence R1. It has
  dimension ``n_0`` iff it holds an ``n_0``-cell, and then just one: two of them would differ in a form that is 0 on one
  and negative on the other, but what is 0 on an open set is 0 everywhere on ``S_a``. So R2 counts the ``n_0``-cells.
* Let ``g`` be an affine map and ``V`` the interior of ``{F = g}``. Open connected sets on which ``F`` is ``g`` lie in
  ``V``, so the maximal ones are its components. Such a component stays connected without its points in cells of
  dimension below ``n_0 - 1``, since these have codimension 2. What is left are ``n_0``-cells with the map ``g``, joined
  by ``(n_0 - 1)``-cells; and an ``(n_0 - 1)``-cell belongs to ``V`` iff the cells on both its sides have the map ``g``.
  So R4 counts the classes of ``n_0``-cells that are joined through facets to cells with the same map.
* A closed connected set that is the closure of its interior, with ``F = g`` on it, lies in the closure of ``V``, which
  is the union of the closed ``n_0``-cells with the map ``g``. So R5 counts the components of these unions. Two closed
  cells meet in a common face. Modulo the lineality no face contains a line, so each has a vertex: two closed cells meet
  iff they share a cell of the lowest dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InputError
from exactfd.geometry import bits
from exactfd.geometry.complex import CanonicalComplex, canonical_complex
from exactfd.geometry.tables import ranges
from exactfd.network import Network
from exactfd.polytopes.components import components
from exactfd.polytopes.convexity import convex_components
from exactfd.polytopes.maps import map_classes

Numbers = np.ndarray[Any, np.dtype[np.int64]]

_BATCH = 1 << 20  # cells whose labels are unpacked together


@dataclass(frozen=True, slots=True)
class RegionCounts:
    """Numbers of regions, all exact; see :mod:`exactfd.polytopes.regions` for what each one counts.

    Attributes
    ----------
    r1, r2
        Activation regions of every dimension, and of dimension ``n_0``.
    r3_lower, r3_upper
        Proved bounds for the number of convex regions.
    r4, r5
        Open and closed connected regions.
    r6
        Affine maps.
    """

    r1: int
    r2: int
    r3_lower: int
    r3_upper: int
    r4: int
    r5: int
    r6: int

    @property
    def r3(self) -> int | None:
        """The number of convex regions where the bounds meet, else None."""
        return self.r3_lower if self.r3_lower == self.r3_upper else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; R3 is the pair of its bounds."""
        return {
            "R1": self.r1,
            "R2": self.r2,
            "R3": [self.r3_lower, self.r3_upper],
            "R4": self.r4,
            "R5": self.r5,
            "R6": self.r6,
        }

    def _texts(self) -> dict[str, str]:
        between = f"{self.r3_lower}..{self.r3_upper}" if self.r3 is None else f"{self.r3}"
        return {name: between if name == "R3" else str(value) for name, value in self.to_dict().items()}

    def __repr__(self) -> str:
        return f"RegionCounts({', '.join(f'{name}={text}' for name, text in self._texts().items())})"

    def _repr_html_(self) -> str:
        texts = self._texts()
        names = "".join(f"<th>{name}</th>" for name in texts)
        values = "".join(f"<td>{text}</td>" for text in texts.values())
        return f"<table><tr>{names}</tr><tr>{values}</tr></table>"


def region_counts(network: Network, *, budget: Budget | None = None, progress: Progress = silent) -> RegionCounts:
    """Linear regions of a network by each of six notions: all exact except R3, which has proved bounds.

    With a ReLU on the output, the output neurons belong to the activation pattern.

    Parameters
    ----------
    budget, progress
        Limits, and a callback ``progress(stage, done, total)``.

    Raises
    ------
    BudgetExceeded
        when a limit runs out; there is no partial answer.
    InputError
        when the network has too many inputs for the whole complex.

    Notes
    -----
    Source: Stargalla, Hertrich, Reichman, arXiv 2505.16716 (the notions; ``R6 <= R5 <= R4 <= R3 <= R2 <= R1``). The
    definitions as they are used here, and why the counts are right, are at the head of this module.

    Examples
    --------
    ``max(-y, min(0, -x))``:

    >>> corner = Network(
    ...     [([[1, 0], [0, 1], [0, -1]], [0, 0, 0]), ([[1, 0, 0], [1, -1, 1]], [0, 0]), ([[-1, 1]], [0])]
    ... )
    >>> region_counts(corner)
    RegionCounts(R1=7, R2=5, R3=4..5, R4=3, R5=3, R6=3)
    """
    limits = budget or Budget()
    return region_counts_of(
        canonical_complex(network, budget=limits, progress=progress), budget=limits, progress=progress
    )


def region_counts_of(
    complex_: CanonicalComplex, *, budget: Budget | None = None, progress: Progress = silent
) -> RegionCounts:
    """As :func:`region_counts`, from the complex on all of ``R^{n_0}``. Raises ``InputError`` for one in a box.

    Source: as there.

    >>> hinge = Network([([[1], [-1]], [0, 0]), ([[1, -1]], [0])])  # relu(x) - relu(-x) = x
    >>> region_counts_of(canonical_complex(hinge))
    RegionCounts(R1=3, R2=2, R3=1, R4=1, R5=1, R6=1)
    """
    if complex_.box is not None:
        raise InputError("region counts: expected the complex on all of R^n, found one in a box")
    limits = budget or Budget()
    top = complex_.dimension
    patterns = _patterns(complex_, limits, progress)
    maps = map_classes(complex_.network, complex_.labels(top), budget=limits, progress=progress)
    sides = _sides(complex_)
    same = maps[sides[0]] == maps[sides[1]]
    limits.check()
    opened = components(len(maps), sides[0][same], sides[1][same])
    convex = convex_components(complex_, opened, maps, sides[:, ~same], limits, progress)
    sizes = np.bincount(opened)
    return RegionCounts(
        r1=patterns,
        r2=len(maps),
        r3_lower=len(sizes) + int(np.count_nonzero(~convex)),
        r3_upper=int(sizes[~convex].sum()) + int(np.count_nonzero(convex)),
        r4=len(sizes),
        r5=_closed_regions(complex_, opened, maps, limits),
        r6=int(maps.max()) + 1,
    )


def _patterns(complex_: CanonicalComplex, limits: Budget, progress: Progress) -> int:
    """R1: sets of positive labels, over the cells of every dimension."""
    seen = np.zeros(0, dtype=np.dtype((np.void, 8 * max(1, bits.words_for(sum(complex_.network.relu_widths))))))
    for dimension in range(complex_.dimension + 1):
        labels = complex_.labels(dimension)
        for start in range(0, len(labels), _BATCH):
            words = bits.pack(labels[start : start + _BATCH] > 0)
            rows = np.zeros((words.shape[1], max(1, len(words))), dtype=np.uint64)
            rows[:, : len(words)] = words.T
            seen = np.unique(np.concatenate([seen, rows.view(seen.dtype)[:, 0]]))
            limits.check()
        progress("activation patterns", dimension, complex_.dimension)
    return len(seen)


def _sides(complex_: CanonicalComplex) -> Numbers:
    """The two ``n_0``-cells at every ``(n_0 - 1)``-cell, shape ``2 x f``; there are always two."""
    flat, lengths = complex_.facets(complex_.dimension)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return owner[np.argsort(flat, kind="stable")].reshape(-1, 2).T


def _closed_regions(complex_: CanonicalComplex, opened: Numbers, maps: Numbers, limits: Budget) -> int:
    """R5: open regions with the same map whose closures meet are one."""
    map_of = np.zeros(int(opened.max()) + 1, dtype=np.int64)
    map_of[opened] = maps
    faces = np.flatnonzero(np.bincount(map_of)[maps] > 1)  # only regions that share their map can be joined
    if not len(faces):
        return len(map_of)
    owner = opened[faces]
    lowest = next(k for k, count in enumerate(complex_.f_vector) if count)
    for dimension in range(complex_.dimension, lowest, -1):
        flat, lengths = complex_.facets(dimension)
        starts = np.cumsum(lengths) - lengths
        below = flat[ranges(starts[faces], lengths[faces].astype(np.int32))]
        pairs = np.unique(np.repeat(owner, lengths[faces]) * np.int64(complex_.f_vector[dimension - 1]) + below)
        owner, faces = np.divmod(pairs, complex_.f_vector[dimension - 1])
        limits.check()
    order = np.lexsort((faces, map_of[owner]))
    owner, faces = owner[order], faces[order]
    meet = (faces[1:] == faces[:-1]) & (map_of[owner[1:]] == map_of[owner[:-1]])
    return int(components(len(map_of), owner[1:][meet], owner[:-1][meet]).max()) + 1
