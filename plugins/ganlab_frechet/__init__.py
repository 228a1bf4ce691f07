"""The Fréchet distance between Gaussians fitted to features (Dowson & Landau, 1982; Heusel et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganlab import EvaluatorComponent, Metric, Options, SampleSpec, hookimpl

if TYPE_CHECKING:
    from ganlab_frechet.evaluator import FrechetEvaluator
    from ganlab_frechet.infinity import FrechetInfinityEvaluator


def build(options: Options, image: SampleSpec) -> FrechetEvaluator:
    """Return the evaluator."""
    from ganlab_frechet.evaluator import FrechetEvaluator

    return FrechetEvaluator()


def build_infinity(options: Options, image: SampleSpec) -> FrechetInfinityEvaluator:
    """Return the evaluator that extrapolates."""
    from ganlab_frechet.infinity import FrechetInfinityEvaluator

    return FrechetInfinityEvaluator()


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer the metrics."""
    yield EvaluatorComponent(
        name="frechet",
        summary="Fréchet distance of Gaussians on the chosen features; not FID, which is Inception's alone",
        build=build,
        metrics=(Metric("frechet", better="lower", title="Fréchet distance"),),
        needs="moments",
    )
    yield EvaluatorComponent(
        name="frechet-infinity",
        summary="Fréchet distance extrapolated to infinitely many samples (Chong & Forsyth, 2020)",
        build=build_infinity,
        metrics=(Metric("frechet-infinity", better="lower", title="Fréchet distance, extrapolated"),),
    )
