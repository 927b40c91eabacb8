"""One cell of a complex, as people look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exactfd import rationals
from exactfd.geometry.interior import Point

if TYPE_CHECKING:
    from exactfd.geometry.complex import CanonicalComplex


@dataclass(frozen=True)
class Cell:
    """One cell: a nonempty, relatively open polyhedron on which every label is constant.

    ``labels`` is the ternary tuple (layer by layer), ``walls`` the wall label of every coordinate (-1 on the low wall,
    0 between, 1 on the high wall; empty without a box), ``index`` its number among the cells of its ``dimension``.
    """

    complex: CanonicalComplex
    dimension: int
    index: int
    labels: tuple[int, ...]
    walls: tuple[int, ...]
    bounded: bool

    def interior_point(self) -> Point:
        """A rational point in the relative interior; short dyadic coordinates where the cell has room for them."""
        return self.complex.interior_point(self.dimension, self.index)

    def vertices(self) -> list[Point]:
        """Vertices, exact; of the cell modulo its lineality when the first layer has rank below ``n_0``."""
        return self.complex.generators_of(self.dimension, self.index)[0]

    def rays(self) -> list[Point]:
        """Extreme directions, exact, modulo the lineality."""
        return self.complex.generators_of(self.dimension, self.index)[1]

    def facets(self) -> list[Cell]:
        """The cells of one dimension less in its closure."""
        indices = self.complex.facet_indices(self.dimension, self.index)
        return [self.complex.cell(self.dimension - 1, i) for i in indices]

    def to_dict(self) -> dict[str, Any]:
        """The entry of this cell in ``exactfd cells --list --json``."""
        entry: dict[str, Any] = {
            "labels": list(self.labels),
            "dimension": self.dimension,
            "bounded": self.bounded,
            "point": [rationals.format_rational(x) for x in self.interior_point()],
        }
        if self.complex.box is not None:
            entry["walls"] = list(self.walls)
        return entry

    def __repr__(self) -> str:
        text = "".join("0" if s == 0 else "+" if s > 0 else "-" for s in self.labels)
        return f"Cell({text}, dimension={self.dimension}, {'bounded' if self.bounded else 'unbounded'})"

    def _repr_html_(self) -> str:
        point = ", ".join(rationals.format_rational(x) for x in self.interior_point())
        return f"<code>{self!r}</code> around ({point})"
