"""A training step of the engine against two hand-written loops of the same networks, side by side.

    python tests/benchmarks/step.py [--data FOLDER_WITH_CELEBA] [--steps 12] [--rounds 3]

`example` is `common_script.py`: float32, contiguous, the discriminator not frozen in the
generator's turn, JPEG files decoded by two loader workers. `bare` is a loop that
does exactly the engine's arithmetic and nothing else. Rounds alternate between the
contestants, and medians are compared, so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from common_script import BATCH, SIZE, JpegFaces, Script
from common_script import LATENTS as DIM
from torch import nn
from torch.nn.functional import softplus

from ganlab import ImageSpec, LatentSpec
from ganlab.config import load_experiment
from ganlab.data.preparation import Data, prepare
from ganlab.engine.engine import Engine
from ganlab.engine.precision import has_native_bf16
from ganlab_dcgan import DiscriminatorOptions, GeneratorOptions, build_discriminator, build_generator

EXPERIMENT = """
title = "Benchmark"
[image]
size = 64
[dataset]
name = "celeba"
root = "{root}"
[latent]
dim = 100
[generator]
name = "dcgan"
[discriminator]
name = "dcgan"
[[losses]]
name = "non-saturating"
[training]
steps = 1000000
batch_size = 64
precision = "{precision}"
"""


def networks() -> tuple[nn.Module, nn.Module]:
    image = ImageSpec(3, SIZE, SIZE)
    return (
        build_generator(GeneratorOptions(), image, LatentSpec(DIM)),
        build_discriminator(DiscriminatorOptions(), image),
    )


def bare_loop(data: Data, dtype: torch.dtype) -> Callable[[], None]:
    """Return one step with the engine's arithmetic, written out."""
    generator, discriminator = (net.to(memory_format=torch.channels_last) for net in networks())
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    adams = [
        torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for net in (discriminator, generator)
    ]
    order = torch.from_numpy(data.split.training)

    def autocast() -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)

    def update(net: nn.Module, adam: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        loss.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in net.parameters() if p.grad is not None])
        assert torch.isfinite(loss + norm)
        adam.step()

    def step() -> None:
        rows = order[torch.randint(len(order), (BATCH,))].numpy()
        real = data.store.gather(rows).float().div_(127.5).sub_(1)
        with autocast():
            fake = generator(torch.randn(BATCH, DIM)).float()
        adams[0].zero_grad()
        with autocast():
            real_logits = discriminator(real).logits.float()
            fake_logits = discriminator(fake.detach()).logits.float()
        update(discriminator, adams[0], softplus(-real_logits).mean() + softplus(fake_logits).mean())
        adams[1].zero_grad()
        discriminator.requires_grad_(False)
        with autocast():
            logits = discriminator(fake).logits.float()
        update(generator, adams[1], softplus(-logits).mean())
        discriminator.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(average, list(generator.parameters()), 0.01)

    return step


def engine_step(folder: Path, precision: str) -> tuple[Callable[[], None], Data, Engine]:
    file = folder / f"{precision}.toml"
    file.write_text(EXPERIMENT.format(root=folder, precision=precision))
    experiment = load_experiment(file)
    data = prepare(experiment)
    engine = Engine.build(experiment, data)
    return engine.advance, data, engine


def measure(step: Callable[[], None], steps: int) -> float:
    """Return images a second."""
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * BATCH / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    default = Path(os.environ.get("GANLAB_TEST_DATA", beside)) / "celeba"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file in options.data.glob("*.txt"):
            (folder / file.name).symlink_to(file.resolve())
        (folder / "img_align_celeba.zip").symlink_to((options.data / "img_align_celeba.zip").resolve())
        jpegs = folder / "jpegs"
        with zipfile.ZipFile(options.data / "img_align_celeba.zip") as archive:
            archive.extractall(jpegs)
        run(folder, jpegs, options.steps, options.rounds)


def run(folder: Path, jpegs: Path, steps: int, rounds: int) -> None:
    fp32, data, _ = engine_step(folder, "fp32")
    contestants = {
        "example": Script(JpegFaces(sorted(jpegs.rglob("*.jpg")))).step,
        "bare fp32": bare_loop(data, torch.float32),
        "engine fp32": fp32,
    }
    if has_native_bf16(torch.device("cpu")):
        bf16, _, engine = engine_step(folder, "bf16")
        contestants |= {"bare bf16": bare_loop(data, torch.bfloat16), "engine bf16": bf16}
    for step in contestants.values():
        measure(step, 3)
    results: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, step in contestants.items():
            results[name].append(measure(step, steps))
    medians = {name: statistics.median(values) for name, values in results.items()}
    print(f"dcgan 64×64, width 64, batch 64, {torch.get_num_threads()} threads; images/s, median of {rounds}")
    for name, value in medians.items():
        print(f"  {name:<12} {value:7.1f}   {value / medians['example']:5.2f} × example")
    for precision in ("fp32", "bf16"):
        if f"engine {precision}" in medians:
            ratio = medians[f"bare {precision}"] / medians[f"engine {precision}"] - 1
            print(f"overhead of the engine over the bare loop, {precision}: {ratio:+.1%}")
    if "engine bf16" in medians:
        waited = engine.feed.wait_seconds
        spent = sum(steps * BATCH / value for value in results["engine bf16"])
        print(f"share of the bf16 step spent waiting for data: {waited / spent:.2%}")


if __name__ == "__main__":
    main()
