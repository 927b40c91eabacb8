"""What can be searched for: a name, a statement, candidates to begin with, and an exact decision with its evidence."""

from __future__ import annotations

import contextlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from exactfd.budget import Budget, Progress
from exactfd.certificates import Certificate, dimension_certificate
from exactfd.dimension import DimensionResult, functional_dimension
from exactfd.errors import BudgetExceeded, InputError
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.top import top_cells
from exactfd.network import Network, OutputActivation
from exactfd.search.candidates import EVERY, GENERAL, MOVE

Networks = tuple[Network, ...]
Certify = Callable[[Budget, Progress], list[tuple[str, Certificate]]]


class PredicateError(InputError):
    """A predicate of the user raised an exception; ``network`` is what it was called with."""

    def __init__(self, message: str, network: Network) -> None:
        super().__init__(message)
        self.network = network


@dataclass(frozen=True)
class Witness:
    """Networks for which a claim was decided in the affirmative, exactly, and what shows it.

    Attributes
    ----------
    networks
        One network, or several where the claim is about several.
    facts
        JSON-ready values: what was proved, by name.
    certify
        Writes the certificates, each with what it is about.
    points
        A batch of points that belongs to the claim, or None.
    """

    networks: Networks
    facts: dict[str, Any]
    certify: Certify = field(repr=False)
    points: list[list[Fraction]] | None = None


class Claim(ABC):
    """One property to search for. An object serves one search: it may remember candidates.

    Attributes
    ----------
    name, statement
        How it is called, and what a find shows.
    architecture, output_activation
        Where to search unless told otherwise.
    activations
        The output activations that the claim is about.
    kinds
        Families of candidates, taken in turn.
    fixed
        Whether the architecture belongs to the claim, so that shrinking leaves no neuron out.
    free
        How many networks the claim is about; further networks of a witness follow from these.
    hidden_layers, inputs
        At least so many are needed.
    """

    name: str
    statement: str
    architecture: tuple[int, ...]
    output_activation: OutputActivation = "identity"
    activations: Sequence[OutputActivation] = ("identity", "relu")
    kinds: Sequence[str] = GENERAL
    fixed: bool = False
    free: int = 1
    hidden_layers: int = 0
    inputs: int = 1

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def check_architecture(self, architecture: tuple[int, ...]) -> None:
        """Raise ``InputError`` where the claim makes no sense for an architecture."""
        for found, least, what in (
            (len(architecture) - 2, self.hidden_layers, "hidden layer"),
            (architecture[0], self.inputs, "input"),
        ):
            if found < least:
                what += "s" * (least > 1)
                raise InputError(f"architecture: {self.name} is about at least {least} {what}, found {architecture}")

    @abstractmethod
    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Decide exactly whether the claim holds for these very networks; None where it does not or is not proved."""

    def examine(self, network: Network, budget: Budget) -> Witness | None:
        """A witness that the candidate gives, alone or with candidates before it."""
        return self.confirm((network,), budget)

    def score(self) -> Any:
        """How close the last candidate came, the larger the closer; None where that has no meaning."""
        return None


class Predicate(Claim):
    """A Python function of a network: whatever it returns is taken as true or false, and nothing is certified."""

    architecture = (2, 3, 1)

    def __init__(self, function: Callable[[Network], Any]) -> None:
        super().__init__()
        self.name = getattr(function, "__name__", type(function).__name__)
        self.statement = f"the predicate {self.name} is true"
        self._function = function

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Ask the predicate. Raises ``PredicateError`` where it raises."""
        try:
            with contextlib.redirect_stdout(sys.stderr):  # standard output is for answers
                answer = bool(self._function(networks[0]))
        except (Exception, SystemExit) as error:
            message = f"the predicate {self.name} raised {type(error).__name__}: {error}"
            raise PredicateError(" ".join(message.splitlines()), networks[0]) from error
        return Witness(networks, {}, lambda budget, progress: []) if answer else None


# --------------------------------------------------------------------------- one network and its functional dimension


def proved_dimension(network: Network, budget: Budget) -> DimensionResult:
    """The functional dimension, proved. Raises ``BudgetExceeded`` where the budget leaves bounds only."""
    result = functional_dimension(network, budget=budget)
    require_proof(result)
    return result


def require_proof(result: DimensionResult) -> None:
    """Raise ``BudgetExceeded`` where a budget has left bounds only."""
    if result.value is None:
        raise BudgetExceeded(result.limit or result.method)


def everywhere_smooth(network: Network, budget: Budget) -> bool:
    """Whether every point of every ``n_0``-dimensional cell is parametrically smooth: no neuron that reaches the output
    vanishes on an open set.
    """
    return bool(smooth_mask(top_cells(network, budget=budget).labels, network.relu_widths).all())


