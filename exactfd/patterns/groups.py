"""Which products of activity and patterns a bound takes: those that are in the span of the rows, and worth it.

The terms and products are those of :mod:`exactfd.patterns.deep`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray
from exactfd.linalg import modular
from exactfd.linalg.small import equations_of_many, small
from exactfd.patterns.products import Extent, Group, Quotient, Space
from exactfd.patterns.terms import Cells, Terms

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
_Spaces = list[Space | None]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A group, and how many dimensions of rows it takes away, at most."""

    group: Group
    gain: int


class Groups:
    """The groups of each neuron of the second layer.

    Attributes
    ----------
    quotients
        By neuron, tensors modulo its groups.
    """

    def __init__(self, terms: Terms, cells: Cells, budget: Budget) -> None:
        self._terms, self._cells, self._size = terms, cells, terms.below.shape[1]
        self._counts = [len(members) for members in cells.members]
        self._counts[-1] += 1  # the biases
        self._spaces: dict[bytes, Space | None] = {}
        self._extents: dict[Group, Extent] = {}
        self._check = budget.check
        self._places = [np.flatnonzero(column) for column in cells.second.T]
        shape = len(self._counts), cells.patterns.shape[1]
        groups = self._whole() if cells.outputs > 1 else self._chosen()
        self.quotients = [Quotient.by(some, shape, terms.prime) for some in groups]

    def _whole(self) -> Iterator[list[Group]]:
        """With one pattern, by neuron the activities ``a`` with ``S_i(a, p, X)`` in the span of the rows, most likely;
        of those that depend on weights sets of blocks that are seen.
        """
        prime, everything = self._terms.prime, Space(np.ones((1, 1)), np.zeros((0, 1)))
        for neuron, place in enumerate(self._places):
            self._check()
            table, seen = self._terms.by_block(neuron), self._cells.active[place].astype(np.float64)
            classes = self._classes(neuron)
            inside = self._inside(table, classes)
            others = self._others(neuron, classes, [everything if found else None for found in inside.tolist()])
            zeros, fine = small(
                modular.kernel(np.concatenate([table, modular.kernel(seen, prime)[0]]), prime)[0], prime
            )
            found = [classes[inside], others[self._inside(table, others)], zeros[fine]]
            left = Space.spanned(np.concatenate(found), prime)
            yield [] if left is None or not left.dimension else [Group(left, everything)]

    def _inside(self, table: FloatArray, activities: FloatArray) -> BoolArray:
        """Which vectors of activity a table (``q x blocks``) annihilates."""
        return np.asarray(~modular.multiply(activities, table.T, self._terms.prime).any(axis=1))

    def _chosen(self) -> Iterator[list[Group]]:
        """By neuron those that are worth it."""
        neurons = range(len(self._places))
        classes = [self._classes(neuron) for neuron in neurons]
        spaces = self._spaces_of(classes)
        self._check()
        others = [self._others(*args) for args in zip(neurons, classes, spaces, strict=True)]
        more = self._spaces_of(others)
        for neuron in neurons:
            known = list(zip(classes[neuron], spaces[neuron], strict=True))
            candidates = self._alike(classes[neuron], spaces[neuron])
            candidates += self._mixed(others[neuron], more[neuron], known)
            yield self._joined(candidates)

    def cost(self, group: Group) -> int:
        """At least how many dimensions a group has."""
        return self._cells.outputs * group.right.dimension + self._extent(group).dimension - 1

    def touched(self) -> BoolArray:
        """Which blocks have to be touched."""
        result = np.zeros(len(self._counts), dtype=bool)
        for quotient in self.quotients:
            for group in quotient.groups:
                result |= self._extent(group).light
        return result

    def _extent(self, group: Group) -> Extent:
        if group not in self._extents:
            self._extents[group] = Extent.of(group.left.basis, self._counts, self._size)
        return self._extents[group]

    def _classes(self, neuron: int) -> FloatArray:
        """Blocks that are active together wherever a neuron is: one vector of activity for each class."""
        columns, number = bits.distinct(self._cells.active[self._places[neuron]].T)
        shown = np.flatnonzero(columns.any(axis=1))
        return np.asarray(number == shown[:, None], dtype=np.float64)

    def _others(self, neuron: int, classes: FloatArray, spaces: _Spaces) -> FloatArray:
        """Other sets of blocks: in each cell those that are active, without the classes that are known to show its
        pattern, or to show all patterns.
        """
        place = self._places[neuron]
        active, patterns = self._cells.active[place].astype(np.float64), self._cells.patterns[place].astype(np.float64)
        inside: BoolArray = active @ classes.T > 0  # by cell and class
        left = inside.copy()
        for number, space in enumerate(spaces):
            if space is not None:
                left[:, number] &= (patterns @ space.equations.T).any(axis=1)
        open_ones = inside[left.any(axis=1)]
        sets = bits.distinct(np.concatenate([left, open_ones, open_ones & left.any(axis=0)]))[0]
        return np.asarray(sets[sets.sum(axis=1) > 1].astype(np.float64) @ classes)

    def _spaces_of(self, activities: Sequence[FloatArray]) -> list[_Spaces]:
        """By neuron and vector of activity the ``u`` with ``S_i(a, u, X)`` in the span of the rows, most likely. Where
        they depend on weights, those in the span of patterns that are seen with the activity: these should not.
        """
        prime, owners = self._terms.prime, [(i, activity) for i, some in enumerate(activities) for activity in some]

        def beside_patterns(number: int) -> FloatArray:
            neuron, activity = owners[number]
            place = self._places[neuron]
            seen = self._cells.patterns[place[self._cells.active[place][:, activity > 0].all(axis=1)]]
            return modular.kernel(seen.astype(np.float64), prime)[0]

        tables = [self._terms.by_activity(neuron, some) for neuron, some in enumerate(activities)]
        found = iter(equations_of_many(np.concatenate(tables), prime, beside_patterns))
        return [[self._zeros(next(found)) for _ in some] for some in activities]

    def _zeros(self, equations: FloatArray) -> Space | None:
        """The common zeros, if there are any: the same object for the same equations."""
        if len(equations) == equations.shape[1]:
            return None
        key = equations.tobytes()
        if key not in self._spaces:
            self._spaces[key] = Space.of_zeros(equations, self._terms.prime)
        return self._spaces[key]

    def _alike(self, classes: FloatArray, spaces: _Spaces) -> list[_Candidate]:
        """One product for all classes with the same space of patterns; those of many neurons cost more, so each of them
        comes alone.
        """
        places: dict[tuple[int, int], list[int]] = {}
        sizes = (classes @ self._counts).tolist()
        for number, space in enumerate(spaces):
            if space is not None:
                places.setdefault((id(space), number if sizes[number] >= self._size else -1), []).append(number)
        result = []
        for numbers in places.values():
            left, right = Space.spanned(classes[numbers], self._terms.prime), spaces[numbers[0]]
            if left is not None and right is not None:
                gain = self._size * len(numbers) * right.dimension
                result.append(_Candidate(self._closed(Group(left, right)), gain))
        return result

    def _mixed(
        self, sets: FloatArray, spaces: _Spaces, known: Sequence[tuple[FloatArray, Space | None]]
    ) -> list[_Candidate]:
        """Products of other sets of blocks, as far as they are not products of classes in them."""
        prime, result = self._terms.prime, []
        for activity, right in zip(sets, spaces, strict=True):
            left = None if right is None else Space.spanned(activity[None], prime)
            if left is None or right is None:
                continue
            inside = [space for member, space in known if (member * activity).any()]
            shown = [np.eye(right.basis.shape[1]) if space is None else space.equations for space in inside]
            fresh = modular.reduce(np.concatenate(shown) @ right.basis.T, prime)
            result.append(_Candidate(self._closed(Group(left, right)), self._size * modular.rank(fresh, prime)))
        return result

    def _joined(self, candidates: Sequence[_Candidate]) -> list[Group]:
        """Groups that are worth what they cost, those that take most away first. Candidates that meet groups are joined
        with them: they cost no more together.
        """
        chosen: list[Group] = []
        for candidate in sorted(candidates, key=lambda candidate: -candidate.gain):
            self._check()
            apart, met, found = list(chosen), list[Group](), candidate.group
            while more := [other for other in apart if self._meet(other, found)]:
                joined = Group.joining([candidate.group, *met, *more], self._terms.prime)
                if joined is None:
                    break
                apart, met = [other for other in apart if other not in more], met + more
                found = self._closed(joined)
            if self.cost(found) - sum(map(self.cost, met)) < candidate.gain:
                chosen = [*apart, found]
        return chosen

    def _closed(self, group: Group) -> Group:
        """With all activities that cost nothing more."""
        left = Space.spanned(self._extent(group).rows, self._terms.prime)
        return group if left is None else Group(left, group.right)

    def _meet(self, one: Group, other: Group) -> bool:
        prime = self._terms.prime
        return one.right.meets(other.right, prime) or one.left.meets(other.left, prime)
