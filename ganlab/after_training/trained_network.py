"""A network beside the generator, out of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from ganlab.components import LatentSpec, SampleSpec
from ganlab.config import load_experiment
from ganlab.engine.streams import isolated_randomness
from ganlab.engine.weights import digest_of_networks, weights_in
from ganlab.errors import GanlabError, UsageError, summarised
from ganlab.kinds import KINDS
from ganlab.runs.reading import Run

__all__ = ["TrainedNetwork", "restore_network"]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that a run has trained.

    Attributes:
        network: on the CPU, in evaluation mode, frozen.
        spec: the samples that it looks at.
        latent: the noise that the run's generator is fed.
        step: of its checkpoint.
        digest: SHA-256 of its weights, in hex.
    """

    network: nn.Module
    spec: SampleSpec
    latent: LatentSpec
    step: int
    digest: str


def restore_network(
    run: Run,
    kind: Literal["discriminator", "encoder"],
    which: int | Literal["best", "last"] | None = None,
) -> TrainedNetwork:
    """Build one of a run's networks and load a checkpoint into it.

    Args:
        run: the run.
        kind: of network.
        which: the checkpoint; `None` is the best, or the last where there is no best.

    Raises:
        UsageError: the run has no such network.
        GanlabError: there is no such checkpoint, it is damaged, or it does not fit the network.
    """
    experiment = load_experiment(run.resolved)
    selection = experiment.selections.get(kind)
    if selection is None:
        raise UsageError(f"{run.path} has no {kind}")
    if which is None:
        which = "last" if run.checkpoints.best is None else "best"
    checkpoint = run.checkpoints.load(which)
    if checkpoint.spec is None:
        raise GanlabError(f"{checkpoint.path} does not say what its generator makes")
    context = {"image": checkpoint.spec, "latent": experiment.latent}
    with isolated_randomness(0):
        network: nn.Module = selection.build(*(context[word] for word in KINDS[kind].build_gets))
    network = checkpoint.spec.lay_out(network)
    weights = weights_in(checkpoint.state()["engine"])[kind]
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise GanlabError(
            f"{checkpoint.path} does not fit the {kind} {selection.component.name!r} "
            f"as it is installed now: {summarised(error)}"
        ) from error
    return TrainedNetwork(
        network.eval().requires_grad_(False),
        checkpoint.spec,
        experiment.latent,
        checkpoint.step,
        digest_of_networks({kind: weights}),
    )
