"""What has changed when a run continues: its experiment, its data, its machine, ganlab itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ganlab.config.difference import differences
from ganlab.config.experiment import Experiment
from ganlab.data.preparation import Data
from ganlab.engine.engine import Engine
from ganlab.processes import Processes
from ganlab.runs.environment import describe_environment
from ganlab.runs.reading import Run
from ganlab.runs.state import SessionRecord
from ganlab.words import counted

__all__ = [
    "changes_of_experiment",
    "changes_of_machine",
    "changes_of_settings",
    "changes_since_earlier_versions",
]

_EXACTNESS = ("python", "platform", "device_name", "threads", "cuda")
"""What has to be the same for the same bytes, beside torch and the number of processes."""

_MACHINE = (*_EXACTNESS, "torch", "processes")


def changes_of_experiment(
    run: Run, state: Mapping[str, Any] | None, experiment: Experiment, data: Data
) -> list[str]:
    """Return how an experiment differs from what a run was.

    Args:
        run: what continues.
        state: of its checkpoint; `None` where there is none.
        experiment: what it is to be.
        data: the data of that experiment.
    """
    changes = [str(difference) for difference in differences(run.experiment(), experiment)]
    if state is not None and state["data"] != data.store.fingerprint:
        changes.append("the data: its content or its preparation differs")
    return changes


def changes_of_machine(run: Run, processes: Processes, device: torch.device) -> list[str]:
    """Return what keeps a run from continuing to the same bytes.

    Args:
        run: what goes on.
        processes: those that share it now.
        device: where it trains now.
    """
    now = describe_environment(str(device))
    before = run.environment()
    changes = [
        f"{name}: {before.get(name)} -> {now[name]}" for name in _EXACTNESS if before.get(name) != now[name]
    ]
    torch_before, torch_now = (each.get("packages", {}).get("torch") for each in (before, now))
    if torch_before != torch_now:
        changes.append(f"torch: {torch_before} -> {torch_now}")
    world = run.state.sessions[-1].processes if run.state.sessions else 1
    if world != processes.world:
        changes.append(f"processes: {world} -> {processes.world}")
    return changes


def changes_of_settings(session: SessionRecord, *, scheduled: bool) -> list[str]:
    """Return what a session changed beside the machine that it ran on.

    Args:
        session: of a run.
        scheduled: whether a learning rate depends on how many steps there will be; more of them are no
            change where none does.
    """
    passed_over = _MACHINE if scheduled else (*_MACHINE, "training.steps")
    return [change for change in session.changes if change.partition(":")[0] not in passed_over]


def changes_since_earlier_versions(state: Mapping[str, Any], engine: Engine) -> list[str]:
    """Return what an earlier ganlab, which did not record how it took statistics, did otherwise.

    Args:
        state: the training state that a checkpoint holds.
        engine: what continues from it.
    """
    if "statistics_samples" in state["trainer"]:
        return []
    changes = []
    if engine.statistics_samples:
        changes.append(
            "the generator's running statistics: those that training left behind -> re-estimated from "
            f"{counted(engine.statistics_samples, 'sample')}, so measurements before and after do not compare"
        )
    if engine.average is not None and engine.images_per_step != engine.batch_size:
        changes.append(
            f"ema.half_life_images: a step counted {counted(engine.batch_size, 'image')} -> "
            f"{engine.images_per_step:,}, a batch for each turn"
        )
    return changes
