"""A run's directory from its first file to its last word."""

from __future__ import annotations

import errno
import fcntl
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from ganlab.config import Experiment, load_experiment
from ganlab.errors import GanlabError
from ganlab.runs.directory import RunDirectory
from ganlab.runs.lock import RunLock, is_locked
from ganlab.runs.reading import read_run
from ganlab.runs.state import Best, Evaluated, Parent


@pytest.fixture
def run(tmp_path: Path, experiment: Experiment) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", experiment, parent=Parent("20250101-000000-abcd", 7))


def test_a_new_run_has_everything(run: RunDirectory, experiment: Experiment, tmp_path: Path) -> None:
    assert run.path.parent == tmp_path / "runs" / "groe-6464-tiny"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run.id)
    assert run.path.name == run.id
    assert (run.path / "experiment.toml").read_bytes() == experiment.file.read_bytes()
    state = json.loads((run.path / "run.json").read_text())
    assert state["title"] == "Größe & 64×64: tiny!"
    assert (state["status"], state["step"], state["steps"]) == ("running", 0, 200)
    assert state["parent"] == {"id": "20250101-000000-abcd", "step": 7, "path": "", "digest": ""}
    assert state["sessions"][0]["pid"] == os.getpid()
    environment = run.environment()
    assert environment["python"] == sys.version.split()[0]
    assert environment["packages"]["torch"]
    assert environment["device"] == "cpu"
    assert [path.name for path in run.path.parent.iterdir()] == [run.id]


def test_the_resolved_experiment_repeats_the_run_without_the_originals(
    run: RunDirectory, experiment: Experiment
) -> None:
    shutil.rmtree(experiment.file.parent)
    again = load_experiment(run.resolved)
    copies = {path.name for path in run.path.rglob("*.py")}
    assert copies == {"tiny_plugin.py", "tiny_helper.py", "tiny_networks.py"}
    assert all(path.is_relative_to(run.path) for path in again.plugin_files.values())
    assert again.settings.title == experiment.settings.title
    assert again.resolved["provenance"] == experiment.resolved["provenance"]
    network = again.generator.build(again.image, again.latent)
    assert network.layer.in_features == 5


def test_a_run_of_a_run_repeats_it_too(run: RunDirectory, tmp_path: Path) -> None:
    second = RunDirectory.create(tmp_path / "runs", load_experiment(run.resolved))
    shutil.rmtree(run.path)
    assert load_experiment(second.resolved).generator.label == "tiny-generator"


def test_state_follows_the_run(run: RunDirectory) -> None:
    run.update(step=50)
    run.update(step=100, best=Best(100, "mmd.mmd", 0.25), last=Evaluated(100, {"evaluation/mmd/mmd": 0.25}))
    run.update(step=150, last=Evaluated(150, {"evaluation/mmd/mmd": float("nan")}))
    seen = read_run(run.path).state
    assert (seen.step, seen.best) == (150, Best(100, "mmd.mmd", 0.25))
    assert seen.last is not None
    assert str(seen.last.metrics) == "{'evaluation/mmd/mmd': nan}"
    run.finish("diverged", "loss/generator/total is nan")
    ended = read_run(run.path).state
    assert (ended.status, ended.reason) == ("diverged", "loss/generator/total is nan")
    assert ended.sessions[0].ended is not None


def test_one_writer_at_a_time(run: RunDirectory, experiment: Experiment) -> None:
    with pytest.raises(GanlabError, match="another process"):
        RunDirectory.open(run.path)
    run.close()
    with RunDirectory.open(run.path) as second:
        second.begin(0, None, experiment=experiment)
        assert len(second.state.sessions) == 2


def test_a_run_that_was_let_go_of_is_interrupted(run: RunDirectory) -> None:
    assert read_run(run.path).state.status == "running"
    run.close()
    assert read_run(run.path).state.status == "interrupted"


def test_a_killed_run_is_interrupted_even_while_its_forked_workers_live(
    tmp_path: Path, run: RunDirectory
) -> None:
    run.close()
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from ganlab.runs.directory import RunDirectory\n"
        "run = RunDirectory.open(Path(sys.argv[1]))\n"
        "if os.fork() == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(run.path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    worker = int(holder.stdout.readline())
    try:
        assert read_run(run.path).state.status == "running"
        holder.kill()
        holder.wait()
        os.kill(worker, 0)  # the worker is alive
        assert read_run(run.path).state.status == "interrupted"
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_directory_that_cannot_be_written_is_said_plainly(tmp_path: Path, experiment: Experiment) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(GanlabError, match=r"cannot make the run directory .*runs"):
        RunDirectory.create(tmp_path / "runs", experiment)


