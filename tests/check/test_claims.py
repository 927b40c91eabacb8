"""True claims are proved, false ones are not, for every kind of claim and evidence."""

from __future__ import annotations

import copy
import itertools
import json
from fractions import Fraction
from typing import Any

import pytest

from check import plain
from check.plain import NETS, Net
from exactfd.check import Verdict, check_bytes, check_document

ABSOLUTE, CORNER, LAYERS, GLMW = NETS["absolute"], NETS["corner"], NETS["two layers"], NETS["glmw"]
BATCH = [[1], [2], [3], [5], [6]]


def proved(document: dict[str, Any]) -> Verdict:
    verdict = check_document(document)
    assert verdict.valid, verdict.reason
    assert not verdict.reason
    assert not verdict.malformed
    assert verdict.trusted_steps == 0
    assert plain.digest(document["network"]) in verdict.claim
    return verdict


def refused(document: dict[str, Any], reason: str) -> Verdict:
    verdict = check_document(document)
    assert not verdict.valid
    assert not verdict.malformed, verdict.reason
    assert reason in verdict.reason
    assert verdict.claim
    return verdict


def claiming(document: dict[str, Any], **claim: Any) -> dict[str, Any]:
    result = copy.deepcopy(document)
    result["claim"].update(claim)
    return result


def renetworked(document: dict[str, Any], net: Net) -> dict[str, Any]:
    network = net.document()
    return {**copy.deepcopy(document), "network": network, "digest": plain.digest(network)}


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_every_claim_about_a_network(net: Net) -> None:
    for relation in ("==", ">=", "<="):
        proved(plain.functional_dimension(net, relation))
        points = plain.spread(net)[:3]
        proved(plain.batch_rank(net, points, relation))
    proved(plain.functional_dimension(net, "<=", "theory"))
    proved(plain.top_cells(net))
    proved(plain.f_vector(net))
    proved(plain.same_function(net, net))


# --------------------------------------------------------------------------------------------------------- sentences


def test_sentences_and_steps() -> None:
    glmw = proved(plain.functional_dimension(GLMW))
    name = plain.digest(GLMW.document())
    assert glmw.claim == f"dim_fun(theta) = 5 = D' for network sha256:{name}"
    nodes = plain.functional_dimension(GLMW)["evidence"]["upper"]["tree"]
    assert glmw.steps == 1 + 2 + len(nodes) + sum(len(node.get("refute", {})) for node in nodes)
    assert glmw.to_dict() == {
        "valid": True,
        "claim": glmw.claim,
        "steps": glmw.steps,
        "trusted_steps": 0,
        "reason": "",
        "malformed": False,
    }
    other = plain.digest(ABSOLUTE.document())
    assert (
        proved(plain.functional_dimension(ABSOLUTE)).claim == f"dim_fun(theta) = 4 < 5 = D' for network sha256:{other}"
    )
    assert "dim_fun(theta) >= 4 < 5 = D'" in proved(plain.functional_dimension(ABSOLUTE, ">=")).claim
    high = claiming(plain.functional_dimension(ABSOLUTE, "<=", "theory"), value=6)
    assert "dim_fun(theta) <= 6 > 5 = D'" in proved(high).claim
    batch = proved(plain.batch_rank(GLMW, BATCH))
    assert batch.claim == f"rank J Ev_Z(theta) for a batch Z of 5 points = 5 for network sha256:{name}"
    assert proved(plain.batch_rank(GLMW, BATCH, ">=")).steps == 1
    assert proved(plain.batch_rank(GLMW, BATCH, "<=", "size")).steps == 1
    assert proved(plain.batch_rank(GLMW, BATCH, "<=", "theory")).steps == 1
    assert proved(plain.batch_rank(GLMW, BATCH[:2], "<=")).steps == 7 - len(plain.reduced(GLMW.rows_at(BATCH[:2]))[1])
    assert proved(plain.batch_rank(GLMW, BATCH, "==", "size")).steps == 2
    assert proved(plain.batch_rank(GLMW, BATCH, "==", "theory")).steps == 2
    assert proved(plain.f_vector(GLMW)).claim.endswith("has the f-vector (2, 3)")
    assert proved(plain.top_cells(GLMW)).claim.endswith("has 3 cells of dimension 1")
    boxed = proved(plain.top_cells(CORNER, [["-1/2", 1], ["1/2", 2]]))
    assert boxed.claim.endswith("has 2 cells of dimension 2 that meet the inside of the box [(-1/2, 1), (1/2, 2)]")
    assert "compute the same function" in proved(plain.same_function(ABSOLUTE, ABSOLUTE)).claim
    differ = proved(plain.function(ABSOLUTE, NETS["chain"], "!=", {"point": {"at": ["0"]}}))
    assert "compute different functions" in differ.claim
    assert differ.steps == 1


