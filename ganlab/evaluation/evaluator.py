"""What evaluators and feature extractors are, and the banks they work on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import torch

    from ganlab.evaluation.banks import FeatureBank

__all__ = ["Estimate", "Evaluator", "FeatureExtractor", "Shown"]


@dataclass(frozen=True)
class Estimate:
    """One measured number and how far it can be trusted.

    Attributes:
        value: the number, raw: an unbiased estimate may be negative and stays so.
        standard_error: of `value`, where the estimator has one.
        warnings: what a reader must know before quoting it.
        notes: what explains it, such as the features that tell two sets apart.
    """

    value: float
    standard_error: float | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A sample in an evaluator's picture.

    Attributes:
        which: the bank it is of.
        row: its row there.
    """

    which: Literal["real", "fake"]
    row: int


class FeatureExtractor(ABC):
    """Turns samples into feature vectors: a pure function, each row of its own sample alone.

    Never random, never under autocast, and the same whatever the batch size.
    """

    protocol: str = ""
    """Name of the preprocessing, where one extractor has several; part of the metric's identity."""

    warnings: tuple[str, ...] = ()
    """What a reader must know of every number on these features."""

    standardise: ClassVar[bool] = False
    """Whether the core divides features by the reference set's spread before evaluators see them."""

    @abstractmethod
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` (or float32 vectors `(N, dimension)`) to float32 `(N, d)`.

        The samples' device is the one to work on.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hex digest of all that decides the features: definition, options, weights."""

    def names(self) -> Sequence[str]:
        """Return what each of the `d` features is, in words; nothing where they have no meaning."""
        return ()


class Evaluator(ABC):
    """Compares a bank of generated samples with a bank of real ones.

    Evaluators are pure functions of the banks. Whatever they freeze at the first
    look (a kernel's bandwidth) is set in `prepare` and kept in their state.
    """

    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:  # noqa: B027
        """Fix what is frozen for the run from the real samples; called once, before `evaluate`.

        Args:
            real: the reference bank.
            held_out: real samples that are not trained on; `None` where there are fewer than 2.
        """

    @abstractmethod
    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return an estimate for each metric that the component declares.

        The core calls it a second time with held-out real samples as `fake`; that
        number is the floor which stands beside the value.
        """

    def pictures(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Sequence[Sequence[Shown]]]:
        """Return pictures worth looking at, by name: rows of samples, for the core to draw.

        Called after `evaluate`, where samples are images. A name is a word of letters, digits, `.`,
        `_` and `-`, the first a letter or digit: it becomes a part of file names.
        """
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return what `prepare` froze, as tensors, numbers, strings, lists and dicts."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore what `state_dict` returned."""
