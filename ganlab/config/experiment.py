"""A validated experiment: settings, and the components that they chose."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
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
from ganlab.errors import (
    ComponentCrashError,
    ComponentError,
    ExperimentError,
    GanlabError,
    OutOfMemoryError,
    Problem,
    printable,
    summarised,
)
from ganlab.files import reason
from ganlab.memory import SMALLER_BATCH, is_out_of_memory, is_overflow, out_of_memory
from ganlab.registry import Registry

__all__ = ["BestMetric", "EvaluatorChoice", "Experiment", "LossChoice", "Origin", "Selection"]

_LESS_MEMORY = {
    "generator": SMALLER_BATCH,
    "discriminator": SMALLER_BATCH,
    "encoder": SMALLER_BATCH,
    "loss": SMALLER_BATCH,
    "evaluator": "lower the evaluator's `samples`",
    "features": "lower the `samples` of the evaluators that look at them",
}
"""What helps where a component of a kind runs out of memory at work."""

ComponentT = TypeVar("ComponentT", bound=Component, covariant=True)


@dataclass(frozen=True)
class Origin:
    """Where an experiment's keys stand.

    Attributes:
        places: dotted path -> (file, 1-based line); paths inside arrays carry indices.
        overrides: what `--set` gave: the origin of keys that stand in no file.
    """

    places: Mapping[str, tuple[Path | None, int | None]]
    overrides: Sequence[str] = ()

    def find(self, path: str) -> tuple[Path | None, int | None]:
        """Return the place of a key, or of the nearest table around it."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.places.get("", (None, None))

    def problem(self, path: str, message: str, hint: str = "") -> Problem:
        """Return a problem at a key, with its file and line, or the words of the `--set` that gave it."""
        file, line = self.find(path)
        if file is None:
            hint = "\n".join(filter(None, (hint, self._override(path))))
        return Problem(path=path, message=message, hint=hint, file=file, line=line)

    def _override(self, path: str) -> str:
        """Return the words of the `--set` that gave a key, or else the nearest table around it."""
        while path:
            for override in reversed(self.overrides):
                key = override.partition("=")[0].strip()
                if f"{path}.".startswith(f"{key}.") or key.startswith(f"{path}."):
                    return f"from --set {printable(override)}"
            path = path.rpartition(".")[0]
        return ""


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
            ExperimentError: the component refused, with the file and line of the option at fault, or
                its options ask for sizes beyond counting.
            OutOfMemoryError: they ask for more than there is.
            ComponentCrashError: it raised anything else.
        """
        try:
            with self.blamed("while it was built", "ask for less in its options, or in [latent] and [image]"):
                return self.component.build(self.options, *context)
        except ComponentCrashError as error:
            if error.__cause__ is None or not is_overflow(error.__cause__):
                raise
            message = (
                f"{self.who} cannot be built, its options ask for too much: {summarised(error.__cause__)}"
            )
            raise self.refusal(ComponentError(message)) from error.__cause__

    @property
    def who(self) -> str:
        """Kind and name, for sentences."""
        return f"the {self.component.kind} {self.component.name!r}"

    @contextmanager
    def blamed(self, doing: str = "while it worked", advice: str | None = None) -> Iterator[None]:
        """Name the component in whatever its code raises inside the block.

        Args:
            doing: what it is at, for a want of memory.
            advice: what would help against that; what helps its kind if left out.

        Raises:
            ExperimentError: a `ComponentError`, with the file and line of the option at fault, or a file
                that the system refuses.
            OutOfMemoryError: memory could not be had.
            ComponentCrashError: any exception that is not meant for people.
        """
        try:
            yield
        except ComponentError as error:
            raise self.refusal(error) from error
        except GanlabError:
            raise
        except OSError as error:
            if is_out_of_memory(error):
                raise self.shortage(error, doing, advice) from error
            if error.filename is None:
                raise self.crash(error) from error
            message = f"{self.who} cannot use {error.filename}: {reason(error)}"
            raise ExperimentError([self.origin.problem(self.path, message)]) from error
        except Exception as error:
            if is_out_of_memory(error):
                raise self.shortage(error, doing, advice) from error
            raise self.crash(error) from error

    def shortage(self, error: Exception, doing: str, advice: str | None = None) -> OutOfMemoryError:
        """Return a want of memory with the component's name and place."""
        helps = _LESS_MEMORY.get(self.component.kind, "") if advice is None else advice
        told = out_of_memory(error, f"in {self.who} {doing}", helps)
        return OutOfMemoryError(str(self.origin.problem(self.path, str(told))))

    def crash(self, error: Exception) -> ComponentCrashError:
        """Return an exception of the component's own with its name, and where it arose."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{self.who} raised {summarised(error)} (at {frame.filename}:{frame.lineno})"
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
