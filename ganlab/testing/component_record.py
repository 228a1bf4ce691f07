"""Promises of the record itself: its name, its summary, its options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic_core import to_jsonable_python

from ganlab.components import Component, EvaluatorComponent, Metric, Options
from ganlab.config.options import option_descriptions
from ganlab.config.origin import Origin
from ganlab.config.validation import check_options, default_values
from ganlab.kinds import KINDS
from ganlab.registry.classifier import record_fault
from ganlab.testing.subject import ConformanceError, Findings, RefusedError

__all__ = ["check_record"]


def check_record(component: Component, options: Mapping[str, Any], findings: Findings) -> Options:
    """Check a record, and return its options validated as those of an experiment are.

    Raises:
        Unfounded: the record, or `options`, are at fault.
    """
    with findings.promise("the record is complete", base=True):
        _check_fields(component)
    with findings.promise("every option is described"):
        undocumented = set(component.options.model_fields) - set(option_descriptions(component.options))
        if undocumented:
            _fail(
                component,
                f"option `{min(undocumented)}` has no description; put a string literal under the field",
            )
    with findings.promise("the options are valid", base=True):
        return _validated(component, options)


def _check_fields(component: Component) -> None:
    if fault := record_fault(component):
        _fail(component, fault)
    if "\n" in component.summary:
        _fail(component, "`summary` has several lines; `ganlab plugins` has room for one line")
    if isinstance(component, EvaluatorComponent):
        _check_metrics(component)


def _check_metrics(component: EvaluatorComponent) -> None:
    metrics = component.metrics
    if not metrics or not all(isinstance(metric, Metric) for metric in metrics):
        _fail(component, "`metrics` must be a tuple of ganlab.Metric, one for each number it yields")
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        _fail(component, f"`metrics` has two of one name: {', '.join(names)}")


def _validated(component: Component, options: Mapping[str, Any]) -> Options:
    fields = component.options.model_fields
    missing = [name for name, field in fields.items() if field.is_required() and name not in options]
    if missing:
        refusal = f"option `{missing[0]}` has no default"
        message = f"{component.kind} `{component.name}`: {refusal}; give check_component() a value for it"
        raise RefusedError(message, refusal)
    checked, problems = check_options(
        component.options,
        {**default_values(component.options), **to_jsonable_python(dict(options))},
        path="",
        origin=Origin({}),
        core_keys=KINDS[component.kind].core_keys,
        directories=dict.fromkeys(fields, Path.cwd()),
    )
    if checked is None:
        problem = problems[0]
        option = problem.path.strip(".")
        whose = "the value given for" if option.partition(".")[0] in options else "the default of"
        what = f"{whose} option `{option}` is" if option else "the options are"
        reason = f"it {problem.message}" if problem.message.startswith("must ") else problem.message
        _fail(component, f"{what} not valid: {reason}. {problem.hint}")
    return checked


def _fail(component: Component, broken: str) -> NoReturn:
    raise ConformanceError(f"{component.kind} `{component.name}`: {broken.rstrip('. ')}")
