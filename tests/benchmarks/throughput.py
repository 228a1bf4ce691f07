"""Images a second of one core that the quickstart's recipe trains on, over width, size and batch.

    python tests/benchmarks/throughput.py [--widths 16 32 64 128] [--sizes 32 64 128] [--batches 32 64 128]

What counts is the time that a single thread had a core for, in the fastest of a few steps, so that a machine
that does other things besides says nearly the same. A step in which the penalties are due and one in which
they are not are timed apart; the recipe has one of those and seven of these.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine
from ganlab.engine.precision import choose_precision

RECIPE = Path(__file__).parents[2] / "docs" / "experiments" / "quickstart.toml"
EVERY = 8
"""The recipe's steps from one of its penalties to the next."""


@contextmanager
def engine_of(width: int, size: int, batch: int) -> Iterator[Engine]:
    """Lend an engine that plays the penalties in every second step, so that both kinds come soon."""
    overrides = [f"generator.width={width}", f"discriminator.width={width}", f"image.size={size}"]
    overrides += [f"training.batch_size={batch}", 'training.device="cpu"', "dataset.count=512"]
    overrides += [f"losses.{index}.every=2" for index in (1, 2)]
    experiment = load_experiment(RECIPE, overrides=overrides)
    engine = Engine.build(experiment, prepare(experiment, progress=False))
    try:
        yield engine
    finally:
        engine.feed.close()


def images_per_second(engine: Engine, rounds: int, seconds: float) -> float:
    """Return the images a second of the fastest steps of some rounds, fewer where those take long."""
    penalised = plain = math.inf
    began = time.process_time()
    for done in range(rounds + 1):
        marks = [time.process_time()]
        for _ in range(2):
            engine.advance()
            marks.append(time.process_time())
        if done:  # the first round also sets up what later ones reuse
            penalised, plain = min(penalised, marks[1] - marks[0]), min(plain, marks[2] - marks[1])
            if marks[-1] - began > seconds:
                break
    return EVERY * engine.batch_size / (penalised + (EVERY - 1) * plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5, help="after which no further round begins")
    options = parser.parse_args()
    torch.set_num_threads(1)
    precision = choose_precision("auto", torch.device("cpu"), bounded=True)
    print(f"images a second of one core in {precision}, torch {torch.__version__}", flush=True)
    print("width  batch" + "".join(f"{f'{size}×{size}':>10}" for size in options.sizes))
    for width in options.widths:
        for batch in options.batches:
            print(f"{width:5}  {batch:5}", end="", flush=True)
            for size in options.sizes:
                with engine_of(width, size, batch) as engine:
                    rate = images_per_second(engine, options.rounds, options.seconds)
                    print(f"{rate:10.1f}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
