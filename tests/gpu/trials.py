"""The small experiment that the tests of this folder run, and what they look at afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine

EXPERIMENT = """
title = "On the device"
seed = 3
[image]
size = 32
[dataset]
name = "faces"
count = {count}
mirror = true
[latent]
dim = 16
[generator]
name = "dcgan"
width = 8
[discriminator]
name = "dcgan"
width = 8
[[losses]]
name = "{loss}"
{more}
[training]
steps = {steps}
batch_size = 16
log_every = 4
device = "{device}"
precision = "{precision}"
[ema]
half_life_images = 100
[samples]
every = 8
count = 16
[[evaluators]]
name = "mmd"
every = 8
samples = 256
[[evaluators]]
name = "frechet"
features = "pixels"
every = 8
samples = 256
[checkpoint]
every = 4
best = "mmd"
"""

APART = 0.02
"""By how much weights may differ after a few steps of kernels that add up in no fixed order: their RMS
difference as a share of their RMS."""

PRELUDE = """
import os, sys, torch
{prelude}
from ganlab.__main__ import main
sys.exit(main())
"""

DETERMINISTIC = "torch.use_deterministic_algorithms(True, warn_only=True)"
"""Kernels that give the same bits every time, where there are such."""


def experiment(
    device: str,
    *,
    steps: int = 12,
    precision: str = "fp32",
    count: int = 400,
    loss: str = "non-saturating",
    more: str = "",
) -> str:
    """Return an experiment file's text."""
    return EXPERIMENT.format(
        device=device, steps=steps, precision=precision, count=count, loss=loss, more=more
    )


def engine(directory: Path, device: str, *, loss: str = "non-saturating", more: str = "") -> Engine:
    """Return an experiment's engine, in this process."""
    file = directory / "x.toml"
    file.write_text(experiment(device, count=100, loss=loss, more=more))
    loaded = load_experiment(file)
    return Engine.build(loaded, prepare(loaded, progress=False))


def ganlab(
    *arguments: str | Path, cwd: Path, prelude: str = "", launcher: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own.

    Args:
        arguments: its arguments.
        cwd: its working directory.
        prelude: Python to run before, with torch imported.
        launcher: arguments of Python that start `-m ganlab` for us.
        environment: variables beside this process's own.
    """
    how = [*launcher, "-m", "ganlab"] if launcher or not prelude else ["-c", PRELUDE.format(prelude=prelude)]
    return subprocess.run(
        [sys.executable, *how, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "CUBLAS_WORKSPACE_CONFIG": ":4096:8", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def train(
    directory: Path,
    text: str,
    *arguments: str,
    name: str = "x",
    prelude: str = "",
    launcher: Sequence[str] = (),
) -> Path:
    """Run an experiment to its end and return the run's directory; arguments as `ganlab` has them."""
    (directory / f"{name}.toml").write_text(text)
    run = ["run", f"{name}.toml", "--runs", f"runs-{name}", *arguments]
    done = ganlab(*run, cwd=directory, prelude=prelude, launcher=launcher)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (directory / f"runs-{name}").glob("*/*/")
    return run


def records(run: Path, name: str = "metrics") -> list[dict[str, Any]]:
    """Return the lines of one of a run's JSONL files."""
    return [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]


def state(run: Path) -> dict[str, Any]:
    """Return a run's `run.json`."""
    content: dict[str, Any] = json.loads((run / "run.json").read_text())
    return content


def checkpoint(run: Path) -> Path:
    """Return the directory of a run's last checkpoint."""
    return run / "checkpoints" / (run / "LAST").read_text().strip()


def difference(one: Path, other: Path, name: str = "generator") -> float:
    """Return how far the weights of two runs are apart, in RMS, as a share of theirs; 0 for equal bytes."""
    first, second = (load_file(checkpoint(run) / f"{name}.safetensors") for run in (one, other))
    assert first.keys() == second.keys()
    apart, size = (
        sum(float(tensor.double().square().sum()) for tensor in tensors)
        for tensors in ([first[key] - second[key] for key in first], first.values())
    )
    return float((apart / size) ** 0.5)


def busy(device: torch.device, products: int = 40) -> torch.Tensor:
    """Queue work for a GPU that takes it much longer than it takes the host to ask for it."""
    matrix = torch.full((4096, 4096), 1 / 4096, device=device)  # its own square
    for _ in range(products):
        matrix = matrix @ matrix
    return matrix
