"""The networks that a job is about: the one that is drawn, or the checkpoints of its training, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exactfd.errors import BudgetExceeded
from exactfd.experiments.measures import Context
from exactfd.experiments.specification import Measure, checkpoints

if TYPE_CHECKING:
    from exactfd.experiments.worker import Job


@dataclass(frozen=True)
class Stage:
    """A network with the measures that it lacks; ``reason`` says why there is no network."""

    context: Context | None
    measures: tuple[Measure, ...]
    reason: str = ""


def stages(job: Job) -> Iterator[Stage]:
    """One stage for a network that is drawn; one for each step of a training at which something is to be measured.

    A training whose time runs out (``limits.time``), or that diverges, leaves stages without a network.
    """
    try:
        drawn, recipe = job.network(), job.law.training
    except MemoryError:
        yield Stage(None, job.measures, "no memory was left to draw the network (limits.memory)")
        return
    key = (job.seed, job.number, job.architecture, job.law.draws())
    if recipe is None:
        yield Stage(Context(drawn, job.limits, key), job.measures)
        return
    at: dict[int, list[Measure]] = {}
    for measure in job.measures:
        assert measure.step is not None
        at.setdefault(measure.step, []).append(measure)
    steps = sorted(at)
    path = checkpoints(drawn, job.law, steps, seed=job.seed, number=job.number, time_limit=job.limits.time)
    for place, step in enumerate(steps):
        try:
            found = next(path)
        except BudgetExceeded as error:
            for late in steps[place:]:
                yield Stage(None, tuple(at[late]), f"training: {error}")
            return
        if found.network is None:
            yield Stage(None, tuple(at[step]), f"after {step} steps of training a parameter is not a finite number")
            continue
        yield Stage(Context(found.network, job.limits, key, recipe, found), tuple(at[step]))
