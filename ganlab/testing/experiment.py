"""The components that train in an experiment, held against the promises of their kinds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from ganlab.components import Component, SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.config.selection import Selection
from ganlab.errors import located, printable
from ganlab.runs.reporting import print_warning
from ganlab.testing.conformance import examine_selection
from ganlab.testing.subject import RefusedError

__all__ = ["trained_selections", "warn_of_broken_promises"]

_LONGEST = 1000


def trained_selections(experiment: Experiment) -> list[Selection[Component]]:
    """Return the networks, augmentations, losses and optimizers, each optimizer with its options once."""
    networks = (experiment.generator, experiment.discriminator, experiment.encoder)
    selections: list[Selection[Component]] = [selection for selection in networks if selection is not None]
    selections += [*experiment.augmentations, *experiment.losses]
    for player, optimizer in experiment.optimizers.items():
        known = [(selection.component, selection.options) for selection in selections]
        if getattr(experiment, player) is not None and (optimizer.component, optimizer.options) not in known:
            selections.append(optimizer)
    return selections


def warn_of_broken_promises(experiment: Experiment, spec: SampleSpec) -> None:
    """Print a warning for each promise that a component of a local plugin file breaks.

    Installed packages have tests for that. Nothing is raised, whatever a component does, and global
    randomness is left as it was.

    Args:
        experiment: what is about to train.
        spec: its samples.
    """
    files = {
        id(offer.component): _plugin_file(offer.provenance.files[0].path)
        for offer in experiment.registry.offers
        if offer.provenance.files
    }
    for selection in trained_selections(experiment):
        if file := files.get(id(selection.component)):
            for broken in _broken(selection, spec, experiment):
                more = f"\n    `ganlab check {_as_argument(file)}` says more"
                print_warning(printable(f"{file}: {broken}", _LONGEST) + more)


def _broken(selection: Selection[Component], spec: SampleSpec, experiment: Experiment) -> Iterator[str]:
    component = selection.component
    who = f"{component.kind} `{component.name}`"
    try:
        findings = examine_selection(selection, spec, experiment.latent)
    except Exception as error:  # the run does not depend on it
        yield f"{who} could not be held against its promises: {located(error)}"
        return
    for finding in findings:
        if finding.broken and not isinstance(finding.broken, RefusedError):
            reason = str(finding.broken).removeprefix(f"{who}: ")
            yield f"{who} breaks the promise “{finding.promise}”: {reason}"


def _plugin_file(source: Path) -> Path:
    return source.parent if source.name == "__init__.py" else source


def _as_argument(file: Path) -> str:
    """Return a file as a shell takes it: relative to the working directory where it lies below."""
    here = Path.cwd()
    path = f"./{file.relative_to(here)}" if file.is_relative_to(here) else str(file)
    return shlex.quote(path)
