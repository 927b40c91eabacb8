"""Exact functional dimension, cells and ranks of ReLU networks with rational parameters.

>>> import exactfd
>>> net = exactfd.Network.from_arrays([([[1], [-1]], [0, 0]), ([[1, 1]], [-1])])
>>> exactfd.functional_dimension(net).value
4
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exactfd.batches import BatchResult, batch_functional_dimension
    from exactfd.budget import Budget
    from exactfd.certificates import (
        batch_certificate,
        dimension_certificate,
        f_vector_certificate,
        function_certificate,
        top_cells_certificate,
    )
    from exactfd.check import check_file
    from exactfd.dimension import DimensionResult, functional_dimension
    from exactfd.errors import BudgetExceeded, ExactFDError, InputError, MissingExtraError, NonSmoothPointError
    from exactfd.geometry.cell import Cell
    from exactfd.geometry.complex import CanonicalComplex, canonical_complex
    from exactfd.geometry.location import Location, locate
    from exactfd.geometry.splitting import split_cells
    from exactfd.geometry.top import TopLabels, top_cells
    from exactfd.io import load, load_points, save
    from exactfd.jacobians import ModularMatrix, cell_jacobian, float_jacobian, jacobian, modular_jacobian
    from exactfd.network import Network
    from exactfd.plot import plot_complex
    from exactfd.polytopes.bounds import Bound, known_bounds, network_bounds
    from exactfd.polytopes.dual import DualGraph, dual_graph
    from exactfd.polytopes.faces import (
        FaceStatistics,
        face_statistics,
        face_statistics_by_programs,
        facet_counts,
        layer_statistics,
        simplex_counts,
    )
    from exactfd.polytopes.polytope import Polytope, cell_polytope, polytope_at, polytope_of
    from exactfd.polytopes.redundancy import Facet
    from exactfd.polytopes.regions import RegionCounts, region_counts
    from exactfd.polytopes.slices import restrict, restrict_to_plane
    from exactfd.rationals import to_fractions, to_numpy, to_sympy
    from exactfd.search import SearchResult, along_path
    from exactfd.symbolic import SymbolicCell, symbolic_cell
    from exactfd.symmetry.canonical import CanonicalForm, canonical_form, equivalence
    from exactfd.symmetry.equality import EqualityResult, compare_functions, difference_maps
    from exactfd.symmetry.explanation import Explanation, Mechanism, explain
    from exactfd.symmetry.fiber import FiberPoint, FiberWalk, move, walk_fiber
    from exactfd.symmetry.group import Symmetry
    from exactfd.symmetry.identifiability import IdentifiabilityResult, identifiability

__version__ = "0.1.0"

# Names are imported when first used, so that a small command starts fast. None may be the name of a submodule:
# importing that submodule would hide the name.
_HOME = {
    "Network": "exactfd.network",
    "load": "exactfd.io",
    "save": "exactfd.io",
    "load_points": "exactfd.io",
    "canonical_complex": "exactfd.geometry.complex",
    "CanonicalComplex": "exactfd.geometry.complex",
    "Cell": "exactfd.geometry.cell",
    "split_cells": "exactfd.geometry.splitting",
    "top_cells": "exactfd.geometry.top",
    "TopLabels": "exactfd.geometry.top",
    "locate": "exactfd.geometry.location",
    "Location": "exactfd.geometry.location",
    "jacobian": "exactfd.jacobians",
    "cell_jacobian": "exactfd.jacobians",
    "float_jacobian": "exactfd.jacobians",
    "modular_jacobian": "exactfd.jacobians",
    "ModularMatrix": "exactfd.jacobians",
    "to_fractions": "exactfd.rationals",
    "to_numpy": "exactfd.rationals",
    "to_sympy": "exactfd.rationals",
    "symbolic_cell": "exactfd.symbolic",
    "SymbolicCell": "exactfd.symbolic",
    "functional_dimension": "exactfd.dimension",
    "batch_functional_dimension": "exactfd.batches",
    "DimensionResult": "exactfd.dimension",
    "BatchResult": "exactfd.batches",
    "Symmetry": "exactfd.symmetry.group",
    "canonical_form": "exactfd.symmetry.canonical",
    "CanonicalForm": "exactfd.symmetry.canonical",
    "equivalence": "exactfd.symmetry.canonical",
    "compare_functions": "exactfd.symmetry.equality",
    "EqualityResult": "exactfd.symmetry.equality",
    "difference_maps": "exactfd.symmetry.equality",
    "plot_complex": "exactfd.plot",
    "region_counts": "exactfd.polytopes.regions",
    "RegionCounts": "exactfd.polytopes.regions",
    "explain": "exactfd.symmetry.explanation",
    "Explanation": "exactfd.symmetry.explanation",
    "Mechanism": "exactfd.symmetry.explanation",
    "walk_fiber": "exactfd.symmetry.fiber",
    "move": "exactfd.symmetry.fiber",
    "FiberWalk": "exactfd.symmetry.fiber",
    "FiberPoint": "exactfd.symmetry.fiber",
    "Polytope": "exactfd.polytopes.polytope",
    "polytope_at": "exactfd.polytopes.polytope",
    "polytope_of": "exactfd.polytopes.polytope",
    "cell_polytope": "exactfd.polytopes.polytope",
    "Facet": "exactfd.polytopes.redundancy",
    "FaceStatistics": "exactfd.polytopes.faces",
    "face_statistics": "exactfd.polytopes.faces",
    "face_statistics_by_programs": "exactfd.polytopes.faces",
    "layer_statistics": "exactfd.polytopes.faces",
    "facet_counts": "exactfd.polytopes.faces",
    "simplex_counts": "exactfd.polytopes.faces",
    "DualGraph": "exactfd.polytopes.dual",
    "dual_graph": "exactfd.polytopes.dual",
    "restrict": "exactfd.polytopes.slices",
    "restrict_to_plane": "exactfd.polytopes.slices",
    "Bound": "exactfd.polytopes.bounds",
    "known_bounds": "exactfd.polytopes.bounds",
    "network_bounds": "exactfd.polytopes.bounds",
    "batch_certificate": "exactfd.certificates",
    "dimension_certificate": "exactfd.certificates",
    "f_vector_certificate": "exactfd.certificates",
    "function_certificate": "exactfd.certificates",
    "top_cells_certificate": "exactfd.certificates",
    "check_file": "exactfd.check",
    "identifiability": "exactfd.symmetry.identifiability",
    "IdentifiabilityResult": "exactfd.symmetry.identifiability",
    "along_path": "exactfd.search",
    "SearchResult": "exactfd.search",
    "Budget": "exactfd.budget",
    "ExactFDError": "exactfd.errors",
    "InputError": "exactfd.errors",
    "NonSmoothPointError": "exactfd.errors",
    "BudgetExceeded": "exactfd.errors",
    "MissingExtraError": "exactfd.errors",
}
#: Rooms that are called by their own names: ``exactfd.search.search``.
_ROOMS = ("search", "experiments", "varieties")

__all__ = [
    "Network",
    "load",
    "save",
    "load_points",
    "canonical_complex",
    "CanonicalComplex",
    "Cell",
    "split_cells",
    "top_cells",
    "TopLabels",
    "locate",
    "Location",
    "jacobian",
    "cell_jacobian",
    "float_jacobian",
    "modular_jacobian",
    "ModularMatrix",
    "to_fractions",
    "to_numpy",
    "to_sympy",
    "symbolic_cell",
    "SymbolicCell",
    "functional_dimension",
    "batch_functional_dimension",
    "DimensionResult",
    "BatchResult",
    "Symmetry",
    "canonical_form",
    "CanonicalForm",
    "equivalence",
    "compare_functions",
    "EqualityResult",
    "difference_maps",
    "plot_complex",
    "region_counts",
    "RegionCounts",
    "explain",
    "Explanation",
    "Mechanism",
    "walk_fiber",
    "move",
    "FiberWalk",
    "FiberPoint",
    "Polytope",
    "polytope_at",
    "polytope_of",
    "cell_polytope",
    "Facet",
    "FaceStatistics",
    "face_statistics",
    "face_statistics_by_programs",
    "layer_statistics",
    "facet_counts",
    "simplex_counts",
    "DualGraph",
    "dual_graph",
    "restrict",
    "restrict_to_plane",
    "Bound",
    "known_bounds",
    "network_bounds",
    "batch_certificate",
    "dimension_certificate",
    "f_vector_certificate",
    "function_certificate",
    "top_cells_certificate",
    "check_file",
    "identifiability",
    "IdentifiabilityResult",
    "along_path",
    "SearchResult",
    "Budget",
    "ExactFDError",
    "InputError",
    "NonSmoothPointError",
    "BudgetExceeded",
    "MissingExtraError",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return import_module(f"exactfd.{name}")
    raise AttributeError(f"module 'exactfd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
