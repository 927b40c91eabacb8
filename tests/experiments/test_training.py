"""Training: gradients against differences, steps against a plain loop in fractions, checkpoints in a store."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import exactfd
from exactfd import Network
from exactfd.errors import BudgetExceeded, InputError, MissingExtraError
from exactfd.experiments import (
    Data,
    Recipe,
    Store,
    parse_specification,
    read_data,
    read_specification,
    run_campaign,
    tabulate,
    train,
)
from exactfd.experiments.inactive import on_points
from exactfd.experiments.paths import read_paths
from exactfd.experiments.training import gradient, loss_and_slope, outputs_and_states

ROOT = Path(__file__).parents[2]
LINE = Data("line", ((-1.0,), (0.5,), (2.0,)), ((1.0,), (0.0,), (3.0,)))
CLASSES = Data("classes", ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (-1.0, 2.0)), ((0.0,), (1.0,), (2.0,), (1.0,)))
TWO = Data("two", CLASSES.inputs, ((0.0,), (1.0,), (1.0,), (0.0,)))


def random_layers(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((n, m)), rng.standard_normal(n)) for m, n in pairwise(sizes)]


# --------------------------------------------------------------------------- one step


@pytest.mark.parametrize(
    ("data", "loss", "sizes", "activation"),
    [
        (LINE, "mean_square", (1, 3, 2, 1), "identity"),
        (LINE, "mean_square", (1, 4, 1), "relu"),
        (LINE, "mean_square", (1, 1), "identity"),
        (CLASSES, "cross_entropy", (2, 4, 3), "identity"),
        (CLASSES, "cross_entropy", (2, 3, 3, 3), "relu"),
        (TWO, "cross_entropy", (2, 4, 1), "identity"),
        (TWO, "cross_entropy", (2, 4, 2), "identity"),
    ],
)
def test_gradients_are_those_of_differences(data, loss, sizes, activation):
    recipe = Recipe(data, loss=loss)
    layers = random_layers(sizes, seed=3)
    inputs, targets = np.array(data.inputs), np.array(data.targets)

    def value():
        return loss_and_slope(recipe, outputs_and_states(layers, inputs, activation)[0], targets)[0]

    slopes = gradient(layers, recipe, inputs, targets, activation)
    parameters = [entry for layer in layers for entry in layer]
    assert [slope.shape for slope in slopes] == [entry.shape for entry in parameters]
    assert any(slope.any() for slope in slopes)
    for slope, entry in zip(slopes, parameters, strict=True):
        for place in np.ndindex(entry.shape):
            old = entry[place]
            entry[place] = old + 1e-6
            high = value()
            entry[place] = old - 1e-6
            low = value()
            entry[place] = old
            assert slope[place] == pytest.approx((high - low) / 2e-6, abs=1e-6)


def test_losses_by_hand():
    outputs = np.array([[1.0, 3.0, 2.0]])
    loss, _ = loss_and_slope(Recipe(CLASSES, loss="cross_entropy"), outputs, np.array([[2.0]]))
    assert loss == pytest.approx(math.log(sum(math.exp(k) for k in (1, 2, 3))) - 2)
    loss, _ = loss_and_slope(Recipe(TWO, loss="cross_entropy"), np.array([[0.7]]), np.array([[1.0]]))
    assert loss == pytest.approx(math.log(1 + math.exp(-0.7)))
    loss, _ = loss_and_slope(Recipe(CLASSES, loss="cross_entropy"), np.array([[900.0, 0.0, 0.0]]), np.array([[0.0]]))
    assert loss == 0


@pytest.mark.parametrize(("momentum", "decay"), [(0, 0), (Fraction(1, 2), 0), (0, Fraction(1, 4)), (Fraction(1, 4), 1)])
def test_descent_is_that_of_a_plain_loop_in_fractions(momentum, decay):
    """One hidden neuron, one sample at a time would do: everything dyadic, so floats are exact for some steps."""
    data = Data("dyadic", ((1.0,), (-1.0,)), ((2.0,), (1.0,)))
    recipe = Recipe(data, optimiser="sgd", rate=0.25, momentum=float(momentum), weight_decay=float(decay))
    network = Network([([[1]], ["1/2"]), ([["1/2"]], [0])])
    theta, velocity = list(network.theta()), [Fraction(0)] * 4
    expected = []
    for _ in range(3):
        slope = [Fraction(0)] * 4
        for (x,), (y,) in zip(data.inputs, data.targets, strict=True):
            w, b, v, c = theta
            z = w * Fraction(x) + b
            error = v * max(z, 0) + c - Fraction(y)  # d/dz of the mean of two squares is the error itself
            on = z > 0
            parts = [v * Fraction(x) * on, v * on, max(z, Fraction(0)), Fraction(1)]
            slope = [s + error * part for s, part in zip(slope, parts, strict=True)]
        velocity = [momentum * a + s + decay * t for a, s, t in zip(velocity, slope, theta, strict=True)]
        theta = [t - a / 4 for t, a in zip(theta, velocity, strict=True)]
        expected.append(tuple(theta))
    found = [entry.network.theta() for entry in train(network, recipe, [1, 2, 3])]
    assert found[:2] == expected[:2]  # the third step needs more than 53 bits for some options
    assert [float(t) for t in found[2]] == pytest.approx([float(t) for t in expected[2]])


def test_adam_by_its_formula():
    """The first step of Adam has the size of the rate, whatever the gradient."""
    recipe = Recipe(LINE, optimiser="adam", rate=0.125)
    network = Network([([[1]], [0])])
    (found,) = train(network, recipe, [1])
    for before, after in zip(network.theta(), found.network.theta(), strict=True):
        assert abs(float(after - before)) == pytest.approx(0.125, rel=1e-6)
    m = v = 0.0
    theta = 1.0
    square = Data("square", ((1.0,),), ((0.0,),))  # loss (theta + b)^2: weight and bias move alike
    path = train(Network([([[1]], [1])]), Recipe(square, rate=0.1), range(1, 6))
    for step, entry in enumerate(path, start=1):
        slope = 2 * (2 * theta)
        m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
        theta -= 0.1 * (m / (1 - 0.9**step)) / (math.sqrt(v / (1 - 0.999**step)) + 1e-8)
        assert [float(t) for t in entry.network.theta()] == pytest.approx([theta, theta], rel=1e-9)


# --------------------------------------------------------------------------- the path


def test_checkpoints_do_not_depend_on_each_other():
    network = Network(random_layers((2, 4, 3)))
    recipe = Recipe(CLASSES, loss="cross_entropy", batch=3, weight_decay=0.01)
    rng = [random.Random(5) for _ in range(3)]
    every = {entry.step: entry for entry in train(network, recipe, range(9), rng=rng[0])}
    some = list(train(network, recipe, [8, 0, 8, 4], rng=rng[1]))
    assert [entry.step for entry in some] == [0, 4, 8]
    assert all(entry == every[entry.step] for entry in some)
    assert every[0].network == network
    other = list(train(network, recipe, [8], rng=random.Random(6)))
    assert other[0].network != every[8].network


def test_it_learns():
    network = Network(random_layers((2, 8, 3), seed=1))
    first, last = train(network, Recipe(CLASSES, loss="cross_entropy", rate=0.05), [0, 300])
    assert last.loss < 0.01 < first.loss
    assert last.correct == 4
    outputs = [last.network.evaluate([Fraction(x) for x in point]) for point in CLASSES.inputs]
    assert [row.index(max(row)) for row in outputs] == [int(target[0]) for target in CLASSES.targets]


def test_ugly_trainings():
    diverging = Recipe(LINE, optimiser="sgd", rate=1e3)
    found = list(train(Network(random_layers((1, 3, 1))), diverging, [0, 1, 500, 501]))
    assert found[0].network is not None
    assert [entry.network for entry in found[2:]] == [None, None]
    assert found[-1].loss is None
    huge = Network([([[10**400]], [0])])
    assert next(train(huge, diverging, [0])).network is None
    dead = Network([([[0, 0]], [-1]), ([[0]] * 3, [0, 0, 0])])
    *_, end = train(dead, Recipe(CLASSES, loss="cross_entropy"), [5])
    assert end.network.theta()[:3] == (0, 0, -1)  # nothing moves a dead neuron
    assert list(train(dead, Recipe(CLASSES, loss="cross_entropy"), [])) == []
    with pytest.raises(BudgetExceeded, match="time limit"):
        list(train(dead, Recipe(CLASSES, loss="cross_entropy"), [10**6], time_limit=1e-6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "loss: expected one of mean_square, cross_entropy, found 'hinge'"),
        ({"optimiser": "lbfgs"}, "optimiser: expected one of sgd, adam"),
        ({"engine": "jax"}, "engine: expected one of numpy, torch"),
        ({"rate": 0}, "rate: expected a positive number, found 0"),
        ({"rate": "fast"}, "rate: expected a positive number"),
        ({"rate": math.nan}, "rate: expected a positive number"),
        ({"rate": True}, "rate: expected a positive number"),
        ({"momentum": 1.0, "optimiser": "sgd"}, "momentum: expected a number from 0 to below 1"),
        ({"momentum": 0.5}, "momentum: expected none with the optimiser 'adam'"),
        ({"weight_decay": -0.1}, "weight_decay: expected a number from 0"),
        ({"batch": -1}, "batch: expected a number of samples"),
        ({"batch": 2.0}, "batch: expected a number of samples"),
        ({"loss": "cross_entropy", "data": Data("a", ((0.0,),), ((0.5,),))}, "loss: expected 'mean_square'"),
    ],
)
def test_bad_recipes(options, message):
    with pytest.raises(InputError, match=message):
        Recipe(**{"data": LINE, **options})


@pytest.mark.parametrize(
    ("data", "loss", "sizes", "message"),
    [
        (LINE, "mean_square", (2, 1), "expected an architecture with 1 inputs, as line has"),
        (LINE, "mean_square", (1, 2), "expected an architecture with 1 outputs, as line has targets"),
        (CLASSES, "cross_entropy", (2, 1), "expected an architecture with 3 outputs, one for each class"),
    ],
)
def test_networks_that_do_not_fit(data, loss, sizes, message):
    with pytest.raises(InputError, match=message):
        list(train(Network(random_layers(sizes)), Recipe(data, loss=loss), [0]))


# --------------------------------------------------------------------------- data


def test_tables(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,target,y\n1,0,2.5\n\n-0.1,1,1e3\n")
    data = read_data(path)
    assert (data.name, data.inputs, data.targets) == ("a", ((1.0, 2.5), (-0.1, 1000.0)), ((0.0,), (1.0,)))
    assert data.classes() == 2
    assert data.digest == Data("b", data.inputs, data.targets).digest != LINE.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n", "found 2 inputs, 0 targets and 1 lines"),
        ("target\n1\n", "found 0 inputs, 1 targets"),
        ("x,target\n", "and 0 lines"),
        ("x,target\n1,2,3\n", "line 2: expected 2 columns, found 3"),
        ("x,target\n1,a\n", "line 2, column 'target': expected a finite number, found 'a'"),
        ("x,target\n1,nan\n", "line 2, column 'target': expected a finite number"),
        ("x,target\n1e999,1\n", "line 2, column 'x': expected a finite number"),
        ('x,target\n"1,2\n', "expected a CSV file"),
        ("x,target\n" + "1,2\n" * 100_001, "expected at most 200000 numbers"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"a\.csv: .*{message}"):
        read_data(path)


def test_data_of_rows_that_differ():
    for inputs, targets in [((), ()), (((1.0,),), ()), (((1.0,), (1.0, 2.0)), ((1.0,), (1.0,))), (((),), ((1.0,),))]:
        with pytest.raises(InputError, match="data: "):
            Data("a", inputs, targets)


def test_the_examples_are_what_they_say():
    folder = ROOT / "examples" / "data"
    iris, wine, teacher = (read_data(folder / f"{name}.csv") for name in ("iris_2", "wine_2", "teacher_2"))
    assert [len(set(data.inputs)) for data in (iris, wine, teacher)] == [102, 178, 100]
    assert [data.classes() for data in (iris, wine, teacher)] == [2, 2, None]
    assert all((1024 * x).is_integer() for data in (iris, wine, teacher) for row in data.inputs for x in row)
    for (x, y), (value,) in zip(teacher.inputs, teacher.targets, strict=True):
        x, y = Fraction(x), Fraction(y)
        assert Fraction(value) == max(x + y, 0) - 2 * max(x - y, 0) + max(1 - 2 * x, Fraction(0)) / 2
    from sklearn.datasets import load_iris, load_wine

    for data, bunch, columns in ((iris, load_iris(), [2, 3]), (wine, load_wine(), [6, 9])):
        table = bunch.data[:, columns]
        assert np.allclose(np.array(data.inputs), (table - table.mean(0)) / table.std(0), atol=2e-3)
        assert [row[0] for row in data.targets] == [float(target == 1) for target in bunch.target]


# --------------------------------------------------------------------------- campaigns


def document(folder, **changes):
    """A campaign of seconds: two architectures, two recipes, three steps."""
    (folder / "two.csv").write_text("x,y,target\n0,1,0\n1,0,1\n1,1,1\n-1,2,0\n1,0,1\n")
    training = {"data": "two.csv", "loss": "cross_entropy", "batch": 2, "rate": 0.1}
    return {
        "seed": 2,
        "count": 2,
        "steps": [0, 3, 20],
        "architectures": [[2, 3, 1], [2, 2, 2, 1]],
        "laws": {
            "plain": {"weights": "he", "training": training},
            "decay": {"weights": "he", "training": {**training, "weight_decay": 0.5}},
        },
        "measures": [
            "loss",
            "dimension",
            "inactive",
            "mechanisms",
            {"measure": "batch", "points": "D'"},
            {"measure": "batch", "name": "on-data", "inputs": "data"},
        ],
        **changes,
    }


@pytest.fixture
def threads():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def contents(path):
    """All rows, seconds aside."""
    with Store(path) as store:
        return [(r.architecture, r.law, r.number, r.measure, r.digest, r.status, r.value) for r in store.rows()]


def test_numbers_are_those_of_a_plain_loop(tmp_path, threads):
    spec = parse_specification(document(tmp_path), folder=tmp_path)
    path = tmp_path / "a.store"
    summary = run_campaign(spec, path, executor=threads)
    assert (summary.networks, summary.done, summary.bounds) == (8, 8, 0)
    with Store(path) as store:
        rows = {(r.architecture, r.law, r.number, r.measure): r for r in store.rows()}
        groups = {(group.architecture, group.law): group for group in tabulate(store)}
        paths = read_paths(store)
    assert len(rows) == 8 * 6 * 3
    data = spec.laws["plain"].training.data
    for (architecture, law, number, measure), row in rows.items():
        sizes = tuple(map(int, architecture.split(",")))
        name, step = measure.split("@")
        network = spec.network(sizes, law, number, int(step))
        assert row.digest == network.digest
        found = row.document
        exact = exactfd.functional_dimension(network)
        if name == "dimension":
            assert found["functional_dimension"] == exact.value
        elif name == "on-data":
            points = [p for p in dict.fromkeys(data.inputs) if exactfd.locate(network, p).smooth]
            rank = exactfd.batch_functional_dimension(network, points).rank if points else 0
            assert (found["rank"], found["points"]) == (rank, len(points))
        elif name == "loss":
            assert found["samples"] == 5
            values = [network.evaluate(p)[0] for p in data.inputs]
            signed = [v if y else -v for v, (y,) in zip(values, data.targets, strict=True)]
            assert found["float64_loss"] == pytest.approx(sum(math.log1p(math.exp(-float(v))) for v in signed) / 5)
            assert found["float64_correct"] == sum((v > 0) == y for v, (y,) in zip(values, data.targets, strict=True))
        elif name == "inactive":
            never, always = on_points(network, data.inputs)
            assert (found["never_active_on_data"], found["always_active_on_data"]) == (never, always)
        elif name == "mechanisms":
            assert found["deficit"] == network.upper_bound - exact.value
    for group in groups.values():
        assert (group.networks, group.rows, group.proved) == (2, 36, 36)
        for step in (0, 3, 20):
            assert group.tallies[f"batch@{step}"]["below_functional_dimension"].unknown == 0
    start = [spec.network((2, 3, 1), law, 0) for law in ("plain", "decay")]
    assert start[0] == start[1] == spec.network((2, 3, 1), "plain", 0, 0)
    assert spec.network((2, 3, 1), "plain", 0, 20) != spec.network((2, 3, 1), "decay", 0, 20)
    deficits = paths.values((2, 2, 2, 1), "plain", "dimension", "deficit")
    lost = paths.mechanisms((2, 2, 2, 1), "plain")
    assert list(deficits) == paths.steps == [0, 3, 20]
    for place, step in enumerate(paths.steps):
        assert sum(heights[place] for heights in lost.values()) == pytest.approx(sum(deficits[step]) / 2)


def test_a_campaign_grows_and_goes_on(tmp_path, threads):
    """More steps and networks later: what is there stays, and all is as if done at once."""
    large = document(tmp_path)
    once, often = tmp_path / "once.store", tmp_path / "often.store"
    run_campaign(parse_specification(large, folder=tmp_path), once, executor=threads)
    for changes in ({"count": 1, "steps": [3]}, {"count": 2, "steps": [3, 0]}, {}):
        run_campaign(parse_specification({**large, **changes}, folder=tmp_path), often, executor=threads)
    assert contents(once) == contents(often)
    again = run_campaign(parse_specification(large, folder=tmp_path), often, executor=threads)
    assert (again.before, again.done) == (8, 0)
    (tmp_path / "two.csv").write_text("x,y,target\n0,1,0\n1,0,1\n")
    with pytest.raises(InputError, match=r"laws\.plain\.training\.data\.samples was 5 and is 2"):
        run_campaign(parse_specification(large, folder=tmp_path), often, executor=threads)


def test_a_killed_campaign_of_training_goes_on(tmp_path):
    """The driver is killed; the store ends as the undisturbed one."""
    large = document(tmp_path, count=10, architectures=[[2, 3, 1]])
    laws = large.pop("laws")
    lines = [f"{key} = {json.dumps(value)}" for key, value in large.items() if key != "measures"]
    inline = (json.dumps(entry).replace('":', '" =') for entry in large["measures"])
    lines.append(f"measures = [{', '.join(inline)}]")
    for name, law in laws.items():
        lines += [f"[laws.{name}]", 'weights = "he"', f"training = {json.dumps(law['training'])}".replace('":', '" =')]
    (tmp_path / "a.toml").write_text("\n".join(lines) + "\n")
    killed, whole = tmp_path / "killed.store", tmp_path / "whole.store"
    command = [sys.executable, "-m", "exactfd", "experiment", "run", str(tmp_path / "a.toml"), "--workers", "1", "-q"]
    with subprocess.Popen([*command, "-o", str(killed)], cwd=ROOT) as process:
        while process.poll() is None:
            time.sleep(0.02)
            with contextlib.suppress(InputError), Store(killed) as store:
                if next(store.rows(), None) is not None:
                    break
        process.send_signal(signal.SIGKILL)
    spec = read_specification(tmp_path / "a.toml")
    with ThreadPoolExecutor(1) as executor:
        run_campaign(spec, killed, executor=executor)
        run_campaign(spec, whole, executor=executor)
    assert contents(killed) == contents(whole)


def test_trainings_that_end_badly(tmp_path, threads):
    """One that diverges and one without time: rows that say so, and nothing is lost."""
    bad = document(tmp_path, count=1, architectures=[[2, 3, 1]])
    bad["laws"]["plain"]["training"] |= {"optimiser": "sgd", "rate": 1e5, "loss": "mean_square"}
    bad["steps"] = [0, 5000]
    path = tmp_path / "a.store"
    run_campaign(parse_specification(bad, folder=tmp_path), path, executor=threads)
    with Store(path) as store:
        rows = {(r.law, r.measure): r for r in store.rows()}
    late = rows["plain", "dimension@5000"]
    assert (late.status, late.digest) == ("bounds", "")
    assert "not a finite number" in late.document["limit"]
    assert rows["plain", "dimension@0"].status == "proved"
    spec = parse_specification(bad, folder=tmp_path)
    with pytest.raises(InputError, match="before the training diverges"):
        spec.network((2, 3, 1), "plain", 0, 5000)
    slow = document(tmp_path, count=1, architectures=[[2, 3, 1]], steps=[0, 10**7], limits={"time": 1})
    slow["measures"] = ["loss"]
    path = tmp_path / "b.store"
    run_campaign(parse_specification(slow, folder=tmp_path), path, executor=threads)
    with Store(path) as store:
        found = {(r.law, r.measure): r for r in store.rows()}
    assert found["plain", "loss@0"].status == "proved"
    assert "training: the time limit" in found["plain", f"loss@{10**7}"].document["limit"]


CHANGES = [
    ({"steps": None}, "steps: expected numbers of steps such as"),
    ({"steps": []}, "steps: expected a list of numbers of steps"),
    ({"steps": [0, 0]}, "steps: expected each number once"),
    ({"steps": [-1]}, "steps: expected an integer from 0"),
    ({"laws": {"a": {"weights": "he"}}}, "laws.a.training: expected a training in every law"),
    ({"laws": {"a": {"weights": "he"}}, "steps": None}, r"measures\[0\]: expected laws with a training"),
    ({"architectures": [[1, 2, 1]]}, r"laws.plain.training: expected an architecture with 2 inputs"),
    (
        {"measures": [{"measure": "batch", "inputs": "data", "points": 3}]},
        r'measures\[0\].inputs: expected a training and no points with "data", found points',
    ),
    (
        {"measures": [{"measure": "batch", "inputs": "data"}], "steps": None, "laws": {"a": {"weights": "he"}}},
        r"measures\[0\].inputs: .* found no training",
    ),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=range(len(CHANGES)))
def test_bad_specifications(tmp_path, change, message):
    with pytest.raises(InputError, match=f"^{message}"):
        parse_specification({**document(tmp_path), **change}, folder=tmp_path)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({}, "training.data: expected the name of a CSV file, found nothing"),
        ({"data": "absent.csv"}, r"training.data: .*absent.csv: expected a readable file"),
        ({"data": "two.csv", "rate": -1}, "training.rate: expected a positive number, found -1"),
        ({"data": "two.csv", "rates": 1}, "training.rates: expected one of the keys"),
        ("two.csv", "training: expected a table, found 'two.csv'"),
    ],
)
def test_bad_trainings(tmp_path, training, message):
    good = document(tmp_path)
    good["laws"]["plain"]["training"] = training
    with pytest.raises(InputError, match=rf"^laws\.plain\.{message}"):
        parse_specification(good, folder=tmp_path)


def test_files_of_data_are_beside_the_specification(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spec = read_specification(ROOT / "examples" / "experiments" / "training.toml")
    assert {law.training.data.name for law in spec.laws.values()} == {"iris_2", "wine_2", "teacher_2"}


# --------------------------------------------------------------------------- PyTorch


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is there")
def test_without_pytorch(tmp_path):
    recipe = Recipe(LINE, engine="torch")
    with pytest.raises(MissingExtraError, match=r"pip install 'exactfd\[torch\]'"):
        next(train(Network(random_layers((1, 2, 1))), recipe, [1]))
    bad = document(tmp_path)
    bad["laws"]["plain"]["training"]["engine"] = "torch"
    with pytest.raises(MissingExtraError, match='engine = "torch"'):
        parse_specification(bad, folder=tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="an extra: run in an environment with PyTorch")
@pytest.mark.parametrize(
    ("data", "sizes", "activation", "options"),
    [
        (LINE, (1, 3, 1), "identity", {"optimiser": "sgd", "rate": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
        (LINE, (1, 3, 2, 1), "relu", {"rate": 0.01, "batch": 2}),
        (CLASSES, (2, 4, 3), "identity", {"loss": "cross_entropy", "weight_decay": 0.1}),
        (TWO, (2, 4, 1), "identity", {"loss": "cross_entropy", "batch": 3, "optimiser": "sgd"}),
    ],
)
def test_pytorch_takes_the_same_steps(data, sizes, activation, options):
    network = Network(random_layers(sizes, seed=4), output_activation=activation)
    steps = [0, 1, 2, 40]
    ours, theirs = (
        list(train(network, Recipe(data, engine=engine, **options), steps, rng=random.Random(1)))
        for engine in ("numpy", "torch")
    )
    assert theirs[0].network == network
    assert ours[-1].network != network
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose([float(t) for t in a.network.theta()], [float(t) for t in b.network.theta()], rtol=1e-9)
        assert a.loss == pytest.approx(b.loss)
        assert a.correct == b.correct
