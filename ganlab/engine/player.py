"""A player: networks that learn together, and how they learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from ganlab.component_settings import OptimizerSettings
from ganlab.components import OptimizerComponent
from ganlab.config.selection import Selection
from ganlab.engine.networks import Networks
from ganlab.engine.schedules import make_schedule
from ganlab.errors import ComponentError
from ganlab.plain_state import plain_state

__all__ = [
    "OptimizerSelection",
    "Player",
    "PlayerName",
    "build_optimizer",
    "make_player",
    "memory_of",
    "remember",
]

PlayerName = Literal["discriminator", "generator"]

OptimizerSelection: TypeAlias = Selection[OptimizerComponent, OptimizerSettings]

NETWORKS_OF: dict[PlayerName, tuple[str, ...]] = {
    "discriminator": ("discriminator",),
    "generator": ("generator", "encoder"),
}


_RATIO = "learning_rate_ratio"
"""What each group of an optimizer's parameters keeps its share of the learning rate under."""


@dataclass
class Player:
    """Networks that learn together.

    Attributes:
        name: `discriminator`, or `generator` (with the encoder, where there is one).
        networks: what learns in this player's turn.
        selection: the experiment's choice of the optimizer.
        optimizer: over all their parameters.
        schedule: the learning rate as a function of the completed steps.
        updates: turns taken.
    """

    name: PlayerName
    networks: dict[str, nn.Module]
    selection: OptimizerSelection
    optimizer: Optimizer
    schedule: Callable[[int], float]
    updates: int = 0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Everything that the optimizer moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def clip_gradient_norm(self) -> float | None:
        """Largest total gradient norm, or `None`."""
        return self.selection.settings.clip_gradient_norm

    @property
    def optimizer_kind(self) -> str:
        """What decides the form of the optimizer's memory."""
        momentum = " with momentum" if self.optimizer.defaults.get("momentum") else ""
        return f"{type(self.optimizer).__name__}{momentum}"

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next turn, which each group of parameters has a multiple of."""
        group = self.optimizer.param_groups[0]
        return float(group["lr"]) / float(group[_RATIO])

    def follow_schedule(self, step: int) -> None:
        """Take the learning rate that is due after `step` completed steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(step) * group[_RATIO]

    def update(self) -> None:
        """Move the weights by the gradients that are there, and keep them within their bounds.

        Raises:
            ComponentCrashError: the optimizer cannot.
            OutOfMemoryError: what it remembers finds no room.
        """
        with self.selection.blamed():
            self.optimizer.step()
        bound = self.selection.settings.clip_weights
        if bound is not None:
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.clamp_(-bound, bound)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the networks, what the optimizer remembers, and the count of updates."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizer": {"kind": self.optimizer_kind, "state": self._memory()},
            "updates": self.updates,
        }

    def _memory(self) -> dict[Any, Any]:
        with self.selection.blamed():
            return plain_state(memory_of(self.optimizer))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Learning rates and the like stay as this player was made with; an optimizer of another
        kind than the state's starts without a memory.

        Raises:
            RuntimeError: the weights are not those of these networks.
        """
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        if state["optimizer"]["kind"] == self.optimizer_kind:
            remember(self.optimizer, state["optimizer"]["state"])
        self.updates = state["updates"]


def make_player(
    name: PlayerName, networks: Networks, selection: OptimizerSelection, steps: int
) -> Player | None:
    """Return the player of that name, or `None` where its networks have nothing to learn.

    Args:
        name: which player.
        networks: all networks.
        selection: the optimizer that the experiment chose for it.
        steps: how many the whole training has.

    Raises:
        ExperimentError: the optimizer refuses its options or these networks.
    """
    own = {kind: network for kind, network in networks.items() if kind in NETWORKS_OF[name]}
    parameters = [
        parameter for network in own.values() for parameter in network.parameters() if parameter.requires_grad
    ]
    if not parameters:
        return None
    player = Player(
        name=name,
        networks=own,
        selection=selection,
        optimizer=build_optimizer(selection, parameters),
        schedule=make_schedule(selection.settings, steps),
    )
    player.follow_schedule(0)
    return player


def build_optimizer(selection: OptimizerSelection, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """Return the optimizer that an experiment chose, over some parameters, with its full learning rate.

    Groups of parameters that were built with a learning rate of their own keep its ratio to the optimizer's.

    Raises:
        ExperimentError: it refuses its options or the parameters, or is no optimizer.
    """
    optimizer = selection.build(list(parameters))
    if not isinstance(optimizer, Optimizer):
        message = f"its `build` returned {optimizer!r}, not a torch.optim.Optimizer"
        raise selection.refusal(ComponentError(message))
    for group in optimizer.param_groups:
        group[_RATIO] = _ratio(group.get("lr"), optimizer.defaults.get("lr"))
        group["lr"] = selection.settings.learning_rate * group[_RATIO]
    return optimizer


def _ratio(own: Any, default: Any) -> float:
    """Return how a group's learning rate compares with its optimizer's; 1 where there is no telling."""
    return float(own) / float(default) if own and default else 1.0


def memory_of(optimizer: Optimizer) -> dict[Any, Any]:
    """Return what an optimizer remembers of each parameter, by the parameter's number."""
    memory: dict[Any, Any] = optimizer.state_dict()["state"]
    return memory


def remember(optimizer: Optimizer, memory: Mapping[Any, Any]) -> None:
    """Let an optimizer remember what `memory_of` returned; its settings stay as they are."""
    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": memory, "param_groups": settings})
