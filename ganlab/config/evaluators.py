"""Evaluators without an experiment: chosen and set on a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganlab.components import SampleSpec
from ganlab.config.choosing import choose
from ganlab.config.document import Document
from ganlab.config.origin import Origin
from ganlab.config.overrides import apply_overrides
from ganlab.config.selection import EvaluatorSelection
from ganlab.errors import ExperimentError, Problem
from ganlab.registry import Registry
from ganlab.registry.suggest import did_you_mean, listing

__all__ = ["choose_evaluators"]


def choose_evaluators(
    tables: Mapping[str, Mapping[str, Any]],
    samples: type[SampleSpec],
    registry: Registry,
    overrides: Sequence[str] = (),
) -> tuple[EvaluatorSelection, ...]:
    """Return evaluators with checked options, each with the extractor it works on.

    Args:
        tables: label -> what an entry of `[[evaluators]]` would be.
        samples: what a sample is.
        registry: the components that there are to choose from.
        overrides: `LABEL.key=VALUE` each, as `--set` gives them.

    Raises:
        ExperimentError: every problem that was found, by `LABEL.key`.
    """
    labels = list(tables)
    values = apply_overrides(Document(Path(), dict(tables), {}), overrides).values
    problems = [_unknown(label, labels) for label in values if label not in tables]
    if problems:
        raise ExperimentError(problems)
    entries = [{**values[label], "label": label} for label in labels]
    document = Document(Path(), {"evaluators": entries}, {})
    draft, found = choose(document, registry, Origin({}), kinds=("evaluator",), samples=samples)
    problems += [_relabelled(problem, labels) for problem in found]
    for path, offer in draft.of("evaluators").items():
        if offer and not issubclass(samples, offer.component.accepts):
            message = f"`{offer.component.name}` does not work on {samples.word}"
            problems.append(Problem(draft.label(path, offer), message))
    if problems:
        raise ExperimentError(problems)
    chosen = [each for each in draft.selections.values() if isinstance(each, EvaluatorSelection)]
    return tuple(_at_label(evaluator, label) for evaluator, label in zip(chosen, labels, strict=True))


def _at_label(evaluator: EvaluatorSelection, label: str) -> EvaluatorSelection:
    """Return an evaluator whose keys stand at its label, where a file would have an index."""
    inside = evaluator.features.path.removeprefix(evaluator.path)
    return replace(evaluator, path=label, features=replace(evaluator.features, path=f"{label}{inside}"))


def _unknown(label: str, labels: Sequence[str]) -> Problem:
    hint = "\n".join(filter(None, (did_you_mean(label, labels), f"those measured: {listing(labels)}")))
    return Problem(label, f"no evaluator here is called `{label}`", hint)


def _relabelled(problem: Problem, labels: Sequence[str]) -> Problem:
    """Return a problem with the evaluator's label where a file would have an index."""
    _, index, *rest = problem.path.split(".")
    return replace(problem, path=".".join([labels[int(index)], *rest]))
