"""Two trainings of one experiment, alone and shared, step by step: where they part, and why.

Run by each of several processes:

    torchrun --nproc-per-node=2 tests/training/trajectories.py x.toml --steps 200

Rank 0 prints, as JSON, relative differences from one process that trains alone. A sum of
float32 numbers taken in another order differs in its last bits. That moves losses and
gradients by as little, until a unit lies so near the kink of its ReLU that the last bits
decide on which side: then its gradient jumps, and from there on the two are different
trainings. Without kinks, or in float64, where no unit lies that near, they stay together.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from ganlab import ImageSpec
from ganlab.config import load_experiment
from ganlab.config.experiment import Experiment
from ganlab.data.preparation import Data, prepare
from ganlab.engine.assembly import make_networks
from ganlab.engine.engine import Engine
from ganlab.processes import Processes
from ganlab.training.build import build_engine

COMPARED_EVERY = 50
"""Steps between states from which single steps are compared."""

Losses = list[dict[str, float]]


@contextmanager
def float64() -> Iterator[None]:
    """Let everything compute in float64 that ganlab computes in float32."""
    unit = ImageSpec.dequantise
    torch.set_default_dtype(torch.float64)
    try:
        with (
            mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
            mock.patch.object(ImageSpec, "dequantise", lambda spec, samples: unit(spec, samples).double()),
        ):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def smooth(engine: Engine) -> None:
    """Replace all ReLUs by functions without a kink."""
    for _, network in engine.networks.items():
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.ReLU | nn.LeakyReLU):
                    setattr(module, name, nn.SiLU())


def play(engine: Engine, steps: int) -> Losses:
    """Return losses and gradient norms of every step."""
    found = []
    for _ in range(steps):
        engine.advance()
        values = engine.meter.read()
        found.append({tag: value for tag, value in values.items() if not tag.startswith("balance/")})
    return found


def difference(one: Losses, two: Losses) -> float:
    """Return the largest RMS difference of a tag, relative to the RMS of its values."""
    found = []
    for tag in one[0]:
        pairs = [(a[tag], b[tag]) for a, b in zip(one, two, strict=True) if tag in a]
        apart, size = (math.fsum(x) for x in zip(*(((a - b) ** 2, a**2) for a, b in pairs), strict=True))
        found.append(math.sqrt(apart / size))
    return max(found)


class Trainings:
    """Makes engines of one experiment that one process trains alone, and all together."""

    def __init__(self, experiment: Experiment, data: Data, processes: Processes) -> None:
        self.experiment, self.data, self.processes = experiment, data, processes

    def pair(self) -> tuple[Engine, Engine]:
        """Return an engine that trains alone and one that all share."""
        alone, shared = (
            build_engine(
                self.experiment,
                self.data,
                make_networks(self.experiment, self.data.store.spec, processes),
                processes,
            )
            for processes in (Processes(), self.processes)
        )
        return alone, shared

    def compare(self, steps: int, change: Callable[[Engine], None] = lambda engine: None) -> float:
        """Return how far alone and shared part within the steps."""
        pair = self.pair()
        for engine in pair:
            change(engine)
        alone, shared = (play(engine, steps) for engine in pair)
        return difference(alone, shared)

    def compare_states(self, steps: int) -> dict[str, float]:
        """Return the largest differences of single steps, alone and shared, from equal states."""
        alone, _ = self.pair()
        losses, gradients = [], []
        for step in range(0, steps + 1, COMPARED_EVERY):
            play(alone, step - alone.step)
            state = copy.deepcopy(alone.state_dict())
            pair = self.pair()
            for engine in pair:
                engine.load_state_dict(copy.deepcopy(state))
            one, two = (engine.rehearse() for engine in pair)
            losses += [abs(one[tag] - two[tag]) / abs(one[tag]) for tag in one if tag.startswith("loss/")]
            gradients += [
                float((one - two).norm() / one.norm())
                for one, two in zip(*(_gradients(engine) for engine in pair), strict=True)
            ]
        return {"losses": max(losses), "gradients": max(gradients)}

    def first_crossing(self, steps: int) -> int | None:
        """Return the first step in which some unit of a ReLU is on one side alone, on the other shared."""
        pair = self.pair()
        sides = [_watch_kinks(engine) for engine in pair]
        own = self.processes.rows(pair[0].batch_size)
        for step in range(1, steps + 1):
            for engine in pair:
                engine.advance()
            crossed = any(not torch.equal(alone[own], shared) for alone, shared in zip(*sides, strict=True))
            if self.processes.any(crossed):
                return step
            for seen in sides:
                seen.clear()
        return None


def _gradients(engine: Engine) -> list[torch.Tensor]:
    return [
        torch.cat([weight.grad.flatten() for weight in player.parameters if weight.grad is not None])
        for player in engine.players.values()
    ]


def _watch_kinks(engine: Engine) -> list[torch.Tensor]:
    """Return a list that fills with the sides of their kinks that units are on, `(n, …)` for each call."""
    sides: list[torch.Tensor] = []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sides.append(inputs[0].detach() > 0)

    for _, network in engine.networks.items():
        for module in network.modules():
            if isinstance(module, nn.ReLU | nn.LeakyReLU):
                module.register_forward_pre_hook(look)
    return sides


def main() -> None:
    """Compare, and let rank 0 print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    experiment = load_experiment(arguments.experiment)
    steps = arguments.steps
    processes = Processes.from_environment()
    trainings = Trainings(experiment, prepare(experiment, progress=False), processes)
    found: dict[str, Any] = {}
    with processes.join(torch.device("cpu")):
        found["equal states"] = trainings.compare_states(steps)
        found["float32"] = trainings.compare(steps)
        found["first crossing"] = trainings.first_crossing(steps)
        found["smooth"] = trainings.compare(steps, smooth)
        with float64():
            found["float64"] = trainings.compare(steps)
    if processes.leader:
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
