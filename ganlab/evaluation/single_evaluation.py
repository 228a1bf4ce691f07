"""An evaluator at work: its reference, what it froze, and its measurements."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab.arithmetic import exact_arithmetic
from ganlab.config.selection import EvaluatorSelection
from ganlab.errors import ComponentError, GanlabError
from ganlab.evaluation.banks import FeatureBank
from ganlab.evaluation.collector import Collector
from ganlab.evaluation.evaluator import Estimate, Evaluator, Shown
from ganlab.evaluation.feature_pass import FeaturePass, wanted_reals
from ganlab.evaluation.measurement import Measurement
from ganlab.evaluation.standardise import Standardiser
from ganlab.plain_state import plain_state
from ganlab.words import counted

__all__ = ["Reals", "SingleEvaluation"]

_PICTURE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Reals:
    """Real samples as a pass over them left them.

    Attributes:
        collector: their features.
        indices: `(n,)` where the samples are in the data.
        labels: `(n,)` int64 classes; `None` where there are none.
    """

    collector: Collector
    indices: NDArray[np.int64]
    labels: torch.Tensor | None


class SingleEvaluation:
    """One entry of `[[evaluators]]`.

    Args:
        selection: the entry.
        evaluator: what its component built.
        features: the pass over the features it works on.
        data: hex digest of the real samples, and of which of them are held out.

    Attributes:
        indices: where the rows of the reference bank are in the data.
    """

    def __init__(
        self, selection: EvaluatorSelection, evaluator: Evaluator, features: FeaturePass, data: str
    ) -> None:
        self.selection = selection
        self._data = data
        self._evaluator = evaluator
        self._features = features
        self._standardiser: Standardiser | None = None
        self._restored: Mapping[str, Any] = {}
        self._real: FeatureBank | None = None
        self.indices = np.zeros(0, dtype=np.int64)
        self._n_heldout = 0
        self._floor: Mapping[str, Estimate] = {}

    @property
    def label(self) -> str:
        """What tags and files call it."""
        return self.selection.label

    def prepare(self, reference: Reals, held_out: Reals | None) -> None:
        """Freeze what is frozen, or restore it, and measure the floor."""
        wanted = wanted_reals(self.selection, reference.collector.demand.count)
        self._standardiser = None
        if "standardiser" in self._restored:
            self._standardiser = Standardiser.from_state(self._restored["standardiser"])
        elif self._features.extractor.standardise:
            self._standardiser = Standardiser.fit(self._bank(reference.collector, wanted))
        real = self._bank(reference.collector, wanted, reference.labels)
        other = None
        if held_out is not None:
            other = self._bank(held_out.collector, self.selection.settings.samples, held_out.labels)
        with self._working():
            self._evaluator.prepare(real, other)
            if "evaluator" in self._restored:
                self._evaluator.load_state_dict(self._restored["evaluator"])
        if other is not None:
            self._floor, self._n_heldout = self._evaluate(real, other, self._floor_refused(other.n)), other.n
        self._real, self.indices = real, reference.indices

    def measure(self, fakes: Collector) -> Iterator[Measurement]:
        """Yield a measurement for each of the evaluator's metrics; `prepare` comes first."""
        assert self._real is not None
        fake = self._bank(fakes, self.selection.settings.samples)
        estimates = self._evaluate(self._real, fake)
        cautions = tuple(self._cautions(self._real, fake))
        for metric in self.selection.component.metrics:
            estimate = estimates[metric.name]
            yield Measurement(
                evaluator=self.label,
                metric=metric,
                estimate=estimate,
                floor=self._floor.get(metric.name),
                n_real=self._real.n,
                n_fake=fake.n,
                n_heldout=self._n_heldout,
                features=self._features.name,
                protocol=self._features.extractor.protocol,
                fingerprint=self._features.extractor.fingerprint(),
                procedure=_procedure(self.selection),
                data=self._data,
                batch_size=self._features.batch_size,
                warnings=(*estimate.warnings, *cautions),
                notes=estimate.notes,
            )

    def pictures(self, fakes: Collector) -> Mapping[str, Sequence[Sequence[Shown]]]:
        """Return what the evaluator has to show of the samples that were just measured.

        Raises:
            GanlabError: a picture's name cannot be a part of file names.
        """
        assert self._real is not None
        with self._working():
            pictures = self._evaluator.pictures(
                self._real, self._bank(fakes, self.selection.settings.samples)
            )
        for name in pictures:
            if not _PICTURE_NAME.fullmatch(name):
                raise GanlabError(
                    f"evaluator `{self.selection.label}` calls a picture {name!r}; a name is a word "
                    "of letters a to z, digits, `.`, `_` and `-`, the first a letter or digit"
                )
        return pictures

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen; `{}` if nothing is yet."""
        if self._real is None:
            return dict(self._restored)
        with self.selection.blamed():
            kept = plain_state(self._evaluator.state_dict())
        state: dict[str, Any] = {
            "evaluator": kept,
            "features": self._features.extractor.fingerprint(),
        }
        if self._standardiser is not None:
            state["standardiser"] = self._standardiser.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what was frozen from `state`, at the next `prepare`.

        Raises:
            GanlabError: it was frozen on other features.
        """
        features = self._features.extractor.fingerprint()
        if state.get("features", features) != features:
            raise GanlabError(
                f"evaluator `{self.label}`: the features `{self._features.name}` are not those that it has "
                "measured by so far: their file of weights or their definition has changed; undo that, or "
                "give the evaluator another label"
            )
        self._restored = state
        self._real = None

    def _bank(self, collector: Collector, count: int, labels: torch.Tensor | None = None) -> FeatureBank:
        needs = self.selection.component.needs
        bank = collector.bank(needs, count, labels=labels, names=self._features.extractor.names())
        return bank if self._standardiser is None else self._standardiser.apply(bank)

    def _evaluate(
        self, real: FeatureBank, other: FeatureBank, blame: AbstractContextManager[None] | None = None
    ) -> Mapping[str, Estimate]:
        with self._working(), blame or nullcontext():
            estimates = self._evaluator.evaluate(real, other)
            self._require_estimates(estimates)
        return estimates

    def _require_estimates(self, estimates: Any) -> None:
        declared = {metric.name for metric in self.selection.component.metrics}
        if not isinstance(estimates, Mapping):
            raise ComponentError(f"evaluate() must return a dict, not a {type(estimates).__name__}")
        if not all(isinstance(estimate, Estimate) for estimate in estimates.values()):
            raise ComponentError(f"evaluate() must return `ganlab.Estimate`s, not {estimates!r:.200}")
        if set(estimates) != declared:
            raise ComponentError(
                f"it declares the metrics {sorted(declared)} and yields {sorted(estimates)}; `metrics` must "
                "name each number"
            )

    def _cautions(self, real: FeatureBank, fake: FeatureBank) -> Iterator[str]:
        """Yield what a reader must know whatever the evaluator is."""
        yield from self._features.extractor.warnings
        for which, bank in (("real", real), ("generated", fake)):
            if bank.constant:
                yield f"the features of all {bank.n} {which} samples are equal"
        if self._n_heldout == 0:
            yield "no floor: fewer than 2 real samples are held out"
        elif self._n_heldout < fake.n:
            of = counted(self._n_heldout, "held-out sample")
            yield f"the floor is of {of}, the value of {fake.n:,} generated ones"

    @contextmanager
    def _floor_refused(self, n: int) -> Iterator[None]:
        """Say of a refusal inside the block that it is the floor which cannot be measured."""
        try:
            yield
        except ComponentError as error:
            raise ComponentError(
                f"{error} (the floor is of {counted(n, 'held-out sample')}: hold out more or none)",
                option=error.option,
            ) from error

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Compute exactly; whatever the evaluator raises names its entry."""
        with self.selection.blamed(), exact_arithmetic(torch.device("cpu")):
            yield


def _procedure(selection: EvaluatorSelection) -> str:
    """Return a hex digest of an evaluator's name and options, and of how many samples it asks for.

    Options that it hands on to its features are known by their fingerprint, wherever their files lie, and
    so no paths count; options at their defaults are left out, so that a later version may have more.
    """
    options = selection.options.model_dump(mode="json", exclude_defaults=True)
    handed_on = type(selection.features.options).model_fields if selection.component.features_of else ()
    told = {
        name: value
        for name, value in options.items()
        if name not in handed_on and not isinstance(getattr(selection.options, name), Path)
    }
    content = [selection.component.name, told, selection.settings.samples]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
