"""What is reported of a run while it trains: scalars, pictures, measurements, warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab import tags
from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.engine.sampling import run_for_evaluation
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.measurement import Measurement
from ganlab.training.health import Health
from ganlab.training.pictures import Pictures
from ganlab.training.recorder import Recorder
from ganlab.training.speed import Speed, memory

__all__ = ["Marks", "Reports"]


@dataclass(frozen=True)
class Marks:
    """The steps that were last reported on, so that a run that continues reports on each of them once.

    Attributes:
        logged: the last whose scalars were logged; nothing is logged before training.
        drawn: the last whose pictures were drawn; -1 before any.
        evaluated: the last that was measured; -1 before any.
    """

    logged: int = 0
    drawn: int = -1
    evaluated: int = -1


class Reports:
    """Makes the reports that are due after a step, each once.

    Args:
        engine: what trains.
        data: what it trains on.
        evaluation: what is measured.
        recorder: where reports go.

    Attributes:
        evaluation: what is measured.
        health: judges how the run is doing.
        marks: how far reports got.
        pictures: draws what the generator makes.
        speed: times the steps.
    """

    def __init__(self, engine: Engine, data: Data, evaluation: Evaluation, recorder: Recorder) -> None:
        settings = engine.experiment.settings
        self.evaluation = evaluation
        self.health = Health(patience=settings.health.patience, steps=settings.training.steps)
        self.marks = Marks()
        self.pictures = Pictures(engine, data, settings.samples.count)
        self.speed = Speed(engine.feed, engine.images_per_step, engine.step)
        self._engine = engine
        self._settings = settings
        self._recorder = recorder

    def due(self, every: int, last: int) -> bool:
        """Return whether something is due after this step, and was not done yet.

        Args:
            every: it is due at every so many steps, and at the end.
            last: the step after which it was done last.
        """
        step = self._engine.step
        return last < step and (step % every == 0 or step == self._settings.training.steps)

    def catch_up(self) -> None:
        """Wait until an accelerator has played the steps that are queued for it; that time is theirs.

        Raises:
            DivergedError: something in them was not finite.
        """
        with self.speed:
            self._engine.guard.verify()

    def log(self) -> None:
        """Log the scalars since the last log point, if that is due."""
        engine = self._engine
        if not self.due(self._settings.training.log_every, self.marks.logged):
            return
        self.catch_up()
        values = engine.meter.read()
        for name, player in engine.players.items():
            values[tags.learning_rate(name)] = player.learning_rate
            values[tags.updates(name)] = player.updates
        values[tags.IMAGES] = engine.images_seen
        values |= self.speed.read(engine.step) | memory(engine.device)
        self.marks = replace(self.marks, logged=engine.step)
        self._recorder.log(engine.step, values)
        for refusal in engine.graphs.take_refusals():
            self._recorder.message(refusal)
        engine.require_agreement()
        for warning in self.health.log(engine.step, values):
            self._recorder.warning(warning)

    def draw(self) -> None:
        """Draw what the generator makes of the fixed latents, if that is due; real samples once beside it."""
        engine = self._engine
        if not self.due(self._settings.samples.every, self.marks.drawn):
            return
        self.catch_up()
        engine.share_buffers()
        if self.marks.drawn < 0:
            self._recorder.picture("real", engine.step, self.pictures.real())
        drawn = self.pictures.generated()
        for name, picture in drawn.pictures.items():
            self._recorder.picture(name, engine.step, picture)
        self.marks = replace(self.marks, drawn=engine.step)
        for warning in self.health.drawn(engine.step, drawn.diversity):
            self._recorder.warning(warning)

    def measure(self) -> list[Measurement]:
        """Run the evaluators that are due; return what they measured, in every process."""
        engine = self._engine
        due = [
            choice.label
            for choice in engine.experiment.evaluators
            if self.due(choice.settings.every, self.marks.evaluated)
        ]
        if not due:
            return []
        self.catch_up()
        engine.share_buffers()
        own = self.evaluation.run(self._generate, due, show=self._show_evaluated)
        measurements = engine.processes.broadcast_object(own)
        self._recorder.measurements(engine.step, measurements)
        self.marks = replace(self.marks, evaluated=engine.step)
        return measurements

    def judge_progress(self, *, improved: bool) -> None:
        """Warn if the metric that chooses the best checkpoint has not improved for long.

        Args:
            improved: whether it has just now.
        """
        for warning in self.health.evaluated(self._engine.step, improved):
            self._recorder.warning(warning)

    def _show_evaluated(self, label: str, name: str, picture: NDArray[np.uint8]) -> None:
        self._recorder.picture(tags.evaluated_picture(label, name), self._engine.step, picture)

    def _generate(self, rows: slice) -> Iterator[torch.Tensor]:
        """Yield generated samples for evaluation, some rows of what is always the same set.

        Their latents are drawn for the evaluator that needs most, so that none sees others when it is
        due alone.
        """
        engine = self._engine
        labels = engine.labels if engine.networks.generator_takes_labels else None
        most = self.evaluation.most_samples
        yield from run_for_evaluation(engine.generator, engine.experiment, most, labels, rows)