def test_the_sentence_stays_short_whatever_the_box() -> None:
    long = "1" + "0" * 9000
    verdict = proved(plain.top_cells(ABSOLUTE, [[0], [10**301]]))
    assert len(verdict.claim) > 300
    document = plain.top_cells(ABSOLUTE, [[0], [10**301]])
    document["claim"]["box"] = [["0"], [long]]
    verdict = proved(document)
    assert "(a long number)" in verdict.claim
    assert len(verdict.claim) < 300


# --------------------------------------------------------------------------------------------------------- ranks


@pytest.mark.parametrize(("batch", "rank"), [([[0], [1], [2]], 2), ([[0], [3], [5]], 3), (BATCH, 5)])
def test_batches_of_the_paper(batch: Any, rank: int) -> None:
    document = plain.batch_rank(GLMW, batch)
    assert document["claim"]["value"] == rank
    proved(document)
    for relation, value, part in (
        ("==", rank + 1, "lower.rows: "),
        ("==", rank - 1, "lower.rows: "),
        (">=", rank + 1, "lower.rows: "),
        ("<=", rank - 1, "upper.vectors: "),
    ):
        wrong = claiming(plain.batch_rank(GLMW, batch, relation), value=value)
        refused(wrong, f"evidence.{part}")


def test_a_larger_minor_vanishes() -> None:
    document = claiming(plain.batch_rank(GLMW, [[0], [1], [2]], ">="), value=3)
    document["evidence"]["lower"].update(rows=[0, 1, 2], columns=[0, 1, 4])
    refused(document, "evidence.lower: the minor vanishes modulo 2305843009213693951")


def test_rows_are_points_then_outputs() -> None:
    net = Net([[1, 0], [1, -1]], [[1, 0, 0], [0, 0, 0]])  # the second output needs its own weights
    document = plain.batch_rank(net, [[2], [3]], ">=")
    lower = document["evidence"]["lower"]
    for rows, columns, good in (
        ([0, 2], [4, 6], True),  # output 0 at both points, its own parameters
        ([1, 3], [7, 9], True),
        ([0, 2], [7, 9], False),
        ([0, 1], [6, 9], True),
        ([2, 3], [6, 9], True),
        ([0, 1], [4, 6], False),
        ([2, 0], [4, 6], True),  # in any order
        ([3, 1], [9, 7], True),
    ):
        lower.update(rows=rows, columns=columns)
        wrong = claiming(document, value=2)
        assert check_document(wrong).valid is good


def test_kernel_of_a_batch() -> None:
    document = plain.batch_rank(GLMW, [[0], [1], [2]], "<=")
    vectors = document["evidence"]["upper"]["vectors"]
    proved(document)
    for number, vector in enumerate(vectors):
        for i, (index, value) in enumerate(vector):
            wrong = copy.deepcopy(document)
            wrong["evidence"]["upper"]["vectors"][number][i] = [index, str(int(value) * 7 or 1)]
            moves = any(row[index] for row in GLMW.rows_at([[0], [1], [2]]))
            if moves:
                refused(wrong, f"evidence.upper.vectors[{number}]: not in the kernel of the Jacobian at claim.points[")
            else:
                proved(wrong)
    wrong = claiming(document, points=[["0"], ["1"], ["3"]])
    refused(wrong, "not in the kernel of the Jacobian at claim.points[2]")


