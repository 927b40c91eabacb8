"""Certificates for counts of cells."""

from __future__ import annotations

from typing import Any

from exactfd.budget import Budget, Progress, silent
from exactfd.certificates.complex_trees import ComplexTree
from exactfd.certificates.document import Certificate, texts
from exactfd.certificates.trees import open_tree
from exactfd.errors import InputError, InternalError
from exactfd.geometry.box import parse_box
from exactfd.geometry.complex import CanonicalComplex
from exactfd.geometry.splitting import split_cells
from exactfd.network import Network


def top_cells_certificate(
    network: Network, *, box: Any = None, budget: Budget | None = None, progress: Progress = silent
) -> Certificate:
    """Certificate of the number of ``n_0``-dimensional cells, on all of ``R^{n_0}`` or in a closed box."""
    limits = parse_box(box, network.input_dimension)
    cells = split_cells(network, box=limits, tree=True, budget=budget, progress=progress)
    if cells.tree is None:
        raise InternalError("the splitting tree is missing")
    claim = {
        "quantity": "top_cells",
        "relation": "==",
        "value": len(cells),
        "box": None if limits is None else [texts(side) for side in limits],
    }
    return Certificate(network, claim, {"tree": open_tree(cells.tree, leaves="point")})


def f_vector_certificate(
    cells: CanonicalComplex, *, budget: Budget | None = None, progress: Progress = silent
) -> Certificate:
    """Certificate of the f-vector of a complex on all of ``R^{n_0}``.

    Raises ``InputError`` for a complex in a box, which version 1 of the format does not certify.
    """
    if cells.box is not None:
        raise InputError("f-vectors are certified on all of space only; certify the top cells in the box instead")
    network = cells.network
    claim = {"quantity": "f_vector", "relation": "==", "value": list(cells.f_vector), "box": None}
    return Certificate(network, claim, {"tree": ComplexTree(cells, "all", budget=budget, progress=progress).build()})