def test_a_failed_start_leaves_nothing(
    tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganlab.runs.directory.write_state", full)
    with pytest.raises(GanlabError, match="the disk is full"):
        RunDirectory.create(tmp_path / "runs", experiment)
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.parent != tmp_path / "runs"]


def test_a_start_that_fails_late_leaves_nothing_either(
    tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise GanlabError(f"cannot write {path}: the disk is full")

    monkeypatch.setattr("ganlab.runs.directory.JsonLinesWriter", refuse)
    with pytest.raises(GanlabError, match=r"cannot write .*metrics\.jsonl: the disk is full"):
        RunDirectory.create(tmp_path / "runs", experiment)
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.parent != tmp_path / "runs"]


def test_a_damaged_run_is_not_held(run: RunDirectory) -> None:
    run.close()
    file = run.path / "run.json"
    content = file.read_text()
    file.write_text("{")
    with pytest.raises(GanlabError, match=r"run\.json is damaged") as kept:
        RunDirectory.open(run.path)
    file.write_text(content)
    RunDirectory.open(run.path).close()
    assert kept.value is not None  # the error's traceback has held on to what `open` had


def test_an_end_that_cannot_be_written_hides_no_error(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise GanlabError("cannot write run.json: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("ganlab.runs.directory.write_state", full)
        with pytest.raises(ZeroDivisionError):
            try:
                raise ZeroDivisionError
            finally:
                run.finish("failed", "ZeroDivisionError")
    assert capsys.readouterr().err == "warning: cannot write run.json: the disk is full\n"
    assert read_run(run.path).state.status == "interrupted"
    RunDirectory.open(run.path).close()


def test_records_that_cannot_be_written_do_not_keep_the_run(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(run.metrics, "_file", full)
        with pytest.raises(GanlabError, match="the disk is full"):
            run.metrics.write(1, {"loss": 1.0})
        run.finish("failed", "the disk is full")
    assert read_run(run.path).state.status == "failed"


def test_taking_a_run_up_puts_a_half_replaced_checkpoint_back(run: RunDirectory) -> None:
    path = run.checkpoints.save(5, {"step": 5}, {})
    run.close()
    path.rename(path.with_name(f".replaced-{path.name}"))
    with RunDirectory.open(run.path) as again:
        assert again.checkpoints.load().step == 5


def test_a_lock_lives_no_longer_than_its_holder(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    lock = RunLock(path)
    alive = weakref.ref(lock)
    assert is_locked(path)
    lock.release()
    assert not is_locked(path)
    del lock
    gc.collect()
    assert alive() is None


def test_looking_whether_a_run_is_alive_needs_no_leave_and_disturbs_nobody(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.touch(mode=0o444)
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_a_child_keeps_no_lock_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from ganlab.runs.lock import RunLock\n"
        "lock = RunLock(Path(sys.argv[1]))\n"
        "child = os.fork()\n"
        "if not child: print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        assert is_locked(path)
        holder.kill()
        holder.wait()
        try:
            assert not is_locked(path)
            RunLock(path).release()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    path = tmp_path / ".lock"
    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(GanlabError, match=rf"^cannot lock {path}: No locks available$"):
        RunLock(path)
    assert not is_locked(path)


def test_places_inside(run: RunDirectory) -> None:
    assert run.tracker_directory("tensorboard") == run.path / "tensorboard"
    for taken in ("samples", "Plugins", "LAST", "best", "trackers"):
        assert run.tracker_directory(taken) == run.path / "trackers" / taken
    assert run.sample_path("fixed", 1000) == run.path / "samples" / "fixed-00001000.png"
    assert run.tracker_directory("tensorboard").is_dir()
    run.write_divergence({"step": 4})
    assert run.divergence == run.path / "logs" / "divergence.json"
    assert json.loads(run.divergence.read_text()) == {"step": 4}


def test_opening_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(GanlabError, match=r"is not a run: it has no run\.json"):
        RunDirectory.open(tmp_path)
