"""The component under test, and how a broken promise is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from ganlab.components import Component, LatentSpec, Options, SampleSpec
from ganlab.errors import ComponentError, summarised
from ganlab.memory import is_out_of_memory

__all__ = ["CLASSES", "ConformanceError", "Subject"]

ComponentT = TypeVar("ComponentT", bound=Component, covariant=True)

CLASSES = 3


class ConformanceError(AssertionError):
    """A component breaks a promise of its kind; the message says which, and what would be right."""


@dataclass(frozen=True)
class Subject(Generic[ComponentT]):
    """A component under test.

    Attributes:
        component: the record.
        options: validated.
        specs: the samples it is tried on.
        latent: the noise that generators and encoders are tried with.
        invent_classes: try samples that have no classes a second time with some.
    """

    component: ComponentT
    options: Options
    specs: tuple[SampleSpec, ...]
    latent: LatentSpec
    invent_classes: bool = True

    @property
    def labelled_specs(self) -> tuple[SampleSpec, ...]:
        """`specs`, and each that has no classes a second time with some, where that is wanted."""
        if not self.invent_classes:
            return self.specs
        more = [spec.with_classes(CLASSES) for spec in self.specs if not spec.classes]
        return (*self.specs, *more)

    def build(self, *context: Any) -> Any:
        """Call the component's `build(options, *context)`."""
        shown = ", ".join(["options", *map(str, context)])
        try:
            return self.component.build(self.options, *context)
        except ComponentError as error:
            advice = "give check_component() `options` and a `spec` that it accepts"
            self.fail(f"build({shown}) refuses: {error}; {advice}", error)
        except Exception as error:
            promise = "it should build, or raise ganlab.ComponentError for a user's mistake"
            if is_out_of_memory(error):
                raise
            self.fail(f"build({shown}) raises {summarised(error)}; {promise}", error)

    def require(self, holds: bool, broken: str) -> None:
        """Raise if a promise does not hold.

        Raises:
            ConformanceError: with what is broken, and what would be right.
        """
        if not holds:
            self.fail(broken)

    @contextmanager
    def during(self, doing: str) -> Iterator[None]:
        """Turn whatever the component raises in a block into a broken promise, but for a want of memory."""
        try:
            yield
        except ConformanceError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self.fail(f"{doing} raises {summarised(error)}", error)

    def fail(self, broken: str, cause: Exception | None = None) -> NoReturn:
        """Raise a `ConformanceError` that names the component."""
        raise ConformanceError(f"{self.component.kind} `{self.component.name}`: {broken}") from cause
