"""Bring faults about, one by one, and see what the user is told, and what is kept.

    python tests/training/faults.py

prints the table; the tests run the same faults. Disks of a few megabytes need the right to mount a
tmpfs; where that is missing, those faults are left out, and said to be.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from disturbance import contents
from fresh_process import ganlab, processes_in

from ganlab.runs.reading import read_run
from ganlab.runs.state import RunState

PLUGIN = '''
"""Components to which the ACTION happens, the n-th time they do what FAULT names (`turn:7`)."""

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from ganlab import (
    DatasetComponent, Estimate, Evaluator, EvaluatorComponent, GeneratorComponent, ImageSource, Loss,
    LossComponent, Metric, Tracker, TrackerComponent, hookimpl,
)

MAIN = os.getpid()
counts = Counter()


def happens(what):
    chosen, _, number = os.environ.get("FAULT", "").partition(":")
    counts[what] += 1
    if what != chosen or counts[what] != int(number):
        return ""
    action = os.environ["ACTION"]
    if action == "signal":
        os.kill(MAIN, signal.SIGTERM)
    elif action == "two signals":
        os.kill(MAIN, signal.SIGTERM)
        os.kill(MAIN, signal.SIGTERM)
    elif action == "kill":
        os.kill(MAIN, signal.SIGKILL)
    elif action != "nan":
        subprocess.run(action, shell=True, stderr=subprocess.DEVNULL)
    return action


class Noise(ImageSource):
    def __len__(self):
        return 200

    def read(self, index):
        time.sleep(0.002)
        if index == 100 and happens("packing") == "signal":
            time.sleep(3600)  # as a file on a network that has gone
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8))

    def fingerprint(self):
        return "coloured noise"


def build_generator(options, image, latent):
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(latent.dim, image.channels * image.height * image.width)

        def forward(self, latents):
            happens("generating")
            return self.layer(latents).tanh().view(-1, *image.shape)

    return Network()


def build_evaluator(options, image):
    class Mean(Evaluator):
        def evaluate(self, real, fake):
            happens("evaluation")
            return {"mean": Estimate(float(fake.features.mean()))}

    return Mean()


def build_loss(options):
    class Wordy(Loss):
        """Its records are longer than a page of memory, so that a full disk has no room for one more."""

        def generator(self, game):
            # With fewer samples, or where there is no run yet, it is tried before the run begins.
            playing = len(game.latents) > 4 and any(Path("runs").glob("*/*/run.json"))
            factor = float("nan") if playing and happens("turn") == "nan" else 1.0
            value = game.fake.square().mean() / 200
            return {f"{'word' * 10}-{number}": value * factor for number in range(100)}

    return Wordy()


def build_tracker(options, run):
    import torch

    save = torch.save

    def saved(*arguments):
        happens("checkpoint")
        save(*arguments)

    torch.save = saved

    class Deaf(Tracker):
        def scalars(self, values, step):
            pass

        def image(self, tag, image, step):
            happens("picture")

        def text(self, tag, markdown, step):
            pass

    return Deaf()


@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="noise", summary="Noise", build=lambda options, image: Noise())


@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="faulty", summary="One layer", build=build_generator)


@hookimpl
def ganlab_evaluators():
    metrics = (Metric("mean", "lower"),)
    yield EvaluatorComponent(name="faulty", summary="Mean", build=build_evaluator, metrics=metrics)


@hookimpl
def ganlab_losses():
    yield LossComponent(name="wordy", summary="Many terms", build=build_loss)


@hookimpl
def ganlab_trackers():
    yield TrackerComponent(name="faulty", summary="Draws nothing", build=build_tracker)
'''

EXPERIMENT = """
title = "Faults"
plugins = ["./faulty.py"]
[image]
size = 8
[dataset]
name = "noise"
[latent]
dim = 4
[generator]
name = "faulty"
[[losses]]
name = "wordy"
[training]
steps = 12
batch_size = 8
log_every = 1
[samples]
every = 4
count = 4
[checkpoint]
every = 3
keep = 2
best = "faulty"
[[evaluators]]
name = "faulty"
every = 4
samples = 16
[[trackers]]
name = "tensorboard"
[[trackers]]
name = "faulty"
"""


class UnavailableError(Exception):
    """This machine does not let the fault be brought about."""


@dataclass(frozen=True)
class Outcome:
    """What a fault came to.

    Attributes:
        saw: what was printed of it.
        code: how the command ended.
        kept: what was still there, or went on from there.
    """

    saw: str
    code: int
    kept: str


class Bench:
    """A directory with an experiment in it, a cache of its own, and commands that run there.

    Args:
        directory: an empty one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        places = ("GANLAB_CACHE", "TMPDIR", "TORCHINDUCTOR_CACHE_DIR")
        self.environment = {name: str(directory / name) for name in places}
        (directory / "TMPDIR").mkdir(parents=True)
        (directory / "faulty.py").write_text(PLUGIN)
        (directory / "x.toml").write_text(EXPERIMENT)

    def __call__(self, *arguments: str | Path, fault: str = "", action: str = "", **environment: str) -> Done:
        done = ganlab(
            *arguments,
            cwd=self.directory,
            **{**self.environment, "FAULT": fault, "ACTION": action, **environment},
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert not processes_in(self.directory), "a process lives on"
        return done

    def run(self, fault: str = "", action: str = "", **environment: str) -> Done:
        return self("run", "x.toml", fault=fault, action=action, **environment)

    @property
    def the_run(self) -> Path:
        (run,) = self.directory.glob("runs/*/2*/")
        return run

    def listed(self) -> RunState:
        """Return the state of the one run, as every reader sees it."""
        return read_run(self.the_run).state

    def goes_on(self) -> str:
        """Take the run up again; it has to end as an undisturbed one. Return where it went on."""
        expect(self("resume", self.the_run), 0)
        return self.went_on()

    def went_on(self) -> str:
        """Return where the run was taken up again; it has to be what an undisturbed one is."""
        disturbed, expected = contents(self.the_run), undisturbed()
        for what, value in expected.items():
            assert disturbed[what] == value, f"{what} is not what it is in an undisturbed run"
        assert not self.leftovers()
        step = json.loads((self.the_run / "run.json").read_text())["sessions"][-1]["start_step"]
        return f"resume goes on from step {step} and ends in the undisturbed bytes"

    def starts_again(self) -> str:
        """Run it once more, with what was left behind; it has to end as an undisturbed one."""
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert contents(self.the_run) == undisturbed()
        assert not self.leftovers()
        return "the same command again ends in the undisturbed bytes"

    def leftovers(self) -> list[str]:
        """Return what should not outlive a command."""
        patterns = (".creating-*", ".writing-*", ".replaced-*", ".*.writing", "*.tmp", "*.partial")
        found = [path for pattern in patterns for path in self.directory.rglob(pattern)]
        return [str(path) for path in (*found, *(self.directory / "TMPDIR").iterdir())]


Done = subprocess.CompletedProcess[str]


@functools.cache
def undisturbed() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="undisturbed-") as directory:
        bench = Bench(Path(directory) / "bench")
        done = bench.run()
        assert done.returncode == 0, done.stdout + done.stderr
        return contents(bench.the_run)


