"""A run that was killed and taken up again ends in the same bytes as one that was left alone."""

from __future__ import annotations

import functools
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from disturbance import contents, records, resume, start, write_experiment
from fresh_process import ganlab

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("heard_signals")]


@functools.cache
def undisturbed(loss: str, precision: str) -> dict[str, object]:
    directory = Path(tempfile.mkdtemp(prefix="undisturbed-"))
    try:
        write_experiment(directory, loss, precision)
        return contents(start(directory))
    finally:
        shutil.rmtree(directory)


# The moments: in the middle of an epoch (a batch is 8 of 45 samples, so nearly all are), where an
# epoch ends, and inside each kind of report.
DEATHS = ["turn:7", "turn:18", "log:5", "picture:4", "checkpoint:3", "evaluation:6", "turn:1"]


@pytest.mark.parametrize("death", DEATHS)
def test_killed_and_resumed(tmp_path: Path, death: str) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, death)
    resume(run)
    assert contents(run) == undisturbed("gan", "fp32")


# The GAN in fp32 is the one that is killed at every kind of moment, above.
@pytest.mark.parametrize(
    ("loss", "precision"),
    [
        *(("gan", "bf16"), ("wgan-gp", "fp32"), ("wgan-gp", "bf16"), ("gmmn", "fp32"), ("gmmn", "bf16")),
        ("ada", "fp32"),
    ],
)
def test_killed_twice_with_every_loss_and_precision(tmp_path: Path, loss: str, precision: str) -> None:
    write_experiment(tmp_path, loss, precision)
    run = start(tmp_path, "turn:11")
    resume(run, death="evaluation:2")
    resume(run)
    assert contents(run) == undisturbed(loss, precision)
    state = json.loads((run / "run.json").read_text())
    starts = [session["start_step"] for session in state["sessions"]]
    assert starts[0] == 0 and starts[1] > 0 and len(starts) == 3


def test_asked_to_stop_between_the_turns_of_a_step(tmp_path: Path) -> None:
    # The generator's seventh turn is the last of step 7; the signal is heard after step 8's first.
    write_experiment(tmp_path, "wgan-gp", "fp32")
    run = start(tmp_path, "turn:7", signal.SIGTERM)
    name = (run / "LAST").read_text().strip()
    state = torch.load(run / "checkpoints" / name / "state.pt", weights_only=True)
    assert (name, state["engine"]["turn"]) == ("step-00000007", 0)
    resume(run)
    assert contents(run) == undisturbed("wgan-gp", "fp32")


def test_asked_to_stop_between_the_discriminators_turns(tmp_path: Path) -> None:
    # Five turns a step: the thirteenth is the third of step 3, which is then left in its middle.
    write_experiment(tmp_path, "wgan-gp", "fp32")
    run = start(tmp_path, "discriminator's turn:13", signal.SIGTERM)
    name = (run / "LAST").read_text().strip()
    state = torch.load(run / "checkpoints" / name / "state.pt", weights_only=True)
    assert (name, state["engine"]["step"], state["engine"]["turn"]) == ("step-00000002", 2, 3)
    assert state["engine"]["players"]["discriminator"]["updates"] == 13
    resume(run)
    assert contents(run) == undisturbed("wgan-gp", "fp32")


