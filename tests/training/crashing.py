"""Kill a run with SIGKILL at random moments, again and again, and see whether it minds.

    python tests/training/crashing.py --kills 100

Each session of one run is killed after a random time: while it imports, packs, trains, writes a
checkpoint or measures. After every kill each reader must still be able to read everything; at the
end the run must be what an undisturbed one is, to the byte.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from disturbance import contents, ganlab

# Every step has a checkpoint of several megabytes, so that many kills fall into the writing of one.
EXPERIMENT = """
title = "Crashing"
[image]
size = 16
[dataset]
name = "faces"
count = 1500
mirror = true
[latent]
dim = 16
[generator]
name = "dcgan"
width = 32
[discriminator]
name = "dcgan"
width = 16
[[losses]]
name = "non-saturating"
[training]
steps = {steps}
batch_size = 16
log_every = 3
[samples]
every = 10
count = 16
[checkpoint]
every = 1
keep = 2
best = "mmd"
[[evaluators]]
name = "mmd"
every = 7
samples = 200
"""


def moment(runs: Path, cache: Path) -> str:
    """Return what a run that was just killed was doing, as its files tell."""
    if not list(runs.glob("*/2*/")):
        return "packing" if list(cache.glob("*.partial")) else "before the run began"
    if list(runs.glob("*/*/checkpoints/.writing-*")):
        return "writing a checkpoint"
    if list(runs.glob("*/*/checkpoints/.replaced-*")):
        return "replacing a checkpoint"
    return "packing again" if list(cache.glob("*.partial")) else "training, measuring or starting"


def check_readers(directory: Path) -> str:
    """Return what a reader complains of; empty where all can be read."""
    listed = ganlab("runs", "--json", cwd=directory)
    if listed.returncode or "warning" in listed.stderr or '"running"' in listed.stdout:
        return listed.stdout + listed.stderr
    return ""


def survive(directory: Path, kills: int, steps: int, seed: int, *, tell: bool = False) -> Counter[str]:
    """Kill a run again and again, compare it with an undisturbed one, and return counts.

    Raises:
        AssertionError: something is not as it has to be.
    """
    chance = random.Random(seed)
    straight, cache = directory / "straight", directory / "cache"
    straight.mkdir(parents=True)
    for place in (directory, straight):
        (place / "x.toml").write_text(EXPERIMENT.format(steps=steps))
    began = time.monotonic()
    done = ganlab("run", "x.toml", cwd=straight)
    assert done.returncode == 0, done.stderr
    whole = time.monotonic() - began
    (undisturbed,) = (straight / "runs").glob("*/*/")
    counts: Counter[str] = Counter()
    environment = {**os.environ, "GANLAB_CACHE": str(cache)}
    command = [sys.executable, "-m", "ganlab", "run", "x.toml", "--resume", "auto"]
    while counts["kills"] < kills:
        if chance.random() < 0.15:
            shutil.rmtree(cache, ignore_errors=True)  # so that some sessions pack again
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            _, errors = process.communicate(timeout=chance.uniform(0.3, 1.2) * min(whole, 6))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            counts["kills"] += 1
            counts[f"killed: {moment(directory / 'runs', cache)}"] += 1
            complaint = check_readers(directory) if counts["kills"] % 10 == 0 or kills < 20 else ""
            assert not complaint, complaint
            continue
        assert process.returncode == 0, errors.decode()
        counts["runs completed before their last kill"] += 1
        if counts["kills"] < kills:
            _compare_and_discard(directory, undisturbed)
        if tell:
            print(dict(counts), flush=True)
    done = ganlab("run", "x.toml", "--resume", "auto", cwd=directory, GANLAB_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    _compare_and_discard(directory, undisturbed)
    counts["runs compared with the undisturbed one"] = counts["runs completed before their last kill"] + 1
    return counts


def _compare_and_discard(directory: Path, undisturbed: Path) -> None:
    (run,) = (directory / "runs").glob("*/2*/")
    disturbed, expected = contents(run), contents(undisturbed)
    for what, value in expected.items():
        assert disturbed[what] == value, f"{what} is not what it is in an undisturbed run"
    shutil.rmtree(directory / "runs")


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        counts = survive(
            Path(directory) / "crashing", arguments.kills, arguments.steps, arguments.seed, tell=True
        )
    for what, count in sorted(counts.items()):
        print(f"{count:5}  {what}")


if __name__ == "__main__":
    main()
