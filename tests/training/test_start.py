"""A run that begins with the weights of another one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

EXPERIMENT = """
title = "{title}"
seed = {seed}
[image]
size = 16
[dataset]
name = "faces"
count = 60
[latent]
dim = 4
[generator]
name = "dcgan"
width = {width}
[discriminator]
name = "dcgan"
width = 2
[[losses]]
name = "{loss}"
[training]
steps = {steps}
batch_size = 8
precision = "fp32"
[running_statistics]
samples = 64
[samples]
every = 4
count = 4
[checkpoint]
every = 2
{more}
"""


def train(directory: Path, title: str, *, more: str = "", status: int = 0, **changes: object) -> Path:
    values = {"seed": 1, "width": 2, "loss": "hinge", "steps": 4, **changes}
    file = directory / f"{title}.toml"
    file.write_text(EXPERIMENT.format(title=title, more=more, **values))
    assert run(["run", str(file), "--runs", str(directory / "runs")]) == status
    return next(iter((directory / "runs").glob(f"{title}/*/")), Path())


def checkpoint(path: Path, step: int) -> Path:
    return path / "checkpoints" / f"step-{step:08}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("start")
    train(directory, "parent")
    return directory


@pytest.fixture
def parent(directory: Path) -> Path:
    (path,) = (directory / "runs").glob("parent/*/")
    return path


def start(run: str, *more: str) -> str:
    return "\n".join(["[start]", f'run = "{run}"', *more])


def test_it_begins_with_its_weights_averaged_ones_too(
    directory: Path, parent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = "[optimizer.generator]\nlearning_rate = 1e-30\n[optimizer.discriminator]\nlearning_rate = 1e-30\n"
    path = train(
        directory,
        "child",
        more=still + "[ema]\nramp_up = 0\n" + start("parent"),
        seed=7,
        loss="non-saturating",
        steps=2,
    )
    assert f"with the weights of {parent.name} at step 4" in capsys.readouterr().out
    kept = json.loads((path / "run.json").read_text())["parent"]
    assert kept == {"id": parent.name, "step": 4, "path": str(parent), "digest": kept["digest"]}
    assert pinned(path) == {"run": str(parent), "step": 4, "digest": kept["digest"]}
    theirs, own = (
        load_file(checkpoint(each, step) / "generator.safetensors") for each, step in ((parent, 4), (path, 2))
    )
    weights = [name for name in own if "running" not in name and "num_batches" not in name]
    assert len(weights) > 4
    assert all(torch.equal(theirs[name], own[name]) for name in weights)
    # Its average begins with the parent's, which is not the parent's last weights.
    averaged = load_file(checkpoint(path, 2) / "generator-ema.safetensors")
    assert not all(torch.equal(averaged[name], own[name]) for name in weights)
    judges = [
        torch.load(checkpoint(each, step) / "state.pt", weights_only=True)["engine"]["players"][
            "discriminator"
        ]["networks"]["discriminator"]
        for each, step in ((parent, 4), (path, 2))
    ]
    assert all(torch.equal(judges[0][name], judges[1][name]) for name in judges[0] if name.endswith("weight"))


def test_a_checkpoint_and_the_networks_can_be_chosen(directory: Path, parent: Path) -> None:
    still = "[optimizer.generator]\nlearning_rate = 1e-30\n"
    chosen = start(str(parent), "checkpoint = 2", 'networks = ["generator"]')
    path = train(directory, "chosen", more=still + chosen, steps=2)
    state = torch.load(checkpoint(path, 2) / "state.pt", weights_only=True)["engine"]["players"]
    theirs = torch.load(checkpoint(parent, 2) / "state.pt", weights_only=True)["engine"]["players"]
    fresh = train(directory, "fresh", more=still, steps=2)
    own = torch.load(checkpoint(fresh, 2) / "state.pt", weights_only=True)["engine"]["players"]
    name = next(name for name in state["generator"]["networks"]["generator"] if name.endswith("weight"))
    begun, old, new = (each["generator"]["networks"]["generator"][name] for each in (state, theirs, own))
    assert torch.equal(begun, old) and not torch.equal(begun, new)


def test_it_is_resumed_without_its_parent(directory: Path, tmp_path: Path) -> None:
    whole = train(directory, "whole", more=start("parent"), steps=4)
    short = train(directory, "short", more=start("parent"), steps=2)
    gone = directory / "runs" / "parent"
    gone.rename(tmp_path / "elsewhere")
    try:
        assert run(["resume", str(short), "--set", "training.steps=4"]) == 0
    finally:
        (tmp_path / "elsewhere").rename(gone)
    files = [checkpoint(each, 4) / "generator.safetensors" for each in (whole, short)]
    assert files[0].read_bytes() == files[1].read_bytes()


def pinned(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((path / "resolved.toml").read_text())["start"]["pinned"]
    return table


def generator(path: Path, step: int) -> bytes:
    return (checkpoint(path, step) / "generator.safetensors").read_bytes()


def newest(directory: Path, title: str) -> Path:
    return max((directory / "runs" / title).iterdir(), key=lambda path: path.stat().st_ctime_ns)


def test_its_resolved_file_begins_with_the_same_weights_though_there_are_newer_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = train(tmp_path, "growing", steps=2)
    child = train(tmp_path, "child", more=start("growing"), steps=2)
    assert run(["resume", str(parent), "--set", "training.steps=4"]) == 0
    runs = ["--runs", str(tmp_path / "runs")]

    assert run(["run", str(child / "resolved.toml"), *runs]) == 0
    again = newest(tmp_path, "child")
    assert again != child and pinned(again) == pinned(child)
    assert generator(again, 2) == generator(child, 2)

    assert run(["run", str(child / "resolved.toml"), "--set", "start.checkpoint=last", *runs]) == 0
    changed = newest(tmp_path, "child")
    assert pinned(changed)["step"] == 4 and generator(changed, 2) != generator(child, 2)

    # The file itself says no more than it did: what it begins with once is no change of the run.
    shutil.rmtree(changed)
    shutil.rmtree(again)
    capsys.readouterr()
    longer = ["--resume", "auto", "--set", "training.steps=4"]
    assert run(["run", str(tmp_path / "child.toml"), *longer, *runs]) == 0
    assert f"{child}, continuing from step 2" in capsys.readouterr().out
    assert pinned(child)["step"] == 2

    # Where all runs have been moved, the parent is known by its id.
    (tmp_path / "runs").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "child" / child.name
    only = ["--set", "training.steps=2", "--runs", str(tmp_path / "moved")]
    assert run(["run", str(moved / "resolved.toml"), *only]) == 0


def test_the_resolved_file_of_a_fork_says_how_to_begin_where_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent, runs = train(tmp_path, "parent"), ["--runs", str(tmp_path / "runs")]
    changed = ["--set", "optimizer.generator.learning_rate=1e-5"]
    assert run(["resume", str(parent), "--fork", "--checkpoint", "2", *changed, *runs]) == 0
    fork = newest(tmp_path, "parent")
    capsys.readouterr()

    assert run(["run", str(fork / "resolved.toml"), *runs]) == 0
    anew = newest(tmp_path, "parent")
    assert generator(anew, 4) != generator(fork, 4)
    error = capsys.readouterr().err
    assert f"was forked from {parent.name} at step 2; the new one begins at step 0" in error
    (command,) = re.findall(r"to begin where it did: ganlab (.*)", error)
    assert run([*shlex.split(command), *runs]) == 0
    again = newest(tmp_path, "parent")
    assert generator(again, 4) == generator(fork, 4)
    assert "warning" not in capsys.readouterr().err

    shutil.rmtree(again / "checkpoints")
    assert run(["resume", str(again), *runs]) == 2
    error = capsys.readouterr().err
    assert "has no checkpoint of its own" in error and f"--resume {parent} --fork --checkpoint 2" in error

    # What began with another's weights begins with them again, and a fork of it does not.
    child = train(tmp_path, "child", more=start(str(parent)), steps=4)
    assert run(["run", str(child / "resolved.toml"), *runs]) == 0
    assert generator(newest(tmp_path, "child"), 4) == generator(child, 4)
    assert "warning" not in capsys.readouterr().err
    assert run(["resume", str(child), "--fork", "--checkpoint", "2", *runs]) == 0
    capsys.readouterr()
    assert run(["run", str(newest(tmp_path, "child") / "resolved.toml"), *runs]) == 0
    assert f"was forked from {child.name} at step 2" in capsys.readouterr().err


def test_the_resolved_file_of_a_run_that_was_changed_on_its_way_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, runs = train(tmp_path, "changed", steps=2), ["--runs", str(tmp_path / "runs")]
    longer = ["--set", "training.steps=4"]
    assert run(["resume", str(path), *longer]) == 0
    capsys.readouterr()
    assert run(["run", str(path / "resolved.toml"), *runs]) == 0
    assert generator(newest(tmp_path, "changed"), 4) == generator(path, 4)
    assert "warning" not in capsys.readouterr().err

    slower = ["--set", "optimizer.generator.learning_rate=1e-5", "--set", "training.steps=6"]
    assert run(["resume", str(path), *slower, "--allow-change"]) == 0
    capsys.readouterr()
    assert run(["run", str(path / "resolved.toml"), *runs]) == 0
    assert generator(newest(tmp_path, "changed"), 6) != generator(path, 6)
    error = capsys.readouterr().err
    assert f"warning: {path / 'resolved.toml'} is of a run that was changed at step 4" in error
    assert "optimizer.generator.learning_rate: 0.0002 -> 1e-05" in error and "training.steps" not in error


def test_weights_that_are_no_longer_there_are_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = train(tmp_path, "parent")
    child = train(tmp_path, "child", more=start("parent", "checkpoint = 2"), steps=2)
    other = train(tmp_path, "other", seed=2, steps=2)
    resolved = child / "resolved.toml"
    line = resolved.read_text().splitlines().index("[start.pinned]") + 1

    def refuse(message: str) -> None:
        capsys.readouterr()
        for command in ("validate", "run"):
            assert run([command, str(resolved), "--runs", str(tmp_path / "runs")]) == 2
            output = capsys.readouterr()
            assert f"resolved.toml:{line}: start.pinned: " in output.err and message in output.err
            assert "leave out [start.pinned]" in output.err and "valid\n" not in output.out
            assert len(list((tmp_path / "runs" / "child").iterdir())) == 1

    shutil.rmtree(checkpoint(parent, 2))
    refuse("has no checkpoint of step 2; there is step 4")
    shutil.copytree(checkpoint(other, 2), checkpoint(parent, 2))
    refuse(f"the weights in {checkpoint(parent, 2)} are not those that this began with")
    shutil.rmtree(parent)
    refuse(f"there is no run '{parent.name}' in")


def test_a_run_that_ended_before_its_first_checkpoint_begins_with_them_again(
    directory: Path, parent: Path
) -> None:
    path = train(directory, "early", more=start("parent"), steps=2)
    whole = generator(path, 2)
    shutil.rmtree(checkpoint(path, 2))
    (path / "LAST").unlink()
    assert run(["resume", str(path)]) == 0
    assert generator(path, 2) == whole


@pytest.mark.parametrize(
    ("begin", "changes", "message"),
    [
        (start("nowhere"), {}, "there is no run 'nowhere'"),
        (start("parent", "checkpoint = 3"), {}, "has no checkpoint of step 3"),
        (start("parent", 'networks = ["encoder"]'), {}, "it has none of these networks: encoder"),
        (start("parent"), {"width": 3}, "the weights of its generator do not fit:"),
    ],
)
def test_what_cannot_be_begun_with_leaves_no_run(
    directory: Path, capsys: pytest.CaptureFixture[str], begin: str, changes: dict[str, int], message: str
) -> None:
    path = train(directory, "refused", more=begin, status=2, **changes)
    error = capsys.readouterr().err
    assert message in error
    assert "refused.toml:" in error and "start.run" in error
    assert path == Path()
    assert run(["validate", str(directory / "refused.toml"), "--runs", str(directory / "runs")]) == 2
    assert capsys.readouterr().err == error


def test_weights_of_other_classes_are_said_to_be_of_other_classes(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = 'name = "faces"\nlabels = "smile"'
    (directory / "labelled.toml").write_text(
        EXPERIMENT.format(
            title="labelled", seed=1, width=2, loss="hinge", steps=4, more=start("parent")
        ).replace('name = "faces"', labels)
    )
    arguments = [str(directory / "labelled.toml"), "--runs", str(directory / "runs")]
    assert run(["validate", *arguments]) == 2
    error = capsys.readouterr().err
    assert "they were trained on 3×16×16 images, and this experiment has 3×16×16 images, 2 classes" in error


def test_validate_finds_what_a_run_would_begin_with_and_writes_nothing(
    directory: Path, parent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "to-check.toml").write_text(
        EXPERIMENT.format(
            title="to-check", seed=1, width=2, loss="hinge", steps=4, more=start("parent", "checkpoint = 2")
        )
    )
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    assert run(["validate", str(directory / "to-check.toml"), "--runs", str(directory / "runs")]) == 0
    assert f"start          the weights of {parent} at step 2\n" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before
