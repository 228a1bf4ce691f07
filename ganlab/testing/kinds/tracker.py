"""Promises of trackers."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np

from ganlab import tags
from ganlab.components import TrackerComponent
from ganlab.testing.subject import Subject
from ganlab.tracking.tracker import RunInfo, Tracker

__all__ = ["check"]

EXPERIMENT = {"title": "Conformance", "seed": 0, "training": {"steps": 20, "batch_size": 8}}


def check(subject: Subject[TrackerComponent]) -> None:
    """Let a tracker follow a run of two sessions in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        for step in (0, 10):
            _follow(subject, RunInfo("run-1", "Conformance", Path(directory), EXPERIMENT, step))


def _follow(subject: Subject[TrackerComponent], run: RunInfo) -> None:
    with subject.promise("it is built, in a new run and in a resumed one", base=True):
        tracker = subject.build(run)
        subject.require(
            isinstance(tracker, Tracker), f"`build` returned a {type(tracker).__name__}, not a ganlab.Tracker"
        )
    step = run.step + 1
    total, metric = tags.total_loss("generator"), tags.evaluation("mmd", "mmd2", "wavelet")
    session = "" if run.step == 0 else f", in a session that starts after step {run.step} of the same run"
    with subject.promise("it takes texts"), subject.during(f"text(){session}"):
        tracker.text(tags.EXPERIMENT, "```toml\ntitle = 'Umlaut: ü'\n```", run.step)
    with subject.promise("it takes numbers, and new tags"):
        with subject.during(f"scalars(){session}"):
            tracker.scalars({total: 0.5, tags.ACCURACY: 0.75}, step)
        with subject.during(f"scalars() with a tag that is new{session}"):
            tracker.scalars({metric: -1e-4}, step)
    both = f"scalars() of infinity and NaN (it must take both){session}"
    with subject.promise("it takes infinity and NaN"), subject.during(both):
        tracker.scalars({total: math.inf, tags.ACCURACY: math.nan}, step + 1)
    with subject.promise("it takes pictures, grey and coloured"):
        for channels in (1, 3):
            with subject.during(f"image() of shape (4, 6, {channels}){session}"):
                tracker.image(tags.samples("fixed"), np.zeros((4, 6, channels), np.uint8), step + 1)
    with subject.promise("it flushes and closes"):
        with subject.during(f"flush(){session}"):
            tracker.flush()
        with subject.during(f"close(){session}"):
            tracker.close("interrupted" if run.step == 0 else "completed", {metric: 1e-3})
