"""A run that dies at a chosen moment, and what it has to look like when it was taken up again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from fresh_process import ganlab
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

DEADLY = '''
"""Components that kill their process, the n-th time that DEATH names what they are asked to do."""

import os
import signal
from pathlib import Path

from ganlab import (
    Estimate, Evaluator, EvaluatorComponent, Loss, LossComponent, Metric, Tracker, TrackerComponent, hookimpl,
)

counts = {}
FEW = 4  # samples at most with which a run's need of memory is estimated before it begins


def trains(game):
    """Return whether a turn is played, and not tried before the run begins."""
    return len(game.latents) > FEW and any(Path("runs").glob("*/*/run.json"))


def die(what):
    chosen, _, number = os.environ.get("DEATH", "").partition(":")
    counts[what] = counts.get(what, 0) + 1
    if what == chosen and counts[what] == int(number):
        os.kill(os.getpid(), int(os.environ.get("SIGNAL", signal.SIGKILL)))


def build_tracker(options, run):
    class Deadly(Tracker):
        def scalars(self, values, step):
            die("log")

        def image(self, tag, image, step):
            die("picture")

        def text(self, tag, markdown, step):
            pass

        def mark(self):
            die("checkpoint")
            return {}

    return Deadly()


def build_evaluator(options, image):
    class Deadly(Evaluator):
        def evaluate(self, real, fake):
            die("evaluation")
            return {"mean": Estimate(float(fake.features.mean()))}

    return Deadly()


def build_loss(options):
    class Deadly(Loss):
        """Adds nothing; it has a state that it has to get back."""

        seen = 0

        def generator(self, game):
            if trains(game):
                die("turn")
            self.seen += 1
            return game.fake.mean() * 1e-3 * (self.seen % 5)

        def state_dict(self):
            return {"seen": self.seen}

        def load_state_dict(self, state):
            self.seen = state["seen"]

    return Deadly()


def build_judge(options):
    class SingleEvaluation(Loss):
        """Adds nothing, once in each turn of the discriminator."""

        def discriminator(self, game):
            if trains(game):
                die("discriminator's turn")
            return game.fake_logits.mean() * 0

    return SingleEvaluation()


@hookimpl
def ganlab_trackers():
    yield TrackerComponent(name="deadly", summary="Kills", build=build_tracker)


@hookimpl
def ganlab_evaluators():
    metrics = (Metric("mean", "lower"),)
    yield EvaluatorComponent(name="deadly", summary="Kills", build=build_evaluator, metrics=metrics)


@hookimpl
def ganlab_losses():
    yield LossComponent(name="deadly", summary="Kills", build=build_loss)
    yield LossComponent(name="deadly-judge", summary="Kills", build=build_judge)
'''

GAN = """
[discriminator]
name = "dcgan"
width = 2
normalisation = "layer"
[[losses]]
name = "non-saturating"
"""
WGAN_GP = """
[discriminator]
name = "dcgan"
width = 2
normalisation = "layer"
[[losses]]
name = "wasserstein"
[[losses]]
name = "gradient-penalty"
weight = 10.0
[[losses]]
name = "deadly-judge"
"""
GMMN = """
[[losses]]
name = "mmd"
"""
ADA = (
    GAN
    + """
[[augmentations]]
name = "ada"
target = -0.5
images = 100
interval = 3
transforms = ["blit", "geometry", "colour", "filter", "noise", "cutout"]
"""
)
LOSSES = {"gan": GAN, "wgan-gp": WGAN_GP, "gmmn": GMMN, "ada": ADA}

# 45 training samples and batches of 8: epochs end in the middle of batches, and of steps.
EXPERIMENT = """
title = "Disturbed"
seed = 5
plugins = ["./deadly.py"]
[image]
size = 16
[dataset]
name = "faces"
count = 50
mirror = true
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
{losses}
[[losses]]
name = "deadly"
[optimizer.generator]
schedule = "linear"
[training]
steps = 24
batch_size = 8
precision = "{precision}"
discriminator_steps = {discriminator_steps}
log_every = 2
[running_statistics]
samples = 64
[samples]
every = 5
count = 4
[checkpoint]
every = 4
keep = 2
best = "mmd"
[[evaluators]]
name = "mmd"
every = 3
samples = 16
[[evaluators]]
name = "deadly"
every = 3
samples = 16
[[trackers]]
name = "tensorboard"
[[trackers]]
name = "deadly"
"""

NOT_REPEATED = ("time", "speed/", "memory/")


def write_experiment(directory: Path, loss: str, precision: str) -> None:
    (directory / "deadly.py").write_text(DEADLY)
    text = EXPERIMENT.format(
        losses=LOSSES[loss], precision=precision, discriminator_steps=5 if loss == "wgan-gp" else 1
    )
    (directory / "x.toml").write_text(text)


def start(directory: Path, death: str = "", number: signal.Signals = signal.SIGKILL) -> Path:
    """Run the experiment, to its end or its death, and return the run's directory."""
    done = ganlab("run", "x.toml", cwd=directory, DEATH=death, SIGNAL=str(int(number)))
    assert (done.returncode != 0) == bool(death), done.stdout + done.stderr
    (run,) = (directory / "runs").glob("*/*/")
    return run


def resume(run: Path, *arguments: str, death: str = "") -> subprocess.CompletedProcess[str]:
    done = ganlab("resume", run, *arguments, cwd=run.parents[2], DEATH=death)
    assert (done.returncode != 0) == bool(death), done.stdout + done.stderr
    return done


def records(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSONL file without what no two runs have in common."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if not key.startswith(NOT_REPEATED)} for line in lines]


def points(run: Path) -> dict[str, list[int]]:
    """Return the steps of every tag of scalars and pictures, in the order of the event files.

    What is in a directory below has that before its tags.
    """
    found: dict[str, list[int]] = {}
    events = run / "tensorboard"
    for file in sorted(path for path in events.rglob("*") if path.is_file()):
        below = "" if file.parent == events else f"{file.parent.name}: "
        for raw in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(raw)
            for value in event.summary.value:
                if value.WhichOneof("value") in ("simple_value", "image"):
                    found.setdefault(below + value.tag, []).append(event.step)
    return found


def contents(run: Path) -> dict[str, Any]:
    """Return all of a finished run that has to be the same, however often it was disturbed."""
    last, best = ((run / name).read_text() for name in ("LAST", "BEST"))
    checkpoint = run / "checkpoints" / last.strip()
    weights = {path.name: path.read_bytes() for path in checkpoint.glob("*.safetensors")}
    state = json.loads((run / "run.json").read_text())
    return {
        "weights": weights,
        "last": last,
        "best": best,
        "state": {key: state[key] for key in ("status", "step", "best", "last", "warnings")},
        "metrics": records(run / "metrics.jsonl"),
        "evaluations": records(run / "evaluations.jsonl"),
        "points": points(run),
        "pictures": {path.name: path.read_bytes() for path in (run / "samples").iterdir()},
        "checkpoints": sorted(path.name for path in (run / "checkpoints").iterdir()),
    }
