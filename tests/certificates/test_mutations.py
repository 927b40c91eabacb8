"""Thousands of certificates with one thing wrong: each is rejected with a reason, and none is accepted."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import exactfd
from certificates import mutations
from exactfd.certificates import (
    batch_certificate,
    dimension_certificate,
    f_vector_certificate,
    function_certificate,
    top_cells_certificate,
)
from exactfd.check import check_bytes, check_document

#: Reasons begin with a place in the document.
STEP = re.compile(r"(document|format|version|produced_by|network|digest|claim|evidence)(\.-?\w[\w ]*|\[[^\]]+\])*: \S")
NODE = re.compile(r"'tree', (\d+), 'refute'")
EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def load(name):
    return exactfd.load(EXAMPLES / f"{name}.json")


def crossing():
    """Two layers whose bent lines cross, with a deficit: one neuron of layer 2 is always active."""
    return exactfd.Network.from_arrays(
        [([[1, 0], [0, 1]], [0, -1]), ([[1, 2], [2, -1]], [1, "-1/3"]), ([[1, -1]], [0])]
    )


CERTIFICATES = {
    "dimension, kernel": lambda: dimension_certificate(exactfd.functional_dimension(crossing())),
    "dimension, theory": lambda: dimension_certificate(exactfd.functional_dimension(load("glmw_example_1-1"))),
    "dimension, chain": lambda: dimension_certificate(exactfd.functional_dimension(load("width_one_chain"))),
    "batch": lambda: batch_certificate(exactfd.batch_functional_dimension(load("glmw_example_1-1"), [[0], [1], [2]])),
    "top cells": lambda: top_cells_certificate(crossing()),
    "top cells in a box": lambda: top_cells_certificate(load("diamond"), box=("1/4", "1/2")),
    "f-vector": lambda: f_vector_certificate(exactfd.canonical_complex(load("diamond"))),
    "equal": lambda: function_certificate(load("hidden_family_t_2"), load("hidden_family_t_1-3")),
    "different": lambda: function_certificate(load("hidden_family_t_2"), load("fiber_dim_1")),
}


@cache
def document(name):
    return json.loads(CERTIFICATES[name]().dumps())


def dead_columns(name):
    """Parameters whose column of the stacked Jacobian (or of the batch's) is zero."""
    claim = document(name)["claim"]
    network = exactfd.Network.from_arrays(
        [(layer["weight"], layer["bias"]) for layer in document(name)["network"]["layers"]],
        output_activation=document(name)["network"]["output_activation"],
    )
    if claim["quantity"] == "batch_rank":
        table = exactfd.jacobian(network, claim["points"]).tolist()
    else:
        cells = exactfd.split_cells(network).labels
        table = [row for labels in cells.tolist() for row in exactfd.cell_jacobian(network, labels).tolist()]
    alive = (np.array(table, dtype=object) != 0).any(axis=0)
    return set(np.flatnonzero(~alive).tolist())


@cache
def mutated(name):
    return list(mutations.all_mutations(document(name), dead_columns(name)))


def test_there_are_enough_of_them():
    assert sum(len(mutated(name)) for name in CERTIFICATES) >= 2000


@pytest.mark.parametrize("name", CERTIFICATES)
def test_each_mutation_is_rejected_with_a_reason(name):
    assert check_document(document(name)).valid
    accepted = []
    for what, wrong in mutated(name):
        verdict = check_document(wrong)
        if verdict.valid:
            accepted.append(what)
        else:
            assert STEP.match(verdict.reason), (what, verdict.reason)
            node = NODE.search(what)
            if node:  # a refutation with something wrong is named itself
                assert f"tree[{node[1]}]" in verdict.reason, (what, verdict.reason)
    assert accepted == []


@pytest.mark.parametrize("name", CERTIFICATES)
def test_broken_files_are_malformed(name):
    for what, data in mutations.texts(document(name)):
        verdict = check_bytes(data)
        assert not verdict.valid, what
        assert verdict.malformed, what
        assert verdict.reason, what
