"""Kill a run with SIGKILL at random moments, again and again, and see whether it minds.

    python tests/training/crashing.py --kills 100

Each session of one run is killed after a random time: while it imports, packs, trains, writes a
checkpoint or measures; some wait until they are packing. After every kill the runs must be listed
as they are, and nothing of the session may live on; at the end the run must be what an undisturbed
one is, to the byte, with every point of TensorBoard's event files and of the JSONL files once.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from disturbance import contents
from fresh_process import Process, ganlab, processes_in

PLUGIN = '''
"""Coloured noise that takes its time to be read, so that packing lasts."""

import time

import numpy as np
from PIL import Image

from ganlab import DatasetComponent, ImageSource, Options, hookimpl


class SlowOptions(Options):
    count: int
    pause: float = 0.0


class Slow(ImageSource):
    def __init__(self, options):
        self.options = options

    def __len__(self):
        return self.options.count

    def read(self, index):
        time.sleep(self.options.pause)
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, (16, 16, 3), dtype=np.uint8))

    def fingerprint(self):
        return f"coloured noise {self.options.count}"


@hookimpl
def ganlab_datasets():
    yield DatasetComponent(
        name="slow", summary="Noise", options=SlowOptions, build=lambda options, image: Slow(options)
    )
'''

SHARES = {"packing": 0.2, "writing a checkpoint": 0.3, "at any time": 0.5}
"""When sessions are killed; before those that are killed while packing, the packed data is removed."""

# Every step has a checkpoint of several megabytes, so that many kills fall into the writing of one.
EXPERIMENT = """
title = "Crashing"
plugins = ["./slow.py"]
[image]
size = 16
[dataset]
name = "slow"
count = 1500
pause = 0.002
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
[running_statistics]
samples = 64
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


def traces(runs: Path, cache: Path) -> dict[str, set[object]]:
    """Return what there is of each kind that tells what a session was doing when it was killed."""

    def found(root: Path, pattern: str) -> set[object]:
        some = set()
        for path in root.glob(pattern):
            with suppress(FileNotFoundError):  # it has just been moved
                some.add((path.name, path.stat().st_mtime_ns))
        return some

    states = [json.loads(path.read_text()) for path in runs.glob("*/2*/run.json")]
    return {
        "packing": found(cache, "*.partial"),
        "writing a checkpoint": found(runs, "*/2*/checkpoints/.writing-*"),
        "replacing a checkpoint": found(runs, "*/2*/checkpoints/.replaced-*"),
        "training or measuring": {(state["id"], len(state["sessions"])) for state in states},
    }


def moment(before: dict[str, set[object]], after: dict[str, set[object]]) -> str:
    """Return what a session that was killed was doing: the first thing that left a trace of its own."""
    return next((what for what in after if after[what] - before[what]), "starting")


def check_readers(directory: Path) -> str:
    """Return what a reader complains of; empty where the run is shown as what it is."""
    listed = ganlab("runs", "--json", cwd=directory)
    if listed.returncode or listed.stderr:
        return listed.stdout + listed.stderr
    states = [run["status"] for run in json.loads(listed.stdout)]
    # The last session may have been killed after the run was complete.
    return "" if states in ([], ["interrupted"], ["completed"]) else f"listed as {states}"


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Return whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def survive(directory: Path, kills: int, steps: int, seed: int, *, tell: bool = False) -> Counter[str]:
    """Kill a run again and again, compare it with an undisturbed one, and return counts.

    Raises:
        AssertionError: something is not as it has to be.
    """
    chance = random.Random(seed)
    straight, runs, cache = directory / "straight", directory / "runs", directory / "cache"
    straight.mkdir(parents=True)
    for place in (directory, straight):
        (place / "slow.py").write_text(PLUGIN)
        (place / "x.toml").write_text(EXPERIMENT.format(steps=steps))
    began = time.monotonic()
    done = ganlab("run", "x.toml", cwd=straight, GANLAB_CACHE=str(directory / "another cache"))
    assert done.returncode == 0, done.stderr
    whole = time.monotonic() - began
    (undisturbed,) = (straight / "runs").glob("*/*/")
    counts: Counter[str] = Counter()
    while counts["kills"] < kills:
        when = "packing" if counts["kills"] == 0 else chance.choices([*SHARES], [*SHARES.values()])[0]
        if when == "packing":
            shutil.rmtree(cache, ignore_errors=True)
        before = traces(runs, cache)
        process = Process("run", "x.toml", "--resume", "auto", cwd=directory, GANLAB_CACHE=str(cache))
        if when == "at any time":
            patience = chance.uniform(0.3, 1.2) * min(whole, 6)
        else:
            _wait_until(when, process, before, lambda: traces(runs, cache))
            patience = chance.uniform(0, 1.5 if when == "packing" else 0.03)
        try:
            _, errors = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            counts["kills"] += 1
            counts[f"killed: {moment(before, traces(runs, cache))}"] += 1
            assert wait_for(lambda: not processes_in(directory), 10), "workers live on"
            complaint = check_readers(directory)
            assert not complaint, complaint
            counts["times `ganlab runs` showed the truth after a kill"] += 1
            if tell and counts["kills"] % 10 == 0:
                print(dict(counts), flush=True)
            continue
        assert process.returncode == 0, errors
        counts["runs completed before their last kill"] += 1
        if counts["kills"] < kills:
            _compare_and_discard(directory, undisturbed, counts)
    done = ganlab("run", "x.toml", "--resume", "auto", cwd=directory, GANLAB_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    _compare_and_discard(directory, undisturbed, counts)
    assert not list(cache.glob("*.partial")), "packing left something behind"
    return counts


def _wait_until(
    when: str,
    process: Process,
    before: dict[str, set[object]],
    look: Callable[[], dict[str, set[object]]],
) -> None:
    """Wait until a session leaves a trace of something that it is killed at, or ends."""
    assert wait_for(lambda: look()[when] - before[when] or process.poll() is not None, 120), when


def _compare_and_discard(directory: Path, undisturbed: Path, counts: Counter[str]) -> None:
    (run,) = (directory / "runs").glob("*/2*/")
    disturbed, expected = contents(run), contents(undisturbed)
    for what, value in expected.items():
        assert disturbed[what] == value, f"{what} is not what it is in an undisturbed run"
    counts["runs compared with the undisturbed one, all bytes equal"] += 1
    counts["points in their event files, none a ghost and none missing"] += sum(
        map(len, disturbed["points"].values())
    )
    counts["records in their JSONL files, likewise"] += sum(
        len(disturbed[name]) for name in ("metrics", "evaluations")
    )
    shutil.rmtree(directory / "runs")


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=600)
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