def test_size_and_theory() -> None:
    document = plain.batch_rank(GLMW, BATCH, "<=", "size")
    assert document["claim"]["value"] == 5
    refused(claiming(document, value=4), "evidence.upper: the number of rows is 5, above 4")
    two = plain.batch_rank(Net([[1, 0]], [[1, 0], [1, 1]]), BATCH, "<=", "size")
    assert two["claim"]["value"] == 10
    refused(claiming(two, value=9), "evidence.upper: the number of rows is 10, above 9")
    document = plain.batch_rank(GLMW, BATCH, "<=", "theory")
    proved(claiming(document, value=6))
    refused(claiming(document, value=4), "evidence.upper: D' is 5, above 4")
    document = plain.functional_dimension(LAYERS, "<=", "theory")
    refused(claiming(document, value=LAYERS.top - 1), "evidence.upper: D' is 11, above 10")


def test_points_of_a_batch_must_be_smooth_whatever_the_evidence() -> None:
    for upper in ("size", "theory", "kernel"):
        document = claiming(plain.batch_rank(GLMW, BATCH, "<=", upper), points=[["5/2"], *map(plain.text, BATCH[1:])])
        refused(document, "claim.points[0]: the point is not smooth")
    document["evidence"] = {"upper": {"rule": "trust"}}
    verdict = check_document(document, allow_trust=True)
    assert verdict.reason == "claim.points[0]: the point is not smooth"


def test_an_empty_batch() -> None:
    document = plain.batch_rank(GLMW, [[1]], ">=")
    document["claim"].update(points=[], value=0)
    document["evidence"]["lower"].update(rows=[], columns=[])
    proved(document)
    assert check_document(claiming(document, value=1)).reason.startswith("evidence.lower.rows: 1 indices")
    document["evidence"]["lower"].update(rows=[0], columns=[0])
    assert check_document(claiming(document, value=1)).malformed


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_functional_dimension_too_large_or_too_small(net: Net) -> None:
    document = plain.functional_dimension(net)
    value = document["claim"]["value"]
    refused(claiming(document, value=value + 1), "evidence.lower.rows: ")
    for relation in ("==", ">=", "<="):
        document = plain.functional_dimension(net, relation)
        if value and relation != "<=":
            wrong = claiming(document, value=value - 1)
            refused(wrong, "evidence.lower.rows: ")
            # with a smaller minor only the upper bound is wrong
            for key in ("rows", "columns"):
                wrong["evidence"]["lower"][key].pop()
            if relation == ">=":
                continue
            reason = check_document(wrong).reason
            assert reason.startswith(("evidence.upper.vectors: ", "evidence.lower: the minor vanishes")), reason
        if value and relation == "<=":
            refused(claiming(document, value=value - 1), "evidence.upper.vectors: ")


def test_upper_bound_from_the_complex() -> None:
    document = plain.functional_dimension(ABSOLUTE, "<=")
    upper = document["evidence"]["upper"]
    assert document["claim"]["value"] == 4
    # one more vector, which is in no kernel
    wrong = claiming(document, value=3)
    free = next(c for c in range(7) if c not in upper["columns"])
    wrong["evidence"]["upper"]["vectors"].append([[free, "1"]])
    wrong["evidence"]["upper"]["columns"].append(free)
    number = len(upper["vectors"])
    refused(wrong, f"evidence.upper.vectors[{number}]: not in the kernel of the Jacobian at evidence.upper.tree[")
    # a cell is missing
    wrong = copy.deepcopy(document)
    del wrong["evidence"]["upper"]["tree"][-1]
    refused(wrong, "evidence.upper.tree: the tree ends with 1 nodes missing")
    for node in (node for node in upper["tree"] if len(node.get("children", [])) == 2):
        children, node["children"] = node["children"], node["children"][:1]
        refused(document, "is neither a child nor refuted")
        node["children"] = children
    # the kernel of another network, the network of another kernel
    other = Net([[1, 0], [1, 0]], [[1, 1, 0]])
    refused(renetworked(plain.functional_dimension(ABSOLUTE), other), "evidence.")
    refused({**document, "network": other.document()}, "digest: ")


