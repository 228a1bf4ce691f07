"""A validated experiment: settings, and the components that they chose."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from ganlab.components import (
    Component,
    DatasetComponent,
    DiscriminatorComponent,
    EncoderComponent,
    EvaluatorComponent,
    FeaturesComponent,
    GeneratorComponent,
    ImageSpec,
    LatentSpec,
    LossComponent,
    Metric,
    Options,
    TrackerComponent,
)
from ganlab.config.settings import EvaluatorSettings, LossSettings, Settings
from ganlab.errors import ComponentCrashError, ComponentError, ExperimentError, GanlabError, Problem
from ganlab.files import reason
from ganlab.registry import Registry

__all__ = ["BestMetric", "EvaluatorChoice", "Experiment", "LossChoice", "Origin", "Selection"]

ComponentT = TypeVar("ComponentT", bound=Component, covariant=True)


@dataclass(frozen=True)
class Origin:
    """Where an experiment's keys stand.

    Attributes:
        places: dotted path -> (file, 1-based line); paths inside arrays carry indices.
    """

    places: Mapping[str, tuple[Path | None, int | None]]

    def find(self, path: str) -> tuple[Path | None, int | None]:
        """Return the place of a key, or of the nearest table around it."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.places.get("", (None, None))

    def problem(self, path: str, message: str, hint: str = "") -> Problem:
        """Return a problem at a key, with its file and line."""
        file, line = self.find(path)
        return Problem(path=path, message=message, hint=hint, file=file, line=line)


@dataclass(frozen=True)
class Selection(Generic[ComponentT]):
    """One component that the experiment chose, with its validated options.

    Attributes:
        component: the record that a plugin yielded.
        options: an instance of `component.options`.
        label: what tags and files call this entry.
        path: dotted path of its table, as in `losses.0`.
        origin: where keys stand, for errors.
    """

    component: ComponentT
    options: Options
    label: str
    path: str
    origin: Origin

    def build(self, *context: Any) -> Any:
        """Call the component's `build(options, *context)`.

        Raises:
            ExperimentError: the component refused, with the file and line of the option at fault.
            ComponentCrashError: it raised anything else.
        """
        with self.blamed():
            return self.component.build(self.options, *context)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the component in whatever its code raises inside the block.

        Raises:
            ExperimentError: a `ComponentError`, with the file and line of the option at fault, or a file
                that the system refuses.
            ComponentCrashError: any exception that is not meant for people.
        """
        try:
            yield
        except ComponentError as error:
            raise self.refusal(error) from error
        except GanlabError:
            raise
        except OSError as error:
            if error.filename is None:
                raise self.crash(error) from error
            message = f"{self._name} cannot use {error.filename}: {reason(error)}"
            raise ExperimentError([self.origin.problem(self.path, message)]) from error
        except Exception as error:
            raise self.crash(error) from error

    @property
    def _name(self) -> str:
        return f"the {self.component.kind} {self.component.name!r}"

    def crash(self, error: Exception) -> ComponentCrashError:
        """Return an exception of the component's own with its name, and where it arose."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{self._name} raised {type(error).__name__}: {error} (at {frame.filename}:{frame.lineno})"
        hint = "this is a bug in its plugin; --traceback shows the way there"
        return ComponentCrashError(str(self.origin.problem(self.path, what, hint)))

    def refusal(self, error: ComponentError) -> ExperimentError:
        """Return a component's refusal with the place of the option at fault."""
        path = f"{self.path}.{error.option}" if error.option else self.path
        return ExperimentError([self.origin.problem(path, str(error))])


@dataclass(frozen=True)
class LossChoice:
    """An entry of `[[losses]]`."""

    selection: Selection[LossComponent]
    settings: LossSettings


@dataclass(frozen=True)
class EvaluatorChoice:
    """An entry of `[[evaluators]]` with the extractor it works on."""

    selection: Selection[EvaluatorComponent]
    features: Selection[FeaturesComponent]
    settings: EvaluatorSettings


@dataclass(frozen=True)
class BestMetric:
    """The metric that chooses the best checkpoint.

    Attributes:
        label: the evaluator's label.
        metric: which of its numbers, with its direction.
    """

    label: str
    metric: Metric


@dataclass(frozen=True)
class Experiment:
    """A validated experiment. Nothing is built yet, and torch has not been imported.

    Attributes:
        settings: the static part, every default filled in.
        image: the `[image]` table with the dataset's suggestions filled in; `None` where
            the dataset yields vectors.
        best: what chooses the best checkpoint; `None` if nothing is evaluated.
        resolved: everything as nested tables: the content of `resolved.toml`.
        origin: where keys stand.
        file: the experiment file.
        plugin_files: the sources of local plugins, helpers beside them included, by their path
            relative to the directory that they are imported from (`patch_gan.py`).
        registry: the components that were to choose from.
        warnings: what differs from the `[provenance]` that the file brought along.
    """

    settings: Settings
    dataset: Selection[DatasetComponent]
    generator: Selection[GeneratorComponent]
    discriminator: Selection[DiscriminatorComponent] | None
    encoder: Selection[EncoderComponent] | None
    losses: tuple[LossChoice, ...]
    evaluators: tuple[EvaluatorChoice, ...]
    trackers: tuple[Selection[TrackerComponent], ...]
    image: ImageSpec | None
    latent: LatentSpec
    best: BestMetric | None
    resolved: Mapping[str, Any]
    origin: Origin
    file: Path
    plugin_files: Mapping[str, Path]
    registry: Registry = field(repr=False)
    warnings: tuple[str, ...] = ()
