"""The Fréchet distance between Gaussians fitted to features (Dowson & Landau, 1982; Heusel et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganlab import EvaluatorComponent, Metric, Options, SampleSpec, hookimpl

if TYPE_CHECKING:
    from ganlab_frechet.evaluator import FrechetEvaluator


def build(options: Options, image: SampleSpec) -> FrechetEvaluator:
    """Return the evaluator."""
    from ganlab_frechet.evaluator import FrechetEvaluator

    return FrechetEvaluator()


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer the metric."""
    yield EvaluatorComponent(
        name="frechet",
        summary="Fréchet distance of Gaussians on the chosen features; not FID, which is Inception's alone",
        build=build,
        metrics=(Metric("frechet", better="lower"),),
        needs="moments",
    )
