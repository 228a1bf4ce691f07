"""A player: networks that learn together, and how they learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ganlab.config.settings import OptimizerSettings
from ganlab.training.networks import Networks
from ganlab.training.optimizers import make_optimizer, make_schedule

__all__ = ["Player", "PlayerName", "make_player"]

PlayerName = Literal["discriminator", "generator"]

NETWORKS_OF: dict[PlayerName, tuple[str, ...]] = {
    "discriminator": ("discriminator",),
    "generator": ("generator", "encoder"),
}


@dataclass
class Player:
    """Networks that learn together.

    Attributes:
        name: `discriminator`, or `generator` (with the encoder, where there is one).
        networks: what learns in this player's turn.
        optimizer: over all their parameters.
        schedule: of the learning rate; stepped once a step, however many turns it has.
        clip_gradient_norm: largest total gradient norm, or `None`.
        updates: turns taken.
    """

    name: PlayerName
    networks: dict[str, nn.Module]
    optimizer: Optimizer
    schedule: LRScheduler
    clip_gradient_norm: float | None
    updates: int = 0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Everything that the optimizer moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next turn."""
        return float(self.optimizer.param_groups[0]["lr"])

    def update(self) -> None:
        """Move the weights by the gradients that are there."""
        self.optimizer.step()
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimizer, schedule and the count of updates."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.updates = state["updates"]


def make_player(
    name: PlayerName, networks: Networks, settings: OptimizerSettings, steps: int
) -> Player | None:
    """Return the player of that name, or `None` where its networks have nothing to learn.

    Args:
        name: which player.
        networks: all networks.
        settings: of its optimizer.
        steps: of the whole training.
    """
    own = {kind: network for kind, network in networks.items() if kind in NETWORKS_OF[name]}
    parameters = [
        parameter for network in own.values() for parameter in network.parameters() if parameter.requires_grad
    ]
    if not parameters:
        return None
    optimizer = make_optimizer(settings, parameters)
    return Player(
        name=name,
        networks=own,
        optimizer=optimizer,
        schedule=make_schedule(settings, optimizer, steps),
        clip_gradient_norm=settings.clip_gradient_norm,
    )
