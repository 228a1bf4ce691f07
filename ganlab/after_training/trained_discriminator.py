"""A trained discriminator out of a run, to look into."""

from __future__ import annotations

from typing import Literal

from torch import nn

from ganlab.config import load_experiment
from ganlab.engine.streams import isolated_randomness
from ganlab.errors import GanlabError, UsageError, summarised
from ganlab.runs.reading import Run

__all__ = ["restore_discriminator"]


def restore_discriminator(run: Run, which: int | Literal["best", "last"] = "last") -> nn.Module:
    """Build a run's discriminator and load a checkpoint into it, on the CPU and in evaluation mode.

    Args:
        run: the run.
        which: the checkpoint, by its step or as `best` or `last`.

    Raises:
        UsageError: the run has no discriminator.
        GanlabError: there is no such checkpoint, it is damaged, or it does not fit the network.
    """
    experiment = load_experiment(run.resolved)
    if experiment.discriminator is None:
        raise UsageError(f"{run.path} has no discriminator")
    checkpoint = run.checkpoints.load(which)
    if checkpoint.spec is None:
        raise GanlabError(f"{checkpoint.path} does not say what its generator makes")
    with isolated_randomness(0):
        network: nn.Module = experiment.discriminator.build(checkpoint.spec)
    network = checkpoint.spec.lay_out(network)
    try:
        network.load_state_dict(
            checkpoint.state()["engine"]["players"]["discriminator"]["networks"]["discriminator"]
        )
    except RuntimeError as error:
        raise GanlabError(
            f"{checkpoint.path} does not fit the discriminator {experiment.discriminator.component.name!r} "
            f"as it is installed now: {summarised(error)}"
        ) from error
    return network.eval()
