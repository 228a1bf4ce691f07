"""The component under test, and how a broken promise is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeVar

from ganlab.components import Component, LatentSpec, Options, SampleSpec
from ganlab.errors import ComponentError, located, mending
from ganlab.memory import is_out_of_memory

__all__ = ["CLASSES", "ConformanceError", "Finding", "Findings", "RefusedError", "Subject", "Unfounded"]

ComponentT = TypeVar("ComponentT", bound=Component, covariant=True)

CLASSES = 3


class ConformanceError(AssertionError):
    """A component breaks a promise of its kind; the message says which, and what would be right."""


class RefusedError(ConformanceError):
    """A component does not work with what it is tried on, and says so: no promise is known to be broken.

    Args:
        message: the whole of it, with what a test could do about it.
        refusal: what the component asks for, alone.
    """

    def __init__(self, message: str, refusal: str) -> None:
        super().__init__(message)
        self.refusal = refusal


class Unfounded(Exception):  # noqa: N818 - no error: it ends an examination
    """A promise is broken that all others stand on, so that looking on would tell nothing."""


@dataclass(frozen=True)
class Finding:
    """A promise of a kind, and what became of it.

    Attributes:
        promise: in a few words.
        broken: what is wrong; `None` where the promise is kept.
    """

    promise: str
    broken: ConformanceError | None


class Findings:
    """The promises that were looked at, in order; one looked at several times must be kept each time."""

    def __init__(self) -> None:
        self._broken: dict[str, ConformanceError | None] = {}

    @contextmanager
    def promise(self, words: str, *, base: bool = False) -> Iterator[None]:
        """Note whether a promise is kept, which the block looks into.

        Args:
            words: the promise.
            base: whether what follows makes sense only if it is kept.

        Raises:
            Unfounded: it is broken, and `base`.
        """
        try:
            yield
        except ConformanceError as error:
            self._broken[words] = self._broken.get(words) or error
            if base:
                raise Unfounded from error
        else:
            self._broken.setdefault(words, None)

    def all(self) -> tuple[Finding, ...]:
        """Return what was found so far."""
        return tuple(Finding(*item) for item in self._broken.items())


@dataclass(frozen=True)
class Subject(Generic[ComponentT]):
    """A component under test.

    Attributes:
        component: the record.
        options: validated.
        specs: the samples it is tried on.
        latent: the noise that generators and encoders are tried with.
        invent_classes: try samples that have no classes a second time with some.
        advice: what could be done where it refuses to be tried; empty where that is not up to who reads it.
        findings: what became of the promises.
    """

    component: ComponentT
    options: Options
    specs: tuple[SampleSpec, ...]
    latent: LatentSpec
    invent_classes: bool = True
    advice: str = ""
    findings: Findings = field(default_factory=Findings)

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
            self.refuse(f"build({shown}) refuses: {error}", error)
        except Exception as error:
            promise = "it should build, or raise ganlab.ComponentError for a user's mistake"
            if is_out_of_memory(error):
                raise
            self.fail(f"build({shown}) raises {located(error)}; {mending(error) or promise}", error)

    def promise(self, words: str, *, base: bool = False) -> AbstractContextManager[None]:
        """Note whether a promise is kept, which the block looks into (`Findings.promise`)."""
        return self.findings.promise(words, base=base)

    def require(self, holds: bool, broken: str) -> None:
        """Raise if a promise does not hold.

        Raises:
            ConformanceError: with what is broken, and what would be right.
        """
        if not holds:
            self.fail(broken)

    @contextmanager
    def during(self, doing: str) -> Iterator[None]:
        """Turn whatever the component raises in a block into a broken promise, unless memory ran out."""
        try:
            yield
        except ConformanceError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            helps = mending(error)
            self.fail(f"{doing} raises {located(error)}" + (f"; {helps}" if helps else ""), error)

    def refuse(self, refusal: str, cause: Exception) -> NoReturn:
        """Raise a `RefusedError` that names the component."""
        who = f"{self.component.kind} `{self.component.name}`"
        advice = f"; {self.advice}" if self.advice else ""
        raise RefusedError(f"{who}: {refusal}{advice}", refusal) from cause

    def fail(self, broken: str, cause: Exception | None = None) -> NoReturn:
        """Raise a `ConformanceError` that names the component."""
        raise ConformanceError(f"{self.component.kind} `{self.component.name}`: {broken}") from cause
