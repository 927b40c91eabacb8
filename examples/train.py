"""Train the small real networks of this directory on data that ships with scikit-learn.

Run ``python examples/train.py`` from the root of the repository. Seeds are fixed; the weights are kept as the exact
values of the floats. Another version of scikit-learn or another processor may give slightly different floats, which is
why the trained files are part of the repository.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from exactfd.io import save
from exactfd.network import Network

HERE = Path(__file__).resolve().parent
MANY = 1000  # parameters


@dataclass(frozen=True)
class Task:
    """One network to train: its file, what the inputs and classes are, hidden widths and seed."""

    name: str
    about: str
    inputs: Any
    classes: Any
    hidden: tuple[int, ...]
    seed: int = 0


def standardised(table: Any, columns: list[int] | None = None) -> Any:
    """Columns of mean 0 and variance 1."""
    return StandardScaler().fit_transform(table if columns is None else table[:, columns])


def tasks() -> list[Task]:
    """Every network, in the order of the table in ``README.md``."""
    iris, wine, digits = load_iris(), load_wine(), load_digits()
    flavour = [wine.feature_names.index(n) for n in ("alcohol", "flavanoids", "color_intensity")]
    components = StandardScaler().fit_transform(PCA(3, svd_solver="full").fit_transform(digits.data))
    flowers = standardised(iris.data)
    return [
        Task("iris_4-6-6-3", "iris, 4 inputs, 3 species", flowers, iris.target, (6, 6)),
        Task("iris_4-5-3", "iris, 4 inputs, 3 species", flowers, iris.target, (5,)),
        Task(
            "wine_2-6-3",
            "wine: flavanoids, colour intensity; 3 cultivars",
            standardised(wine.data, flavour[1:]),
            wine.target,
            (6,),
        ),
        Task(
            "wine_3-5-4-3",
            "wine: alcohol, flavanoids, colour intensity; 3 cultivars",
            standardised(wine.data, flavour),
            wine.target,
            (5, 4),
        ),
        Task(
            "digits_3-8-8-1",
            "digits: 3 principal components; even or odd",
            components,
            digits.target % 2,
            (8, 8),
        ),
        Task("digits_64-32-32-10", "digits: 64 pixels / 16; 10 digits", digits.data / 16, digits.target, (32, 32)),
    ]


def train(task: Task) -> MLPClassifier:
    """Fit the classifier of a task with L-BFGS."""
    model = MLPClassifier(
        hidden_layer_sizes=task.hidden, solver="lbfgs", alpha=1e-3, max_iter=400, random_state=task.seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(task.inputs, task.classes)


def accuracy(network: Network, task: Task) -> float:
    """Share of the training data that the network of a file classifies correctly, computed in binary64."""
    values = np.asarray(task.inputs, dtype=float)
    layers = network.to_numpy()
    for index, (weight, bias) in enumerate(layers):
        values = values @ weight.T + bias
        if index < len(layers) - 1:
            values = np.maximum(values, 0)
    guesses = values.argmax(axis=1) if values.shape[1] > 1 else (values[:, 0] > 0).astype(int)
    return float(np.mean(guesses == task.classes))


def save_trained(network: Network, task: Task) -> Path:
    """Write a network: as JSON, or where that would be long as the floats themselves."""
    if network.parametric_dimension < MANY:
        file = HERE / f"{task.name}.json"
        save(network, file)
        return file
    file = HERE / f"{task.name}.npz"
    arrays = {}
    for number, (weight, bias) in enumerate(network.to_numpy(), start=1):
        arrays[f"W{number}"], arrays[f"b{number}"] = weight, bias
    np.savez(file, **arrays)
    return file


def save_three_digits() -> None:
    """The first 0, 1 and 2 of the digits, for a plane section of the network with 64 inputs."""
    digits = load_digits()
    rows = [digits.data[np.flatnonzero(digits.target == digit)[0]] / 16 for digit in range(3)]
    points = [[str(Fraction(float(value))) for value in row] for row in rows]
    document = {"format": "exactfd-points", "version": 1, "points": points}
    (HERE / "points" / "digits_0_1_2.json").write_text(json.dumps(document) + "\n")


def main() -> None:
    """Train and save every network and print the rows of the table."""
    for task in tasks():
        network = Network.from_sklearn(train(task))
        file = save_trained(network, task)
        shape = ", ".join(str(n) for n in network.architecture)
        print(f"| `{file.name}` | {task.about} | ({shape}) | {accuracy(network, task):.3f} |")
    save_three_digits()


if __name__ == "__main__":
    main()
