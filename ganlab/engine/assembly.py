"""Terms, players and turns from an experiment, and whether they fit together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.config.selection import LossSelection
from ganlab.config.settings import TrainingSettings
from ganlab.engine.loss import Loss
from ganlab.engine.loss_features import LossFeatures
from ganlab.engine.networks import Networks, build_networks
from ganlab.engine.player import Player, PlayerName, make_player
from ganlab.engine.precision import choose_device, choose_precision
from ganlab.engine.turn import Term, Turn, TurnSetup, speaks_to
from ganlab.errors import ComponentError, ExperimentError, Problem, UsageError
from ganlab.plain_state import plain_state
from ganlab.processes import Processes

__all__ = ["make_networks", "make_players", "make_terms", "make_turns", "require_trainable", "state_of"]

PLAYERS: tuple[PlayerName, ...] = ("discriminator", "generator")
"""In the order of their turns."""


def make_networks(experiment: Experiment, spec: SampleSpec, processes: Processes) -> Networks:
    """Choose device and precision, and build the networks.

    Args:
        experiment: which networks.
        spec: what a sample is.
        processes: those that share the training.

    Raises:
        ExperimentError: a network cannot be built as asked, or the discriminator compares samples
            that do not come to it together.
        UsageError: the device is not there, or the processes cannot share the batch.
    """
    training = experiment.settings.training
    _require_equal_shares(training, processes.world)
    device = choose_device(training.device, processes)
    dtype = choose_precision(training.precision, device, spec.bounded)
    networks = build_networks(experiment, spec, device, dtype, synchronise=processes.world > 1)
    _refuse(_company_problems(experiment, networks, processes.world))
    return networks


def require_trainable(experiment: Experiment, spec: SampleSpec, networks: Networks) -> None:
    """Make sure that losses and optimizers can be built, and fit the networks, before there is any data.

    What is built for it is thrown away: the engine builds its own, after its random numbers are seeded.

    Raises:
        ExperimentError: as `make_terms` and `make_players`.
    """
    make_players(experiment, networks, make_terms(experiment, spec))


def make_terms(experiment: Experiment, spec: SampleSpec) -> list[Term]:
    """Build the losses, each with its weight and cadence.

    Args:
        experiment: which losses.
        spec: what a sample is.

    Raises:
        ExperimentError: a loss refuses its options, is no `ganlab.Loss`, or cannot be
            computed on microbatches.
    """
    terms = [_make_term(selection, spec) for selection in experiment.losses]
    _refuse(_microbatch_problems(experiment, terms))
    return terms


def make_players(
    experiment: Experiment, networks: Networks, terms: Sequence[Term]
) -> dict[PlayerName, Player]:
    """Return a player for each group of networks that some loss speaks to and that can learn.

    Raises:
        ExperimentError: a loss speaks to a player that has no network, or no loss speaks to
            a network that could learn.
    """
    settings = experiment.settings
    players = {
        name: make_player(name, networks, experiment.optimizers[name], settings.training.steps)
        for name in PLAYERS
    }
    spoken_to = {name for name in PLAYERS if any(speaks_to(term.loss, name) for term in terms)}
    problems = [
        term.selection.origin.problem(
            term.selection.path,
            f"the loss {term.label!r} trains a discriminator, and the experiment has none",
            "add a [discriminator] table (the loss's plugin should declare that it needs one)",
        )
        for term in terms
        if speaks_to(term.loss, "discriminator") and networks.discriminator is None
    ]
    problems += [
        experiment.origin.problem(name, f"no loss trains the {name}: its weights would never change")
        for name, player in players.items()
        if player is not None and name not in spoken_to
    ]
    _refuse(problems)
    return {name: player for name, player in players.items() if player is not None}


def make_turns(
    training: TrainingSettings, players: dict[PlayerName, Player], terms: Sequence[Term], setup: TurnSetup
) -> list[Turn]:
    """Return the turns of a step in order: the discriminator's, then the generator's."""
    counts = {"discriminator": training.discriminator_steps, "generator": training.generator_steps}
    turns: list[Turn] = []
    for name in PLAYERS:
        if name in players:
            turn = Turn(players[name], [term for term in terms if speaks_to(term.loss, name)], setup)
            turns += [turn] * counts[name]
    return turns


def state_of(term: Term) -> dict[str, Any]:
    """Return what a term's loss remembers.

    Raises:
        ExperimentError: checkpoints would not give it back.
    """
    with term.selection.blamed():
        return plain_state(term.loss.state_dict())


def _make_term(selection: LossSelection, spec: SampleSpec) -> Term:
    loss = selection.build(*_features(selection, spec))
    if not isinstance(loss, Loss):
        raise selection.refusal(ComponentError(f"its `build` returned {loss!r}, not a ganlab.Loss"))
    term = Term(selection, loss, selection.settings.weight, selection.settings.every)
    state_of(term)  # refused before there is anything to lose
    return term


def _features(selection: LossSelection, spec: SampleSpec) -> tuple[LossFeatures | None, ...]:
    """Return what a loss is built with beside its options."""
    if not selection.component.takes_features:
        return ()
    features = selection.features
    return (None if features is None else LossFeatures(features.build(spec), spec),)


def _microbatch_problems(experiment: Experiment, terms: Sequence[Term]) -> list[Problem]:
    """Return the losses that compare the samples of a batch with one another, where it is cut up."""
    training = experiment.settings.training
    if training.microbatch_size in (None, training.batch_size):
        return []
    return [
        experiment.origin.problem(
            "training.microbatch_size",
            f"the loss {term.label!r} compares whole batches, which microbatches would change",
            "leave `microbatch_size` out, or lower `batch_size`",
        )
        for term in terms
        if term.loss.couples_samples
    ]


def _company_problems(experiment: Experiment, networks: Networks, world: int) -> list[Problem]:
    """Return what keeps a discriminator that compares samples from getting enough, and those of one kind."""
    together = int(getattr(networks.discriminator, "samples_together", 1))
    if together < 2 or experiment.discriminator is None:
        return []
    training, who = experiment.settings.training, experiment.discriminator.who
    problems = []
    if training.joint_batch:
        message = f"{who} compares the samples of a batch with one another, and would compare real with fake"
        hint = "leave `joint_batch` out: it is for batch normalisation"
        problems.append(experiment.origin.problem("training.joint_batch", message, hint))
    fewest = _fewest_at_once(training, world)
    if fewest < together:
        cut = training.microbatch_size not in (None, training.batch_size)
        setting = "microbatch_size" if cut else "batch_size"
        shared = f" of {world} processes" if world > 1 else ""
        message = (
            f"{who} compares {together} samples of a batch with one another, and is given {fewest} at once"
        )
        hint = f"each pass{shared} needs {together} or more"
        problems.append(experiment.origin.problem(f"training.{setting}", message, hint))
    return problems


def _fewest_at_once(training: TrainingSettings, world: int) -> int:
    """Return the samples of the smallest pass: of a microbatch, or of what is left over after the last."""
    shares = (training.batch_size // world, math.ceil(training.batch_size / world))
    micro = training.microbatch_size or training.batch_size
    return min(share % micro or min(micro, share) for share in shares)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise ExperimentError(problems)


def _require_equal_shares(training: TrainingSettings, world: int) -> None:
    """Make sure that every process has something to do, and the same number of passes.

    Synchronised batch normalisation waits in each pass for the others.

    Raises:
        UsageError: the batch cannot be shared so.
    """
    batch, micro = training.batch_size, training.microbatch_size or training.batch_size
    if world > batch:
        raise UsageError(f"{world} processes cannot share a batch of {batch}")
    least, most = batch // world, math.ceil(batch / world)
    if math.ceil(least / micro) != math.ceil(most / micro):
        raise UsageError(
            f"{world} processes have {most} or {least} samples of a batch of {batch}, which microbatches of "
            f"{micro} cut into {math.ceil(most / micro)} or {math.ceil(least / micro)} passes; choose a "
            f"training.batch_size that is a multiple of {world}"
        )
