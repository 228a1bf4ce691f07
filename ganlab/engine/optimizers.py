"""Optimizers and learning-rate schedules from the experiment's settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from ganlab.config.settings import AdamSettings, OptimizerSettings, SgdSettings

__all__ = ["make_optimizer", "make_schedule"]


def make_optimizer(settings: OptimizerSettings, parameters: Iterable[torch.nn.Parameter]) -> Optimizer:
    """Return the optimizer over one player's parameters; fused where torch has a fused kernel."""
    parameters = list(parameters)
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if isinstance(settings, AdamSettings):
        kind = AdamW if settings.name == "adamw" else Adam
        return kind(parameters, betas=settings.betas, eps=settings.eps, fused=True, **common)
    if isinstance(settings, SgdSettings):
        return SGD(parameters, momentum=settings.momentum, nesterov=settings.nesterov, fused=True, **common)
    return RMSprop(parameters, alpha=settings.alpha, eps=settings.eps, momentum=settings.momentum, **common)


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
