"""The training loop: advance, and report, save and measure when it is time to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, NamedTuple

from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.errors import DivergedError, GanlabError, InterruptedRunError
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.measurement import Measurement
from ganlab.memory import memory_explained
from ganlab.training.best_checkpoint import BestCheckpoint
from ganlab.training.interrupt import StopRequest
from ganlab.training.recorder import Recorder
from ganlab.training.reports import Marks, Reports

__all__ = ["Trainer"]


class _Position(NamedTuple):
    """What a checkpoint says differently from an earlier one."""

    step: int
    turn: int
    marks: Marks


class Trainer:
    """Takes an engine to its last step, and the run's record with it.

    Args:
        engine: what trains.
        data: what it trains on.
        evaluation: what is measured.
        recorder: where results go.
        stop: asked between turns, and by the evaluation, whether to stop.

    Attributes:
        reports: what is logged, drawn and measured.
        best: the best checkpoint so far.
    """

    def __init__(
        self, engine: Engine, data: Data, evaluation: Evaluation, recorder: Recorder, stop: StopRequest
    ) -> None:
        self.settings = engine.experiment.settings
        self.engine = engine
        self.recorder = recorder
        self.stop = stop
        self.reports = Reports(engine, data, evaluation, recorder)
        self.best = BestCheckpoint(engine.experiment.best)
        self._fingerprint = data.store.fingerprint
        self._saved: _Position | None = None

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
                self._do_what_is_due()
            while engine.step < self.settings.training.steps:
                self.stop.check()
                with self.reports.speed, memory_explained(f"in step {engine.step + 1}"):
                    engine.advance(self.stop.check)
                with self._saved_on_failure(), memory_explained(f"in a report on step {engine.step}"):
                    self._do_what_is_due()
            self.save()
        except InterruptedRunError:
            self.save()
            raise
        except DivergedError as error:
            self.recorder.divergence(error, engine, self.reports.pictures)
            raise

    def _do_what_is_due(self) -> None:
        """Log, draw, save and measure; save before measuring, which may fail or be stopped."""
        step = self.engine.step
        self.recorder.advance(step)
        self.reports.log()
        self.reports.draw()
        if step and self.reports.due(self.settings.checkpoint.every, self._saved_step):
            self.save()
        self._keep_the_best(self.reports.measure())

    def _keep_the_best(self, measurements: Sequence[Measurement]) -> None:
        """Keep a checkpoint of this step if it is the best so far.

        What training begins with is measured to see where it came from, and is never the best.
        """
        if not self.engine.step:
            return
        best = self.best.improve(self.engine.step, measurements)
        if best is not None:
            if self._saved_step < self.engine.step:
                self.save(regular=False)
            self.recorder.best(best)
        if self.best.measured_by(measurements):
            self.reports.judge_progress(improved=best is not None)

    def save(self, *, regular: bool = True) -> None:
        """Write a checkpoint of this moment, if there is none yet; one that is not regular may go sooner."""
        if self._saved == self._position:
            return
        self.reports.catch_up()
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
            **asdict(self.reports.marks),
            "best": self.best.state_dict(),
            "statistics_samples": self.engine.statistics_samples,
            "health": self.reports.health.state_dict(),
            "evaluation": self.reports.evaluation.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from where `state_dict` was taken."""
        self.reports.marks = Marks(state["logged"], state["drawn"], state["evaluated"])
        # What was measured of a generator with statistics taken otherwise is nothing to compare with.
        alike = state.get("statistics_samples", 0) == self.engine.statistics_samples
        self.best.load_state_dict(state["best"] if alike else None)
        self.reports.health.load_state_dict(state["health"])
        self.reports.evaluation.load_state_dict(state["evaluation"])
        self._saved = self._position

    def start_from(self, state: Mapping[str, Any]) -> None:
        """Begin a record of its own where another run's `state_dict` was taken, and save it at once."""
        self.reports.evaluation.load_state_dict(state["evaluation"])
        self.reports.marks = Marks(logged=self.engine.step)
        self.save()

    @property
    def _position(self) -> _Position:
        return _Position(self.engine.step, self.engine.turn, self.reports.marks)

    @property
    def _saved_step(self) -> int:
        """The step of the last checkpoint; -1 before the first."""
        return -1 if self._saved is None else self._saved.step

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
            if self.engine.processes.world == 1:
                with suppress(GanlabError), memory_explained("while the state was saved"):
                    self.save()
            raise
