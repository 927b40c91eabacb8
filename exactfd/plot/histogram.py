"""Histogram of the facets per polytope, the figure of the papers on shapes of polytopes.

Source: Fan et al., arXiv 2305.09145.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from exactfd import rationals
from exactfd.errors import InputError
from exactfd.geometry.complex import CanonicalComplex
from exactfd.plot.display import INK
from exactfd.plot.figure import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR = "#5b9bb5"
_MOST_TICKS = 25


def facets_per_polytope(complex_: CanonicalComplex) -> dict[int, int]:
    """Number of facets -> number of ``n_0``-cells that have so many, in increasing order. Exact.

    In a box the cells are cut by it and its walls are facets like others.

    >>> from exactfd.geometry.complex import canonical_complex
    >>> from exactfd.network import Network
    >>> lines = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, 1]], [0])])
    >>> facets_per_polytope(canonical_complex(lines))
    {2: 3, 3: 4}
    """
    return dict(sorted(Counter(complex_.facets(complex_.dimension)[1].tolist()).items()))


def mean_facets(counts: Mapping[int, int]) -> Fraction:
    """The exact mean of a histogram. Raises ``InputError`` where that has no polytope or is none.

    >>> mean_facets({2: 3, 3: 4})
    Fraction(18, 7)
    """
    for facets, count in counts.items():
        if not all(isinstance(entry, int) and entry >= 0 for entry in (facets, count)):
            raise InputError(f"histogram: expected numbers of facets and of polytopes, found {facets!r}: {count!r}")
    polytopes = sum(counts.values())
    if not polytopes:
        raise InputError("histogram: expected at least one polytope, found none")
    return Fraction(sum(facets * count for facets, count in counts.items()), polytopes)


def mean_text(counts: Mapping[int, int]) -> str:
    """The mean in words, rounded where it is long."""
    mean = mean_facets(counts)
    about = "" if mean.denominator == 1 else f" = {float(mean):.3f}"
    return f"mean {rationals.format_rational(mean)}{about}"


def draw_histogram(counts: Mapping[int, int], *, title: str = "", walls_counted: bool = False) -> Figure:
    """Bars of the number of polytopes with so many facets, and a line at the mean.

    Parameters
    ----------
    counts
        Number of facets -> number of polytopes, from whatever source.
    title
        Above the picture.
    walls_counted
        Whether walls of a box are among the facets; the picture says so.

    Raises
    ------
    InputError
        where ``counts`` is no histogram or is empty.
    MissingExtraError
        when matplotlib is not installed.

    Source: Fan et al., arXiv 2305.09145 (the figure).

    >>> draw_histogram({2: 3, 3: 4}).axes[0].get_xlabel()
    'facets of the polytope (mean 18/7 = 2.571)'
    """
    require_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    text = mean_text(counts)
    figure = Figure(figsize=(7.6, 4.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, color=INK, pad=10)
    axes.bar(list(counts), list(counts.values()), width=0.8, color=BAR, zorder=2)
    axes.axvline(float(mean_facets(counts)), color=INK, linewidth=1, linestyle="--", zorder=3)
    axes.set_xlabel(axis_text(text, walls_counted), color=INK)
    axes.set_ylabel("polytopes", color=INK)
    step = math.ceil((max(counts) - min(counts) + 1) / _MOST_TICKS)
    axes.set_xticks(range(min(counts), max(counts) + 1, step))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e3e8ed", zorder=0)
    for spine in axes.spines.values():
        spine.set_color("#9aa5b1")
    axes.tick_params(colors="#52606d", labelsize=8)
    return figure


def axis_text(mean: str, walls_counted: bool) -> str:
    """What is counted."""
    return f"facets of the polytope{', walls of the box included' if walls_counted else ''} ({mean})"


def histogram_document(counts: Mapping[int, int], walls_counted: bool) -> dict[str, Any]:
    """The keys of ``exactfd plot --histogram --json`` about facets."""
    return {
        "facet_histogram": {str(facets): count for facets, count in counts.items()},
        "mean_facets": rationals.format_rational(mean_facets(counts)),
        "walls_counted": walls_counted,
    }
