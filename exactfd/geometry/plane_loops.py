"""Compiled loops of :mod:`exactfd.geometry.plane`; the floats are those of the NumPy code there, bit for bit."""

from __future__ import annotations

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.bits import WORD, BoolArray, Words
from exactfd.geometry.signs import FLOOR, SLACK, UNIT, FloatArray, IntArray
from exactfd.geometry.signs_loops import enter, lowest, note
from exactfd.geometry.tables import Indices

_NONE, _ONE = np.uint64(0), np.uint64(1)


@compiled
def carry(
    neuron: int, edges: Indices, cells: Indices, carriers: Indices, count: int, polygons: int, origin: Indices
) -> None:
    """Frames and neurons of the new edges, from ``count`` on: the parts of ``edges``, then one in each cell."""
    for i in range(len(edges)):
        carriers[count + i, 0], carriers[count + i, 1] = carriers[edges[i], 0], carriers[edges[i], 1]
    for i in range(len(cells)):
        new = count + len(edges) + i
        carriers[new, 0], carriers[new, 1] = polygons + origin[cells[i]], neuron


@compiled
def zero(
    base: tuple[int, int, int],
    q: tuple[float, float],
    neuron: int,
    line: int,
    values: FloatArray,
    errors: FloatArray,
) -> tuple[float, float, float, float]:
    """Where ``neuron`` and ``line`` vanish: ``x_1``, ``x_2`` in the frame, and bounds on their errors."""
    f0, f1, f2 = values[base[0] + neuron], values[base[1] + neuron], values[base[2] + neuron]
    e0, e1, e2 = errors[base[0] + neuron], errors[base[1] + neuron], errors[base[2] + neuron]
    if line < 0:
        s0, s1, s2, d0, d1, d2 = 0.0, 0.0, 1.0, 0.0, 0.0, 0.0
    else:
        s0, s1, s2 = values[base[0] + line], values[base[1] + line], values[base[2] + line]
        d0, d1, d2 = errors[base[0] + line], errors[base[1] + line], errors[base[2] + line]
    x0, x1, x2 = f1 * s2 - f2 * s1, f2 * s0 - f0 * s2, f0 * s1 - f1 * s0
    f0, f1, f2, s0, s1, s2 = abs(f0), abs(f1), abs(f2), abs(s0), abs(s1), abs(s2)
    r0, r1, r2 = d0 + s0 * (4 * UNIT), d1 + s1 * (4 * UNIT), d2 + s2 * (4 * UNIT)
    s0, s1, s2 = s0 + d0, s1 + d1, s2 + d2
    off0 = f1 * r2 + f2 * r1 + FLOOR + (e1 * s2 + e2 * s1)
    off1 = f2 * r0 + f0 * r2 + FLOOR + (e2 * s0 + e0 * s2)
    off2 = f0 * r1 + f1 * r0 + FLOOR + (e0 * s1 + e1 * s0)
    height = x0 + (x1 * q[0] + x2 * q[1])
    doubt = off0 + (off1 * q[0] + off2 * q[1])
    doubt += (abs(x0) + (abs(x1) * q[0] + abs(x2) * q[1])) * (3 * UNIT)
    size = abs(height)
    x1, x2 = x1 / height, x2 / height
    share = doubt / size + 3 * UNIT
    off1 = (off1 / size + abs(x1) * share) * (1.34 * SLACK) + FLOOR
    off2 = (off2 / size + abs(x2) * share) * (1.34 * SLACK) + FLOOR
    if not (size > 4.0 * SLACK * doubt and np.isfinite(off1) and np.isfinite(off2)):
        off1 = off2 = np.inf
    return x1, x2, off1, off2


@compiled
def sign(
    base: tuple[int, int, int],
    q: tuple[float, float],
    at: tuple[float, float, float, float],
    neuron: int,
    values: FloatArray,
    errors: FloatArray,
) -> int:
    """The sign of ``neuron`` at a point given in a frame, 0 where the floats do not tell."""
    c0, c1, c2 = values[base[0] + neuron], values[base[1] + neuron], values[base[2] + neuron]
    e0, e1, e2 = errors[base[0] + neuron], errors[base[1] + neuron], errors[base[2] + neuron]
    x1, x2, off1, off2 = at
    step1, step2 = c1 - q[0] * c0, c2 - q[1] * c0
    total = c0 + (x1 * step1 + x2 * step2)
    spread1, spread2 = abs(step1), abs(step2)
    doubt1 = off1 * spread1 + (abs(x1) + off1) * (e1 + e0 + spread1 * (8 * UNIT))
    doubt2 = off2 * spread2 + (abs(x2) + off2) * (e2 + e0 + spread2 * (8 * UNIT))
    doubt = (doubt1 + doubt2 + e0 + abs(c0) * (4 * UNIT)) * SLACK + FLOOR
    return 1 if total > doubt else -1 if total < -doubt else 0


@compiled
def add(
    ends: Indices,
    first: int,
    neuron: int,
    edges: Indices,
    cells: Indices,
    frames: IntArray,
    heights: FloatArray,
    carriers: Indices,
    carried: int,
    polygons: int,
    origin: Indices,
    values: FloatArray,
    errors: FloatArray,
    positive: Words,
    negative: Words,
    never_zero: Words,
    finite: BoolArray,
    parents: Indices,
    undecided: IntArray,
) -> int:
    """Put the zero of ``neuron`` on each edge; as in :mod:`exactfd.geometry.signs_loops`, with numbers from frames."""
    carry(neuron, edges, cells, carriers, carried, polygons, origin)
    count = 0
    for i in range(len(ends)):
        new, is_open = first + i, False
        if enter(ends, i, new, neuron, positive, negative, finite, parents):
            frame, line = carriers[edges[i], 0], carriers[edges[i], 1]
            base = (frames[0, frame], frames[1, frame], frames[2, frame])
            q = (heights[0, frame], heights[1, frame])
            at = zero(base, q, neuron, line, values, errors)
            for word in range(len(positive)):
                crossing = positive[word, new] & negative[word, new]
                plus, minus = positive[word, new] ^ crossing, negative[word, new] ^ crossing
                while crossing != _NONE:
                    place = lowest(crossing)
                    bit = _ONE << np.uint64(place)
                    crossing ^= bit
                    side = sign(base, q, at, WORD * word + place, values, errors)
                    if side > 0:
                        plus |= bit
                    elif side < 0:
                        minus |= bit
                    else:
                        is_open = True
                positive[word, new], negative[word, new] = plus, minus
        if is_open:
            undecided[count] = new
            count += 1
        else:
            note(new, positive, negative, never_zero)
    return count
