"""A component as an experiment chose it: from the choice to what it builds, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic

from typing_extensions import TypeVar

from ganlab.component_settings import ComponentSettings, EvaluatorSettings, LossSettings
from ganlab.components import Component, EvaluatorComponent, FeaturesComponent, LossComponent, Options
from ganlab.config.origin import Origin
from ganlab.errors import (
    ComponentCrashError,
    ComponentError,
    ExperimentError,
    GanlabError,
    OutOfMemoryError,
    located,
    mending,
    summarised,
)
from ganlab.files import reason
from ganlab.kinds import KINDS
from ganlab.memory import is_out_of_memory, is_overflow, out_of_memory

__all__ = ["EvaluatorSelection", "LossSelection", "Selection", "by_label"]

ComponentT = TypeVar("ComponentT", bound=Component, covariant=True)
SettingsT = TypeVar("SettingsT", bound=ComponentSettings, covariant=True, default=ComponentSettings)


@dataclass(frozen=True)
class Selection(Generic[ComponentT, SettingsT]):
    """One component that a table of the experiment chose, with everything that the table says of it.

    Attributes:
        component: the record that a plugin yielded.
        options: an instance of `component.options`, validated.
        settings: what the core reads from the table, validated.
        path: dotted path of its table, as in `losses.0`.
        origin: where keys stand, for errors.
    """

    component: ComponentT
    options: Options
    settings: SettingsT
    path: str
    origin: Origin

    @property
    def label(self) -> str:
        """What tags and files call this entry: its `label`, or the component's name."""
        return getattr(self.settings, "label", None) or self.component.name

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
                f"{self.who} cannot be built: its options ask for too much: {summarised(error.__cause__)}"
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
            doing: what the component is doing, for the message where memory runs out.
            advice: what would help against that; what helps its kind if left out.

        Raises:
            ExperimentError: a `ComponentError`, with the file and line of the option at fault, or a file
                that the system refuses.
            OutOfMemoryError: memory could not be allocated.
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
        """Return an out-of-memory error with the component's name and place."""
        helps = KINDS[self.component.kind].less_memory if advice is None else advice
        shortage = out_of_memory(error, f"in {self.who} {doing}", helps)
        return OutOfMemoryError(str(self.origin.problem(self.path, str(shortage))))

    def crash(self, error: Exception) -> ComponentCrashError:
        """Return an exception of the component's own with its name, and where it happened."""
        what = f"{self.who} raised {located(error)}"
        helps = mending(error) or "this is a bug in its plugin"
        hint = f"{helps}; --traceback shows the way there"
        return ComponentCrashError(str(self.origin.problem(self.path, what, hint)))

    def refusal(self, error: ComponentError) -> ExperimentError:
        """Return a component's refusal with the place of the option at fault."""
        path = f"{self.path}.{error.option}" if error.option else self.path
        return ExperimentError([self.origin.problem(path, str(error))])


@dataclass(frozen=True)
class EvaluatorSelection(Selection[EvaluatorComponent, EvaluatorSettings]):
    """An evaluator with the extractor whose features it looks at."""

    features: Selection[FeaturesComponent]


@dataclass(frozen=True)
class LossSelection(Selection[LossComponent, LossSettings]):
    """A loss with the extractor that it looks at samples through; `None` where it sees them as they are."""

    features: Selection[FeaturesComponent] | None = None


def by_label(selections: Mapping[str, Selection[Any, Any]]) -> Iterator[tuple[str, Selection[Any, Any]]]:
    """Yield the path of each chosen component's table, entries of arrays by their label, and the choice.

    Args:
        selections: by the paths of their tables, entries of arrays by their index.
    """
    for place, selection in selections.items():
        section, _, inside = place.partition(".")
        index, _, nested = inside.partition(".")
        if index.isdecimal():
            inside = ".".join(filter(None, (selections[f"{section}.{index}"].label, nested)))
        yield ".".join(filter(None, (section, inside))), selection
