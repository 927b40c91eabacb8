"""Train the small real networks of this directory on data that ships with scikit-learn.

Run ``python examples/train.py`` from the root of the repository. Seeds are fixed; the weights are kept as the exact
values of the floats. Another version of scikit-learn or another processor may give slightly different floats, which is
why the trained files are part of the repository.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
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


def main() -> None:
    """Train and save every network and print the rows of the table."""
    for task in tasks():
        network = Network.from_sklearn(train(task))
        save(network, HERE / f"{task.name}.json")
        shape = ", ".join(str(n) for n in network.architecture)
        print(f"| `{task.name}.json` | {task.about} | ({shape}) | {accuracy(network, task):.3f} |")


if __name__ == "__main__":
    main()
