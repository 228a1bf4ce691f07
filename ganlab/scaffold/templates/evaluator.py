"""The evaluator `scaffold-name`: the sliced Wasserstein distance between real and fake features."""

import torch
from pydantic import Field

from ganlab import Estimate, Evaluator, EvaluatorComponent, ImageSpec, Metric, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [[evaluators]]; each string is shown by `ganlab describe`."""

    directions: int = Field(128, ge=1)
    """Lines that features are projected onto."""
    seed: int = Field(0, ge=0)
    """Which lines."""


class ScaffoldEvaluator(Evaluator):
    """A pure function of two banks of features; the core gives held-out real samples too, for the floor."""

    def __init__(self, directions, seed):
        self.directions, self.seed = directions, seed

    def evaluate(self, real, fake):
        """Return an estimate for each metric that the record declares."""
        rng = torch.Generator().manual_seed(self.seed)
        lines = torch.randn(real.dimension, self.directions, generator=rng)
        lines = lines / lines.norm(dim=0)
        # In one dimension, optimal transport matches quantile with quantile.
        levels = torch.linspace(0, 1, min(real.n, fake.n))
        one, other = (torch.quantile(bank.features @ lines, levels, dim=0) for bank in (real, fake))
        return {"distance": Estimate((one - other).square().mean().sqrt().item())}


def build(options: ScaffoldOptions, image: ImageSpec):
    """Return the evaluator."""
    return ScaffoldEvaluator(options.directions, options.seed)


@hookimpl
def ganlab_evaluators():
    """Offer the evaluator."""
    yield EvaluatorComponent(
        name="scaffold-name",
        summary="Sliced Wasserstein-2 distance (Rabin et al., 2011)",
        options=ScaffoldOptions,
        build=build,
        metrics=(Metric("distance", better="lower"),),
    )
