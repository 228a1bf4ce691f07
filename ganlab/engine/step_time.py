"""How long a step takes, by playing some."""

from __future__ import annotations

import math
import time

from ganlab.engine.engine import Engine

__all__ = ["time_a_step"]

_MOST = 20
"""Steps that are played at most, for whoever waits and has small networks."""

_SECONDS = 1.0
"""How long they may take, beside the first two."""


def time_a_step(engine: Engine) -> float:
    """Return about how many seconds a step takes, over what is done only every n-th.

    Weights move: this is for an engine that will not train. What happens once, such as the choice of
    kernels, should have happened: `Engine.rehearse` does that.

    What is done every n-th step has exactly its share where as many steps are played as its n divides, with
    those of all that is done more often. Beyond that it is about right: what is rarer counts as often as it
    falls among the steps that are played; and where these are too few for anything rare, all of it counts
    as often as the most frequent, which is too often for the rest.

    Args:
        engine: one that has played no step.

    Raises:
        DivergedError: a loss or gradient is not finite.
    """
    lazy = sorted(loss.settings.every for loss in engine.experiment.losses if loss.settings.every > 1)
    first, second = _timed(engine, 1), _timed(engine, 1)
    count = min(_MOST, int(_SECONDS / max(second, 1e-6)))
    period = 1
    for every in lazy:
        if math.lcm(period, every) <= count:
            period = math.lcm(period, every)
    if period > 1 or not lazy:
        count -= count % period  # as many as have what is rare in its share
        return _timed(engine, count) / count if count else second
    often = lazy[0]
    count = min(count, often - 2)  # none that has it
    usual = _timed(engine, count) / count if count > 0 else second
    return usual + max(0.0, first - usual) / often  # in the first all losses have their turn


def _timed(engine: Engine, steps: int) -> float:
    """Return how many seconds some steps take together."""
    began = time.perf_counter()
    for _ in range(steps):
        engine.advance()
    engine.meter.read()  # waits for the device
    return time.perf_counter() - began