def test_only_smooth_leaves_count() -> None:
    # the second neuron of the first layer is zero everywhere: no cell is smooth, and the dimension is 0
    net = Net([[1, 0], [0, 0]], [[1, 1, 0]])
    document = plain.functional_dimension(net)
    assert document["claim"]["value"] == 0
    assert len(document["evidence"]["upper"]["vectors"]) == net.D
    proved(document)
    # with a dead layer behind, it is masked: the output's bias alone can be moved
    net = Net([[1, 0], [0, 0]], [[-1, -1, -1]], [[1, 1]])
    document = plain.functional_dimension(net)
    assert document["claim"]["value"] == 1
    proved(document)
    free = [c for c in range(net.D) if c not in document["evidence"]["upper"]["columns"]]
    document["evidence"]["upper"]["vectors"].append([[free[0], "1"]])
    document["evidence"]["upper"]["columns"] += free
    refused(document, "not in the kernel of the Jacobian at evidence.upper.tree[")


def test_vectors_in_echelon_form() -> None:
    document = plain.functional_dimension(ABSOLUTE, "<=")
    upper = document["evidence"]["upper"]
    (a, b, c), (i, j, k) = upper["vectors"], upper["columns"]
    total: dict[int, int] = {}
    for vector in (a, b, c):
        for index, value in vector:
            total[index] = total.get(index, 0) + int(value)
    mixed = [[index, str(value)] for index, value in sorted(total.items()) if value]
    for vectors, columns, good in (
        ([mixed, b, c], [i, j, k], True),  # later columns may be met
        ([a, b, mixed], [i, j, k], False),  # earlier ones may not
        ([b, mixed, c], [j, i, k], False),
        ([a, b, b], [i, j, k], False),
        ([a, b, c], [i, k, j], False),
        ([c, b, a], [k, j, i], True),
        ([a, b, []], [i, j, k], False),
    ):
        upper.update(vectors=vectors, columns=columns)
        assert check_document(document).valid is good
        if not good:
            refused(document, "the vectors are not in echelon form on the columns")
    upper.update(vectors=[a, b, c], columns=[i, j, j])
    refused(document, "evidence.upper.columns: the indices are not distinct")


# --------------------------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize("make", [plain.top_cells, plain.f_vector])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_wrong_counts(make: Any, net: Net) -> None:
    document = make(net)
    value = document["claim"]["value"]
    nearby = [value + 1, value - 1] if isinstance(value, int) else []
    for i in range(len(value) if nearby == [] else 0):
        nearby += [[v + (i == k) for k, v in enumerate(value)], [v - (i == k) for k, v in enumerate(value)]]
    for wrong in nearby:
        if isinstance(wrong, int) or min(wrong) >= 0:
            refused(claiming(document, value=wrong), "evidence.tree: the numbers of cells by dimension are [")


@pytest.mark.parametrize("make", [plain.top_cells, plain.f_vector])
@pytest.mark.parametrize("net", [net for net in NETS.values() if net.relu_layers])
def test_a_missing_cell(make: Any, net: Net) -> None:
    document = make(net)
    nodes = document["evidence"]["tree"]
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            wrong = copy.deepcopy(document)
            wrong["evidence"]["tree"][number]["children"].remove(child)
            assert not check_document(wrong).valid
            wrong = copy.deepcopy(document)
            wrong["evidence"]["tree"][number].setdefault("refute", {})[str(child)] = {"0": "1"}
            wrong["evidence"]["tree"][number]["children"].remove(child)
            assert not check_document(wrong).valid
        shorter = copy.deepcopy(document)
        del shorter["evidence"]["tree"][number]
        assert not check_document(shorter).valid
        longer = copy.deepcopy(document)
        longer["evidence"]["tree"].append(copy.deepcopy(node))
        refused(longer, f"evidence.tree[{len(nodes)}]: a node after the end of the tree")


def test_points_of_leaves() -> None:
    document = plain.top_cells(CORNER)
    leaves = [node for node in document["evidence"]["tree"] if "point" in node]
    leaves[0]["point"], leaves[1]["point"] = leaves[1]["point"], leaves[0]["point"]
    refused(document, "evidence.tree[2].point: the point has other labels than the leaf")
    leaves[0]["point"] = ["0", "1"]
    refused(document, "evidence.tree[2].point: the point has other labels than the leaf")


