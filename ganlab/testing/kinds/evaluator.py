"""Promises of evaluators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from ganlab.arithmetic import exact_arithmetic
from ganlab.components import EvaluatorComponent, SampleSpec
from ganlab.engine.streams import isolated_randomness
from ganlab.evaluation.banks import FeatureBank, Moments
from ganlab.evaluation.evaluator import Estimate, Evaluator, Shown
from ganlab.testing.state import saved
from ganlab.testing.subject import Subject

__all__ = ["check"]

COUNT, DIMENSION = 128, 8


def check(subject: Subject[EvaluatorComponent]) -> None:
    """Check an evaluator on banks of normal features, for all samples that it accepts."""
    for spec in subject.specs:
        _check_on(subject, spec)


def _check_on(subject: Subject[EvaluatorComponent], spec: SampleSpec) -> None:
    real, held_out, other = (_bank(subject, spec, shift, spec.classes) for shift in (0.0, 0.0, 1.0))
    fake = _bank(subject, spec, 0.5)
    before = [_content(bank) for bank in (real, held_out, fake)]
    with subject.promise("it is built", base=True):
        evaluator = _build(subject, spec)
    with subject.promise("a finite estimate for each declared metric", base=True):
        with subject.during("prepare()"):
            evaluator.prepare(real, held_out)
        estimates = _evaluate(subject, evaluator, real, fake)
        _evaluate(subject, evaluator, real, held_out)
    with subject.promise("pictures of samples that there are"), subject.during("pictures()"):
        _require_rows(subject, evaluator.pictures(real, fake))
    with subject.promise("the same banks, the same estimates", base=True):
        subject.require(
            _evaluate(subject, evaluator, real, fake, seed=1) == estimates,
            "the same banks give other estimates the second time; evaluate() must be a function of them "
            "alone, with randomness from a torch.Generator of a fixed seed",
        )
    with subject.promise("it leaves the banks alone"):
        subject.require(
            all(map(torch.equal, before, [_content(bank) for bank in (real, held_out, fake)])),
            "it changes the banks, which other evaluators share; copy first",
        )
    with subject.promise("its state survives a checkpoint"):
        restored = _build(subject, spec)
        with subject.during("load_state_dict() of what state_dict() returned"):
            # Whatever is fixed at the first look must come from the state, not from this look.
            restored.prepare(other, held_out)
            restored.load_state_dict(saved(subject, evaluator.state_dict()))
        subject.require(
            _evaluate(subject, restored, real, fake) == estimates,
            "restored from its state_dict(), it gives other estimates; the state must hold what prepare() "
            "fixes",
        )


def _build(subject: Subject[EvaluatorComponent], spec: SampleSpec) -> Evaluator:
    evaluator = subject.build(spec)
    subject.require(
        isinstance(evaluator, Evaluator),
        f"`build` returned a {type(evaluator).__name__}, not a ganlab.Evaluator",
    )
    built: Evaluator = evaluator
    return built


def _bank(
    subject: Subject[EvaluatorComponent], spec: SampleSpec, shift: float, classes: int = 0
) -> FeatureBank:
    """Return a bank as the core hands it out: without features where moments are asked for."""
    # Of few elements, as points are, the features may be the elements themselves, and are as many.
    features = torch.randn(COUNT, min(DIMENSION, math.prod(spec.shape))) + shift
    labels = torch.arange(COUNT) % classes if classes else None
    if subject.component.needs == "moments":
        return FeatureBank(moments=Moments.of(features), labels=labels)
    return FeatureBank(features, labels=labels)


def _content(bank: FeatureBank) -> torch.Tensor:
    return (bank.moments.mean if bank.features is None else bank.features).clone()


def _evaluate(
    subject: Subject[EvaluatorComponent],
    evaluator: Evaluator,
    real: FeatureBank,
    fake: FeatureBank,
    seed: int = 0,
) -> Mapping[str, Estimate]:
    with (
        exact_arithmetic(torch.device("cpu")),
        isolated_randomness(seed),
        subject.during(f"evaluate() on {subject.component.needs} of {COUNT} samples"),
    ):
        estimates = evaluator.evaluate(real, fake)
    subject.require(
        isinstance(estimates, Mapping), f"evaluate() must return a dict, not a {type(estimates).__name__}"
    )
    declared = {metric.name for metric in subject.component.metrics}
    subject.require(
        set(estimates) == declared,
        f"it declares the metrics {sorted(declared)} but yields {sorted(estimates)}; `metrics` must name "
        "each number",
    )
    for name, estimate in estimates.items():
        _require_sound(subject, name, estimate)
    return dict(estimates)


def _require_rows(
    subject: Subject[EvaluatorComponent], pictures: Mapping[str, Sequence[Sequence[Shown]]]
) -> None:
    for name, rows in pictures.items():
        subject.require(
            bool(rows) and all(0 <= shown.row < COUNT for row in rows for shown in row),
            f"the picture `{name}` is empty, or shows a sample that is in no bank",
        )


def _require_sound(subject: Subject[EvaluatorComponent], name: str, estimate: Estimate) -> None:
    subject.require(
        isinstance(estimate, Estimate),
        f"`{name}` is a {type(estimate).__name__}, not a ganlab.Estimate; return Estimate(value)",
    )
    numbers = (
        [estimate.value] if estimate.standard_error is None else [estimate.value, estimate.standard_error]
    )
    for number in numbers:
        subject.require(
            isinstance(number, int | float),
            f"`{name}` holds a {type(number).__name__}, not a float: use .item()",
        )
        subject.require(math.isfinite(number), f"`{name}` is {number} for random features; it must be finite")
    subject.require(
        isinstance(estimate.warnings, tuple), f"the warnings of `{name}` must be a tuple of strings"
    )
