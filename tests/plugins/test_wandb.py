"""A run's record in Weights & Biases: what the package is told, and what its files hold where it is there."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ganlab.commands.cli import run

EXPERIMENT = """
title = "Tiny rings"
[dataset]
name = "gaussians"
count = 200
[generator]
name = "mlp"
width = 4
[discriminator]
name = "mlp"
width = 4
[[losses]]
name = "hinge"
[training]
steps = 4
batch_size = 8
log_every = 2
[[evaluators]]
name = "frechet"
every = 4
samples = 16
[checkpoint]
every = 2
[[trackers]]
name = "wandb"
mode = "offline"
"""


class UsageError(Exception):
    """What wandb raises where nobody is logged in."""


class Session:
    """Stands in for wandb's run: keeps what it is told."""

    def __init__(self) -> None:
        self.logged: list[dict[str, Any]] = []
        self.axes: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.exit_code: int | None = None

    def define_metric(self, name: str, **said: Any) -> None:
        self.axes[name] = said

    def log(self, values: Mapping[str, Any]) -> None:
        self.logged.append(dict(values))

    def finish(self, exit_code: int) -> None:
        self.exit_code = exit_code

    def values(self, tag: str) -> list[tuple[int, Any]]:
        """Return what was logged under a tag, each with its step."""
        return [(entry["step"], entry[tag]) for entry in self.logged if tag in entry]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[dict[str, Any], Session]]]:
    """Put a stand-in in the place of wandb; return what each session of it began with, and was told."""
    sessions: list[tuple[dict[str, Any], Session]] = []

    def init(**said: Any) -> Session:
        if said["mode"] == "online":
            raise UsageError("No API key configured.")
        sessions.append((said, Session()))
        return sessions[-1][1]

    stand_in = ModuleType("wandb")
    stand_in.__spec__ = ModuleSpec("wandb", None)
    names = {
        "init": init,
        "Settings": lambda **said: said,
        "Image": lambda pixels: ("image", pixels.shape),
        "Html": lambda text: ("html", text),
        "errors": SimpleNamespace(UsageError=UsageError, AuthenticationError=UsageError),
    }
    for name, value in names.items():
        setattr(stand_in, name, value)
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    sys.modules.pop("ganlab_wandb.tracker", None)
    yield sessions
    del sys.modules["ganlab_wandb.tracker"]  # it knows the stand-in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(EXPERIMENT)
    return path


def train(file: Path, *arguments: str) -> int:
    return run(["run", str(file), "--quiet", "--runs", str(file.parent / "runs"), *arguments])


@pytest.mark.slow
def test_a_run_is_recorded_and_continued_under_its_own_id(
    file: Path, begun: list[tuple[dict[str, Any], Session]]
) -> None:
    assert train(file) == 0
    assert train(file, "--resume", "auto", "--set", "training.steps=6") == 0
    (said, first), (again, second) = begun
    (directory,) = (file.parent / "runs" / "tiny-rings").iterdir()
    assert said["id"] == again["id"] == directory.name and again["resume"] == "allow"
    assert (said["project"], said["entity"], said["group"]) == ("ganlab", None, "Tiny rings")
    assert said["config"]["generator"]["width"] == 4 and said["dir"].is_relative_to(directory)
    assert first.axes["*"] == {"step_metric": "step"}
    losses = first.values("loss/generator/total") + second.values("loss/generator/total")
    assert [step for step, _ in losses] == [2, 4, 6] and all(type(value) is float for _, value in losses)
    assert [step for step, _ in first.values("evaluation/frechet/frechet-coordinates")] == [0, 4]
    assert ("image", (512, 512, 3)) in [value for _, value in first.values("samples/fixed_ema")]
    (kind, text), *_ = [value for _, value in first.values("experiment")]
    assert kind == "html" and "Tiny rings" in text
    assert (first.summary["status"], first.exit_code) == ("completed", 0)


@pytest.mark.slow
def test_pictures_are_left_out_and_a_diverged_run_has_failed(
    file: Path, begun: list[tuple[dict[str, Any], Session]]
) -> None:
    rate = "optimizer.discriminator.learning_rate=1e30"
    assert train(file, "--set", "trackers.0.images=false", "--set", rate) == 3
    ((_, session),) = begun
    assert not session.values("samples/fixed_ema") and session.values("experiment")
    assert (session.summary["status"], session.exit_code) == ("diverged", 1)


def test_who_is_not_logged_in_is_told_what_to_do(
    file: Path, begun: list[tuple[dict[str, Any], Session]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(file, "--set", "trackers.0.mode=online") == 2
    told = capsys.readouterr().err
    assert "wandb cannot begin: No API key configured." in told and 'mode = "offline"' in told
    assert not begun


def test_it_keeps_the_promises_of_trackers(begun: list[tuple[dict[str, Any], Session]]) -> None:
    assert run(["check", "tracker", "wandb", "--set", "mode=offline"]) == 0
    assert [session.exit_code for _, session in begun] == [0, 0]


def test_without_the_package_the_extra_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganlab_wandb.find_spec", lambda name: None)
    assert train(file) == 2
    assert "tiny.toml:24: trackers.0: needs the package wandb: pip install 'ganlab[wandb]'" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec("wandb") is None, reason="needs the package wandb")
def test_its_own_files_hold_the_record(file: Path) -> None:
    import wandb

    assert train(file) == 0
    wandb.teardown()  # its process keeps the last block to itself until then
    (path,) = file.parent.glob("runs/*/*/wandb/wandb/offline-run-*/*.wandb")
    history = [entry for entry in map(history_of, records(path)) if entry]
    totals = [
        (entry["step"], entry["loss/generator/total"]) for entry in history if "loss/generator/total" in entry
    ]
    (directory,) = (file.parent / "runs" / "tiny-rings").iterdir()
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert totals == [(line["step"], line["loss/generator/total"]) for line in lines]


def records(path: Path) -> Iterator[Any]:
    """Yield the records of a file of wandb's, which is a log in blocks as LevelDB has it, behind 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, content = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 2**15 - at % 2**15
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        content += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(content)
            content = b""
            yield record


def history_of(record: Any) -> dict[str, Any]:
    return {
        ".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item
    }
