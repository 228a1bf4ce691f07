"""Promises of discriminators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ganlab.components import DiscriminatorComponent, SampleSpec
from ganlab.engine.loss import Verdict
from ganlab.engine.networks import evaluation_mode
from ganlab.testing.networks import (
    BUILT,
    COUNTS,
    GRADIENTS,
    RESTORED,
    build_network,
    check_conduct,
    check_gradients,
    check_inputs_left_alone,
    check_restoring,
    check_rows_apart,
    draw_labels,
    require_finite,
    squashed_by,
)
from ganlab.testing.subject import Subject
from ganlab.words import counted

__all__ = ["PROMISES", "check"]

PROMISES = (
    "a finite logit or more for each sample, no sigmoid, gradients, and the same logits from a checkpoint"
)
"""What is checked, in words."""


def check(subject: Subject[DiscriminatorComponent]) -> None:
    """Check `(samples[, labels]) -> logits` for all samples that it accepts."""
    for spec in subject.labelled_specs:
        _check_on(subject, spec)


def _check_on(subject: Subject[DiscriminatorComponent], spec: SampleSpec) -> None:
    with subject.promise(BUILT, base=True):
        network = build_network(subject, spec)
    with (
        subject.promise("finite logits, one or more for each sample", base=True),
        evaluation_mode(network),
        torch.no_grad(),
    ):
        for count in COUNTS:
            verdict = _discriminate(subject, network, spec.noise(count), spec)
            _require_verdict(subject, verdict, spec, count)
    samples = spec.noise(COUNTS[-1])

    def call(each: nn.Module) -> tuple[torch.Tensor, ...]:
        return _tensors(_discriminate(subject, each, samples.clone(), spec))

    check_inputs_left_alone(subject, network, _arguments(subject, samples, spec))
    leaves = samples.clone().requires_grad_()
    with subject.promise("logits, not probabilities", base=True):
        # A copy, as autograd lets nobody change a leaf, and whether it is changed is told above.
        logits = _discriminate(subject, network.train(), leaves.clone(), spec).logits
        _require_no_squashing(subject, logits)
    with subject.promise("each sample is judged by itself, or it says that samples are compared"):
        _check_company(subject, network, _arguments(subject, samples, spec))
    with subject.promise("a gradient reaches the samples"):
        _check_input_gradient(subject, logits, leaves)
    with subject.promise(GRADIENTS):
        check_gradients(subject, network, call)
    with subject.promise(RESTORED):
        check_restoring(subject, network, call, spec)
    if draw := getattr(network, "draw", None):
        with subject.promise("pictures of itself are uint8, (H, W, 1 or 3)"):
            with evaluation_mode(network), torch.no_grad(), subject.during("draw()"):
                drawn = draw(*_arguments(subject, samples, spec))
            subject.require(isinstance(drawn, Mapping), "draw() must return pictures by name, as a dict")
            for name, picture in drawn.items():
                _require_picture(subject, name, picture)
    check_conduct(subject, network, _arguments(subject, samples, spec), (spec,))


def _require_picture(subject: Subject[DiscriminatorComponent], name: str, picture: Any) -> None:
    what = f"{getattr(picture, 'dtype', type(picture).__name__)} {tuple(getattr(picture, 'shape', ()))}"
    subject.require(
        isinstance(picture, np.ndarray)
        and bool(re.fullmatch(r"uint8 \(\d+, \d+, [13]\)", what) and re.fullmatch(r"\w+", name)),
        "draw() must return NumPy arrays of uint8, (H, W, 1 or 3), by names of letters, digits and _; "
        f"{name!r} is {what}",
    )


def _discriminate(
    subject: Subject[DiscriminatorComponent], network: nn.Module, samples: torch.Tensor, spec: SampleSpec
) -> Verdict:
    arguments = _arguments(subject, samples, spec)
    what = f"samples of shape {tuple(samples.shape)}{' and labels' if len(arguments) > 1 else ''}"
    with subject.during(f"forward() on {what}"):
        answer = network(*arguments)
    subject.require(
        isinstance(answer, torch.Tensor | Verdict),
        f"it must return logits or a ganlab.Verdict, not a {type(answer).__name__}",
    )
    return answer if isinstance(answer, Verdict) else Verdict(answer)


def _arguments(
    subject: Subject[DiscriminatorComponent], samples: torch.Tensor, spec: SampleSpec
) -> tuple[torch.Tensor, ...]:
    labels = draw_labels(spec, len(samples)) if subject.component.takes_labels else None
    return (samples,) if labels is None else (samples, labels)


def _tensors(verdict: Verdict) -> tuple[torch.Tensor, ...]:
    parts = (verdict.logits, verdict.features, verdict.class_logits, *verdict.outputs.values())
    return tuple(part for part in parts if part is not None)


def _require_verdict(
    subject: Subject[DiscriminatorComponent], verdict: Verdict, spec: SampleSpec, count: int
) -> None:
    shown, declared = set(verdict.outputs), subject.component.outputs
    subject.require(
        shown == declared,
        f"its Verdict has the outputs {sorted(shown)}, and its record declares {sorted(declared)}; "
        "set outputs=frozenset({…}) to their names",
    )
    parts = {"logits": verdict.logits, **verdict.outputs}
    parts |= {
        name: part for name in ("features", "class_logits") if (part := getattr(verdict, name)) is not None
    }
    for name, part in parts.items():
        require_finite(subject, part, f"its {name}")
        subject.require(
            part.ndim > 0 and len(part) == count,
            f"{counted(count, 'sample')} gave {name} of shape {tuple(part.shape)}; it must be ({count},) or "
            f"({count}, …): a row for each sample",
        )
    if verdict.class_logits is not None:
        shape = tuple(verdict.class_logits.shape)
        subject.require(
            shape == (count, spec.classes),
            f"class_logits have shape {shape}; for {spec} it must be ({count}, {spec.classes})",
        )


def _check_company(
    subject: Subject[DiscriminatorComponent], network: nn.Module, arguments: tuple[torch.Tensor, ...]
) -> None:
    together = getattr(network, "samples_together", 1)
    subject.require(
        isinstance(together, int) and together >= 1,
        f"its samples_together is {together!r}; it must be the fewest samples it makes sense of, at least 1",
    )
    if together == 1:
        check_rows_apart(
            subject,
            _Logits(network),
            arguments,
            "set samples_together to the fewest samples that it compares with one another, or, if it should "
            "compare none,",
        )


class _Logits(nn.Module):
    """A discriminator's logits alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        # Copies, as whether it changes them is told elsewhere.
        answer = self.network(*(argument.clone() for argument in arguments))
        logits: torch.Tensor = answer.logits if isinstance(answer, Verdict) else answer
        return logits


def _require_no_squashing(subject: Subject[DiscriminatorComponent], logits: torch.Tensor) -> None:
    subject.require(
        not (squashed := squashed_by(logits)),
        f"its logits come out of {squashed}; return what goes into it: losses take logits, not probabilities",
    )


def _check_input_gradient(
    subject: Subject[DiscriminatorComponent], logits: torch.Tensor, leaves: torch.Tensor
) -> None:
    gradient = None
    if logits.requires_grad:
        (gradient,) = torch.autograd.grad(logits.sum(), leaves, allow_unused=True)
    subject.require(
        gradient is not None,
        "no gradient reaches the samples, and the generator learns from nothing else; leave out detach(), "
        "torch.no_grad() and numpy inside forward()",
    )
    assert gradient is not None
    require_finite(subject, gradient, "the gradient by the samples")
