"""``exactfd faces``: numbers that theory gives, through the command line; sections, boxes, budgets, refusals."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

import exactfd
from exactfd import Network, save
from oracles import formulas

DIGITS = "digits_64-32-32-10.npz"


def bound(document, quantity, kind, name=None):
    (found,) = (
        b for b in document["bounds"] if (b["quantity"], b["kind"]) == (quantity, kind) and name in (None, b["name"])
    )
    return found


@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("inputs", [2, 3, 4, 5])
def test_one_hidden_layer_reproduces_buck(answer, random_network, inputs, width):
    """Regions, finite share, mean facets and diameter of random weights, as fractions."""
    document = answer("faces", random_network(inputs, width, 1, seed=inputs + width))
    assert document["f_vector"] == list(formulas.f_vector(width, inputs))
    regions, bounded = formulas.regions(width, inputs), formulas.bounded_regions(width, inputs)
    assert (document["top_cells"], document["bounded_top_cells"]) == (regions, bounded)
    mean = Fraction(2 * formulas.faces(width, inputs, inputs - 1), regions)
    assert Fraction(document["mean_facets"]) == mean
    assert document["diameter"] == width
    assert document["walls_counted"] is False
    histogram = {int(k): count for k, count in document["facet_histogram"].items()}
    assert sum(histogram.values()) == regions
    assert sum(k * count for k, count in histogram.items()) == mean * regions
    exact = {b["quantity"]: b["value"] for b in document["bounds"] if b["kind"] == "exact" and b["holds"]}
    assert exact == {
        "regions": str(regions),
        "bounded_regions": str(bounded),
        "mean_facets": str(mean),
        "diameter": str(width),
    }
    assert all(b["found"] == exact[b["quantity"]] for b in document["bounds"])


def test_eight_planes(answer, random_network):
    assert answer("faces", random_network(3, 8, 1))["f_vector"] == [56, 196, 232, 93]


@pytest.mark.parametrize(("inputs", "mean"), [(3, "112/29"), (4, "11/2")])
def test_zero_biases(answer, tmp_path, random_network, inputs, mean):
    plain = exactfd.load(random_network(inputs, 8, 1, seed=3))
    central = tmp_path / "central.json"
    save(Network([(weight, [0] * len(weight)) for weight, _ in plain.to_fractions()]), central)
    document = answer("faces", central)
    assert document["mean_facets"] == mean
    assert bound(document, "mean_facets", "limit")["value"] == str(2 * (inputs - 1))
    assert bound(document, "regions", "exact", "central")["value"] == str(document["top_cells"])
    assert bound(document, "regions", "exact", "Zaslavsky")["holds"] is False


def test_eleven_regions_meet_the_bound_of_serra(answer, tmp_path):
    path = tmp_path / "eleven.json"
    save(Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 2], [2, 1]], [-2, -2]), ([[1, 1]], [0])]), path)
    document = answer("faces", path)
    found = bound(document, "regions", "upper", "Serra et al. 2018")
    assert document["top_cells"] == 11
    assert (found["value"], found["found"]) == ("11", "11")


def test_bounds_of_small_widths(answer, random_network):
    document = answer("faces", random_network(2, 3, 3, 1))
    values = {b["name"]: b["value"] for b in document["bounds"] if (b["quantity"], b["kind"]) == ("regions", "upper")}
    assert values == {"Montufar 2017": "49", "Serra et al. 2018": "40", "Hinz, van de Geer": "40"}
    assert bound(document, "diameter", "upper")["value"] == "15"


def test_walls_of_a_plane_box(answer, random_network):
    document = answer("faces", random_network(2, 9, 6, 1), "--box", "-2", "1,3/2", "--simplices")
    assert document["walls_counted"] is True
    assert document["mean_facets"] == "4"
    assert Fraction(document["without_walls"]["mean_facets"]) < 4
    assert document["bounded_top_cells"] == document["top_cells"]
    # a polygon with k edges is cut into k - 2 triangles
    assert document["simplices"] == 2 * document["top_cells"]
    assert bound(document, "mean_facets", "upper")["value"] is None  # it speaks about all of space


def test_a_section_of_a_trained_network(answer, examples):
    points = examples / "points" / "digits_0_1_2.json"
    document = answer("faces", examples / DIGITS, "--slice", points)
    assert document["top_cells"] == 1280
    assert document["architecture"] == [64, 32, 32, 10]
    assert [len(point) for point in document["slice"]] == [64] * 3
    assert answer("faces", examples / DIGITS, "--slice-file", points) == document


def test_a_section_by_three_points(answer, examples):
    net = examples / "iris_4-6-6-3.json"
    document = answer("faces", net, "--slice", "0", "1,0,-1,1/2", "-1,0,2,2^-3", "--by-layer", "--eccentricities")
    plane = exactfd.restrict_to_plane(exactfd.load(net), [[0] * 4, [1, 0, -1, "1/2"], [-1, 0, 2, "1/8"]])
    assert document["f_vector"] == list(exactfd.canonical_complex(plane).f_vector)
    assert document["slice"][2] == ["-1", "0", "2", "1/8"]
    assert [entry["layers"] for entry in document["layers"]] == [1, 2]
    assert document["layers"][1]["facet_histogram"] == document["facet_histogram"]
    histogram = {int(k): count for k, count in document["eccentricity_histogram"].items()}
    assert (max(histogram), min(histogram)) == (document["diameter"], document["radius"])
    assert sum(histogram.values()) == document["top_cells"]


def test_programs_agree_with_the_complex(answer, examples):
    net = examples / "wine_3-5-4-3.json"
    for place in ((), ("--box", "-1", "2")):
        whole, single = answer("faces", net, *place), answer("faces", net, *place, "--algorithm", "programs")
        same = ("top_cells", "facet_histogram", "mean_facets", "variance_facets", "facets_by_layer", "walls_counted")
        assert {key: whole[key] for key in same} == {key: single[key] for key in same}
        assert (single["algorithm"], single["f_vector"], single["diameter"]) == ("programs", None, None)


def test_many_inputs_take_programs(answer, run, random_network):
    path = random_network(15, 15, 2, 1)
    document = answer("faces", path, "--max-cells", "5", code=4)
    assert document["algorithm"] == "programs"
    assert (document["top_cells"], document["complete"]) == (5, False)
    assert "more than 5 cells" in document["limit"]
    for option in ("--simplices", "--by-layer", "--eccentricities"):
        whole = run("faces", path, option)
        assert (whole.exit_code, "need the whole complex" in whole.stderr) == (3, True)
    refused = run("faces", path, "--algorithm", "complex")
    assert refused.exit_code == 3
    assert "use --algorithm programs" in refused.stderr


def test_budgets(answer, run, examples):
    document = answer("faces", examples / "iris_4-6-6-3.json", "--max-cells", "100", code=4)
    assert document["facet_histogram"] is None
    assert sum(document["f_vector_at_least"]) > 100
    assert bound(document, "regions", "upper", "Serra et al. 2018")["value"] == "2424"
    result = run("faces", examples / "iris_4-6-6-3.json", "--max-cells", "100")
    assert "at least" in result.stdout
    assert "--max-cells" in result.stderr


def test_text(run, examples):
    result = run("faces", examples / "max_min_regions.json", "--box", "-2", "3", "--simplices", "--by-layer")
    assert result.exit_code == 0
    assert "mean facets, walls counted" in result.stdout
    assert "mean facets, without walls" in result.stdout
    assert "8 in the bounded polytopes" in result.stdout
    assert "up to layer 2: 5 polytopes" in result.stdout


def test_no_neuron_at_all(answer, tmp_path):
    path = tmp_path / "affine.json"
    save(Network([([[1, 2]], [3])]), path)
    document = answer("faces", path)
    assert document["facet_histogram"] == {"0": 1}
    assert (document["mean_facets"], document["diameter"], document["facets_by_layer"]) == ("0", 0, [])


def test_what_is_refused(run, examples, tmp_path):
    net = examples / "wine_3-5-4-3.json"
    line = run("faces", net, "--slice", "0", "1", "2")
    assert (line.exit_code, "on a line" in line.stderr) == (3, True)
    short = run("faces", net, "--slice", "0,0", "1,0,0", "0,1,0")
    assert (short.exit_code, "3 inputs, found 2" in short.stderr) == (3, True)
    four = tmp_path / "four.json"
    rows = [["0", "0", "0"], ["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]]
    four.write_text(json.dumps({"format": "exactfd-points", "version": 1, "points": rows}))
    many = run("faces", net, "--slice", four)
    assert (many.exit_code, "three points, found 4" in many.stderr) == (3, True)
    missing = run("faces", net, "--slice", tmp_path / "none.json")
    assert missing.exit_code == 3
    twice = run("faces", net, "--slice", "0", "1,0,0", "0,1,0", "--slice", four)
    assert (twice.exit_code, "given once" in twice.stderr) == (2, True)
    assert run("faces", net, "--slice", "0", "1,0,0").exit_code == 2
    assert run("faces", net, "--slice").exit_code == 2


def test_six_notions_of_linear_regions(answer, run, examples):
    """max(-y, min(0, -x))."""
    found = answer("faces", examples / "max_min_regions.json")
    assert found["region_counts"] == {"R1": 7, "R2": 5, "R3": [4, 5], "R4": 3, "R5": 3, "R6": 3}
    text = run("faces", examples / "max_min_regions.json").stdout
    assert "linear regions   R1 7, R2 5, R3 4 to 5, R4 3, R5 3, R6 3\n" in text
    assert answer("faces", examples / "max_min_regions.json", "--box", -1, 1)["region_counts"] is None
