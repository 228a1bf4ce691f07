"""The optimizer `scaffold-name`: steps of one size, by the sign of a running mean of gradients."""

from typing import Annotated

import torch
from pydantic import Field

from ganlab import OptimizerComponent, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [optimizer.…]; each string is shown by `ganlab describe`."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.99)
    """Share of the running mean in a step, and in the next mean."""


class ScaffoldOptimizer(torch.optim.Optimizer):
    """It remembers in `self.state[weight]`, which checkpoints keep; the core sets `lr` before each step."""

    @torch.no_grad()
    def step(self, closure=None):
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                now, later = group["betas"]
                weight.sub_(group["lr"] * mean.lerp(weight.grad, 1 - now).sign())
                mean.lerp_(weight.grad, 1 - later)


def build(options: ScaffoldOptions, parameters: list):
    """Return the optimizer over all parameters of a player."""
    return ScaffoldOptimizer(parameters, {"betas": options.betas})


@hookimpl
def ganlab_optimizers():
    """Offer the optimizer."""
    yield OptimizerComponent(
        name="scaffold-name",
        summary="The sign of momentum; wants a small learning rate (Lion; Chen et al., 2023)",
        options=ScaffoldOptions,
        build=build,
    )