def dimension_evidence(*results: DimensionResult, names: Sequence[str] | None = None) -> Certify:
    """Certificates of functional dimensions, of ``network 1``, ``network 2``, ... or what ``names`` calls them."""
    called = names or [f"network {number}" for number in range(1, len(results) + 1)]

    def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
        return [
            (f"functional dimension of {name}", dimension_certificate(result, budget=budget, progress=progress))
            for name, result in zip(called, results, strict=True)
        ]

    return certify


class _OfDimension(Claim):
    """Claims about one network that are settled by its functional dimension."""

    _deficit: int | None = None

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Compute the functional dimension; only a proved one counts."""
        (network,) = networks
        self._deficit = None
        result = proved_dimension(network, budget)
        self._deficit = network.upper_bound - result.lower
        if not self.wanted(result, budget):
            return None
        return Witness(networks, self.facts(result), dimension_evidence(result))

    @abstractmethod
    def wanted(self, result: DimensionResult, budget: Budget) -> bool:
        """Whether a parameter with this proved functional dimension is what the claim asks for."""

    def facts(self, result: DimensionResult) -> dict[str, Any]:
        """What a find shows."""
        return {"functional_dimension": result.value, "upper_bound": result.network.upper_bound}


class AttainsUpperBound(_OfDimension):
    """``dim_fun(theta) = D'``."""

    name = "attains-upper-bound"
    statement = "dim_fun(theta) = D'"
    architecture: tuple[int, ...] = (2, 2, 2, 1)

    def wanted(self, result: DimensionResult, budget: Budget) -> bool:
        """The bound is met."""
        return result.value == result.network.upper_bound

    def score(self) -> Any:
        """Minus the deficit."""
        return None if self._deficit is None else -self._deficit


class WidthOneChain(AttainsUpperBound):
    """``dim_fun(theta) = D'`` where every hidden layer has one neuron.

    Three hidden layers or more are believed to be impossible; a search that finds nothing says what it tried.
    """

    name = "width-one-chain"
    statement = "dim_fun(theta) = D' at an architecture with one neuron in each hidden layer"
    architecture = (1, 1, 1, 1, 1)
    kinds = (EVERY, EVERY, EVERY, MOVE, "small rationals", "normal weights")
    fixed = True

    def check_architecture(self, architecture: tuple[int, ...]) -> None:
        """Hidden layers have one neuron."""
        if len(architecture) < 3 or any(width != 1 for width in architecture[1:-1]):
            raise InputError(
                f"architecture: {self.name} is about hidden layers of one neuron each, found {architecture}; "
                "search for attains-upper-bound instead"
            )


class MissesUpperBound(_OfDimension):
    """``dim_fun(theta) < D'``."""

    name = "misses-upper-bound"
    statement = "dim_fun(theta) < D'"
    architecture: tuple[int, ...] = (2, 2, 2, 1)

    def wanted(self, result: DimensionResult, budget: Budget) -> bool:
        """A deficit."""
        return result.upper < result.network.upper_bound

    def score(self) -> Any:
        """The deficit."""
        return self._deficit


class HiddenSymmetry(MissesUpperBound):
    """A direction beyond the scalings along which the function does not move to first order, at no fault of one neuron.

    So that no find is trivial, every hidden neuron has nonzero weights in and out, and is active on some
    ``n_0``-dimensional cell and inactive on another; and a direction of the kernel is independent of the scalings.
    """

    name = "hidden-symmetry"
    statement = "dim_fun(theta) < D' and the kernel holds more than scalings, though every hidden neuron bends"
    architecture = (1, 2, 1)
    hidden_layers = 1

    def wanted(self, result: DimensionResult, budget: Budget) -> bool:
        """A hidden direction, and all hidden neurons bend."""
        network = result.network
        if not super().wanted(result, budget) or not result.search.free_columns() or not _all_linked(network):
            return False
        labels = top_cells(network, budget=budget).labels[:, : network.hidden_neurons]
        bends = bool(((labels == 1).any(axis=0) & (labels == -1).any(axis=0)).all())
        return bends and bool(result.solve(budget=budget))

    def facts(self, result: DimensionResult) -> dict[str, Any]:
        """Also a direction."""
        direction = [str(entry) for entry in result.hidden_kernel[0]]
        return {**super().facts(result), "hidden_directions": len(result.hidden_kernel), "direction": direction}


def _all_linked(network: Network) -> bool:
    """Whether every hidden neuron has a nonzero weight on either side."""
    weights = [[row[:-1] for row in network.augmented(layer).tolist()] for layer in range(1, network.depth + 1)]
    incoming = all(any(entry != 0 for entry in row) for rows in weights[:-1] for row in rows)
    outgoing = all(any(entry != 0 for entry in column) for rows in weights[1:] for column in zip(*rows, strict=True))
    return incoming and outgoing
