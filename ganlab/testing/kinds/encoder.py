"""Promises of encoders."""

from __future__ import annotations

import torch
from torch import nn

from ganlab.components import EncoderComponent
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
    require_finite,
)
from ganlab.testing.subject import Subject

__all__ = ["PROMISES", "check"]

PROMISES = "shapes, finite latents, gradients, and the same latents from a checkpoint"
"""What is checked, in words."""


def check(subject: Subject[EncoderComponent]) -> None:
    """Check `samples -> (mean, log_variance)` for all samples that it accepts."""
    for spec in subject.labelled_specs:
        with subject.promise(BUILT, base=True):
            network = build_network(subject, spec, subject.latent)
        with (
            subject.promise("a finite mean and log-variance for each sample", base=True),
            evaluation_mode(network),
            torch.no_grad(),
        ):
            for count in COUNTS:
                _encode(subject, network, spec.noise(count))
        samples = spec.noise(COUNTS[-1])

        def call(each: nn.Module, samples: torch.Tensor = samples) -> tuple[torch.Tensor, ...]:
            return _encode(subject, each, samples.clone())

        with subject.promise(GRADIENTS):
            check_gradients(subject, network, call)
        check_conduct(subject, network, (samples,), (spec, subject.latent))
        with subject.promise(RESTORED, base=True):
            check_restoring(subject, network, call, spec, subject.latent)
        with subject.promise("each latent from its own sample alone"):
            check_rows_apart(subject, network, (samples,))


def _encode(
    subject: Subject[EncoderComponent], network: nn.Module, samples: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    with subject.during(f"forward() on samples of shape {tuple(samples.shape)}"):
        answer = network(samples)
    subject.require(
        isinstance(answer, tuple) and len(answer) == 2,
        "it must return a tuple (mean, log_variance)",
    )
    due = (len(samples), subject.latent.dim)
    for part, name in zip(answer, ("mean", "log-variance"), strict=True):
        require_finite(subject, part, f"the {name} of the latents")
        subject.require(
            tuple(part.shape) == due, f"the {name} of the latents has shape {tuple(part.shape)}, not {due}"
        )
    encoded: tuple[torch.Tensor, ...] = answer
    return encoded
