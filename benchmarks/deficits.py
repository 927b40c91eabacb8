"""Sharp deficits: what a dead neuron, and neurons that are always active, cost at most favourable random parameters.

``python -m benchmarks.deficits`` prints the table of ``docs/sharp-deficits.md``: for every architecture
``(2, a, b, c, 1)`` with widths up to 4 the largest functional dimension found, beside the one predicted.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import exactfd
from exactfd import Network


@dataclass(frozen=True)
class Case:
    """Forced neurons in the second hidden layer: one that is never active, or ``count`` that always are."""

    architecture: tuple[int, ...]
    kind: str
    count: int

    @property
    def predicted(self) -> int:
        """What it costs below ``D'``."""
        _, before, _, after, _ = self.architecture
        near = before + after
        if self.kind == "dead":
            return self.count * near
        rank = min(self.count, before, after)
        return self.count * near - rank * (near - rank)

    def networks(self, seed: int = 0) -> Iterator[Network]:
        """Random dyadic parameters with the mechanism forced by signs; ever more of them."""
        rng = np.random.default_rng([seed, *self.architecture, self.count, self.kind == "dead"])
        sizes = self.architecture
        while True:
            layers = []
            for level, (m, n) in enumerate(itertools.pairwise(sizes)):
                table = np.round(rng.standard_normal((n, m + 1)) * 64) / 64
                if level == 1:
                    sign = -1 if self.kind == "dead" else 1
                    table[: self.count] = sign * (np.abs(table[: self.count]) + 1 / 64)
                layers.append((table[:, :-1], table[:, -1]))
            yield Network(layers)

    def largest(self, tries: int) -> tuple[int, int]:
        """The largest functional dimension found, and after how many networks; all proved."""
        goal, best, at = self.upper_bound - self.predicted, -1, 0
        for number, network in enumerate(itertools.islice(self.networks(), tries), start=1):
            value = exactfd.functional_dimension(network).value
            assert value is not None
            if value > best:
                best, at = value, number
            if best >= goal:
                break
        return best, at

    @property
    def upper_bound(self) -> int:
        """``D'`` of the architecture."""
        return self.architecture[-1] + sum(m * n for m, n in itertools.pairwise(self.architecture))


def cases(widths: Sequence[int] = (1, 2, 3, 4)) -> Iterator[Case]:
    """One dead neuron, then one, two, ... always active ones."""
    for a, b, c in itertools.product(widths, repeat=3):
        yield Case((2, a, b, c, 1), "dead", 1)
        for count in range(1, b + 1):
            yield Case((2, a, b, c, 1), "always active", count)


def rows(tries: int) -> Iterator[str]:
    """The table, in Markdown."""
    yield "| architecture | forced in layer 2 | D' | predicted cost | predicted maximum | found | networks tried |"
    yield "|---|---|---|---|---|---|---|"
    for case in cases():
        best, at = case.largest(tries)
        goal = case.upper_bound - case.predicted
        tried = str(at) if best == goal else f"{tries}, not reached"
        yield (
            f"| {case.architecture} | {case.count} {case.kind} | {case.upper_bound} | {case.predicted} | {goal} | "
            f"{best} | {tried} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=300, help="networks per row at most")
    for line in rows(parser.parse_args().tries):
        print(line, flush=True)
