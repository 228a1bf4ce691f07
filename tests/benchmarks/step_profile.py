"""Where a training step's time goes, by what it is spent on.

    python tests/benchmarks/step_profile.py EXPERIMENT.toml [--set training.batch_size=64 …] [--rounds 3]

A round is as many steps as it takes for every loss to be due once. What a step takes is processor time, of
the fastest round without the profiler, so that a busy machine says nearly the same; shares are those of all
rounds under it. The profiler makes a step slower, small operators above all: it is for finding what costs,
`step.py` is for saying how much. `OMP_NUM_THREADS=1` keeps what it says free of threads that wait for one
another.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.errors import GanlabError

STEP = "step"
PYTHON = "the rest: Python and dispatch"

REGIONS = {
    "feed": "data feed",
    "update": "optimizer",
    "average": "moving average of the weights",
    "guard": "check of losses and gradients",
    "input_gradient": "penalties: gradient by the samples",
}
"""Parts of the engine that are whole groups, with all that happens inside."""

DOUBLE = "penalties: gradient of that gradient"
"""What autograd does for the derivatives of its own backward functions."""

OPERATORS = {
    "convolution_backward": "convolutions, backward",
    "convolution": "convolutions, forward",
    "conv": "convolutions, forward",
    "norm": "normalisation",
    "copy": "copies and conversions",
    "clone": "copies and conversions",
    "fill_": "copies and conversions",
    "aten::empty": "copies and conversions",
    "addmm": "matrix products",
    "aten::mm": "matrix products",
    "bmm": "matrix products",
    "relu": "activations and upsampling",
    "threshold": "activations and upsampling",
    "clamp_min": "activations and upsampling",
    "tanh": "activations and upsampling",
    "upsample": "activations and upsampling",
}
"""Groups of all other operators, by the first of these that is part of the name."""


def label(owner: Any, method: str, name: str) -> None:
    """Have the profiler see a method of an object or class as one region."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def labelled(*arguments: Any, **named: Any) -> Any:
        with record_function(name):
            return original(*arguments, **named)

    setattr(owner, method, labelled)


def label_parts(engine: Engine) -> None:
    """Have the profiler see the engine's parts as regions."""
    label(engine, "advance", STEP)
    label(engine.feed, "next", "feed")
    label(engine.guard, "check", "guard")
    label(MicrobatchGame, "input_gradient", "input_gradient")
    for player in engine.players.values():
        label(player, "update", "update")
    if engine.average is not None:
        label(engine.average, "update", "average")


def group(event: Any) -> str:
    """Return what an event's own time, without that of its children, was spent on."""
    ancestry = [event.name]
    parent = event.cpu_parent
    while parent is not None:
        ancestry.append(parent.name)
        parent = parent.cpu_parent
    for name in ancestry:
        if name in REGIONS:
            return REGIONS[name]
        if "BackwardBackward" in name or "double_backward" in name:
            return DOUBLE
    if event.name == STEP:
        return PYTHON
    lower = event.name.lower()
    return next((what for part, what in OPERATORS.items() if part in lower), "other operators")


def profiled(engine: Engine, steps: int) -> Counter[str]:
    """Return the seconds that each group took of some steps under the profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            engine.advance()
    spent: Counter[str] = Counter()
    for event in profiler.events():
        spent[group(event)] += event.self_cpu_time_total / 1e6
    return spent


def processor_seconds(engine: Engine, steps: int, rounds: int) -> float:
    """Return the processor time of some steps without a profiler, of the fastest of some rounds."""
    fastest = math.inf
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(steps):
            engine.advance()
        fastest = min(fastest, time.process_time() - started)
    return fastest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    try:
        experiment = load_experiment(options.experiment, overrides=options.overrides)
        engine = Engine.build(experiment, prepare(experiment))
    except GanlabError as error:
        parser.error(str(error))
    steps = math.lcm(*(term.every for term in engine.terms))
    engine.advance()
    seconds = processor_seconds(engine, steps, options.rounds)
    label_parts(engine)
    spent: Counter[str] = sum((profiled(engine, steps) for _ in range(options.rounds)), Counter())
    what = f"batches of {engine.batch_size}, {engine.dtype}, {torch.get_num_threads()} threads"
    print(f"{experiment.settings.title}: {what}, mean of {steps} steps, {options.rounds} rounds")
    print(
        f"a step takes {1e3 * seconds / steps:.1f} ms of processor time, of which by the profiler's shares:"
    )
    for name, share in spent.most_common():
        part = share / spent.total()
        print(f"  {name:<36} {1e3 * part * seconds / steps:8.2f} ms  {part:6.1%}")


if __name__ == "__main__":
    main()
