"""A player: networks that learn together, and how they learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer

from ganlab.config.settings import OptimizerSettings
from ganlab.engine.networks import Networks
from ganlab.engine.optimizers import make_optimizer, make_schedule

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
        schedule: the learning rate as a function of the completed steps.
        clip_gradient_norm: largest total gradient norm, or `None`.
        updates: turns taken.
    """

    name: PlayerName
    networks: dict[str, nn.Module]
    optimizer: Optimizer
    schedule: Callable[[int], float]
    clip_gradient_norm: float | None
    updates: int = 0

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Everything that the optimizer moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def optimizer_kind(self) -> str:
        """What decides the form of the optimizer's memory."""
        momentum = " with momentum" if self.optimizer.defaults.get("momentum") else ""
        return f"{type(self.optimizer).__name__}{momentum}"

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next turn."""
        return float(self.optimizer.param_groups[0]["lr"])

    def follow_schedule(self, step: int) -> None:
        """Take the learning rate that is due after `step` completed steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(step)

    def update(self) -> None:
        """Move the weights by the gradients that are there."""
        self.optimizer.step()
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the networks, what the optimizer remembers, and the count of updates."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizer": {"kind": self.optimizer_kind, "state": self.optimizer.state_dict()["state"]},
            "updates": self.updates,
        }

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
            settings = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": state["optimizer"]["state"], "param_groups": settings})
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
    player = Player(
        name=name,
        networks=own,
        optimizer=make_optimizer(settings, parameters),
        schedule=make_schedule(settings, steps),
        clip_gradient_norm=settings.clip_gradient_norm,
    )
    player.follow_schedule(0)
    return player
