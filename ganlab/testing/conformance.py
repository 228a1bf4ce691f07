"""`check_component` and `examine`: one call for every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from ganlab.components import Component, DatasetComponent, LatentSpec, SampleSpec
from ganlab.config.selection import Selection
from ganlab.kinds import KINDS
from ganlab.samples import accepted_kinds
from ganlab.testing.component_record import check_record
from ganlab.testing.subject import ConformanceError, Finding, Findings, Subject, Unfounded

__all__ = ["check_component", "check_selection", "examine", "examine_selection"]


def check_component(
    component: Component,
    *,
    options: Mapping[str, Any] | None = None,
    spec: SampleSpec | None = None,
    latent: LatentSpec | None = None,
) -> None:
    """Hold a component against every promise that its kind makes, as `examine` does.

    Raises:
        ConformanceError: a promise is broken, the first of them; the message says which, and what
            would be right.
    """
    _raise_first(examine(component, options=options, spec=spec, latent=latent))


def examine(
    component: Component,
    *,
    options: Mapping[str, Any] | None = None,
    spec: SampleSpec | None = None,
    latent: LatentSpec | None = None,
) -> tuple[Finding, ...]:
    """Return what became of every promise that a component's kind makes.

    The record is looked at first, then what it builds: on small random samples, on the CPU, in
    seconds. Torch's global randomness is left as it was.

    Args:
        component: a record as a hook yields it.
        options: options as a TOML table would give them; defaults for the rest.
        spec: the samples to try it on. If left out, a small one of each kind that `accepts`
            names, such as 3×32×32 images; for a dataset of images, its own `image`. Networks and losses are
            tried on samples with classes too, where the spec has none.
        latent: the noise for generators, encoders and losses; 16 normal elements if left out.

    Returns:
        The promises in the order in which they were looked at. Where one is broken that the others stand
        on, it is the last.

    Raises:
        ConformanceError: `component` is no record.
    """
    kind = getattr(component, "kind", None)
    if kind is None or kind not in KINDS or not isinstance(component, KINDS[kind].record):
        records = ", ".join(each.record.__name__ for each in KINDS.values())
        raise ConformanceError(
            f"check_component() takes a record, not {component!r:.80}; the records are {records}"
        )
    findings = Findings()
    with suppress(Unfounded):
        checked = check_record(component, options or {}, findings)
        specs = _specs(component, spec)
        advice = "give check_component() `options` and a `spec` that it accepts"
        noise = latent or LatentSpec(dim=16)
        subject = Subject(component, checked, specs, noise, advice=advice, findings=findings)
        _look_into(subject)
    return findings.all()


def check_selection(selection: Selection[Component], spec: SampleSpec, latent: LatentSpec) -> str:
    """Hold a network or a loss as an experiment chose it against the promises of its kind.

    It is built with the experiment's options for the experiment's samples, on the CPU.

    Args:
        selection: a generator, discriminator, encoder or loss.
        spec: the experiment's samples.
        latent: the experiment's noise.

    Returns:
        What was checked, in words.

    Raises:
        ConformanceError: a promise is broken; the message says which, and what would be right.
    """
    _raise_first(examine_selection(selection, spec, latent))
    promises: str = _promises(selection.component.kind).PROMISES
    return promises


def examine_selection(
    selection: Selection[Component], spec: SampleSpec, latent: LatentSpec
) -> tuple[Finding, ...]:
    """Return what became of every promise, as `check_selection` looks at them."""
    subject = Subject(selection.component, selection.options, (spec,), latent, invent_classes=False)
    with suppress(Unfounded):
        _look_into(subject)
    return subject.findings.all()


def _look_into(subject: Subject[Component]) -> None:
    from ganlab.engine.streams import isolated_randomness

    with subject.promise("it accepts what it is tried on", base=True):
        for each in subject.specs:
            subject.require(
                isinstance(each, subject.component.accepts),
                f"`spec` is {each}, but `accepts` has only "
                f"{', '.join(accepted.__name__ for accepted in subject.component.accepts)}; test it on what "
                "it accepts",
            )
    with isolated_randomness(0):
        _promises(subject.component.kind).check(subject)


def _promises(kind: str) -> ModuleType:
    return import_module(f"ganlab.testing.kinds.{kind}")


def _raise_first(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.broken is not None:
            raise finding.broken


def _specs(component: Component, spec: SampleSpec | None) -> tuple[SampleSpec, ...]:
    if spec is not None:
        return (spec,)
    kinds = accepted_kinds(component.accepts)
    if isinstance(component, DatasetComponent) and all(kind.sized_by_image_table for kind in kinds):
        return (component.image,)
    return tuple(kind.small() for kind in kinds)
