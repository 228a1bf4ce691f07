"""Promises of feature extractors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ganlab.arithmetic import exact_arithmetic
from ganlab.components import FeaturesComponent, SampleSpec
from ganlab.engine.streams import isolated_randomness
from ganlab.evaluation.evaluator import FeatureExtractor
from ganlab.testing.subject import CLASSES, Subject

__all__ = ["check"]

COUNT = 6
TOLERANCE = 1e-4
"""Relative to the largest feature: convolutions of other batch sizes differ in their last bits."""


def check(subject: Subject[FeaturesComponent]) -> None:
    """Check `samples -> features` for all samples that it accepts."""
    for spec in subject.specs:
        _check_on(subject, spec)


def _check_on(subject: Subject[FeaturesComponent], spec: SampleSpec) -> None:
    with subject.promise("it is built, and has a fingerprint", base=True):
        extractor = _build(subject, spec)
    samples = spec.quantise(spec.noise(COUNT))
    with subject.promise("finite float32 features for each sample", base=True):
        features = _extract(subject, extractor, samples)
    with subject.promise("the same features each time", base=True):
        subject.require(
            torch.equal(features, _extract(subject, extractor, samples, seed=1)),
            "the same samples have other features the second time; extract() must not be random",
        )
    with subject.promise("features of each sample from itself alone"):
        alone = torch.cat([_extract(subject, extractor, samples[row : row + 1]) for row in range(COUNT)])
        subject.require(
            bool(((alone - features).abs() <= TOLERANCE * features.abs().max()).all()),
            "a sample's features depend on the rest of its batch; put networks into evaluation mode, and "
            "normalise nothing over the batch",
        )
    with subject.promise("a name for every feature, or for none"):
        with subject.during("names()"):
            names = list(extractor.names())
        subject.require(
            len(names) in (0, features.shape[1]) and len(set(names)) == len(names),
            f"names() gives {len(names)} names, {len(set(names))} of them different, for {features.shape[1]} "
            "features; it must name each, or none",
        )
    if subject.component.differentiable:
        with subject.promise("losses can learn by it"):
            _check_gradients(subject, extractor, spec, samples, features)
    if subject.component.network is not None:
        with subject.promise("its untrained network classifies"):
            _check_network(subject, subject.component.network, spec)
    with subject.promise("a second build is the same"):
        with isolated_randomness(1):
            again = _build(subject, spec)
        subject.require(
            again.fingerprint() == extractor.fingerprint(),
            "fingerprint() differs from one build to the next; compute it from definition, options and "
            "weights",
        )
        subject.require(
            torch.equal(features, _extract(subject, again, samples)),
            "two builds of equal fingerprint give other features; seed random weights from the options, or "
            "digest them into fingerprint()",
        )


def _check_gradients(
    subject: Subject[FeaturesComponent],
    extractor: FeatureExtractor,
    spec: SampleSpec,
    samples: torch.Tensor,
    features: torch.Tensor,
) -> None:
    """Require the same features of samples that are not rounded, and finite gradients, of flat ones too."""
    unrounded = spec.unrounded(spec.dequantise(samples))
    subject.require(
        bool(
            (
                (_extract(subject, extractor, unrounded) - features).abs() <= TOLERANCE * features.abs().max()
            ).all()
        ),
        "samples as float32 have other features than as they are kept, though none is rounded; a record "
        "that says differentiable=True takes both",
    )
    for given in (unrounded, torch.zeros_like(unrounded)):
        leaf = given.clone().requires_grad_()
        with subject.during("extract() on samples that gradients are asked for"):
            found = extractor.extract(leaf)
        reached = (
            torch.autograd.grad(found.sum(), leaf, allow_unused=True)[0] if found.requires_grad else None
        )
        subject.require(
            reached is not None and bool(torch.isfinite(reached).all()),
            "no finite gradient reaches the samples; compute without torch.no_grad() and roots of zero, or "
            "leave out differentiable=True",
        )


def _check_network(
    subject: Subject[FeaturesComponent], network: Callable[[SampleSpec], Any], spec: SampleSpec
) -> None:
    """Check the untrained network of features that are learned from labels."""
    labelled = spec.with_classes(CLASSES)
    with isolated_randomness(0), subject.during(f"`network` on {labelled}"):
        logits = network(labelled)(spec.noise(COUNT))
    subject.require(
        isinstance(logits, torch.Tensor) and tuple(logits.shape) == (COUNT, CLASSES),
        f"`network` gives {tuple(getattr(logits, 'shape', ()))} for {COUNT} {spec.word} of {CLASSES} "
        f"classes; it must give logits ({COUNT}, {CLASSES})",
    )


def _build(subject: Subject[FeaturesComponent], spec: SampleSpec) -> FeatureExtractor:
    extractor = subject.build(spec)
    subject.require(
        isinstance(extractor, FeatureExtractor),
        f"`build` returned a {type(extractor).__name__}, not a ganlab.FeatureExtractor",
    )
    built: FeatureExtractor = extractor
    with subject.during("fingerprint()"):
        fingerprint = built.fingerprint()
    subject.require(
        isinstance(fingerprint, str) and bool(fingerprint), "fingerprint() must return a hex digest, a string"
    )
    return built


def _extract(
    subject: Subject[FeaturesComponent], extractor: FeatureExtractor, samples: torch.Tensor, seed: int = 0
) -> torch.Tensor:
    given = samples.clone()
    what = f"extract() on {samples.dtype} of shape {tuple(samples.shape)}"
    with exact_arithmetic(samples.device), isolated_randomness(seed), subject.during(what):
        features = extractor.extract(samples)
    subject.require(
        torch.equal(samples, given), "extract() changes the samples that it is given; copy them first"
    )
    subject.require(
        isinstance(features, torch.Tensor)
        and features.dtype == torch.float32
        and features.ndim == 2
        and len(features) == len(samples),
        f"{what} gave {getattr(features, 'dtype', type(features).__name__)} of shape "
        f"{tuple(getattr(features, 'shape', ()))}; it must be float32 of shape ({len(samples)}, d)",
    )
    subject.require(bool(torch.isfinite(features).all()), "features must be finite, and some are not")
    return features
