"""Promises of generators."""

from __future__ import annotations

import torch
from torch import nn

from ganlab.components import GeneratorComponent, SampleSpec
from ganlab.engine.latents import draw_latents
from ganlab.engine.networks import evaluation_mode
from ganlab.testing.networks import (
    BUILT,
    COUNTS,
    GRADIENTS,
    RESTORED,
    build_network,
    check_conduct,
    check_gradients,
    check_restoring,
    check_rows_apart,
    draw_labels,
    require_finite,
    squashed_by,
)
from ganlab.testing.subject import Subject
from ganlab.words import counted

__all__ = ["PROMISES", "check"]

PROMISES = "shapes, finite samples in [-1, 1], gradients, and the same samples from a checkpoint"
"""What is checked, in words."""

EXTREME = 100.0
"""Factor on latents that drives a network without bounds out of [-1, 1]."""


def check(subject: Subject[GeneratorComponent]) -> None:
    """Check `(latents[, labels]) -> samples` for all samples that it accepts."""
    for spec in subject.labelled_specs:
        _check_on(subject, spec)


def _check_on(subject: Subject[GeneratorComponent], spec: SampleSpec) -> None:
    with subject.promise(BUILT, base=True):
        network = build_network(subject, spec, subject.latent)
    with (
        subject.promise("finite samples of the right shape", base=True),
        evaluation_mode(network),
        torch.no_grad(),
    ):
        for count in COUNTS:
            _require_samples(subject, _generate(subject, network, spec, count), spec, count)
    if spec.bounded:
        with subject.promise("samples in [-1, 1]"), evaluation_mode(network), torch.no_grad():
            largest = _generate(subject, network, spec, COUNTS[-1], scale=EXTREME).abs().max()
            subject.require(
                not largest > 1 + 1e-3,
                f"its {spec.word} leave [-1, 1] (they reach {largest:.3g} for latents {EXTREME:g} times as "
                "long); end the network with tanh",
            )
        with subject.promise("samples in [-1, 1], and not in [0, 1]"), evaluation_mode(network):
            squashed = squashed_by(_generate(subject, network, spec, COUNTS[-1]))
            subject.require(
                not squashed,
                f"its {spec.word} come out of {squashed}, and so are never below 0, the middle between black "
                "and white; end the network with tanh",
            )
    with subject.promise(GRADIENTS):
        check_gradients(subject, network, lambda each: (_generate(subject, each, spec, COUNTS[-1]),))
    latents, labels = draw_latents(subject.latent, 3, torch.default_generator), draw_labels(spec, 3)
    arguments = _arguments(subject, latents, labels)
    check_conduct(subject, network, arguments, (spec, subject.latent))
    with subject.promise(RESTORED, base=True):
        check_restoring(subject, network, lambda each: (each(*arguments),), spec, subject.latent)
    with subject.promise("each sample from its own latent alone"):
        check_rows_apart(subject, network, arguments)


def _generate(
    subject: Subject[GeneratorComponent], network: nn.Module, spec: SampleSpec, count: int, scale: float = 1.0
) -> torch.Tensor:
    latents = scale * draw_latents(subject.latent, count, torch.default_generator)
    arguments = _arguments(subject, latents, draw_labels(spec, count))
    shapes = " and ".join(str(tuple(argument.shape)) for argument in arguments)
    with subject.during(
        f"forward() on latents{' and labels' if len(arguments) > 1 else ''} of shape {shapes}"
    ):
        samples: torch.Tensor = network(*arguments)
    return samples


def _arguments(
    subject: Subject[GeneratorComponent], latents: torch.Tensor, labels: torch.Tensor | None
) -> tuple[torch.Tensor, ...]:
    return (latents,) if labels is None or not subject.component.takes_labels else (latents, labels)


def _require_samples(
    subject: Subject[GeneratorComponent], samples: torch.Tensor, spec: SampleSpec, count: int
) -> None:
    require_finite(subject, samples, "its samples")
    due = (count, *spec.shape)
    subject.require(
        tuple(samples.shape) == due,
        f"{counted(count, 'latent')} gave samples of shape {tuple(samples.shape)}; for {spec} it must be "
        f"{due}",
    )
