"""Where a run's results go: its directory, its trackers, and what a person sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganlab import tags
from ganlab.drawing.pictures import write_png
from ganlab.engine.engine import Engine
from ganlab.errors import DivergedError
from ganlab.evaluation.measurement import Measurement
from ganlab.runs.directory import RunDirectory
from ganlab.runs.state import Best, Evaluated, HealthWarning
from ganlab.tracking.console import Console
from ganlab.tracking.hub import TrackerHub
from ganlab.training.pictures import Pictures

__all__ = ["Recorder", "RunRecorder"]


class Recorder:
    """What happens to a run's results: nothing, in the processes that only help to train.

    `RunRecorder` is the one that writes.
    """

    def advance(self, step: int) -> None:
        """Say how far training is, between log points."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the scalars of a log point, by tag."""

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Keep a picture, `(H, W, 1 or 3)`."""

    def measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Keep what was measured."""

    def message(self, message: str) -> None:
        """Show a line to whoever watches."""

    def warning(self, warning: HealthWarning) -> None:
        """Keep a warning about the run's health, and show it."""

    def checkpoint(self, engine: Engine, state: Mapping[str, Any], *, regular: bool) -> None:
        """Write a checkpoint; one that is not regular may go sooner.

        Args:
            engine: what trains.
            state: all that decides how the run continues, but for this record's own part.
            regular: whether it is there for more than being the best.
        """

    def best(self, best: Best) -> None:
        """Point out the best checkpoint, which was written."""

    def divergence(self, error: DivergedError, engine: Engine, pictures: Pictures) -> None:
        """Leave what there is to look at after a divergence; never raises."""


class RunRecorder(Recorder):
    """Writes a run's results.

    Args:
        run: the run's directory.
        trackers: where scalars, pictures and text go beside it.
        console: what a person sees.
    """

    def __init__(self, run: RunDirectory, trackers: TrackerHub, console: Console) -> None:
        self.run = run
        self.trackers = trackers
        self.console = console

    def advance(self, step: int) -> None:
        """Move the live line."""
        self.console.advance(step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write scalars to `metrics.jsonl`, the trackers and the screen."""
        self.run.metrics.write(step, values)
        self.run.update(step=step)
        self.trackers.scalars(values, step)
        self.trackers.flush()
        self.console.log(step, values)

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Write a picture to `samples/` and the trackers."""
        write_png(self.run.sample_path(name, step), picture)
        self.trackers.image(tags.samples(name), picture, step)

    def measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Write measurements to `evaluations.jsonl`, `run.json`, the trackers and the screen."""
        values: dict[str, float] = {}
        for measurement in measurements:
            self.run.evaluations.write(step, measurement.to_json())
            values |= measurement.tagged()
        self.trackers.scalars(values, step)
        self.trackers.flush()
        self.console.evaluation(step, [measurement.to_json() for measurement in measurements])
        self.run.update(step=step, last=Evaluated(step, values))

    def message(self, message: str) -> None:
        """Show a line on the screen."""
        self.console.message(message)

    def warning(self, warning: HealthWarning) -> None:
        """Write a warning to `run.json`, the trackers and the screen."""
        self.run.update(warning=warning)
        self.trackers.text(tags.health(warning.name), warning.message, warning.step)
        self.trackers.flush()
        self.console.message(f"warning: step {warning.step}: {warning.message}")

    def checkpoint(self, engine: Engine, state: Mapping[str, Any], *, regular: bool) -> None:
        """Write a checkpoint, with a mark of where this record stands."""
        record = {"run": self.run.state_dict(), "trackers": self.trackers.mark()}
        averaged = engine.averaged_generator
        self.run.checkpoints.save(
            engine.step,
            {**state, "record": record},
            engine.raw_generator.state_dict(),
            None if averaged is None else averaged.state_dict(),
            spec=engine.spec,
            regular=regular,
        )
        self.run.update(step=engine.step)

    def best(self, best: Best) -> None:
        """Point BEST and `run.json` at a checkpoint."""
        self.run.checkpoints.mark_best(best.step)
        self.run.update(best=best)

    def divergence(self, error: DivergedError, engine: Engine, pictures: Pictures) -> None:
        """Write every number to `logs/divergence.json`, and what the last weights draw beside it."""
        bundle: dict[str, Any] = {"step": error.step, "values": error.values, "reason": str(error)}
        try:
            self.run.write_divergence({**bundle, "weights": engine.inspect()})
            for name, picture in pictures.generated().pictures.items():
                write_png(self.run.divergence_picture_path(name), picture)
        except Exception as failure:  # whatever is wrong by now, the divergence is what has to be told
            self.console.message(f"warning: what is known of the divergence could not be kept: {failure}")
