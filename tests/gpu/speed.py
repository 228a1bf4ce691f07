"""Speed: DCGAN at 64×64 beside the common example script's loop.

    python tests/gpu/speed.py [--seconds 110]

Prints Markdown, the first line of it in short, after each round: what comes after the last form feed
counts. Width 64 in batches of 128 (4 in batches of 8 without a
GPU), on images that are drawn at random, since what they show does not matter here. The example script is
written plainly: contiguous, a loader with workers, the discriminator not frozen in the generator's turn,
three losses read in every step. Rounds alternate between the contestants.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from ganlab import ImageSpec, LatentSpec
from ganlab.config import load_experiment
from ganlab.data.preparation import Data
from ganlab.data.split import Split
from ganlab.data.store import Store
from ganlab.engine.engine import Engine
from ganlab_dcgan import DiscriminatorOptions, GeneratorOptions, build_discriminator, build_generator

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
BATCH, WIDTH, COUNT, WARM_UP = (128, 64, 8192, 20) if GPU else (8, 4, 64, 1)
ROUND_SECONDS = 1.5 if GPU else 0.3
"""How long a contestant is measured in a round, about."""
ROUNDS = 3
SIZE, DIM = 64, 100

EXPERIMENT = """
title = "Speed"
[image]
size = {size}
[dataset]
name = "faces"
[latent]
dim = {dim}
[generator]
name = "dcgan"
width = {width}
[discriminator]
name = "dcgan"
width = {width}
[[losses]]
name = "non-saturating"
[training]
steps = 1000000
batch_size = {batch}
device = "{device}"
precision = "{precision}"
cuda_graphs = {graphs}
"""


class Faces(Dataset[torch.Tensor]):
    """Images in memory, made float one by one, as a loader's workers do."""

    def __init__(self, images: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.images[index]).permute(2, 0, 1).float().div(255).sub(0.5).div(0.5)


