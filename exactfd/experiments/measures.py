"""What is computed of one network: each measure gives a JSON-ready document with its ``status``.

``proved`` says that every number in the document is exact; ``bounds`` that some are bounds, or null, because a limit
ran out. Float ranks are there to be compared, and say so in their names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from exactfd import rationals
from exactfd.batches import BatchResult, batch_functional_dimension
from exactfd.budget import Budget, current_memory
from exactfd.dimension import DimensionResult, functional_dimension
from exactfd.errors import BudgetExceeded
from exactfd.experiments.inactive import never_and_always_active, on_points
from exactfd.experiments.samplers import Distribution, sample_point, stream
from exactfd.experiments.specification import DATA, Formula, Limits, Measure
from exactfd.experiments.training import Checkpoint, Recipe
from exactfd.geometry.complex import canonical_complex
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import float_jacobian
from exactfd.linalg.floats import float_rank
from exactfd.network import Network
from exactfd.points import checked_points
from exactfd.polytopes.faces import FacetTally, face_statistics
from exactfd.symmetry.explanation import explain
from exactfd.symmetry.identifiability import identifiability

Document = dict[str, Any]
_DRAWS = 8  # times as many points as asked for are drawn before smooth ones are given up


@dataclass
class Context:
    """One network, and what its measures have in common: a result that two of them need is computed once."""

    network: Network
    limits: Limits
    key: tuple[Any, ...]  # of the stream of points: what the draw of the network depends on
    recipe: Recipe | None = None  # of a network that is trained, with where it is on its way
    checkpoint: Checkpoint | None = None
    _before: int = field(default_factory=current_memory)
    _dimension: DimensionResult | None = None
    _batches: dict[tuple[str, Distribution | Literal["data"]], BatchResult | None] = field(default_factory=dict)

    def budget(self) -> Budget:
        """For one measure; the clock starts now."""
        return self.limits.budget(self._before)

    def dimension(self) -> DimensionResult:
        """The exact functional dimension, or bounds."""
        if self._dimension is None:
            self._dimension = functional_dimension(self.network, budget=self.budget())
        return self._dimension

    def dimension_if_known(self) -> DimensionResult | None:
        """The same where another measure has asked for it."""
        return self._dimension

    def batch(self, measure: Measure) -> BatchResult | None:
        """The rank on the batch of a measure; None where no smooth point was found."""
        assert measure.inputs is not None
        key = (measure.points.text if measure.points else "", measure.inputs)
        if key not in self._batches:
            points = self._points(measure)
            self._batches[key] = (
                batch_functional_dimension(self.network, points, budget=self.budget()) if points else None
            )
        return self._batches[key]

    def _points(self, measure: Measure) -> list[Any]:
        if measure.inputs == DATA:
            assert self.recipe is not None
            exact = [[rationals.to_fmpq(x) for x in point] for point in dict.fromkeys(self.recipe.data.inputs)]
            return _smooth_ones(self.network, exact)
        assert measure.points is not None
        assert isinstance(measure.inputs, Distribution)
        return smooth_points(self.network, measure.points, measure.inputs, self.key)


def smooth_points(network: Network, formula: Formula, inputs: Distribution, key: tuple[Any, ...]) -> list[Any]:
    """The first parametrically smooth points of a stream of draws, as many as the formula says.

    A larger batch of one network holds the smaller ones. Fewer points are given where eight times as many draws do not
    hold enough smooth ones, none where a neuron that the output depends on vanishes everywhere.
    """
    size, rng = formula.at(network.architecture), stream("points", *key, inputs.to_dict())
    found: list[Any] = []
    for _ in range(_DRAWS):
        drawn = [sample_point(inputs, network.input_dimension, rng) for _ in range(size)]
        found += _smooth_ones(network, drawn)
        if len(found) >= size:
            break
    return found[:size]


def _smooth_ones(network: Network, points: list[Any]) -> list[Any]:
    labels = ternary_tuples(network, checked_points(points, network.input_dimension))
    smooth = smooth_mask(labels, network.relu_widths)
    return [point for point, keep in zip(points, smooth.tolist(), strict=True) if keep]


# --------------------------------------------------------------------------- one function a measure


def _dimension(context: Context, measure: Measure) -> Document:
    result, bound = context.dimension(), context.network.upper_bound
    return {
        "status": result.status,
        "functional_dimension": result.value,
        "lower_bound": result.lower,
        "upper_bound": result.upper,
        "theoretical_upper_bound": bound,
        "deficit": None if result.value is None else bound - result.value,
        "method": result.method,
        "top_cells": result.top_cells,
        "limit": result.limit,
    }


def _batch(context: Context, measure: Measure) -> Document:
    result = context.batch(measure)
    if result is None:
        return {"status": "proved", "rank": 0, "lower_bound": 0, "upper_bound": 0, "points": 0, "limit": None}
    return {
        "status": result.status,
        "rank": result.rank,
        "lower_bound": result.lower,
        "upper_bound": result.upper,
        "points": result.points,
        "limit": result.limit,
    }


def _gap(context: Context, measure: Measure) -> Document:
    """Batch minus exact: never positive."""
    batch, exact = context.batch(measure), context.dimension()
    low, high = (0, 0) if batch is None else (batch.lower, batch.upper)
    lower, upper = low - exact.upper, min(0, high - exact.lower)
    return {
        "status": "proved" if lower == upper else "bounds",
        "batch_minus_exact": lower if lower == upper else None,
        "lower_bound": lower,
        "upper_bound": upper,
        "limit": exact.limit or (None if batch is None else batch.limit),
    }


def _floats(context: Context, measure: Measure) -> Document:
    """Ranks by singular values, the columns scaled, in float64 and float32 throughout, beside the exact rank."""
    result = context.batch(measure)
    rank, ranks = 0 if result is None else result.rank, {"float64": 0, "float32": 0}
    found: dict[str, int | None] = dict(ranks)
    if result is not None:
        for name in ranks:
            numeric = float_rank(float_jacobian(context.network, result.batch, dtype=np.dtype(name)))
            found[name] = None if np.isnan(numeric.tolerance) else numeric.rank
    return {
        "status": "proved" if rank is not None else "bounds",
        "rank": rank,
        **{f"{name}_rank": value for name, value in found.items()},
        **{f"{name}_wrong": None if rank is None else value != rank for name, value in found.items()},
        "limit": None if result is None else result.limit,
    }


def _mechanisms(context: Context, measure: Measure) -> Document:
    explanation = explain(context.dimension(), budget=context.budget())
    kinds: dict[str, int] = {}
    for mechanism in explanation.mechanisms:
        kinds[mechanism.kind] = kinds.get(mechanism.kind, 0) + mechanism.dimension
    left = explanation.unexplained
    limit = explanation.result.limit or explanation.limit
    return {
        "status": "proved" if explanation.deficit is not None and limit is None else "bounds",
        "deficit": explanation.deficit,
        "mechanisms": dict(sorted(kinds.items())),
        "unexplained": None if left is None else len(left),
        "limit": limit,
    }


def _identifiability(context: Context, measure: Measure) -> Document:
    try:
        found = identifiability(context.network, budget=context.budget())
    except BudgetExceeded as error:
        names = ("tpic", "lra", "pairs", "failing_pairs", "no_hidden_symmetries")
        return {"status": "bounds", **dict.fromkeys(names), "limit": str(error)}
    return {
        "status": "proved",
        "tpic": found.tpic,
        "lra": found.lra,
        "pairs": len(found.pairs),
        "failing_pairs": len(found.failing_pairs),
        "no_hidden_symmetries": found.no_hidden_symmetries,
        "limit": None,
    }


def _cells(context: Context, measure: Measure) -> Document:
    try:
        cells = canonical_complex(context.network, budget=context.budget())
    except BudgetExceeded as error:
        names = ("f_vector", "top_cells", "smooth_top_cells", "bounded_top_cells", "supertransversal")
        return {"status": "bounds", **dict.fromkeys(names), "limit": str(error)}
    return {
        "status": "proved",
        "f_vector": list(cells.f_vector),
        "top_cells": cells.top_cells,
        "smooth_top_cells": cells.smooth_top_cells,
        "bounded_top_cells": cells.bounded_top_cells,
        "supertransversal": cells.supertransversal,
        "limit": None,
    }


def _facets(context: Context, measure: Measure) -> Document:
    """Facets of every polytope of the complex, counted."""
    try:
        found = face_statistics(canonical_complex(context.network, budget=context.budget()))
    except BudgetExceeded as error:
        names = (*FacetTally({}, {}).to_dict(), "facets_by_layer", "top_cells")
        return {"status": "bounds", **dict.fromkeys(names), "limit": str(error)}
    return {
        "status": "proved",
        **found.facets.to_dict(),
        "facets_by_layer": list(found.facets_by_layer),
        "top_cells": found.top_cells,
        "limit": None,
    }


def _inactive(context: Context, measure: Measure) -> Document:
    found = never_and_always_active(context.network, known=context.dimension_if_known(), budget=context.budget())
    document = {"status": found.status, **found.to_dict()}
    if context.recipe is not None:
        never, always = on_points(context.network, context.recipe.data.inputs)
        document |= {"never_active_on_data": never, "always_active_on_data": always}
    return document


def _loss(context: Context, measure: Measure) -> Document:
    """What the training itself sees, in floats; the numbers of samples are exact."""
    assert context.recipe is not None
    assert context.checkpoint is not None
    return {
        "status": "proved",
        "float64_loss": context.checkpoint.loss,
        "float64_correct": context.checkpoint.correct,
        "samples": context.recipe.data.samples,
    }


#: By the names of :data:`exactfd.experiments.specification.KINDS`.
MEASURES: Mapping[str, Callable[[Context, Measure], Document]] = {
    "dimension": _dimension,
    "batch": _batch,
    "gap": _gap,
    "floats": _floats,
    "mechanisms": _mechanisms,
    "identifiability": _identifiability,
    "cells": _cells,
    "facets": _facets,
    "inactive": _inactive,
    "loss": _loss,
}


def nothing_known(reason: str) -> Document:
    """The document of a measure that came to no end: the work was stopped, or it failed."""
    return {"status": "bounds", "limit": reason}
