"""A session's trackers: opened, brought back to the checkpoint, and told what the run is."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from ganlab import tags
from ganlab.config import dump_resolved
from ganlab.engine.engine import Engine
from ganlab.engine.network_summary import network_summary
from ganlab.runs.directory import RunDirectory
from ganlab.tracking.hub import TrackerHub
from ganlab.tracking.tracker import RunInfo
from ganlab.training.start import Start

__all__ = ["open_trackers"]


def open_trackers(
    run: RunDirectory, engine: Engine, start: Start, report: Callable[[str], None]
) -> TrackerHub:
    """Return the experiment's trackers, ready for a session.

    Args:
        run: what they follow.
        engine: what trains, at the start.
        start: where the session starts: what they recorded later is dropped.
        report: is told of a tracker that fails, in words.

    Raises:
        GanlabError: a tracker refuses its options.
    """
    experiment = engine.experiment
    builders = {
        selection.label: partial(
            selection.build,
            RunInfo(
                id=run.id,
                title=experiment.settings.title,
                directory=run.tracker_directory(selection.label),
                experiment=experiment.resolved,
                step=engine.step,
                metrics={each.label: each.component.metrics for each in experiment.evaluators},
            ),
        )
        for selection in experiment.trackers
    }
    hub = TrackerHub.open(builders, report)
    if start.resumes:
        hub.rewind(None if start.state is None else start.state["record"]["trackers"], start.step)
    if start.state is None or start.changes or not start.resumes:
        hub.text(tags.EXPERIMENT, f"```toml\n{dump_resolved(experiment)}\n```", engine.step)
        hub.text(tags.ENVIRONMENT, f"```json\n{json.dumps(run.environment(), indent=2)}\n```", engine.step)
        hub.text(tags.NETWORKS, network_summary(engine.networks), engine.step)
    return hub
