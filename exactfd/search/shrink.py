"""Making a counterexample small: fewer neurons, more zeros, smaller and rounder numbers, while the property holds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Generic, TypeVar

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded
from exactfd.network import Network
from exactfd.search.candidates import network_of, rows_of

Networks = tuple[Network, ...]
W = TypeVar("W")

#: Steps with which all entries of a network are rounded at once, coarsest first.
_STEPS = (Fraction(4), Fraction(2), Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 16))


class Descent(Generic[W]):
    """Makes networks smaller, step by step, while a property of theirs holds.

    Tried in this order, always the same: leave out a hidden neuron (the same one in each network), round all entries
    of a network at once, replace one entry by 0, then by a sign, half of it, a nearby integer. A step is taken where
    the property holds after it and ``(neurons, nonzero entries, sum of heights)`` becomes smaller in lexicographic
    order, so the descent ends. Where it ends no single step keeps the property; nothing says that there are no smaller
    networks elsewhere.

    Parameters
    ----------
    networks, witness
        Where to begin, and what ``holds`` says there.
    holds
        Decides exactly: a witness, or None.
    keep_architecture
        Leave no neuron out.

    Attributes
    ----------
    networks, witness
        The smallest so far: also after an interrupt.
    finished
        Whether the descent came to its end.

    Examples
    --------
    >>> net = Network([([[3], [5]], [1, 2]), ([[7, 8]], [0])])
    >>> descent = Descent((net,), 84, lambda nets: nets[0].evaluate([1])[0] or None)  # the value at 1 is not zero
    >>> descent.run()
    >>> [str(entry) for entry in descent.networks[0].theta()], descent.witness
    (['1', '0', '1', '0'], Fraction(1, 1))
    """

    def __init__(
        self,
        networks: Networks,
        witness: W,
        holds: Callable[[Networks], W | None],
        *,
        keep_architecture: bool = False,
        progress: Progress = silent,
    ) -> None:
        self.networks = networks
        self.witness = witness
        self.finished = False
        self.steps = 0
        self._holds = holds
        self._keep = keep_architecture
        self._progress = progress
        self._budget = Budget()

    def run(self, budget: Budget | None = None) -> None:
        """Go down until the end or until the budget runs out."""
        self._budget = budget or Budget()
        try:
            while not self.finished:
                before = size(self.networks)
                while not self._keep and self._leave_out():
                    pass
                self._round()
                self._zeros()
                self._entries()
                self.finished = size(self.networks) == before
        except BudgetExceeded:
            return

    def _attempt(self, networks: Networks) -> bool:
        """Take the step if it is one down and the property holds after it."""
        if size(networks) >= size(self.networks):
            return False
        self._budget.check()
        self.steps += 1
        self._progress("shrinking", self.steps, None)
        witness = self._holds(networks)
        if witness is None:
            return False
        self.networks, self.witness = networks, witness
        return True

    def _leave_out(self) -> bool:
        architectures = {network.architecture for network in self.networks}
        if len(architectures) > 1:
            return False
        for layer, width in enumerate(self.networks[0].architecture[1:-1], 1):
            for i in range(width if width > 1 else 0):
                if self._attempt(tuple(without_neuron(network, layer, i) for network in self.networks)):
                    return True
        return False

    def _round(self) -> None:
        for number in range(len(self.networks)):
            for step in _STEPS:
                if self._attempt(self._with(number, self.networks[number].rounded(step))):
                    break

    def _zeros(self) -> None:
        for number, network in enumerate(self.networks):
            for place in range(network.parametric_dimension):
                self._try_entry(number, place, Fraction(0))

    def _entries(self) -> None:
        for number, network in enumerate(self.networks):
            for place in range(network.parametric_dimension):
                for value in _smaller(self.networks[number].theta()[place]):
                    if self._try_entry(number, place, value):
                        break

    def _try_entry(self, number: int, place: int, value: Fraction) -> bool:
        network = self.networks[number]
        theta = list(network.theta())
        theta[place] = value
        changed = Network.from_theta(network.architecture, theta, output_activation=network.output_activation)
        return self._attempt(self._with(number, changed))

    def _with(self, number: int, network: Network) -> Networks:
        return (*self.networks[:number], network, *self.networks[number + 1 :])


def size(networks: Networks) -> tuple[int, int, int]:
    """Hidden neurons, nonzero entries and the sum of their heights ``|p| + q``: what shrinking makes smaller.

    >>> size((Network([([["-3/2", 0]], [1])]),))
    (0, 2, 7)
    """
    entries = [value for network in networks for value in network.theta() if value]
    heights = sum(abs(value.numerator) + value.denominator for value in entries)
    return sum(network.hidden_neurons for network in networks), len(entries), heights


def without_neuron(network: Network, layer: int, neuron: int) -> Network:
    """The network without a neuron of hidden layer ``layer`` (from 1), ``neuron`` counting from 0."""
    layers = rows_of(network)
    del layers[layer - 1][neuron]
    for row in layers[layer]:
        del row[neuron]
    return network_of(layers, network.output_activation)


def _smaller(value: Fraction) -> list[Fraction]:
    """Numbers of smaller height to try in place of one, simplest first; not zero."""
    sign = 1 if value > 0 else -1
    height = abs(value.numerator) + value.denominator
    choices = dict.fromkeys((Fraction(sign), Fraction(int(value / 2)), Fraction(round(value)), value / 2))
    return [choice for choice in choices if choice and abs(choice.numerator) + choice.denominator < height]