def test_boxes() -> None:
    for box, cells in (
        ([[0, 0], [1, 1]], 1),
        ([[-1, 0], [1, 1]], 2),
        ([[-1, -1], [1, 1]], 4),
        ([["-1/3", "-2/7"], ["1/5", 0]], 2),
    ):
        document = plain.top_cells(CORNER, box)
        assert document["claim"]["value"] == cells
        proved(document)
        refused(claiming(document, value=cells + 1), "evidence.tree: ")
        # the box is part of the claim: the same evidence does not do for another one
        if cells == 1:
            refused(claiming(document, box=[["-1", "0"], ["1", "1"]]), "the combination is no contradiction")
            refused(claiming(document, box=None), "there is no wall 'lo 0'")
    document = plain.top_cells(CORNER, [[0, 0], [1, 1]])
    leaf = document["evidence"]["tree"][-1]
    for point in (["1", "1/2"], ["1/2", "1"], ["2", "1/2"], ["1/2", "3"]):
        leaf["point"] = point
        refused(document, "the point is not inside the box")
    document = plain.top_cells(CORNER, [[-1, -1], [1, 1]])
    leaf = document["evidence"]["tree"][-1]
    for point in (["-1", "-1/2"], ["-1/2", "-1"], ["-2", "-1/2"], ["-1/2", "-3"]):
        leaf["point"] = point
        refused(document, "the point is not inside the box")


def test_an_empty_tree_and_a_network_without_neurons() -> None:
    document = plain.top_cells(NETS["affine"])
    assert document["claim"]["value"] == 1
    document["evidence"]["tree"] = []
    refused(document, "evidence.tree: the tree ends with 1 nodes missing")


# ----------------------------------------------------------------------------------------------------- functions


def test_symmetries() -> None:
    for permutations, scales in (
        ([[1, 0], [0, 1]], [["1/2", 3], [1, 1]]),
        ([[0, 1], [1, 0]], [[1, 1], [5, "2/3"]]),
        ([[1, 0], [1, 0]], [[7, "1/7"], ["3/2", 2]]),
    ):
        other = plain.moved(LAYERS, permutations, scales)
        evidence = {"symmetry": {"permutations": permutations, "scales": plain.text(scales)}}
        document = plain.function(LAYERS, other, "==", evidence)
        assert proved(document).steps == 1
        proved(plain.same_function(LAYERS, other))
        for layer in range(2):
            wrong = copy.deepcopy(document)
            wrong["evidence"]["symmetry"]["permutations"][layer].reverse()
            refused(wrong, "evidence.symmetry: entry ")
            wrong = copy.deepcopy(document)
            wrong["evidence"]["symmetry"]["scales"][layer][0] = "11"
            refused(wrong, "evidence.symmetry: entry ")
        for layer, kind in ((0, "weight"), (0, "bias"), (2, "weight"), (2, "bias")):
            wrong = copy.deepcopy(document)
            rows = wrong["claim"]["other"]["layers"][layer][kind]
            (rows if kind == "bias" else rows[0])[0] = "77"
            refused(wrong, "evidence.symmetry: entry ")
    # a negative scale in the second layer, with which the parameters would agree
    permutations, scales = [[0, 1], [0, 1]], [[1, 1], [-1, -2]]
    evidence = {"symmetry": {"permutations": permutations, "scales": plain.text(scales)}}
    document = plain.function(LAYERS, plain.moved(LAYERS, permutations, scales), "==", evidence)
    refused(document, "evidence.symmetry.scales[1]: a scale is not positive")
    # fewer and more neurons than inputs and outputs
    for sizes in ((3, 1, 2, 4), (1, 3, 2, 1), (2, 3)):
        layers = [[[i + 2 * k + 1 for k in range(m + 1)] for i in range(n)] for m, n in itertools.pairwise(sizes)]
        orders = [list(range(n))[::-1] for n in sizes[1:-1]]
        factors = [[i + 2 for i in range(n)] for n in sizes[1:-1]]
        evidence = {"symmetry": {"permutations": orders, "scales": plain.text(factors)}}
        proved(plain.function(Net(*layers), plain.moved(Net(*layers), orders, factors), "==", evidence))
    # a permutation of three neurons that is not its own inverse
    net = NETS["fractional"]
    evidence = {"symmetry": {"permutations": [[1, 2, 0]], "scales": [["1", "2", "3"]]}}
    proved(plain.function(net, plain.moved(net, [[1, 2, 0]], [[1, 2, 3]]), "==", evidence))
    refused(
        plain.function(net, plain.moved(net, [[2, 0, 1]], [[1, 2, 3]]), "==", evidence), "evidence.symmetry: entry "
    )


