"""Promises of augmentations."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ganlab.components import AugmentationComponent
from ganlab.engine.augmentation import Augmentation, Draws
from ganlab.samples import SampleSpec
from ganlab.testing.networks import require_finite
from ganlab.testing.state import same_state, saved
from ganlab.testing.subject import Subject

__all__ = ["PROMISES", "check"]

PROMISES = "same shape, rows apart, gradients, randomness from its draws alone, and its state"
"""What is checked, in words."""

BATCH = 6
OBSERVATIONS = 40
"""Turns of a discriminator that knows all real samples, to bring out what adapts."""
IMAGES = 10_000
"""Real samples of each such turn."""


def check(subject: Subject[AugmentationComponent]) -> None:
    """Check an augmentation as it starts, and after a discriminator that is sure of itself."""
    for spec in subject.specs:
        with subject.promise("it is built", base=True):
            augmentation = _build(subject, spec)
        _check_samples(subject, augmentation, spec)
        with subject.promise("it hears the discriminator, and reports scalars", base=True):
            adapted = _adapted(subject, spec)
        _check_samples(subject, adapted, spec)
        with subject.promise("its state survives a checkpoint"):
            _check_state(subject, adapted, spec)


def _build(subject: Subject[AugmentationComponent], spec: SampleSpec) -> Augmentation:
    built = subject.build(spec)
    subject.require(
        isinstance(built, Augmentation),
        f"`build` returned a {type(built).__name__}, not a ganlab.Augmentation",
    )
    augmentation: Augmentation = built
    return augmentation


def _adapted(subject: Subject[AugmentationComponent], spec: SampleSpec) -> Augmentation:
    augmentation = _build(subject, spec)
    for _ in range(OBSERVATIONS):
        with subject.during("observe()"):
            augmentation.observe(torch.tensor(1.0), IMAGES)
    with subject.during("scalars()"):
        scalars = augmentation.scalars()
    for name, value in scalars.items():
        subject.require(
            isinstance(value, torch.Tensor) and value.dim() == 0,
            f"scalars() gives {value!r} for {name!r}; it must be a scalar tensor",
        )
    return augmentation


def _draws(rows: slice = slice(0, BATCH), seed: int = 0) -> Draws:
    """Return the same draws each time, or the same rows of them."""
    rng = torch.Generator().manual_seed(seed)

    def draw(kind: Callable[..., torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
        return kind(BATCH, *shape, generator=rng)[rows]

    return Draws(draw)


def _check_samples(
    subject: Subject[AugmentationComponent], augmentation: Augmentation, spec: SampleSpec
) -> None:
    samples = spec.noise(BATCH)
    given = samples.clone().requires_grad_()
    before = torch.get_rng_state()
    with subject.promise("random numbers from its draws alone", base=True):
        with subject.during(f"augmenting samples of shape {tuple(samples.shape)}"):
            seen = augmentation(given, _draws())
        subject.require(
            torch.equal(before, torch.get_rng_state()),
            "it draws from torch's global generator, which no checkpoint restores; take random numbers from "
            "draws.rand and draws.randn",
        )
    with subject.promise("it leaves its inputs alone", base=True):
        subject.require(
            torch.equal(samples, given), "it changes the samples that it is given; copy them first"
        )
    with subject.promise("finite samples of the same shape", base=True):
        _require_samples(subject, seen, samples)
    with subject.promise("gradients flow through, twice"):
        _check_gradient(subject, seen, given)
    with torch.no_grad(), subject.promise("the same draws, the same samples", base=True):
        again = augmentation(samples, _draws())
        subject.require(
            torch.allclose(seen, again, atol=1e-5), "the same draws give other samples the second time"
        )
    with torch.no_grad(), subject.promise("each sample from itself and its draws alone"):
        half = slice(BATCH // 2, BATCH)
        apart = augmentation(samples[half], _draws(half))
        subject.require(
            torch.allclose(again[half], apart, atol=1e-4),
            "a sample's output depends on the rest of its batch; use row i of the draws for sample i alone",
        )


def _require_samples(
    subject: Subject[AugmentationComponent], seen: torch.Tensor, samples: torch.Tensor
) -> None:
    subject.require(
        isinstance(seen, torch.Tensor) and seen.shape == samples.shape and seen.dtype == samples.dtype,
        f"samples of shape {tuple(samples.shape)} and {samples.dtype} must keep both, and it gave "
        + (f"{tuple(seen.shape)} and {seen.dtype}" if isinstance(seen, torch.Tensor) else f"{seen!r:.80}"),
    )
    require_finite(subject, seen, "its output")


def _check_gradient(subject: Subject[AugmentationComponent], seen: torch.Tensor, given: torch.Tensor) -> None:
    advice = "leave out detach(), torch.no_grad() and numpy"
    subject.require(seen.requires_grad, f"no gradient reaches the samples; {advice}")
    with subject.during("a gradient of a gradient through it, as penalties take,"):
        (gradient,) = torch.autograd.grad(seen.square().sum(), given, create_graph=True)
        require_finite(subject, gradient, "the gradient by the samples")
        torch.autograd.backward(gradient.square().sum())


def _check_state(
    subject: Subject[AugmentationComponent], augmentation: Augmentation, spec: SampleSpec
) -> None:
    state = augmentation.state_dict()
    restored = _build(subject, spec)
    with subject.during("load_state_dict() of what state_dict() returned"):
        restored.load_state_dict(saved(subject, state))
    samples = spec.noise(BATCH)
    with torch.no_grad():
        alike = torch.equal(augmentation(samples, _draws(seed=1)), restored(samples, _draws(seed=1)))
    subject.require(
        alike and same_state(state, restored.state_dict()),
        "load_state_dict() does not restore what state_dict() returned",
    )
