"""Runs that nothing was trained for: their files are written by what writes those of real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ganlab import Metric, tags
from ganlab.config import Experiment, load_experiment
from ganlab.drawing.pictures import write_png
from ganlab.evaluation.evaluator import Estimate
from ganlab.evaluation.measurement import Measurement
from ganlab.runs.directory import RunDirectory
from ganlab.runs.environment import describe_environment
from ganlab.runs.evaluation_directory import EvaluationDirectory, LaterEvaluation
from ganlab.runs.reading import Run
from ganlab.runs.state import Best, Status

EXPERIMENT = """
title = "{title}"
[dataset]
name = "gaussians"
[latent]
dim = 2
[generator]
name = "mlp"
[discriminator]
name = "mlp"
[[losses]]
name = "{loss}"
[training]
steps = 100
batch_size = 8
[[evaluators]]
name = "mmd"
samples = 64
[[evaluators]]
name = "precision-recall"
samples = 64
"""

BATCH = 8
_environment = cache(describe_environment)
_made = count()
_loaded: dict[tuple[str, tuple[str, ...]], Experiment] = {}

Values = Mapping[str, Sequence[tuple[int, float, float | None]]]
"""By metric: step, value and standard error of each measurement."""


def measurement(
    metric: str, value: float, error: float | None, better: Any = "lower", **changes: Any
) -> dict[str, Any]:
    """Return a line of `evaluations.jsonl`."""
    label, _, name = metric.rpartition(".")
    given: dict[str, Any] = {
        "floor": Estimate(0.001, None),
        "n_real": 64,
        "n_fake": 64,
        "n_heldout": 64,
        "features": "coordinates",
        "protocol": "",
        "fingerprint": "f" * 64,
        "batch_size": 256,
        **changes,
    }
    return Measurement(label, Metric(name, better), Estimate(value, error), **given).to_json()


def measure_later(
    run: Run,
    metric: str,
    step: int,
    value: float,
    table: Mapping[str, Any] | None = None,
    *,
    files: Mapping[str, str] | None = None,
    other_data: bool = False,
    **changes: Any,
) -> None:
    """Write what `ganlab evaluate` would have; the evaluator's table is the run's own if `None`."""
    label = metric.rpartition(".")[0]
    own = {each["label"]: each for each in run.experiment()["evaluators"]}
    described = LaterEvaluation(
        other_data, {label: own[label] if table is None else table}, {label: files or {}}
    )
    with EvaluationDirectory.create(run.path, described) as directory:
        directory.write(step, [measurement(metric, value, None, **changes)])


def simulate(
    directory: Path,
    seed: int,
    values: Values | float,
    *,
    title: str = "Rings",
    loss: str = "non-saturating",
    overrides: Sequence[str] = (),
    status: Status = "completed",
    data: str = "d" * 64,
    parameters: Mapping[str, int] | None = None,
    images_per_step: int = BATCH,
    better: str | None = "lower",
    picture: bool = False,
    **changes: Any,
) -> Run:
    """Write a run of 100 steps into `directory/runs`; a number is its `mmd.mmd2` at the last, known to 0."""
    file = directory / f"{title}-{loss}.toml"
    file.write_text(EXPERIMENT.format(title=title, loss=loss))
    key = (file.read_text(), tuple(overrides))
    if key not in _loaded:  # to look for plugins takes most of the time
        _loaded[key] = load_experiment(file, overrides=overrides)
    experiment = replace(_loaded[key], resolved={**_loaded[key].resolved, "seed": seed})
    measured = {"mmd.mmd2": [(100, values, None)]} if isinstance(values, int | float) else values
    # What the machine is takes long to find out, and is the same for all.
    with patch("ganlab.runs.directory.describe_environment", _environment):
        directory_of_run = RunDirectory.create(directory / "runs", experiment)
    with directory_of_run as run:
        # Each a second later than the one before, however fast they are made.
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(_made))
        run.state = replace(run.state, created=created.isoformat())
        run.describe_ingredients(data, {"generator": 10, "discriminator": 20} | dict(parameters or {}))
        for step in (50, 100):
            scalars = {tags.IMAGES: step * images_per_step, tags.updates("discriminator"): step}
            run.metrics.write(step, scalars)
        for metric, points in measured.items():
            for step, value, error in points:
                run.evaluations.write(step, measurement(metric, value, error, better, **changes))
        chosen, points = next(iter(measured.items()))
        best = min(points, key=lambda point: point[1])
        run.update(step=100 if status == "completed" else 60, best=Best(best[0], chosen, best[1]))
        if picture:
            grey = np.full((8, 8, 3), 40 * seed, np.uint8)
            write_png(run.sample_path("fixed", 100), grey)
        run.finish(status)
        return run.reread()
