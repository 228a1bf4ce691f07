"""Learning-rate schedules from the experiment's settings."""

from __future__ import annotations

import math
from collections.abc import Callable

from ganlab.component_settings import OptimizerSettings

__all__ = ["make_schedule"]


def make_schedule(settings: OptimizerSettings, steps: int) -> Callable[[int], float]:
    """Return the learning rate as a function of the completed steps, of `steps` in all."""

    def rate(done: int) -> float:
        if done < settings.warmup_steps:
            return settings.learning_rate * ((done + 1) / settings.warmup_steps)
        span = max(steps - settings.warmup_steps, 1)
        progress = min((done - settings.warmup_steps) / span, 1.0)
        shape = {
            "constant": 1.0,
            "linear": 1 - progress,
            "cosine": (1 + math.cos(math.pi * progress)) / 2,
        }[settings.schedule]
        factor = settings.final_fraction + (1 - settings.final_fraction) * shape
        return settings.learning_rate * factor

    return rate
