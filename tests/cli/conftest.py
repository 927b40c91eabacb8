"""Running the command: in this process (fast) and as a real one (signals, pipes, start-up)."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from exactfd import Network, save
from exactfd.cli.main import commands

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run() -> Callable[..., Result]:
    """The command in this process: ``run("info", path).exit_code``."""

    def call(*arguments: Any, stdin: str | None = None) -> Result:
        return CliRunner().invoke(commands, [str(argument) for argument in arguments], input=stdin)

    return call


@pytest.fixture
def answer(run: Callable[..., Result]) -> Callable[..., Any]:
    """The JSON that a command prints; nothing else may be on stdout, nothing at all on stderr."""

    def call(*arguments: Any, stdin: str | None = None, code: int = 0) -> Any:
        result = run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == code, result.stderr
        if code == 0:
            assert result.stderr == ""
        return json.loads(result.stdout)

    return call


@pytest.fixture
def spawn() -> Callable[..., subprocess.Popen[str]]:
    """The command as a process of its own, which can be interrupted even when this one cannot."""

    def call(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "exactfd", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            **options,
        )

    return call


@pytest.fixture
def examples() -> Path:
    """The folder of example networks."""
    return ROOT / "examples"


@pytest.fixture
def random_network(tmp_path: Path) -> Callable[..., Path]:
    """A file with random integer parameters of a given architecture."""

    def make(*sizes: int, seed: int = 0, bias: int = 99) -> Path:
        rng = random.Random(seed)
        layers = [
            ([[rng.randint(-99, 99) for _ in range(m)] for _ in range(n)], [rng.randint(-bias, bias) for _ in range(n)])
            for m, n in pairwise(sizes)
        ]
        path = tmp_path / f"random_{'-'.join(map(str, sizes))}_{seed}.json"
        save(Network(layers), path)
        return path

    return make
