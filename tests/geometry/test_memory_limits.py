"""Memory is asked for before it is taken: a limit is kept, or nearly so. By NumPy, which takes most for a while."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

MIB = 1 << 20

# fresh processes, for the peak is that of the whole process; limits count from what it has when it begins
WORK = """
import json, random, sys
from exactfd import Network, canonical_complex
from exactfd.budget import Budget, peak_memory
from exactfd.errors import BudgetExceeded
from exactfd.geometry.top import top_cells

kind, sizes, rooms = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
rng = random.Random(0)
layers = [
    ([[rng.gauss(0, (2 / m) ** 0.5) for _ in range(m)] for _ in range(n)], [rng.gauss(0, 0.1) for _ in range(n)])
    for m, n in zip(sizes, sizes[1:])
]
network = Network(layers)
work = {
    "complex": lambda budget: len(canonical_complex(network, budget=budget).f_vector),
    "skeleton": lambda budget: len(top_cells(network, algorithm="skeleton", budget=budget)),
}[kind]
small = Network([([[1.0] * sizes[0]] * 2, [0.0, 1.0]), ([[1.0, 1.0]], [0.0])])
canonical_complex(small)
for room in rooms:
    limit = peak_memory() + room if room else None
    try:
        done = work(Budget(memory_limit=limit)) > 0
    except BudgetExceeded:
        done = False
    print(done, peak_memory(), limit or 0)
"""


def peaks(kind, sizes, rooms):
    environment = {**os.environ, "EXACTFD_COMPILED": "never"}
    command = [sys.executable, "-c", WORK, kind, json.dumps(sizes), json.dumps(rooms)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return [(line.split()[0] == "True", *map(int, line.split()[1:])) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="elsewhere the peak is that of the parent")
@pytest.mark.parametrize("kind", ["complex", "skeleton"])
@pytest.mark.parametrize("sizes", [(5, 12, 12, 1), (6, 11, 11, 1)])
def test_a_limit_on_memory_is_not_passed(kind, sizes):
    rooms = [8 * MIB, 16 * MIB, 32 * MIB, 64 * MIB, 128 * MIB]
    for done, peak, limit in peaks(kind, sizes, rooms):
        assert peak <= limit + 4 * MIB
        if done:
            break
    else:
        assert kind == "complex"  # it takes more than all of these


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="elsewhere the peak is that of the parent")
@pytest.mark.parametrize("kind", ["complex", "skeleton"])
def test_not_much_more_is_asked_for_than_is_taken(kind):
    sizes = (6, 10, 10, 1)
    ((done, peak, _),) = peaks(kind, sizes, [0])
    assert done
    before = peaks(kind, sizes, [1])[0][1]
    room = int(1.5 * (peak - before)) + 8 * MIB
    assert peaks(kind, sizes, [room])[0][0]
