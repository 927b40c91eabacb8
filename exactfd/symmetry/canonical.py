"""One representative for each orbit of permutations and positive scalings, and whether two parameters share an orbit.

Neurons are nodes of a graph with an edge for every nonzero weight. Inputs, biases and outputs are its fixed *ground*. A
scaling is a positive number at each hidden neuron, one at the ground. It is fixed without choosing any order among the
neurons: by distance from the ground, nearest first, each neuron gets the scale that makes the absolute values of its
weights from the nodes one step nearer add up to one (of its weights to them, where it has none from them). Neurons that
no path joins to the ground fall into components of their own; each has one scale that changes nothing, so that one of
its neurons, the root, may have scale one.

What is left is a canonical order of the neurons of a graph with labelled edges: colours are refined by the weights to
and from each colour, and ties are broken one neuron at a time, all ways but those that a known automorphism makes
superfluous.

Sources: the method of McKay, *Practical graph isomorphism*, Congressus Numerantium 30 (1981), sections 2.2-2.4; scales
along paths from a root as for gain graphs, Zaslavsky, *Biased graphs I*, J. Combin. Theory B 47 (1989), section 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flint import fmpq

from exactfd import rationals
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.network import Network
from exactfd.symmetry.group import Symmetry

Node = int
Edges = list[tuple[Node, fmpq]]
Colours = dict[Node, int]
Path = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class CanonicalForm:
    """The representative of an orbit: ``network == symmetry.apply(original)``."""

    network: Network
    symmetry: Symmetry

    def __repr__(self) -> str:
        return f"CanonicalForm({self.network!r})"


def canonical_form(network: Network, *, budget: Budget | None = None, max_steps: int | None = None) -> CanonicalForm:
    """The same network for every parameter of one orbit under permutations and positive scalings. Exact.

    Two networks with the same output activation have equal canonical forms if and only if some :class:`Symmetry` maps
    one to the other; this holds for every parameter, with zero rows, zero columns, duplicates and ties.

    Parameters
    ----------
    network
        Any network.
    budget
        Limits of time and memory.
    max_steps
        Largest number of refinements. Few are needed unless many neurons look alike without being interchangeable.

    Raises
    ------
    BudgetExceeded
        when either runs out.

    Examples
    --------
    >>> one = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])])
    >>> other = Symmetry([[1, 0]], [[7, "1/3"]]).apply(one)
    >>> canonical_form(one).network == canonical_form(other).network
    True
    """
    work = _Work(Budget() if budget is None else budget, max_steps)
    graph = _Graph(network)
    grounded = graph.grounded()
    found = []
    for component in graph.components():
        near = {node: grounded[node] for node in component if node in grounded}
        starts: list[tuple[Node | None, dict[Node, fmpq]]] = [(None, near)]
        if not near:
            first = min(graph.layer[node] for node in component)
            starts = [(node, {node: fmpq(1)}) for node in component if graph.layer[node] == first]
        tries = []
        for root, known in starts:
            scales = graph.spread(known)
            tries.append((*_Search(graph, scales, component, root, work).run(), scales))
        found.append(min(tries, key=lambda one: one[0]))
    found.sort(key=lambda one: one[0])
    permutations: list[list[int]] = [[] for _ in network.architecture[1:-1]]
    factors: list[list[Any]] = [[] for _ in permutations]
    for _, order, scales in found:
        for node in order:
            level = graph.layer[node]
            permutations[level].append(node - graph.first[level])
            factors[level].append(rationals.to_fraction(scales[node]))
    symmetry = Symmetry(tuple(map(tuple, permutations)), tuple(map(tuple, factors)))
    return CanonicalForm(symmetry.apply(network), symmetry)


def equivalence(
    first: Network, second: Network, *, budget: Budget | None = None, max_steps: int | None = None
) -> Symmetry | None:
    """A symmetry with ``symmetry.apply(first) == second``, or None where there is none. Exact.

    Networks of different architectures or output activations are never equivalent. ``budget`` and ``max_steps`` as in
    :func:`canonical_form`, each for both networks; raises ``BudgetExceeded`` when one runs out.

    >>> one = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])])
    >>> g = Symmetry([[1, 0]], [[7, "1/3"]])
    >>> equivalence(one, g.apply(one)) == g
    True
    >>> equivalence(one, Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [2])])) is None
    True
    """
    if (first.architecture, first.output_activation) != (second.architecture, second.output_activation):
        return None
    if first == second:
        return Symmetry.identity(first.architecture)
    one, other = (canonical_form(network, budget=budget, max_steps=max_steps) for network in (first, second))
    return other.symmetry.inverse() @ one.symmetry if one.network == other.network else None


class _Work:
    """Counts refinements, and stops when there are too many."""

    def __init__(self, budget: Budget, max_steps: int | None) -> None:
        self.budget, self.max_steps, self.steps = budget, max_steps, 0

    def step(self) -> None:
        self.steps += 1
        self.budget.check()
        if self.max_steps is not None and self.steps > self.max_steps:
            raise BudgetExceeded(f"more than {self.max_steps} refinements (max_steps) for one canonical form")


class _Graph:
    """Hidden neurons, numbered layer by layer, and their nonzero weights."""

    def __init__(self, network: Network) -> None:
        widths = network.architecture[1:-1]
        self.layer = [level for level, width in enumerate(widths) for _ in range(width)]
        self.size = len(self.layer)
        self.first = [sum(widths[:level]) for level in range(len(widths))]
        self.into: list[Edges] = [[] for _ in range(self.size)]
        self.out: list[Edges] = [[] for _ in range(self.size)]
        self.fixed: list[list[fmpq]] = [[] for _ in range(self.size)]  # weights from inputs and bias
        self.to_outputs: list[list[fmpq]] = [[] for _ in range(self.size)]
        for level in range(len(widths) + 1):
            for i, row in enumerate(network.augmented(level + 1).tolist()):
                if level < len(widths):
                    self.fixed[self.first[level] + i] = row if level == 0 else row[-1:]
                if level == 0:
                    continue
                for source, weight in enumerate(row[:-1], start=self.first[level - 1]):
                    if level == len(widths):
                        self.to_outputs[source].append(weight)
                    elif weight != 0:
                        self.into[self.first[level] + i].append((source, weight))
                        self.out[source].append((self.first[level] + i, weight))

    def grounded(self) -> dict[Node, fmpq]:
        """Neurons with a weight to the ground, and the scales that these weights give them."""
        result = {}
        for node in range(self.size):
            below, above = _norm(self.fixed[node]), _norm(self.to_outputs[node])
            if below != 0 or above != 0:
                result[node] = 1 / below if below != 0 else above
        return result

    def spread(self, scales: Mapping[Node, fmpq]) -> dict[Node, fmpq]:
        """Scales of all neurons that paths join to the given ones, by their distance."""
        result = dict(scales)
        nearest: Iterable[Node] = scales
        while nearest:
            below: dict[Node, fmpq] = defaultdict(fmpq)
            above: dict[Node, fmpq] = defaultdict(fmpq)
            for node in nearest:
                for target, weight in self.out[node]:
                    if target not in result:
                        below[target] += abs(weight) / result[node]
                for source, weight in self.into[node]:
                    if source not in result:
                        above[source] += abs(weight) * result[node]
            found = {node: 1 / below[node] if node in below else above[node] for node in {*below, *above}}
            result.update(found)
            nearest = found
        return result

    def components(self) -> list[list[Node]]:
        """What paths join without the ground, each part in the order of its nodes."""
        left, result = dict.fromkeys(range(self.size)), []
        while left:
            part = sorted(self.spread({next(iter(left)): fmpq(1)}))
            for node in part:
                del left[node]
            result.append(part)
        return result


@dataclass(frozen=True, slots=True)
class _Leaf:
    traces: tuple[Any, ...]
    form: tuple[Any, ...]
    order: list[Node]
    path: Path


class _Search:
    """Canonical order of the neurons of one component, scales given, by refinement and individualisation."""

    def __init__(
        self, graph: _Graph, scales: Mapping[Node, fmpq], nodes: Sequence[Node], root: Node | None, work: _Work
    ) -> None:
        self._work = work
        self.into = {v: [(u, w * scales[v] / scales[u]) for u, w in graph.into[v]] for v in nodes}
        self.out = {v: [(u, w * scales[u] / scales[v]) for u, w in graph.out[v]] for v in nodes}
        self.twins: dict[Any, list[Node]] = {}  # neurons with the same weights, to and from the same neurons
        ground: dict[Node, tuple[Any, ...]] = {}
        for v in nodes:
            scale = scales[v]
            fixed = *(w * scale for w in graph.fixed[v]), *(w / scale for w in graph.to_outputs[v])
            ground[v] = (graph.layer[v], v == root, fixed)  # a root told apart leaves fewer ties
            self.twins.setdefault((ground[v], tuple(self.into[v]), tuple(self.out[v])), []).append(v)
        kept = {group[0]: group for group in self.twins.values()}
        self.groups = kept
        for edges in (self.into, self.out):
            for v in nodes:
                if v in kept:
                    edges[v] = [(u, w) for u, w in edges[v] if u in kept]
                else:
                    del edges[v]
        self.ground = {v: (*ground[v], len(group)) for v, group in kept.items()}
        self.first: _Leaf | None = None
        self.best: _Leaf | None = None
        self.automorphisms: list[dict[Node, Node]] = []

    def run(self) -> tuple[tuple[Any, ...], list[Node]]:
        """The form of least traces, then least itself, over all orders that refinement leaves, and the neurons in such
        an order.
        """
        colours, _ = self._refined(_ranked(self.ground))
        if _discrete(colours):
            self._leaf(colours, (), ())
        else:
            self._search(colours)
        assert self.best is not None  # every descent ends in a leaf
        return self.best.form, [twin for node in self.best.order for twin in self.groups[node]]

    def _search(self, colours: Colours) -> None:
        """Depth first, with a stack: a path is as long as there are ties to break."""
        stack: list[_Frame] = [_Frame(colours, (), ())]
        while stack:
            here = stack[-1]
            if not here.left:
                stack.pop()
                continue
            node = here.left.pop()
            if here.done and self._superfluous(node, here):
                continue
            here.done.append(node)
            child, trace = self._refined({v: 2 * c - (v == node) for v, c in here.colours.items()})
            path, traces = (*here.path, node), (*here.traces, trace)
            if self.best is not None and traces > self.best.traces[: len(traces)]:
                continue
            if _discrete(child):
                # an automorphism makes the rest of the branch an image of one that has been seen
                del stack[self._leaf(child, path, traces) + 1 :]
            else:
                stack.append(_Frame(child, path, traces))

    def _refined(self, colours: Colours) -> tuple[Colours, list[Any]]:
        """Colours split until neurons of one colour have the same weights to and from each colour; and a trace of the
        splitting that no renumbering of the neurons changes.
        """
        trace: list[Any] = []
        count = len(set(colours.values()))
        while count < len(colours):
            self._work.step()
            signatures = {
                v: (
                    colour,
                    sorted((colours[u], w) for u, w in self.into[v]),
                    sorted((colours[u], w) for u, w in self.out[v]),
                )
                for v, colour in colours.items()
            }
            colours = _ranked(signatures)
            found = len(set(colours.values()))
            trace.append(sorted(signatures.values()))
            if found == count:
                break
            count = found
        return colours, trace

    def _leaf(self, colours: Colours, path: Path, traces: tuple[Any, ...]) -> int:
        """Note an order; returns the depth at which to go on."""
        order = sorted(colours, key=colours.__getitem__)
        place = {node: k for k, node in enumerate(order)}
        form = tuple((self.ground[v], sorted((place[u], w) for u, w in self.into[v])) for v in order)
        leaf = _Leaf(traces, form, order, path)
        if self.first is None or self.best is None:
            self.first = self.best = leaf
            return len(path)
        for known in (self.first, self.best):
            if form == known.form:
                self.automorphisms.append(dict(zip(known.order, order, strict=True)))
                return next(k for k, (a, b) in enumerate(zip(path, known.path, strict=False)) if a != b)
        if (traces, form) < (self.best.traces, self.best.form):
            self.best = leaf
        return len(path)

    def _superfluous(self, node: Node, here: _Frame) -> bool:
        """Whether an automorphism that fixes the path maps a neuron that has been tried to this one."""
        fixing = [g for g in self.automorphisms if all(g[v] == v for v in here.path)]
        seen, queue = set(here.done), list(here.done)
        for v in queue:
            for g in fixing:
                if g[v] not in seen:
                    seen.add(g[v])
                    queue.append(g[v])
        return node in seen


class _Frame:
    """A refined colouring below a path of broken ties, and the neurons of the tie to break next."""

    def __init__(self, colours: Colours, path: Path, traces: tuple[Any, ...]) -> None:
        self.colours, self.path, self.traces = colours, path, traces
        cells: dict[int, list[Node]] = defaultdict(list)
        for node, colour in colours.items():
            cells[colour].append(node)
        _, tied = min((len(cell), colour) for colour, cell in cells.items() if len(cell) > 1)
        self.left = cells[tied]
        self.done: list[Node] = []


def _discrete(colours: Colours) -> bool:
    return len(set(colours.values())) == len(colours)


def _ranked(keys: Mapping[Node, Any]) -> Colours:
    """Each node's place among the distinct keys."""
    nodes = sorted(keys, key=keys.__getitem__)
    colours: Colours = {}
    rank = 0
    for before, node in zip([None, *nodes], nodes, strict=False):
        if before is not None and keys[before] != keys[node]:
            rank += 1
        colours[node] = rank
    return colours


def _norm(values: Iterable[fmpq]) -> fmpq:
    return sum(map(abs, values), fmpq(0))
