"""Being asked to stop: the state is saved, the exit code says so, and nothing is lost."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import torch
from fresh_process import Process, processes_in

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("heard_signals")]

# Features that report each batch in a file and take their time, so that a signal can be
# sent in the middle of an evaluation.
SLOW_FEATURES = '''
import time
from pathlib import Path

from ganlab import FeatureExtractor, FeaturesComponent, Options, hookimpl


class SlowOptions(Options):
    pause: float = 0.2
    """Seconds for each batch."""
    marker: Path
    """Where each batch is reported."""


def build(options, image):
    class Slow(FeatureExtractor):
        def extract(self, samples):
            with options.marker.open("a") as file:
                file.write("batch\\n")
            time.sleep(options.pause)
            return samples.float().flatten(1)[:, :8]

        def fingerprint(self):
            return f"{time.time_ns()}"

    return Slow()


@hookimpl
def ganlab_features():
    yield FeaturesComponent(name="slow", summary="Takes its time", options=SlowOptions, build=build)
'''

EXPERIMENT = """
title = "Interrupted"
plugins = ["./slow_features.py"]
[image]
size = 16
[dataset]
name = "faces"
count = 60
holdout = 0
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
[discriminator]
name = "dcgan"
width = 2
[[losses]]
name = "non-saturating"
[training]
steps = {steps}
batch_size = 8
log_every = 1
[running_statistics]
samples = 64
[samples]
every = 100000
count = 1
[checkpoint]
every = {checkpoint}
[[evaluators]]
name = "mmd"
every = {every}
samples = 16
features = {{ name = "slow", marker = "marker", pause = {pause} }}
"""


def start(tmp_path: Path, *, steps: int, every: int, checkpoint: int = 1000, pause: float = 0.4) -> Process:
    (tmp_path / "slow_features.py").write_text(SLOW_FEATURES)
    text = EXPERIMENT.format(steps=steps, every=every, checkpoint=checkpoint, pause=pause)
    (tmp_path / "x.toml").write_text(text)
    return Process("run", "x.toml", cwd=tmp_path)


def wait_for_lines(file: Path, lines: int) -> None:
    deadline = time.monotonic() + 120
    while not file.exists() or file.read_text().count("\n") < lines:
        assert time.monotonic() < deadline, f"{file} never had {lines} lines"
        time.sleep(0.01)


def the_run(tmp_path: Path) -> Path:
    (run,) = (tmp_path / "runs").glob("*/*/")
    return run


def interrupted_at(tmp_path: Path, process: Process) -> int:
    """Wait for the end, check that all is as it should be, and return the step that was saved."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert "Traceback" not in errors
    run = the_run(tmp_path)
    state = json.loads((run / "run.json").read_text())
    assert state["status"] == "interrupted"
    assert str(run) in errors
    name = (run / "LAST").read_text().strip()
    assert (run / "checkpoints" / name / "state.pt").is_file()
    assert state["step"] == int(name.removeprefix("step-"))
    return int(state["step"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_steps(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, steps=10**6, every=10**6, checkpoint=7, pause=0)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/*/metrics.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    wait_for_lines(the_run(tmp_path) / "metrics.jsonl", 15)
    process.send_signal(number)
    step = interrupted_at(tmp_path, process)
    logged = (the_run(tmp_path) / "metrics.jsonl").read_text().splitlines()
    assert json.loads(logged[-1])["step"] == step
    assert step >= 15


@pytest.mark.parametrize(("evaluation", "step"), [(0, 0), (1, 3), (2, 6)], ids=["first", "middle", "last"])
def test_a_signal_during_an_evaluation(tmp_path: Path, evaluation: int, step: int) -> None:
    process = start(tmp_path, steps=6, every=3)
    # One batch for the reference and two samples of it again, then one for each evaluation.
    wait_for_lines(tmp_path / "marker", 3 + evaluation)
    process.send_signal(signal.SIGTERM)
    assert interrupted_at(tmp_path, process) == step
    run = the_run(tmp_path)
    records = (run / "evaluations.jsonl").read_text().splitlines()
    assert sorted({json.loads(record)["step"] for record in records}) == list(range(0, step, 3))
    state = torch.load(run / "checkpoints" / f"step-{step:08d}" / "state.pt", weights_only=True)
    assert state["trainer"]["evaluated"] < step, "the checkpoint claims an evaluation that never ended"


def test_a_checkpoint_is_safe_before_its_step_is_measured(tmp_path: Path) -> None:
    process = start(tmp_path, steps=6, every=3, checkpoint=3, pause=1)
    wait_for_lines(tmp_path / "marker", 4)  # the reference twice, step 0, step 3
    process.kill()
    process.communicate(timeout=60)
    assert (the_run(tmp_path) / "LAST").read_text().strip() == "step-00000003"


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, steps=6, every=3, pause=60)
    wait_for_lines(tmp_path / "marker", 1)
    assert processes_in(tmp_path) == [process.pid]
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert processes_in(tmp_path) == []
