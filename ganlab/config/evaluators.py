"""Evaluators without an experiment: chosen and set on a command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganlab.components import ImageSpec, VectorSpec
from ganlab.config.document import Document
from ganlab.config.experiment import EvaluatorChoice, Origin, Selection
from ganlab.config.overrides import apply_overrides
from ganlab.config.selection import Chosen, choose
from ganlab.config.settings import EvaluatorSettings
from ganlab.config.wording import validation_problems
from ganlab.errors import ExperimentError, Problem
from ganlab.registry import Registry
from ganlab.registry.classifier import CORE_KEYS
from ganlab.registry.suggest import did_you_mean, listing

__all__ = ["choose_evaluators"]

_NOWHERE = Origin({})


def choose_evaluators(
    tables: Mapping[str, Mapping[str, Any]],
    samples: type[ImageSpec] | type[VectorSpec],
    registry: Registry,
    overrides: Sequence[str] = (),
) -> tuple[EvaluatorChoice, ...]:
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
    choices, found = choose(Document(Path(), {"evaluators": entries}, {}), registry, _NOWHERE, samples)
    problems += [_relabelled(problem, labels) for problem in found]
    settings = []
    for label, entry in zip(labels, entries, strict=True):
        try:
            settings.append(EvaluatorSettings.model_validate_json(json.dumps(entry)))
        except ValidationError as error:
            keys = CORE_KEYS["evaluator"]
            problems += validation_problems(
                error, EvaluatorSettings, entry, path=label, origin=_NOWHERE, core_keys=keys
            )
    for chosen in filter(None, choices.evaluators):
        if samples not in chosen.offer.component.accepts:
            what = "images" if samples is ImageSpec else "vectors"
            problems.append(Problem(chosen.label, f"`{chosen.offer.component.name}` does not work on {what}"))
    if problems:
        raise ExperimentError(problems)
    return tuple(
        EvaluatorChoice(_selection(evaluator, label), _features(evaluator, features, label), entry)
        for label, evaluator, features, entry in zip(
            labels, choices.evaluators, choices.features, settings, strict=True
        )
    )


def _unknown(label: str, labels: Sequence[str]) -> Problem:
    hint = "\n".join(filter(None, (did_you_mean(label, labels), f"those measured: {listing(labels)}")))
    return Problem(label, f"no evaluator here is called `{label}`", hint)


def _relabelled(problem: Problem, labels: Sequence[str]) -> Problem:
    """Return a problem with the evaluator's label where a file would have an index."""
    _, index, *rest = problem.path.split(".")
    return replace(problem, path=".".join([labels[int(index)], *rest]))


def _selection(chosen: Chosen | None, path: str) -> Selection[Any]:
    assert chosen is not None, "a choice without problems has found every component"
    return Selection(chosen.offer.component, chosen.options, chosen.label, path, _NOWHERE)


def _features(evaluator: Chosen | None, chosen: Chosen | None, label: str) -> Selection[Any]:
    # What its own extractor refuses stands among an evaluator's keys, as in a file.
    own = evaluator is not None and evaluator.features_of is not None
    return _selection(chosen, label if own else f"{label}.features")