def test_symmetries_that_are_none() -> None:
    evidence: dict[str, Any] = {"symmetry": {"permutations": [[0, 1]], "scales": [["1", "1"]]}}
    document = plain.function(ABSOLUTE, ABSOLUTE, "==", evidence)
    proved(document)
    symmetry = evidence["symmetry"]
    for scale in ("0", "-1", "-1/2"):
        symmetry["scales"] = [["1", scale]]
        refused(document, "evidence.symmetry.scales[0]: a scale is not positive")
    symmetry["scales"] = [["1", "1"]]
    symmetry["permutations"] = [[0, 0]]
    refused(document, "evidence.symmetry.permutations[0]: the indices are not distinct")
    symmetry["permutations"] = [[0, 1]]
    wider = Net([[1, 0], [-1, 0], [0, 0]], [[1, 1, 0, 0]])
    refused(plain.function(ABSOLUTE, wider, "==", evidence), "evidence.symmetry: the architectures differ")
    clipped = Net(*ABSOLUTE.layers, relu=True)
    refused(plain.function(ABSOLUTE, clipped, "==", evidence), "evidence.symmetry: the output activations differ")
    # negative scales would change the function: -x is not x
    flipped = Net([[-1, 0], [1, 0]], [[-1, -1, 0]])
    symmetry["scales"] = [["-1", "-1"]]
    refused(plain.function(ABSOLUTE, flipped, "==", evidence), "a scale is not positive")


def test_equal_functions_from_a_tree() -> None:
    identity = [Net([[1, -t], [-1, t]], [[1, -1, t]]) for t in map(Fraction, (0, "1/3", 2))]
    for first in identity:
        for other in (*identity, Net([[1, 0]])):
            proved(plain.same_function(first, other))
    proved(plain.same_function(ABSOLUTE, Net(*ABSOLUTE.layers, relu=True)))
    proved(plain.same_function(Net(*ABSOLUTE.layers, relu=True), ABSOLUTE))
    proved(plain.same_function(Net([["1/2", 0], ["-1/2", 0]], [[2, 2, 0]]), ABSOLUTE))
    for first, other in (
        (identity[0], ABSOLUTE),
        (identity[0], Net([[1, 0]], relu=True)),
        (Net([[1, 0]]), Net([[1, "1/1000000"]])),
        (ABSOLUTE, Net([[1, 0], [-1, 0]], [[1, 1, 0]], [[2, 0]])),
        (Net([[1, 0]], [[1, 0], [1, 0]]), Net([[1, 0]], [[1, 0], [2, 0]])),
        (Net([[0, "1/2"]]), Net([[0, 1]])),
    ):
        refused(plain.same_function(first, other), "the affine maps of the two networks differ")


def test_equality_needs_the_whole_tree() -> None:
    document = plain.same_function(ABSOLUTE, ABSOLUTE)
    del document["evidence"]["tree"][-1]
    refused(document, "nodes missing")
    wrong = plain.same_function(ABSOLUTE, ABSOLUTE)
    wrong["claim"]["other"] = Net([[1, 0], [-1, 1]], [[1, 1, 0]]).document()
    refused(wrong, "evidence.tree[")
    refused(renetworked(plain.same_function(ABSOLUTE, ABSOLUTE), Net([[1, 1], [-1, 0]], [[1, 1, 0]])), "evidence.tree[")


