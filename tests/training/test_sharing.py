"""Several processes that share a run, started by torchrun or as it would."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from disturbance import contents, write_experiment
from fresh_process import Process, ganlab
from sharing import (
    CASES,
    EXPERIMENT,
    compare,
    difference,
    pair,
    sample_difference,
    start,
    torchrun,
    train,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("heard_signals")]

Done = subprocess.CompletedProcess[str]


# R1 stands on the non-saturating loss, which needs no turn of its own here.
@pytest.mark.parametrize("case", [case for case in CASES if case != "non-saturating"])
def test_two_processes_train_as_one(tmp_path: Path, case: str) -> None:
    alone, shared = (train(tmp_path, case, 20, processes) for processes in (1, 2))
    found = difference(alone, shared)
    # In 20 steps no unit that matters falls on the other side of its ReLU's kink; see `sharing.py`.
    assert max(found.values()) < 1e-4, found
    assert sample_difference(alone, shared) <= 1
    assert json.loads((shared / "run.json").read_text())["sessions"][0]["processes"] == 2


@pytest.mark.parametrize("case", ["non-saturating", "wgan-gp"])
def test_nothing_but_rounding_parts_two_processes_from_one(tmp_path: Path, case: str) -> None:
    found = compare(tmp_path, case, 10)
    # Sums in another order: of few terms for a loss, of thousands that partly cancel for a gradient.
    assert found["equal states"]["losses"] < 1e-6
    assert found["equal states"]["gradients"] < 2e-5
    # Over many steps a unit may fall on the other side of its ReLU's kink, which is a jump; not so here.
    assert found["smooth"] < 1e-5
    assert found["float64"] < 1e-12


def write_endless(directory: Path) -> None:
    losses, training = CASES["non-saturating"]
    text = EXPERIMENT.format(losses=losses, training=training, steps=100_000)
    (directory / "x.toml").write_text(text + "[checkpoint]\nevery = 5\n")


def await_checkpoint(directory: Path, *processes: Process | subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not list(directory.glob("runs/*/*/LAST")):
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.02)


def start_pair(directory: Path) -> list[Process]:
    write_endless(directory)
    processes = start("run", "x.toml", cwd=directory)
    await_checkpoint(directory, *processes)
    return processes


def test_a_signal_to_one_process_stops_all_and_saves(tmp_path: Path) -> None:
    processes = start_pair(tmp_path)
    processes[1].send_signal(signal.SIGTERM)
    told = [process.communicate(timeout=120) for process in processes]
    (run,) = (tmp_path / "runs").glob("*/*/")
    state = json.loads((run / "run.json").read_text())
    assert state["status"] == "interrupted", told
    assert state["step"] == int((run / "LAST").read_text().strip().removeprefix("step-"))


def test_a_signal_to_torchrun_saves(tmp_path: Path) -> None:
    write_endless(tmp_path)
    process = subprocess.Popen(
        torchrun("run", "x.toml"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    await_checkpoint(tmp_path, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    (run,) = (tmp_path / "runs").glob("*/*/")
    state = json.loads((run / "run.json").read_text())
    assert state["status"] == "interrupted"
    assert state["step"] == int((run / "LAST").read_text().strip().removeprefix("step-"))


def test_a_dead_process_ends_the_others_and_the_run_can_go_on(tmp_path: Path) -> None:
    left, dead = start_pair(tmp_path)
    dead.kill()
    _, errors = left.communicate(timeout=120)
    assert left.returncode != 0
    assert "rank 0 has lost touch with the other processes of this run (rank 1 ended)" in errors
    (run,) = (tmp_path / "runs").glob("*/*/")
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    step = json.loads((run / "run.json").read_text())["step"]
    more = ("--set", f"training.steps={step + 10}")
    gone_on = pair("resume", run, *more, cwd=tmp_path)
    assert gone_on.returncode == 0, gone_on.stderr
    assert json.loads((run / "run.json").read_text())["status"] == "completed"


CRASHING = """
from ganlab import Estimate, Evaluator, EvaluatorComponent, Metric, hookimpl


class Crashing(Evaluator):
    calls = 0

    def evaluate(self, real, fake):
        self.calls += 1
        if self.calls > 3:
            raise RuntimeError("broken from here on")
        return {"one": Estimate(1.0)}


@hookimpl
def ganlab_evaluators():
    build = lambda options, image: Crashing()
    metrics = (Metric("one", "lower"),)
    yield EvaluatorComponent(name="crashing", summary="Crashes", build=build, metrics=metrics)
"""


def test_what_fails_in_the_leader_alone_ends_all_and_is_told(tmp_path: Path) -> None:
    losses, training = CASES["non-saturating"]
    text = EXPERIMENT.format(losses=losses, training=training, steps=30)
    evaluator = '[[evaluators]]\nname = "crashing"\nevery = 5\nsamples = 32\n'
    (tmp_path / "x.toml").write_text('plugins = ["./crashing.py"]\n' + text + evaluator)
    (tmp_path / "crashing.py").write_text(CRASHING)
    done = pair("run", "x.toml", cwd=tmp_path)
    assert done.returncode != 0
    assert "broken from here on" in done.stderr
    (run,) = (tmp_path / "runs").glob("*/*/")
    assert json.loads((run / "run.json").read_text())["status"] == "failed"


def test_what_the_leader_refuses_is_told_once(tmp_path: Path) -> None:
    run = train(tmp_path, "non-saturating", 2, 1)
    refused = pair("resume", run, "--set", "training.batch_size=8", cwd=tmp_path)
    assert refused.returncode != 0
    (error,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert "the experiment differs from that of" in error
    assert "training.batch_size: 15 -> 8" in refused.stderr


def errors(directory: Path, command: Callable[..., Done], **environment: str) -> list[str]:
    """Return what is told of an experiment whose dataset is not there."""
    write_experiment(directory, "gan", "fp32")
    text = (directory / "x.toml").read_text()
    (directory / "x.toml").write_text(text.replace('"faces"', '"no-such-data"'))
    done = command("run", "x.toml", cwd=directory, **environment)
    assert done.returncode != 0
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


def test_what_all_find_wrong_before_they_join_is_told_once(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, pair)
    assert "no-such-data" in error


def test_what_one_alone_finds_wrong_before_they_join_is_told(tmp_path: Path) -> None:
    alone = {
        "RANK": "1",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "1",
    }
    (error,) = errors(tmp_path, ganlab, **alone)
    assert "no-such-data" in error


def test_two_processes_resume_to_the_byte(tmp_path: Path) -> None:
    straight, disturbed = tmp_path / "straight", tmp_path / "disturbed"
    for directory in (straight, disturbed):
        directory.mkdir()
        write_experiment(directory, "gan", "fp32")
    assert pair("run", "x.toml", cwd=straight).returncode == 0
    assert pair("run", "x.toml", cwd=disturbed, DEATH="log:5").returncode != 0
    (run,) = disturbed.glob("runs/*/*/")
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    assert pair("resume", run, cwd=disturbed).returncode == 0
    (undisturbed,) = straight.glob("runs/*/*/")
    assert contents(run) == contents(undisturbed)