@contextmanager
def small_disk(path: Path, size: str = "4m") -> Iterator[None]:
    """Have a disk of so many bytes at a path while the block lasts.

    Raises:
        UnavailableError: mounting is not permitted.
    """
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True
    )
    if mounted.returncode:
        raise UnavailableError(f"a tmpfs cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def told(done: Done, bench: Bench) -> str:
    """Return the last thing that was said on standard error, with short paths."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("packing ")]
    start = max((number for number, line in enumerate(lines) if line[:1].strip()), default=0)
    said = " ".join(line.strip() for line in lines[start:])
    return said.replace(f"{bench.directory}/", "") or "(nothing)"


def expect(done: Done, code: int, *phrases: str) -> None:
    assert done.returncode == code, (done.returncode, done.stdout + done.stderr)
    for phrase in phrases:
        assert phrase in done.stderr, done.stderr


def full_disk(fault: str, message: str) -> Callable[[Bench], Outcome]:
    def inject(bench: Bench) -> Outcome:
        filler = bench.directory / "runs" / "filler"
        with small_disk(filler.parent):
            done = bench.run(fault, f"cat /dev/zero > {filler}")
            expect(done, 2, message, "the disk is full")
            listed = bench.listed()
            assert listed.status in ("failed", "interrupted")
            filler.unlink()
            kept = bench.goes_on()
        return Outcome(told(done, bench), done.returncode, f"{listed.status}; with room again, {kept}")

    return inject


def full_disk_in_packing(bench: Bench) -> Outcome:
    cache = bench.directory / "GANLAB_CACHE"
    with small_disk(cache):
        done = bench.run("packing:1", f"cat /dev/zero > {cache}/filler")
        expect(done, 2, "in the cache directory", "the disk is full", "GANLAB_CACHE can name another")
        assert not bench.leftovers() and not (bench.directory / "runs").exists()
        (cache / "filler").unlink()
        kept = bench.starts_again()
    return Outcome(told(done, bench), done.returncode, f"no run, nothing in the cache; with room, {kept}")


def read_only(bench: Bench) -> Outcome:
    runs = bench.directory / "runs"
    with small_disk(runs):
        expect(bench.run("turn:8", "kill"), -9)
        subprocess.run(["mount", "-o", "remount,ro", runs], check=True)
        done = bench("resume", bench.the_run)
        expect(done, 2, "the file system is read-only")
        another = bench.run()
        expect(another, 2, "cannot make the run directory", "the file system is read-only")
        assert bench.listed().status == "interrupted"
        expect(bench("sample", bench.the_run, "--count", "3", "--out", "out"), 0)
        subprocess.run(["mount", "-o", "remount,rw", runs], check=True)
        kept = bench.goes_on()
    return Outcome(told(done, bench), done.returncode, f"listed and sampled from as it is; writable, {kept}")


def read_only_while_it_runs(bench: Bench) -> Outcome:
    run = "runs/faults/2*/checkpoints"
    try:
        with small_disk(bench.directory / "probe"):
            pass
        done = bench.run("turn:8", f"mount --bind {run} {run} && mount -o remount,bind,ro {run}")
        expect(done, 2, "cannot write", "the file system is read-only")
        listed = bench.listed()
        assert listed.status == "failed" and "read-only" in listed.reason
    finally:
        subprocess.run(f"umount --lazy {bench.directory}/{run}", shell=True, stderr=subprocess.DEVNULL)
    return Outcome(told(done, bench), done.returncode, f"failed; writable again, {bench.goes_on()}")


def damaged_checkpoint(damage: Callable[[Path], None], message: str) -> Callable[[Bench], Outcome]:
    def inject(bench: Bench) -> Outcome:
        expect(bench.run("turn:8", "kill"), -9)
        damage(bench.the_run / "checkpoints" / "step-00000006")
        done = bench("resume", bench.the_run)
        expect(done, 0, message, "trying the one before it")
        assert not (bench.directory / "executed").exists()
        return Outcome(told(done, bench), done.returncode, f"nothing was executed; {bench.went_on()}")

    return inject


def truncate(checkpoint: Path) -> None:
    path = checkpoint / "state.pt"
    os.truncate(path, path.stat().st_size // 2)


def flip(checkpoint: Path) -> None:
    content = bytearray((checkpoint / "state.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (checkpoint / "state.pt").write_bytes(content)


def malice(checkpoint: Path) -> bytes:
    """Return a pickle that leaves a file `executed` beside the experiment when it is loaded."""

    class Malice:
        def __reduce__(self) -> object:
            return (os.system, (f"touch {checkpoint.parents[4] / 'executed'}",))

    return pickle.dumps({"engine": Malice()})


def replace(checkpoint: Path) -> None:
    (checkpoint / "state.pt").write_bytes(malice(checkpoint))


def forged_checkpoint(bench: Bench) -> Outcome:
    expect(bench.run("turn:8", "kill"), -9)
    checkpoint = bench.the_run / "checkpoints" / "step-00000006"
    forged = malice(checkpoint)
    (checkpoint / "state.pt").write_bytes(forged)
    meta = json.loads((checkpoint / "meta.json").read_text())
    meta["files"]["state.pt"] = {"bytes": len(forged), "sha256": hashlib.sha256(forged).hexdigest()}
    (checkpoint / "meta.json").write_text(json.dumps(meta))
    done = bench("resume", bench.the_run)
    expect(done, 2, "nothing in it was run")
    assert not (bench.directory / "executed").exists()
    # A person who looks into it removes the forgery.
    shutil.rmtree(checkpoint)
    return Outcome(told(done, bench), done.returncode, f"nothing was executed; without it, {bench.goes_on()}")


def not_a_number(bench: Bench) -> Outcome:
    done = bench.run("turn:8", "nan")
    expect(done, 3, "step 8, in the generator's turn: not finite: loss/generator/wordy/")
    listed, run = bench.listed(), bench.the_run
    assert listed.status == "diverged" and "step 8" in listed.reason
    bundle = json.loads((run / "logs" / "divergence.json").read_text())
    assert bundle["step"] == 8 and "NaN" in bundle["values"].values() and bundle["weights"]
    pictures = sorted(path.stem for path in (run / "logs").glob("*.png"))
    assert pictures == ["divergence-fixed", "divergence-fixed_ema", "divergence-interpolation"]
    saw = told(done, bench)
    first, _, rest = saw.partition(", loss/generator/wordy/")
    saw = f"{first}, … (100 terms){rest[rest.index('. That turn') :]}"
    return Outcome(saw, done.returncode, f"diverged; divergence.json, pictures; {bench.goes_on()}")


def killed(bench: Bench) -> Outcome:
    done = bench.run("turn:8", "kill")
    expect(done, -9)
    (listed,) = json.loads(bench("runs", "--json").stdout)
    assert (listed["status"], listed["reason"]) == ("interrupted", "the process that ran it is gone")
    return Outcome("(nothing)", done.returncode, f"shown as interrupted; {bench.goes_on()}")


def signalled(fault: str, step: int) -> Callable[[Bench], Outcome]:
    """One signal while a run trains: it saves at this step."""

    def inject(bench: Bench) -> Outcome:
        done = bench.run(fault, "signal")
        expect(done, 75, f"stopped by SIGTERM; saved at step {step}", "ganlab resume")
        listed = bench.listed()
        assert (listed.status, listed.step) == ("interrupted", step)
        assert not bench.leftovers()
        return Outcome(told(done, bench), done.returncode, f"interrupted; {bench.goes_on()}")

    return inject


def signalled_in_packing(bench: Bench) -> Outcome:
    done = bench.run("packing:1", "signal")
    expect(done, 75, "interrupted; it can be started again")
    assert not (bench.directory / "runs").exists()
    (unfinished,) = bench.leftovers()
    kept = bench.starts_again()
    return Outcome(told(done, bench), done.returncode, f"no run, {Path(unfinished).suffix} data; {kept}")


def signalled_in_sampling(bench: Bench) -> Outcome:
    expect(bench.run(), 0)
    arguments = ("sample", bench.the_run, "--count", "300", "--out", "out")
    done = bench(*arguments, fault="generating:3", action="signal")
    expect(done, 75, "interrupted; it can be started again")
    assert not (bench.directory / "out").exists() and not bench.leftovers()
    expect(bench(*arguments), 0)
    assert len(list((bench.directory / "out").iterdir())) == 300
    return Outcome(told(done, bench), done.returncode, "no directory; the same command again makes all")


def signalled_twice(fault: str) -> Callable[[Bench], Outcome]:
    def inject(bench: Bench) -> Outcome:
        done = bench.run(fault, "two signals")
        expect(done, 128 + 15)
        assert bench.listed().status == "interrupted"
        return Outcome(told(done, bench), done.returncode, f"shown as interrupted; {bench.goes_on()}")

    return inject


TESTED_ELSEWHERE = {
    "checkpoint truncated",
    "checkpoint with a flipped bit",
    "the same, its hash forged too",
    "kill -9",
    "SIGTERM in a turn",
    "SIGTERM in an evaluation",
    "two SIGTERM in a turn",
}
"""Not brought about in `test_faults`: other tests of checkpoints, resuming and interruption do it."""

FAULTS: dict[str, Callable[[Bench], Outcome]] = {
    "disk full in a checkpoint": full_disk("checkpoint:4", "cannot write the checkpoint"),
    "disk full in packing": full_disk_in_packing,
    "disk full in metrics.jsonl": full_disk("turn:8", "metrics.jsonl"),
    "read-only run directory": read_only,
    "checkpoints read-only while it runs": read_only_while_it_runs,
    "checkpoint truncated": damaged_checkpoint(truncate, "bytes instead of"),
    "checkpoint with a flipped bit": damaged_checkpoint(flip, "state.pt is not what was written"),
    "checkpoint replaced by a malicious pickle": damaged_checkpoint(replace, "state.pt has"),
    "the same, its hash forged too": forged_checkpoint,
    "NaN from a loss": not_a_number,
    "kill -9": killed,
    "SIGTERM in packing": signalled_in_packing,
    "SIGTERM in a turn": signalled("turn:8", 8),
    "SIGTERM in an evaluation": signalled("evaluation:4", 8),
    "SIGTERM while drawing pictures": signalled("picture:6", 4),
    "SIGTERM while writing a checkpoint": signalled("checkpoint:3", 6),
    "SIGTERM in `ganlab sample`": signalled_in_sampling,
    "two SIGTERM in a turn": signalled_twice("turn:8"),
    "two SIGTERM in a checkpoint": signalled_twice("checkpoint:4"),
}


def dead_rank(directory: Path) -> Outcome:
    """Bring about what `test_sharing` tests, for the table."""
    from test_sharing import ranks, start_pair

    process = start_pair(directory)
    workers = ranks(process)
    os.kill(workers[1], 9)
    _, errors = process.communicate(timeout=120)
    (said,) = (line for line in errors.splitlines() if "lost touch" in line)
    assert not Path(f"/proc/{workers[0]}").exists()
    (run,) = directory.glob("runs/*/*/")
    state = json.loads((run / "run.json").read_text())
    assert state["status"] == "failed"
    return Outcome(
        said.strip(), process.returncode, f"failed; the checkpoint in {(run / 'LAST').read_text()}"
    )


def main() -> None:
    """Print the table."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever started this may have it ignored
    left_out = 0
    for name, fault in {**FAULTS, "a rank of two dies": None}.items():
        with tempfile.TemporaryDirectory(prefix="faults-") as directory:
            try:
                outcome = fault(Bench(Path(directory) / "bench")) if fault else dead_rank(Path(directory))
            except UnavailableError as error:
                left_out += 1
                print(f"{name}\n    left out: {error}", flush=True)
                continue
        print(f"{name} | exit code {outcome.code}")
        for label, text in (("saw", outcome.saw), ("kept", outcome.kept)):
            print(textwrap.fill(f"{label}: {text}", 106, initial_indent="    ", subsequent_indent="      "))
        print(flush=True)
    print(f"{len(FAULTS) + 1 - left_out} faults, {left_out} left out")


if __name__ == "__main__":
    main()