def test_a_longer_run_is_no_change(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    text = (tmp_path / "x.toml").read_text().replace('schedule = "linear"', "")
    (tmp_path / "x.toml").write_text(text.replace("steps = 24", "steps = 12"))
    run = start(tmp_path)
    resume(run, "--set", "training.steps=24")
    (tmp_path / "straight").mkdir()
    write_experiment(tmp_path / "straight", "gan", "fp32")
    (tmp_path / "straight" / "x.toml").write_text(text)
    assert contents(run)["weights"] == contents(start(tmp_path / "straight"))["weights"]
    assert json.loads((run / "run.json").read_text())["steps"] == 24


def test_a_changed_experiment_is_refused_and_shown(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:11")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    change = ("--set", "training.batch_size=4", "--set", "losses.0.weight=2.0")
    refused = ganlab("resume", run, *change, cwd=tmp_path)
    assert refused.returncode == 2
    assert "training.batch_size: 8 -> 4" in refused.stderr
    assert "losses.non-saturating.weight: 1.0 -> 2.0" in refused.stderr
    assert "--allow-change" in refused.stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    resume(run, "--allow-change", *change)
    state = json.loads((run / "run.json").read_text())
    assert "training.batch_size: 8 -> 4" in state["sessions"][1]["changes"]
    assert "batch_size = 4" in (run / "resolved.toml").read_text()
    assert "batch_size = 8" in (run / "logs" / "before-session-2" / "resolved.toml").read_text()


def test_a_changed_plugin_file_is_a_change(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:11")
    plugin = tmp_path / "deadly.py"
    plugin.write_text(plugin.read_text() + "\n# another idea\n")
    refused = ganlab("run", "x.toml", "--resume", "auto", cwd=tmp_path)
    assert refused.returncode == 2
    assert "plugin file deadly.py" in refused.stderr
    assert ganlab("run", "x.toml", "--resume", "auto", "--allow-change", cwd=tmp_path).returncode == 0
    assert "another idea" in (run / "plugins" / "deadly.py").read_text()
    assert "another idea" not in (run / "logs" / "before-session-2" / "plugins" / "deadly.py").read_text()


def test_a_changed_learning_rate_is_taken(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:11")
    resume(run, "--allow-change", "--set", "optimizer.discriminator.learning_rate=0.125")
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["learning-rate/discriminator"] == 0.125


def test_resume_auto_starts_goes_on_and_is_done(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gmmn", "fp32")
    arguments = ("run", "x.toml", "--resume", "auto")
    assert ganlab(*arguments, cwd=tmp_path, DEATH="turn:9").returncode != 0
    assert ganlab(*arguments, cwd=tmp_path).returncode == 0
    done = ganlab(*arguments, cwd=tmp_path)
    assert done.returncode == 0 and "step 24" in done.stdout
    (run,) = (tmp_path / "runs").glob("*/*/")
    assert contents(run) == undisturbed("gmmn", "fp32")
    assert len(json.loads((run / "run.json").read_text())["sessions"]) == 2


def test_a_fork_leaves_its_parent_alone(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    parent = start(tmp_path, "turn:15")
    before = {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()}
    done = ganlab(
        "resume",
        parent,
        "--fork",
        "--checkpoint",
        "8",
        "--set",
        "optimizer.generator.learning_rate=1e-5",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in parent.rglob("*") if path.is_file()} == before
    (fork,) = set((tmp_path / "runs").glob("*/*/")) - {parent}
    state = json.loads((fork / "run.json").read_text())
    assert (state["parent"]["id"], state["parent"]["step"]) == (parent.name, 8)
    assert any("learning_rate" in change for change in state["sessions"][0]["changes"])
    assert min(record["step"] for record in map(json.loads, (fork / "metrics.jsonl").open())) > 8


def test_step_0_is_a_step_to_fork_from() -> None:
    from ganlab.commands.common import make_plan

    plan = make_plan(Path("runs"), "a-run", allow_change=False, fork=True, checkpoint="0")
    assert plan.checkpoint == 0


def test_an_edited_file_can_be_forked(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    parent = start(tmp_path, "turn:15")
    text = (tmp_path / "x.toml").read_text().replace("[training]", "learning_rate = 1e-5\n[training]")
    (tmp_path / "x.toml").write_text(text)
    done = ganlab("run", "x.toml", "--resume", "auto", "--fork", "--checkpoint", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (fork,) = set((tmp_path / "runs").glob("*/*/")) - {parent}
    state = json.loads((fork / "run.json").read_text())
    assert (state["parent"]["id"], state["parent"]["step"]) == (parent.name, 8)
    assert any("optimizer.generator.learning_rate" in change for change in state["sessions"][0]["changes"])


def test_another_metric_that_chooses_the_best_begins_afresh(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    text = (tmp_path / "x.toml").read_text().replace('best = "mmd"', 'best = "deadly"')
    (tmp_path / "x.toml").write_text(text)
    run = start(tmp_path, "turn:15")
    before = json.loads((run / "run.json").read_text())["best"]
    resume(run, "--allow-change", "--set", "checkpoint.best=mmd")
    best = json.loads((run / "run.json").read_text())["best"]
    values = {
        record["step"]: record["value"]
        for record in records(run / "evaluations.jsonl")
        if record["metric"] == "mmd2" and record["step"] > 12
    }
    assert before["value"] < min(values.values()), "the two metrics' values could be told apart"
    assert (best["metric"], best["value"]) == ("mmd.mmd2", min(values.values()))
    assert (run / "BEST").read_text().strip() == f"step-{best['step']:08d}"


def test_the_best_begins_afresh_where_it_is_measured_otherwise(tmp_path: Path) -> None:
    """Values by another kernel are nothing to be better than."""
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:15")
    state = json.loads((run / "run.json").read_text())
    resume(run, "--allow-change", "--set", 'evaluators.0.kernel="energy"')
    best = json.loads((run / "run.json").read_text())["best"]
    later = {
        record["step"]: record["value"]
        for record in records(run / "evaluations.jsonl")
        if record["metric"] == "mmd2" and record["step"] > 12
    }
    assert state["best"]["step"] <= 12
    assert (best["step"], best["value"]) == min(later.items(), key=lambda each: each[1])


def test_a_changed_evaluator_forgets_what_it_froze(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:15")
    resume(run, "--allow-change", "--set", 'evaluators.0.features="pixels"')
    changed = ("run", "x.toml", "--runs", "straight", "--set", 'evaluators.0.features="pixels"')
    assert ganlab(*changed, cwd=tmp_path).returncode == 0
    (straight,) = (tmp_path / "straight").glob("*/*/")
    later, first = (
        [each for each in records(path / "evaluations.jsonl") if each["step"] > 12]
        for path in (run, straight)
    )
    assert later == first


@pytest.mark.parametrize("name", ["resolved.toml", "environment.json"])
@pytest.mark.parametrize("content", [None, "[1", "[]"])
def test_a_file_that_is_gone_or_damaged_is_named(tmp_path: Path, name: str, content: str | None) -> None:
    from ganlab.errors import GanlabError
    from ganlab.runs.reading import read_run

    (tmp_path / "run.json").write_text('{"id": "a", "title": "A", "steps": 1, "created": ""}')
    if content is not None:
        (tmp_path / name).write_text(content)
    run = read_run(tmp_path)
    read = {"resolved.toml": run.experiment, "environment.json": run.environment}[name]
    with pytest.raises(GanlabError, match=name):
        read()


def test_what_the_machine_was_is_said_once(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:11")
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "platform": "elsewhere"}))
    resume(run, death="turn:3")
    resume(run)
    here = environment["platform"]
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    assert [session["changes"] for session in sessions[1:]] == [[f"platform: elsewhere -> {here}"], []]
    before = json.loads((run / "logs" / "before-session-2" / "environment.json").read_text())
    assert before["platform"] == "elsewhere"


def test_a_moved_run_samples_and_goes_on_elsewhere(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "else where"
    home.mkdir()
    write_experiment(home, "gan", "fp32")
    run = start(home, "turn:15")
    moved = elsewhere / "runs" / "disturbed" / "copy"
    shutil.copytree(run, moved)
    shutil.rmtree(home)
    sampled = ganlab("sample", moved, "--count", "3", "--out", "out", cwd=elsewhere)
    assert sampled.returncode == 0, sampled.stderr
    resume(moved)
    assert contents(moved) == undisturbed("gan", "fp32")


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:15")
    newest = run / "checkpoints" / (run / "LAST").read_text().strip()
    damaged = bytearray((newest / "state.pt").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (newest / "state.pt").write_bytes(damaged)
    done = resume(run)
    assert "state.pt is not what was written; trying the one before it" in done.stderr
    assert contents(run) == undisturbed("gan", "fp32")


def test_a_forged_checkpoint_runs_nothing(tmp_path: Path) -> None:
    import hashlib
    import os
    import pickle

    class Malice:
        def __reduce__(self) -> object:
            return (os.system, (f"touch {tmp_path}/executed",))

    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:15")
    newest = run / "checkpoints" / (run / "LAST").read_text().strip()
    forged = pickle.dumps({"engine": Malice()})
    (newest / "state.pt").write_bytes(forged)
    meta = json.loads((newest / "meta.json").read_text())
    meta["files"]["state.pt"] = {"bytes": len(forged), "sha256": hashlib.sha256(forged).hexdigest()}
    (newest / "meta.json").write_text(json.dumps(meta))
    refused = ganlab("resume", run, cwd=tmp_path)
    assert refused.returncode == 2
    assert "nothing in it was run" in refused.stderr and "Traceback" not in refused.stderr
    assert not (tmp_path / "executed").exists()


def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    from ganlab.runs.directory import RunDirectory

    write_experiment(tmp_path, "gan", "fp32")
    run = start(tmp_path, "turn:15")
    with RunDirectory.open(run):
        refused = ganlab("resume", run, cwd=tmp_path)
    assert refused.returncode == 2
    assert "is being written by another process" in refused.stderr


SHAPES = """
title = "Shapes"
[image]
size = 16
[dataset]
name = "faces"
count = 20
[latent]
dim = 2
[generator]
name = "dcgan"
width = 4
[discriminator]
name = "dcgan"
width = 4
[[losses]]
name = "hinge"
[training]
steps = 1
batch_size = 4
"""


def test_networks_of_other_shapes_are_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(SHAPES)
    assert ganlab("run", "x.toml", cwd=tmp_path).returncode == 0
    done = ganlab("resume", "latest", "--fork", "--set", "generator.width=6", cwd=tmp_path)
    assert done.returncode == 2
    told = [line for line in done.stderr.splitlines() if not line.startswith("packing")]
    assert len(told) == 2 and len(told[0]) < 300, done.stderr
    assert "does not fit the experiment as it is now" in told[0] and "size mismatch for" in told[0]
    assert "start a new run" in told[1]