def example(store: Store, precision: str) -> Callable[[], None]:
    """Return one step of the common example script."""
    image = ImageSpec(3, SIZE, SIZE)
    generator = build_generator(GeneratorOptions(width=WIDTH), image, LatentSpec(DIM)).to(DEVICE)
    discriminator = build_discriminator(DiscriminatorOptions(width=WIDTH), image).to(DEVICE)
    generator_adam = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator_adam = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loader = DataLoader(
        Faces(store.samples), batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True, pin_memory=GPU
    )

    def forever() -> Iterator[torch.Tensor]:
        while True:
            yield from loader

    batches = forever()
    ones, zeros = torch.ones(BATCH, device=DEVICE), torch.zeros(BATCH, device=DEVICE)

    def judge(samples: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits: torch.Tensor = discriminator(samples).logits
        return logits.float()

    def step() -> None:
        real = next(batches).to(DEVICE)
        discriminator.zero_grad()
        real_loss = binary_cross_entropy_with_logits(judge(real), ones)
        real_loss.backward()
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            fake = generator(torch.randn(BATCH, DIM, device=DEVICE)).float()
        fake_loss = binary_cross_entropy_with_logits(judge(fake.detach()), zeros)
        fake_loss.backward()
        discriminator_adam.step()
        generator.zero_grad()
        loss = binary_cross_entropy_with_logits(judge(fake), ones)
        loss.backward()
        generator_adam.step()
        real_loss.item(), fake_loss.item(), loss.item()

    return step


def engine(store: Store, precision: str, *, resident: bool, graphs: bool = False) -> Engine:
    """Return an engine whose data lives on the device, or is gathered; with CUDA graphs or not."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "x.toml"
        file.write_text(
            EXPERIMENT.format(
                size=SIZE,
                dim=DIM,
                width=WIDTH,
                batch=BATCH,
                device=DEVICE.type,
                precision=precision,
                graphs=str(graphs).lower(),
            )
        )
        experiment = load_experiment(file)
    every = np.arange(len(store), dtype=np.int64)
    with mock.patch("ganlab.data.feed.COMFORTABLE_SHARE", 0.25 if resident else 0.0):
        return Engine.build(experiment, Data(store, Split(every, every[:0])))


@contextlib.contextmanager
def arithmetic(kind: str) -> Iterator[None]:
    """Compute float32 products in full, or as torch has it, and let cuDNN choose its algorithms so.

    `benchmark` lets it try them, `deterministic` has it take those that give the same bits each time.
    """
    cudnn: Any = torch.backends.cudnn
    before = cudnn.conv.fp32_precision, cudnn.benchmark, cudnn.deterministic
    try:
        if kind.startswith("fp32"):
            cudnn.conv.fp32_precision = "ieee"
        cudnn.benchmark = kind.endswith("benchmark")
        cudnn.deterministic = kind.endswith("deterministic")
        yield
    finally:
        cudnn.conv.fp32_precision, cudnn.benchmark, cudnn.deterministic = before


EXAMPLE = "example script"


@dataclass
class Contestant:
    """Something that takes steps, and how it did."""

    name: str
    kind: str
    make: Callable[[], tuple[Callable[[], None], Engine | None]]
    speeds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    memory: float = 0.0
    waited: float = 0.0
    failure: str = ""

    @property
    def speed(self) -> float:
        """Images a second, the median of the rounds; 0 where there was none."""
        return statistics.median(self.speeds) if self.speeds else 0.0

    def play(self) -> None:
        """Make it, warm it up, and measure one round."""
        try:
            with arithmetic(self.kind):
                self._play()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}".splitlines()[0]

    def _play(self) -> None:
        gc.collect()  # what went before has left circles
        if GPU:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        step, playing = self.make()
        seconds_of(step, WARM_UP)
        steps = max(2, int(ROUND_SECONDS / seconds_of(step, WARM_UP) * WARM_UP))
        waited = playing.feed.wait_seconds if playing else 0.0
        with Utilisation() as utilisation:
            seconds = seconds_of(step, steps)
        self.speeds.append(steps * BATCH / seconds)
        if utilisation.mean is not None:
            self.busy.append(utilisation.mean)
        if playing:
            self.waited = (playing.feed.wait_seconds - waited) / seconds
            playing.feed.close()
        if GPU:
            self.memory = torch.cuda.max_memory_allocated() / 2**20


def seconds_of(step: Callable[[], None], count: int) -> float:
    """Return how long so many steps take, until the device is done."""
    started = time.perf_counter()
    for _ in range(count):
        step()
    if GPU:
        torch.cuda.synchronize()
    return time.perf_counter() - started


class Utilisation:
    """Asks `nvidia-smi` again and again how busy the GPU is.

    Attributes:
        mean: in percent; `None` where nobody can tell.
    """

    mean: float | None = None

    def __enter__(self) -> Utilisation:
        self._values: list[float] = []
        self._process: subprocess.Popen[str] | None = None
        if GPU and shutil.which("nvidia-smi"):
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"
            query = ["nvidia-smi", "-i", visible, "--query-gpu=utilization.gpu"]
            self._process = subprocess.Popen(
                [*query, "--format=csv,noheader,nounits", "-lms", "100"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        return self

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._values.append(float(line))

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._reader.join()
        # The first samples still look at the time before.
        values = self._values[2:]
        self.mean = statistics.mean(values) if values else None


def contestants(store: Store) -> list[Contestant]:
    """Return the example script and the engine, each in every kind of arithmetic."""

    def of_example(precision: str) -> Callable[[], tuple[Callable[[], None], None]]:
        return lambda: (example(store, precision), None)

    def of_engine(
        precision: str, resident: bool, graphs: bool = False
    ) -> Callable[[], tuple[Callable[[], None], Engine]]:
        def make() -> tuple[Callable[[], None], Engine]:
            made = engine(store, precision, resident=resident, graphs=graphs)
            return made.advance, made

        return make

    found = []
    for kind in ("fp32", "tf32", "bf16") if GPU else ("fp32",):
        precision = "bf16" if kind == "bf16" else "fp32"
        found.append(Contestant(EXAMPLE, kind, of_example(precision)))
        found.append(Contestant("ganlab, data on the device", kind, of_engine(precision, True)))
        found.append(Contestant("ganlab, data gathered", kind, of_engine(precision, False)))
    for kind in ("tf32, benchmark", "bf16, benchmark") if GPU else ():
        precision = "bf16" if kind.startswith("bf16") else "fp32"
        found.append(Contestant("ganlab, data on the device", kind, of_engine(precision, True)))
    # A graph is refused where the trial finds other bits each time, which cuDNN's own choice may give.
    for kind in ("fp32, deterministic", "bf16, deterministic") if GPU else ():
        precision = kind.partition(",")[0]
        found.append(Contestant("ganlab, data on the device", kind, of_engine(precision, True)))
        found.append(Contestant("ganlab, CUDA graphs", kind, of_engine(precision, True, graphs=True)))
    return found


def table(playing: list[Contestant]) -> str:
    """Return how all did, as Markdown."""
    example = {each.kind: each.speed for each in playing if each.name == EXAMPLE}
    rows = [
        "| | arithmetic | images/s | × example, same arithmetic | busy | memory, MiB | waits for data |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in playing:
        if not each.speeds:
            rows.append(f"| {each.name} | {each.kind} | FAILED: {each.failure} | | | | |")
            continue
        base = example.get(each.kind.partition(",")[0], 0.0)
        busy = f"{statistics.mean(each.busy):.0f} %" if each.busy else "not known"
        memory = f"{each.memory:,.0f}" if GPU else "not asked"
        times = f"{each.speed / base:.2f}" if base else ""
        rows.append(
            f"| {each.name} | {each.kind} | {each.speed:,.0f} | {times} | {busy} | {memory} "
            f"| {each.waited:.1%} |"
        )
    return "\n".join(rows)


def in_short(playing: list[Contestant]) -> str:
    """Return the speeds in a line, by arithmetic."""
    kinds = {
        kind: ", ".join(f"{each.name} {each.speed:,.0f}" for each in playing if each.kind == kind)
        for kind in dict.fromkeys(each.kind for each in playing)
    }
    return "images/s: " + "; ".join(f"{kind}: {told}" for kind, told in kinds.items())


def told(playing: list[Contestant], rounds: int) -> str:
    """Return all that was found, as Markdown."""
    return (
        f"{in_short(playing)}\n\nWidth {WIDTH}, batch {BATCH}, {rounds} rounds (medians), on {DEVICE}. "
        "`tf32`: convolutions as torch has them; `fp32`: in full; `benchmark`: cuDNN may try algorithms; "
        "`deterministic`: it takes those that give the same bits each time, as graphs are tried by.\n\n"
        f"{table(playing)}"
    )


def main() -> None:
    """Play rounds until the time is up, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=110.0)
    deadline = time.monotonic() + parser.parse_args().seconds
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
    store = Store(ImageSpec(3, SIZE, SIZE), pixels, None, (), "speed")
    playing = contestants(store)
    rounds, longest = 0, 0.0
    while rounds < ROUNDS and time.monotonic() + longest < deadline:
        started = time.monotonic()
        for contestant in playing:
            if not contestant.failure and time.monotonic() < deadline:
                contestant.play()
        rounds, longest = rounds + 1, max(longest, time.monotonic() - started)
        # At once, so that it is there whatever ends this.
        print(f"\f{told(playing, rounds)}", flush=True)
    if any(each.failure for each in playing):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
