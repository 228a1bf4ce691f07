"""Classifier two-sample tests (Lopez-Paz & Oquab, 2017): whether anything tells fakes from reals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import EvaluatorComponent, Metric, Options, SampleSpec, hookimpl

if TYPE_CHECKING:
    from ganlab_two_sample.classifier_test import ClassifierTest
    from ganlab_two_sample.tree_test import TreeTest

# The first one is what a bare label means. 0.5 is a coin flip, and well below it are copies of the reals.
METRICS = (
    Metric("departure", better="lower"),
    Metric("accuracy", better=None),
    Metric("auc", better=None, title="AUC"),
    Metric("p-value", better=None),
)


class ClassifierTestOptions(Options):
    """Options of `classifier-test`."""

    regularisation: float = Field(0.3, gt=0)
    """Strength of the L2 penalty, in units that make it the same for any number of features."""


class TreeTestOptions(Options):
    """Options of `tree-test`."""

    depth: int = Field(3, ge=1, le=6)
    """Questions from the root to a leaf, at the most."""


def build_classifier_test(options: ClassifierTestOptions, image: SampleSpec) -> ClassifierTest:
    """Return the test by logistic regression."""
    from ganlab_two_sample.classifier_test import ClassifierTest

    return ClassifierTest(options.regularisation)


def build_tree_test(options: TreeTestOptions, image: SampleSpec) -> TreeTest:
    """Return the test by a decision tree."""
    from ganlab_two_sample.tree_test import TreeTest

    return TreeTest(options.depth)


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer both tests."""
    yield EvaluatorComponent(
        name="classifier-test",
        summary="Logistic regression on fakes and reals; accuracy 0.5 is ideal (Lopez-Paz & Oquab, 2017)",
        options=ClassifierTestOptions,
        build=build_classifier_test,
        metrics=METRICS,
    )
    yield EvaluatorComponent(
        name="tree-test",
        summary="How well a shallow decision tree does, and in words by what; needs ganlab[trees]",
        options=TreeTestOptions,
        build=build_tree_test,
        metrics=METRICS,
    )
