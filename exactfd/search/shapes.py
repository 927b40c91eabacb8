"""Claims about the canonical polyhedral complex: TPIC, LRA, signs that can be turned, the average number of facets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from exactfd.budget import Budget, Progress
from exactfd.certificates import Certificate, f_vector_certificate, function_certificate
from exactfd.errors import InputError
from exactfd.geometry.complex import CanonicalComplex, canonical_complex
from exactfd.network import Network
from exactfd.rationals import format_rational
from exactfd.search.candidates import GENERAL, TURNABLE, TURNABLE_MOVE, network_of, rows_of
from exactfd.search.claims import Certify, Claim, Networks, Witness, dimension_evidence, proved_dimension
from exactfd.search.shrink import without_neuron
from exactfd.symmetry.canonical import equivalence
from exactfd.symmetry.identifiability import IdentifiabilityResult, identifiability


def _cells_evidence(*complexes: tuple[str, CanonicalComplex]) -> Certify:
    """Certificates of f-vectors, which list every cell with its labels."""

    def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
        return [(about, f_vector_certificate(cells, budget=budget, progress=progress)) for about, cells in complexes]

    return certify


class _OfPairs(Claim):
    """Claims about networks with at least two adjacent ReLU layers and at least two inputs."""

    architecture = (2, 2, 2, 1)

    hidden_layers = 2  # without, TPIC says nothing
    inputs = 2  # with one, it is false


class FullDimensionWithoutTPIC(_OfPairs):
    """``dim_fun(theta) = D'`` although some pair of bent hyperplanes of adjacent layers does not meet transversely.

    TPIC (with LRA) is sufficient for having no hidden symmetries, and not necessary.
    """

    name = "full-dimension-without-tpic"
    statement = "dim_fun(theta) = D' and TPIC fails"

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """The dimension, then the pairs."""
        (network,) = networks
        result = proved_dimension(network, budget)
        if result.value != network.upper_bound:
            return None
        found = identifiability(network, budget=budget)
        if found.tpic:
            return None
        facts = {
            "functional_dimension": result.value,
            "upper_bound": network.upper_bound,
            "failing_pairs": [pair.to_dict() for pair in found.failing_pairs],
        }

        def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
            cells = _cells_evidence(("all cells with their labels", canonical_complex(network, budget=budget)))
            return [*dimension_evidence(result)(budget, progress), *cells(budget, progress)]

        return Witness(networks, facts, certify)


class TPICWithoutLRA(_OfPairs):
    """TPIC holds although two adjacent ``n_0``-cells carry the same affine map."""

    name = "tpic-without-lra"
    statement = "TPIC holds and LRA fails"
    _transverse: int | None = None

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """All pairs, and two adjacent cells with one map."""
        (network,) = networks
        found = identifiability(network, budget=budget)
        self._transverse = len(found.pairs) - len(found.failing_pairs)
        if not found.tpic or found.same_map is None:
            return None
        facts = {
            "pairs": [pair.to_dict() for pair in found.pairs],
            "same_map": [[format_rational(x) for x in point] for point in found.same_map],
        }
        return Witness(networks, facts, _all_cells(network))

    def score(self) -> Any:
        """How many pairs meet transversely."""
        return self._transverse


def _all_cells(network: Network) -> Certify:
    def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
        cells = canonical_complex(network, budget=budget, progress=progress)
        return _cells_evidence(("all cells with their labels", cells))(budget, progress)

    return certify


class SignsTurned(_OfPairs):
    """Generic, supertransversal, TPIC, LRA and no zero weight between hidden layers, and still a hidden symmetry.

    Neurons of a hidden layer whose linear parts cancel in the next layer are all replaced by their opposites:
    ``relu(z) = relu(-z) + z``. The two networks have the same function, proved, and no permutation and positive scaling
    takes one to the other (:func:`exactfd.equivalence`). Such parameters have measure zero.
    """

    name = "signs-turned"
    activations = ("identity",)  # where "no hidden symmetries" is in question
    statement = "generic, supertransversal, TPIC and LRA hold, and a second parameter beyond permutation and scaling"
    architecture = (2, 2, 3, 1)
    kinds = (TURNABLE, TURNABLE_MOVE, TURNABLE_MOVE, TURNABLE_MOVE)
    _good: tuple[int, int] | None = None

    def examine(self, network: Network, budget: Budget) -> Witness | None:
        """The candidate beside the one with its signs turned."""
        self._good = None
        found = identifiability(network, budget=budget)
        if found.flips is None:
            return None
        transverse = sum(pair.transverse for pair in found.pairs)
        self._good = transverse, sum(value is True for value in found.hypotheses.values())
        return self._with_turned(found, budget)

    def score(self) -> Any:
        """How many pairs meet transversely, and how many hypotheses hold."""
        return self._good

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """As for a candidate: the second network follows from the first."""
        return self.examine(networks[0], budget)

    def _with_turned(self, found: IdentifiabilityResult, budget: Budget) -> Witness | None:
        others = {name: value for name, value in found.hypotheses.items() if name != "no_sign_flips"}
        if found.flips is None or not all(others.values()):
            return None
        network, (layer, neurons) = found.network, found.flips
        turned = turn_signs(network, layer, neurons)
        if equivalence(network, turned, budget=budget) is not None:
            return None
        equality = function_certificate(network, turned, budget=budget)
        if equality.claim["relation"] != "==":
            return None
        facts = {"hypotheses": others, "turned": {"layer": layer, "neurons": list(neurons)}}

        def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
            return [("equality of the two functions", equality), *_all_cells(network)(budget, progress)]

        return Witness((network, turned), facts, certify)


def turn_signs(network: Network, layer: int, neurons: Sequence[int]) -> Network:
    """Rows of a hidden layer times -1; the next biases take up the constants that ``relu(z) = relu(-z) + z`` leaves.

    The function stays the same where the linear parts of these neurons cancel in every neuron of the next layer.
    """
    layers = rows_of(network)
    for i in neurons:
        row = layers[layer - 1][i]
        for target in layers[layer]:
            target[-1] += target[i] * row[-1]
        row[:] = [-entry for entry in row]
    return network_of(layers, network.output_activation)


class FacetsDrop(Claim):
    """The average number of facets of the ``n_0``-cells drops when a hidden neuron is added.

    Facets are ``(n_0 - 1)``-dimensional faces, on all of ``R^{n_0}``, so there are no walls. Each ``(n_0 - 1)``-cell is
    a facet of exactly two ``n_0``-cells, so the average is ``2 f_{n_0 - 1} / f_{n_0}``, a fraction, and certificates of
    the two f-vectors prove it. The first network is the larger one, the second lacks the neuron.
    """

    name = "facets-drop"
    statement = "the average number of facets of the top cells drops when a neuron is added"
    architecture = (2, 3, 2, 1)
    kinds = GENERAL
    _gain: Fraction | None = None

    def check_architecture(self, architecture: tuple[int, ...]) -> None:
        """A neuron can be left out of some hidden layer."""
        if not any(width > 1 for width in architecture[1:-1]):
            raise InputError(
                f"architecture: {self.name} is about a hidden layer of at least 2 neurons, found {architecture}"
            )

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Leave out each neuron in turn."""
        network = networks[0]
        whole = canonical_complex(network, budget=budget)
        mean = mean_facets(whole)
        best: tuple[Fraction, int, int, CanonicalComplex] | None = None
        for layer, width in enumerate(network.architecture[1:-1], 1):
            for i in range(width if width > 1 else 0):
                part = canonical_complex(without_neuron(network, layer, i), budget=budget)
                if best is None or mean_facets(part) > best[0]:
                    best = mean_facets(part), layer, i, part
        if best is None:
            return None
        before, layer, i, part = best
        self._gain = before - mean
        if before <= mean:
            return None
        facts = {
            "mean_facets": {"before": str(before), "after": str(mean)},
            "added_neuron": [layer, i],
            "f_vectors": {"before": list(part.f_vector), "after": list(whole.f_vector)},
        }
        evidence = _cells_evidence(("f-vector with the neuron", whole), ("f-vector without the neuron", part))
        return Witness((network, part.network), facts, evidence)

    def score(self) -> Any:
        """How much the average drops."""
        return self._gain


def mean_facets(cells: CanonicalComplex) -> Fraction:
    """Average number of facets of the ``n_0``-cells of a complex on all of ``R^{n_0}``, exact.

    >>> mean_facets(canonical_complex(Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])))
    Fraction(18, 7)
    """
    if cells.box is not None:
        raise InputError("mean_facets: expected a complex on all of space, found one in a box")
    return Fraction(2 * cells.f_vector[-2], cells.f_vector[-1])
