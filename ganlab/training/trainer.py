"""The training loop: advance, and report, measure and save when it is time to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab import tags
from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.engine.sampling import run_for_evaluation
from ganlab.errors import DivergedError, GanlabError, InterruptedRunError
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.measurement import Measurement
from ganlab.memory import memory_explained
from ganlab.processes import Processes
from ganlab.runs.state import Best
from ganlab.training.health import Health
from ganlab.training.interrupt import StopRequest
from ganlab.training.pictures import Pictures
from ganlab.training.recorder import Recorder
from ganlab.training.speed import Speed, memory

__all__ = ["Trainer"]


class Trainer:
    """Takes an engine to its last step, and the run's record with it.

    Args:
        engine: what trains.
        data: what it trains on.
        evaluation: what is measured.
        recorder: where results go.
        stop: asked between turns, and by the evaluation, whether to stop.
        processes: those that share the run.

    Attributes:
        best: the best checkpoint so far.
    """

    def __init__(
        self,
        engine: Engine,
        data: Data,
        evaluation: Evaluation,
        recorder: Recorder,
        stop: StopRequest,
        processes: Processes,
    ) -> None:
        self.settings = engine.experiment.settings
        self.engine = engine
        self.evaluation = evaluation
        self.recorder = recorder
        self.stop = stop
        self.processes = processes
        self.pictures = Pictures(engine, data, self.settings.samples.count)
        self.speed = Speed(engine.feed, engine.images_per_step, engine.step)
        self.health = Health(patience=self.settings.health.patience, steps=self.settings.training.steps)
        self.best: Best | None = None
        self._fingerprint = data.store.fingerprint
        # Steps that were reported on, so that what is taken up again reports each of them once.
        self._logged, self._drawn, self._evaluated = 0, -1, -1
        self._saved: tuple[int, ...] = (-1,)

    def train(self) -> None:
        """Train to the last step.

        Raises:
            DivergedError: a loss or gradient was not finite; checkpoints are as they were.
            InterruptedRunError: somebody asked to stop; the state was saved.
            OutOfMemoryError: a step needs more memory than there is; checkpoints are as they were.
        """
        engine = self.engine
        try:
            # Before training, too, so that an evaluator that cannot work says so now.
            with memory_explained("in a report before training"):
                self._report()
            while engine.step < self.settings.training.steps:
                self.stop.check()
                with self.speed, memory_explained(f"in step {engine.step + 1}"):
                    engine.advance(self.stop.check)
                with self._saved_on_failure(), memory_explained(f"in a report on step {engine.step}"):
                    self._report()
            self.save()
        except InterruptedRunError:
            self.save()
            raise
        except DivergedError as error:
            self.recorder.divergence(error, engine, self.pictures)
            raise

    def save(self, *, regular: bool = True) -> None:
        """Write a checkpoint of this moment, if there is none yet; one that is not regular may go sooner."""
        if self._saved == self._position:
            return
        self._catch_up()
        state = {
            "engine": self.engine.state_dict(),
            "trainer": self.state_dict(),
            "data": self._fingerprint,
        }
        self.recorder.checkpoint(self.engine, state, regular=regular)
        self._saved = self._position

    def state_dict(self) -> dict[str, Any]:
        """Return how far reports got, and what they are compared with."""
        return {
            "logged": self._logged,
            "drawn": self._drawn,
            "evaluated": self._evaluated,
            "best": None if self.best is None else asdict(self.best),
            "statistics_samples": self.engine.statistics_samples,
            "health": self.health.state_dict(),
            "evaluation": self.evaluation.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from where `state_dict` was taken."""
        self._logged, self._drawn, self._evaluated = (
            state[name] for name in ("logged", "drawn", "evaluated")
        )
        best = None if state["best"] is None else Best(**state["best"])
        # Where another metric chooses now, or it sees a generator with statistics taken otherwise,
        # earlier values are nothing to compare with.
        alike = state.get("statistics_samples", 0) == self.engine.statistics_samples
        self.best = best if best and best.metric == self._best_name and alike else None
        self.health.load_state_dict(state["health"])
        self.evaluation.load_state_dict(state["evaluation"])
        self._saved = self._position

    def start_from(self, state: Mapping[str, Any]) -> None:
        """Begin a record of its own where another run's `state_dict` was taken, and save it at once."""
        self.evaluation.load_state_dict(state["evaluation"])
        self._logged = self.engine.step
        self.save()

    @property
    def _position(self) -> tuple[int, ...]:
        """What a checkpoint of this moment would say differently from an earlier one."""
        return (self.engine.step, self.engine.turn, self._logged, self._drawn, self._evaluated)

    @contextmanager
    def _saved_on_failure(self) -> Iterator[None]:
        """Keep the completed step when what comes after it fails: a report must not cost training.

        Not where several processes share the run: a state is gathered from all of them, and the
        others, which know nothing of a failure here, would be waited for.
        """
        try:
            yield
        except (DivergedError, InterruptedRunError):
            raise
        except Exception:
            if self.processes.world == 1:
                with suppress(GanlabError), memory_explained("while the state was saved"):
                    self.save()
            raise

    def _report(self) -> None:
        """Log, draw, save and measure what is due; save before measuring, which may fail or be stopped."""
        settings, step = self.settings, self.engine.step
        self.recorder.advance(step)
        if self._logged < step and self._due(settings.training.log_every):
            self._log()
        if self._drawn < step and self._due(settings.samples.every):
            self._show_pictures()
        if step and self._due(settings.checkpoint.every) and self._saved[0] < step:
            self.save()
        if self._evaluated < step:
            self._evaluate()

    def _due(self, every: int) -> bool:
        return self.engine.step % every == 0 or self.engine.step == self.settings.training.steps

    def _catch_up(self) -> None:
        """Wait until an accelerator has played the steps that are queued for it; that time is theirs.

        Raises:
            DivergedError: something in them was not finite.
        """
        with self.speed:
            self.engine.guard.verify()

    def _log(self) -> None:
        engine = self.engine
        self._catch_up()
        values = engine.meter.read()
        for name, player in engine.players.items():
            values[tags.learning_rate(name)] = player.learning_rate
            values[tags.updates(name)] = player.updates
        values[tags.IMAGES] = engine.images_seen
        values |= self.speed.read(engine.step) | memory(engine.device)
        self._logged = engine.step
        self.recorder.log(engine.step, values)
        engine.require_agreement()
        for warning in self.health.log(engine.step, values):
            self.recorder.warning(warning)

    def _show_pictures(self) -> None:
        engine = self.engine
        self._catch_up()
        engine.share_buffers()
        if self._drawn < 0:
            self.recorder.picture("real", engine.step, self.pictures.real())
        drawn = self.pictures.generated()
        for name, picture in drawn.pictures.items():
            self.recorder.picture(name, engine.step, picture)
        self._drawn = engine.step
        for warning in self.health.drawn(engine.step, drawn.diversity):
            self.recorder.warning(warning)

    def _evaluate(self) -> None:
        """Run the evaluators that are due; keep a checkpoint of this step if it is the best so far."""
        due = [
            choice.label for choice in self.engine.experiment.evaluators if self._due(choice.settings.every)
        ]
        if not due:
            return
        self._catch_up()
        self.engine.share_buffers()
        measurements = self.evaluation.run(self._generate, due, show=self._show_evaluated)
        measurements = self.processes.broadcast_object(measurements)
        self.recorder.measurements(self.engine.step, measurements)
        self._evaluated = self.engine.step
        better = self._improvement(measurements)
        if better is not None:
            self.best = better
            if self._saved[0] < self.engine.step:
                self.save(regular=False)
            self.recorder.best(better)
        if self._chooses_best(measurements):
            for warning in self.health.evaluated(self.engine.step, better is not None):
                self.recorder.warning(warning)

    def _show_evaluated(self, label: str, name: str, picture: NDArray[np.uint8]) -> None:
        self.recorder.picture(tags.evaluated_picture(label, name), self.engine.step, picture)

    def _generate(self, rows: slice) -> Iterator[torch.Tensor]:
        """Yield generated samples for evaluation, some rows of what is always the same set.

        Their latents are drawn for the evaluator that needs most, so that none sees others when it is
        due alone.
        """
        engine = self.engine
        labels = engine.labels if engine.networks.generator_takes_labels else None
        most = self.evaluation.most_samples
        yield from run_for_evaluation(engine.generator, engine.experiment, most, labels, rows)

    @property
    def _best_name(self) -> str:
        """The metric that chooses the best checkpoint, as `Best` has it; empty where there is none."""
        chosen = self.engine.experiment.best
        return f"{chosen.label}.{chosen.metric.name}" if chosen else ""

    def _chooses_best(self, measurements: list[Measurement]) -> list[Measurement]:
        chosen = self.engine.experiment.best
        return [
            measurement
            for measurement in measurements
            if chosen and (measurement.evaluator, measurement.metric) == (chosen.label, chosen.metric)
        ]

    def _improvement(self, measurements: list[Measurement]) -> Best | None:
        for measurement in self._chooses_best(measurements):
            value = measurement.value
            sign = -1 if measurement.metric.better == "lower" else 1
            if math.isfinite(value) and (self.best is None or sign * value > sign * self.best.value):
                return Best(self.engine.step, self._best_name, value)
        return None
