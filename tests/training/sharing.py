"""Two processes against one, on the same experiment: the same losses, the same samples, and how fast.

    python tests/training/sharing.py --steps 200

Sums of float32 numbers are taken in another order by 2 processes than by 1. The columns:

- `equal states`: losses and gradients of one step, from the same state, at steps 0, 50, 100 …: the
  largest relative differences. Rounding alone makes them about 1e-7 for losses, which are sums of
  few terms, and 1e-6 for gradients, which are sums of thousands that partly cancel; a batch that
  is cut or weighted wrongly would make them 1e-2.
- `float64`: the largest relative RMS difference of losses and gradient norms over all steps, all
  computed in float64, where rounding is 1e-16: nothing but rounding parts the two.
- `smooth`: the same in float32 with networks whose ReLUs are replaced by SiLUs.
- `float32`: the same for the networks as they are; and the step in which a unit lies so near the
  kink of its ReLU that it falls on one side in 1 process, and on the other in 2. Its gradient
  jumps there, and from then on the two are different trainings, neither more right than the
  other. Until then they agree as `smooth` does.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from fresh_process import Process, ganlab

EXPERIMENT = """
title = "Shared"
[image]
size = 16
[dataset]
name = "faces"
count = 300
[latent]
dim = 8
[generator]
name = "dcgan"
width = 4
normalisation = "layer"
{losses}
[training]
steps = {steps}
batch_size = 15
precision = "fp32"
log_every = 1
{training}
[samples]
every = 1000
count = 8
[[evaluators]]
name = "mmd"
every = 100
samples = 300
"""
DISCRIMINATOR = """
[discriminator]
name = "dcgan"
width = 4
normalisation = "layer"
"""
NON_SATURATING = DISCRIMINATOR + '[[losses]]\nname = "non-saturating"\n'
CASES = {
    "non-saturating": (NON_SATURATING, ""),
    "wgan-gp": (
        DISCRIMINATOR
        + '[[losses]]\nname = "wasserstein"\n[[losses]]\nname = "gradient-penalty"\nweight = 10.0\n',
        "discriminator_steps = 5",
    ),
    "r1 every 4th step": (NON_SATURATING + '[[losses]]\nname = "r1"\nweight = 1.0\nevery = 4\n', ""),
    "dragan and path length (call networks on whole batches)": (
        NON_SATURATING
        + '[[losses]]\nname = "dragan"\nweight = 10.0\n'
        + '[[losses]]\nname = "path-length"\nweight = 2.0\nevery = 2\n',
        "",
    ),
    "mmd (compares whole batches)": ('[[losses]]\nname = "mmd"\n', ""),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def torchrun(*arguments: str) -> list[str]:
    """Return the command line of two processes under torchrun."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    return [*launcher, f"--master-port={free_port()}", "-m", "ganlab", *arguments]


def train(directory: Path, case: str, steps: int, processes: int) -> Path:
    """Train a case with so many processes, and return the run's directory."""
    losses, training = CASES[case]
    (directory / "x.toml").write_text(EXPERIMENT.format(losses=losses, training=training, steps=steps))
    runs = f"runs-{processes}"
    done = (ganlab if processes == 1 else pair)("run", "x.toml", "--runs", runs, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (directory / runs).glob("*/*/")
    return run


def start(*arguments: str | Path, cwd: Path, script: Path | None = None, **environment: str) -> list[Process]:
    """Start a command line in two processes, the leader first."""
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", **environment}
    return [
        Process(*arguments, cwd=cwd, script=script, **meeting, RANK=rank, LOCAL_RANK=rank)
        for rank in ("0", "1")
    ]


def pair(
    *arguments: str | Path, cwd: Path, script: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line in two processes, as a launcher would: it ends both when one has failed.

    Returns:
        All that they wrote, and an exit code that is not 0 if there was one.
    """
    processes = start(*arguments, cwd=cwd, script=script, **environment)
    while None in (codes := [process.poll() for process in processes]):
        if any(codes):
            for process in processes:
                process.send_signal(signal.SIGTERM)
            break
        time.sleep(0.01)
    outputs, errors = zip(*(process.communicate(timeout=300) for process in processes), strict=True)
    code = next((process.returncode for process in processes if process.returncode), 0)
    return subprocess.CompletedProcess(processes[0].args, code, "".join(outputs), "".join(errors))


def compare(directory: Path, case: str, steps: int) -> dict[str, Any]:
    """Return what `trajectories.py` finds with two processes."""
    losses, training = CASES[case]
    experiment = directory / "x.toml"
    experiment.write_text(EXPERIMENT.format(losses=losses, training=training, steps=steps))
    script = Path(__file__).with_name("trajectories.py")
    done = pair(experiment, "--steps", str(steps), cwd=directory, script=script)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def records(run: Path, name: str = "metrics") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]


def difference(alone: Path, shared: Path) -> dict[str, float]:
    """Return RMS differences over the run, relative to the RMS of the values; and the pictures' largest."""
    found = {}
    for tag in records(alone)[0]:
        if tag.startswith(("loss/", "gradient-norm/")):
            one, two = (
                np.array([record[tag] for record in records(run) if tag in record]) for run in (alone, shared)
            )
            found[tag] = math.sqrt(np.mean((one - two) ** 2)) / math.sqrt(np.mean(one**2))
    one, two = (records(run, "evaluations") for run in (alone, shared))
    found["mmd2"] = max(abs(a["value"] - b["value"]) for a, b in zip(one, two, strict=True))
    return found


def sample_difference(alone: Path, shared: Path) -> int:
    """Return the largest difference of two runs' last fixed samples, in grey levels."""
    from PIL import Image

    pictures = []
    for run in (alone, shared):
        last = sorted((run / "samples").glob("fixed-*.png"))[-1]
        with Image.open(last) as image:
            pictures.append(np.asarray(image).astype(int))
    return int(np.abs(pictures[0] - pictures[1]).max())


def speed(run: Path) -> float:
    return float(np.median([record["speed/images-per-second"] for record in records(run)[5:]]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    print(
        "loss | equal states: losses | gradients | float64 | smooth | float32 (worst) | first crossing "
        "| mmd2 | samples (of 255) | images/s of 1 | of 2"
    )
    for case in CASES:
        with tempfile.TemporaryDirectory() as directory:
            paths = compare(Path(directory), case, steps)
            equal = paths["equal states"]
            alone, shared = (train(Path(directory), case, steps, processes) for processes in (1, 2))
            found = difference(alone, shared)
            mmd = found.pop("mmd2")
            worst = max(found, key=lambda tag: found[tag])
            print(
                f"{case} | {equal['losses']:.1e} | {equal['gradients']:.1e} | {paths['float64']:.1e} | "
                f"{paths['smooth']:.1e} | {found[worst]:.1e} ({worst}) | "
                f"{paths['first crossing'] or 'none'} | {mmd:.1e} | {sample_difference(alone, shared)} | "
                f"{speed(alone):,.0f} | {speed(shared):,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
