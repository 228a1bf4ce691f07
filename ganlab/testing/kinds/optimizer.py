"""Promises of optimizers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import Optimizer

from ganlab.components import OptimizerComponent
from ganlab.engine.player import memory_of, remember
from ganlab.testing.networks import require_finite
from ganlab.testing.state import saved
from ganlab.testing.subject import Subject
from ganlab.words import counted

__all__ = ["PROMISES", "check"]

PROMISES = "moves what has gradients, by the learning rate, and from a checkpoint on to the same bytes"
"""What is checked, in words."""

SHAPES = ((4, 3, 3, 3), (5, 4), (5,))
LEARNING_RATE = 1e-2
STEPS = 4
"""Steps before and after a checkpoint."""


def check(subject: Subject[OptimizerComponent]) -> None:
    """Check an optimizer over a convolution's, a layer's and a bias's weights."""
    with subject.promise("it is built, and moves all that has gradients", base=True):
        _check_moving(subject)
    with subject.promise("it follows the learning rate"):
        _check_learning_rate(subject)
    with subject.promise("what has no gradient stays"):
        _check_absent_gradients(subject)
    with subject.promise("gradients of zero do no harm"):
        _check_zero_gradients(subject)
    with subject.promise("its state survives a checkpoint"):
        _check_restoring(subject)


def _weights() -> list[nn.Parameter]:
    """Return the same weights each time."""
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=rng)) for shape in SHAPES]


def _build(subject: Subject[OptimizerComponent], weights: Sequence[nn.Parameter]) -> Optimizer:
    before = torch.get_rng_state()
    optimizer = subject.build(list(weights))
    subject.require(
        isinstance(optimizer, Optimizer),
        f"`build` returned a {type(optimizer).__name__}, not a torch.optim.Optimizer",
    )
    held = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    subject.require(
        sorted(held) == sorted(map(id, weights)),
        f"of {counted(len(weights), 'parameter')} that `build` is given, its param_groups hold {len(held)}; "
        "it must take each of them once",
    )
    _require_no_draw(subject, before, "build()")
    built: Optimizer = optimizer
    _set_learning_rate(built, LEARNING_RATE)
    return built


def _set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate as the core does."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def _steps(
    subject: Subject[OptimizerComponent],
    optimizer: Optimizer,
    weights: Sequence[nn.Parameter],
    *,
    first: int = 0,
    count: int = STEPS,
) -> None:
    """Take steps down gradients that follow from the weights and the number of the step."""
    for number in range(first, first + count):
        for weight in weights:
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
            weight.grad = weight.detach() + noise
        _step(subject, optimizer, "step()")


def _step(subject: Subject[OptimizerComponent], optimizer: Optimizer, doing: str) -> None:
    before = torch.get_rng_state()
    with subject.during(doing):
        optimizer.step()
    _require_no_draw(subject, before, "step()")


def _require_no_draw(subject: Subject[OptimizerComponent], before: torch.Tensor, what: str) -> None:
    subject.require(
        torch.equal(before, torch.get_rng_state()),
        f"{what} draws from torch's global generator, which no checkpoint restores; an optimizer that needs "
        "random numbers takes them from a generator of its own, seeded by its options and its state's step",
    )


def _check_moving(subject: Subject[OptimizerComponent]) -> None:
    weights = _weights()
    before = [weight.detach().clone() for weight in weights]
    optimizer = _build(subject, weights)
    subject.require(
        all(map(torch.equal, before, weights)), "`build` changes the weights; leave that to step()"
    )
    _steps(subject, optimizer, weights)
    for weight, was in zip(weights, before, strict=True):
        what = f"a weight of shape {tuple(weight.shape)}"
        subject.require(not torch.equal(weight, was), f"{STEPS} steps with gradients do not move {what}")
        require_finite(subject, weight, f"{what}, after {STEPS} steps,")


def _check_learning_rate(subject: Subject[OptimizerComponent]) -> None:
    ends = []
    for rate in (LEARNING_RATE, LEARNING_RATE / 2):
        weights = _weights()
        optimizer = _build(subject, weights)
        _set_learning_rate(optimizer, rate)
        _steps(subject, optimizer, weights)
        ends.append(weights)
    subject.require(
        not all(map(torch.equal, *ends)),
        "half the learning rate takes the same steps; read `lr` from the param_groups in every step, where "
        "the core sets what the experiment's schedule says",
    )


def _check_absent_gradients(subject: Subject[OptimizerComponent]) -> None:
    """Require that what has no gradient stays: a loss need not reach every weight."""
    weights = _weights()
    before = weights[0].detach().clone()
    optimizer = _build(subject, weights)
    for weight in weights[1:]:
        weight.grad = torch.ones_like(weight)
    _step(subject, optimizer, "step() where a parameter's `grad` is None")
    subject.require(torch.equal(weights[0], before), "step() moves a parameter whose `grad` is None")


def _check_zero_gradients(subject: Subject[OptimizerComponent]) -> None:
    weights = _weights()
    optimizer = _build(subject, weights)
    for _ in range(STEPS):
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        _step(subject, optimizer, "step() with gradients of zero")
    for weight in weights:
        require_finite(subject, weight, "a weight after gradients of zero")


def _check_restoring(subject: Subject[OptimizerComponent]) -> None:
    """Require that a checkpoint brings back all that it remembers."""
    weights = _weights()
    optimizer = _build(subject, weights)
    _steps(subject, optimizer, weights)
    memory = saved(subject, memory_of(optimizer))
    others = [nn.Parameter(weight.detach().clone()) for weight in weights]
    restored = _build(subject, others)
    with subject.during("load_state_dict()"):
        remember(restored, memory)
    _steps(subject, optimizer, weights, first=STEPS)
    _steps(subject, restored, others, first=STEPS)
    subject.require(
        all(map(torch.equal, weights, others)),
        "restored from a checkpoint, it takes other steps than undisturbed; whatever it remembers belongs "
        "into self.state[parameter], as float32 tensors, numbers and strings (param_groups hold settings, "
        "which no checkpoint keeps)",
    )