def test_different_functions() -> None:
    other = Net([[1, 0], [-1, 0]], [[1, -1, 0]])
    proved(plain.function(ABSOLUTE, other, "!=", {"point": {"at": ["-1/2"]}}))
    refused(
        plain.function(ABSOLUTE, other, "!=", {"point": {"at": ["1/2"]}}),
        "evidence.point: the two networks have the same value there",
    )
    refused(plain.function(ABSOLUTE, ABSOLUTE, "!=", {"point": {"at": ["-1/2"]}}), "the same value there")
    # denominators are not forgotten
    proved(plain.function(Net([["1/2", 0]]), Net([[1, 0]]), "!=", {"point": {"at": ["2/3"]}}))
    proved(plain.function(Net([[1, 0]]), Net([[1, "1/3"]]), "!=", {"point": {"at": ["0"]}}))
    halves = Net([["1/2", 0], ["-1/2", 0]], [[2, 2, 0]])
    refused(plain.function(ABSOLUTE, halves, "!=", {"point": {"at": ["5/3"]}}), "the same value there")


# --------------------------------------------------------------------------------------------------------- trust


def documents() -> dict[str, dict[str, Any]]:
    symmetry = {"permutations": [[1, 0]], "scales": [["2", "3"]]}
    return {
        "batch": plain.batch_rank(GLMW, [[0], [1], [2]]),
        "dimension": plain.functional_dimension(ABSOLUTE),
        "top cells": plain.top_cells(CORNER, [[-1, 0], [1, 1]]),
        "f-vector": plain.f_vector(GLMW),
        "equal by tree": plain.same_function(ABSOLUTE, ABSOLUTE),
        "equal by symmetry": plain.function(
            ABSOLUTE, plain.moved(ABSOLUTE, [[1, 0]], [[2, 3]]), "==", {"symmetry": symmetry}
        ),
        "different": plain.function(ABSOLUTE, NETS["chain"], "!=", {"point": {"at": ["0"]}}),
    }


@pytest.mark.parametrize("document", documents().values(), ids=documents())
def test_trust_is_counted_and_refused(document: dict[str, Any]) -> None:
    for key in document["evidence"]:
        trusting = copy.deepcopy(document)
        trusting["evidence"][key] = {"rule": "trust"}
        verdict = refused(trusting, "evidence: 1 trusted steps")
        assert verdict.trusted_steps == 1
        verdict = check_document(trusting, allow_trust=True)
        assert verdict.valid
        assert verdict.trusted_steps == 1
        trusting["evidence"][key] = {"rule": "trust", "because": "it is so"}
        assert not check_document(trusting, allow_trust=True).valid
        for value in ({"rule": "trust", "tree": []}, ["rule", "trust"], "trust", {"rule": "believe"}, None):
            trusting["evidence"][key] = value
            assert not check_document(trusting, allow_trust=True).valid
    both = copy.deepcopy(document)
    both["evidence"] = {key: {"rule": "trust"} for key in document["evidence"]}
    verdict = check_document(both, allow_trust=True)
    assert verdict.trusted_steps == len(document["evidence"])
    assert verdict.steps == 0
    # trust does not extend to the other half
    if "upper" in document["evidence"]:
        half = copy.deepcopy(document)
        half["evidence"]["lower"] = {"rule": "trust"}
        half["claim"]["value"] -= 1
        assert not check_document(half, allow_trust=True).valid
        half["digest"] = "0" * 64
        assert check_document(half, allow_trust=True).reason.startswith("digest: ")


def test_multipliers_that_only_a_float_would_accept() -> None:
    document = plain.top_cells(NETS["long"])
    proved(document)
    multipliers = document["evidence"]["tree"][1]["refute"]["-1"]
    for key, value in list(multipliers.items()):
        assert int(value) > 2**70
        for change in (-1, 1):
            multipliers[key] = str(int(value) + change)
            refused(document, "evidence.tree[1].refute.-1: the combination is not constant")
        multipliers[key] = value


def test_progress_is_told_the_steps() -> None:
    data = json.dumps(plain.functional_dimension(GLMW)).encode()
    seen: list[int] = []
    verdict = check_bytes(data, progress=seen.append)
    assert verdict == check_bytes(data)
    assert seen == sorted(seen)
    assert 0 == seen[0] < seen[-1] <= verdict.steps
