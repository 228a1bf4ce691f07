"""Evaluators that look at nearest neighbours: fidelity, coverage, memorisation, collapse, modes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import ComponentError, EvaluatorComponent, Metric, Options, SampleSpec, hookimpl

if TYPE_CHECKING:
    from ganlab_neighbours.diversity import Diversity
    from ganlab_neighbours.manifold import DensityCoverage, PrecisionRecall
    from ganlab_neighbours.memorisation import Memorisation
    from ganlab_neighbours.modes import Modes
    from ganlab_neighbours.two_sample import NearestNeighbourTest


class PrecisionRecallOptions(Options):
    """Options of `precision-recall`."""

    k: int = Field(3, ge=1, le=2**30)
    """Which neighbour the ball around a sample reaches to."""


class DensityCoverageOptions(Options):
    """Options of `density-coverage`."""

    k: int = Field(5, ge=1, le=2**30)
    """Which neighbour the ball around a real sample reaches to."""


class ModesOptions(Options):
    """Options of `modes`."""

    k: int = Field(5, ge=1, le=2**30)
    """Real neighbours that vote on a sample's class."""
    least: float = Field(0.1, ge=0, le=1)
    """A class is hit if its share of the generated samples is at least this much of its share of the
    real ones; with 0, one sample is enough."""


def build_precision_recall(options: PrecisionRecallOptions, image: SampleSpec) -> PrecisionRecall:
    """Return the evaluator."""
    from ganlab_neighbours.manifold import PrecisionRecall

    return PrecisionRecall(options.k)


def build_density_coverage(options: DensityCoverageOptions, image: SampleSpec) -> DensityCoverage:
    """Return the evaluator."""
    from ganlab_neighbours.manifold import DensityCoverage

    return DensityCoverage(options.k)


def build_test(options: Options, image: SampleSpec) -> NearestNeighbourTest:
    """Return the evaluator."""
    from ganlab_neighbours.two_sample import NearestNeighbourTest

    return NearestNeighbourTest()


def build_memorisation(options: Options, image: SampleSpec) -> Memorisation:
    """Return the evaluator."""
    from ganlab_neighbours.memorisation import Memorisation

    return Memorisation()


def build_diversity(options: Options, image: SampleSpec) -> Diversity:
    """Return the evaluator."""
    from ganlab_neighbours.diversity import Diversity

    return Diversity()


def build_modes(options: ModesOptions, image: SampleSpec) -> Modes:
    """Return the evaluator.

    Raises:
        ComponentError: the dataset has no labels.
    """
    if not image.classes:
        raise ComponentError(
            "`modes` counts the classes of labelled data, and this dataset has no labels; "
            "turn them on (`ganlab describe dataset NAME` shows how) or remove this evaluator"
        )
    from ganlab_neighbours.modes import Modes

    return Modes(image.classes, options.k, options.least)


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer the metrics."""
    yield EvaluatorComponent(
        name="precision-recall",
        summary="Share of fakes that look real, and of reals that are generated (Kynkäänniemi et al., 2019)",
        options=PrecisionRecallOptions,
        build=build_precision_recall,
        metrics=(Metric("precision", better="higher"), Metric("recall", better="higher")),
    )
    yield EvaluatorComponent(
        name="density-coverage",
        summary="Precision and recall that outliers do not inflate (Naeem et al., 2020)",
        options=DensityCoverageOptions,
        build=build_density_coverage,
        metrics=(Metric("density", better="higher"), Metric("coverage", better="higher")),
    )
    yield EvaluatorComponent(
        name="nearest-neighbour-test",
        summary="Leave-one-out accuracy of the nearest neighbour; ½ is ideal (Lopez-Paz & Oquab, 2017)",
        build=build_test,
        metrics=(
            Metric("accuracy", better=None),
            Metric("accuracy-real", better=None),
            Metric("accuracy-fake", better=None),
            Metric("departure", better="lower"),
            Metric("p-value", better=None),
        ),
    )
    yield EvaluatorComponent(
        name="memorisation",
        summary="Distance to the nearest training sample, over that of held-out samples; 1 is ideal",
        build=build_memorisation,
        metrics=(
            Metric("ratio", better=None),
            # A hundredth is right: fewer are farther from the data than real samples are.
            Metric("near", better=None),
            Metric("copies", better="lower", chooses=False),
        ),
        reference="all",
    )
    yield EvaluatorComponent(
        name="diversity",
        summary="Mean distance between fakes, over that between reals (1 is ideal), and duplicates",
        build=build_diversity,
        metrics=(Metric("diversity", better=None), Metric("duplicates", better="lower", chooses=False)),
    )
    yield EvaluatorComponent(
        name="modes",
        summary="Classes of labelled data that are generated, and KL(generated ‖ real) over them",
        options=ModesOptions,
        build=build_modes,
        metrics=(Metric("classes-hit", better="higher"), Metric("kl", better="lower", title="KL divergence")),
    )
