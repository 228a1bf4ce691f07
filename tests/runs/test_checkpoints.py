"""Checkpoints: whole or not there, checked before they are believed, and never lost too early."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab import ImageSpec, VectorSpec
from ganlab.errors import GanlabError
from ganlab.runs import checkpoints as module
from ganlab.runs.checkpoints import Checkpoints
from ganlab.runs.layout import CheckpointLayout


def save(checkpoints: Checkpoints, step: int, **arguments: Any) -> Path:
    return checkpoints.save(step, {"step": step}, {"weight": torch.full((2,), float(step))}, **arguments)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_everything_comes_back(tmp_path: Path) -> None:
    weights = {
        "layer.weight": torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last),
        "layer.bias": torch.randn(4, dtype=torch.bfloat16),
        "count": torch.tensor(3),
    }
    tied = {**weights, "tied": weights["layer.bias"]}
    state = {
        "step": 7,
        "optimizer": {"state": {0: {"exp_avg": torch.randn(3)}}, "betas": (0.5, 0.999)},
        "rng": torch.Generator().manual_seed(3).get_state(),
        "labels": ["a", None, 1.5, True],
    }
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(7, state, weights, tied, spec=ImageSpec(3, 32, 48, classes=10))
    assert sorted(file.name for file in path.iterdir()) == [
        "generator-ema.safetensors",
        "generator.safetensors",
        "meta.json",
        "state.pt",
    ]
    loaded = checkpoints.load()
    assert (loaded.step, loaded.spec, loaded.has_ema) == (7, ImageSpec(3, 32, 48, classes=10), True)
    assert str(loaded.state()) == str(state)
    assert all(torch.equal(loaded.generator(ema=False)[name], weights[name]) for name in weights)
    assert loaded.generator().keys() == tied.keys()


def test_without_averaged_weights(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, spec=VectorSpec(2))
    loaded = checkpoints.load("last")
    assert loaded.spec == VectorSpec(2)
    assert torch.equal(loaded.generator()["weight"], torch.ones(2))
    with pytest.raises(GanlabError, match="no averaged weights"):
        loaded.generator(ema=True)


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    save(checkpoints, 100)
    checkpoints.mark_best(100)
    for step in (200, 300, 400):
        save(checkpoints, step)
    assert checkpoints.steps == [100, 300, 400]
    assert (checkpoints.load("best").step, checkpoints.load("last").step) == (100, 400)
    checkpoints.mark_best(300)
    assert checkpoints.steps == [300, 400]


def test_its_description_may_say_more_but_not_less(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    file = tmp_path / "checkpoints" / "step-00000001" / "meta.json"
    whole = checkpoints.load(1)
    meta = json.loads(file.read_text())
    files = {name: {**proof, "crc": 7} for name, proof in meta["files"].items()}
    file.write_text(json.dumps({**meta, "files": files, "later": True}))
    assert checkpoints.load(1) == whole
    file.write_text(json.dumps({**meta, "step": "first"}))
    with pytest.raises(GanlabError, match=r"meta\.json cannot be read: its `step` is 'first'"):
        checkpoints.load(1)
    del meta["files"]["state.pt"]["sha256"]
    file.write_text(json.dumps(meta))
    with pytest.raises(
        GanlabError, match=r"meta\.json cannot be read: it does not say `files\.state\.pt\.sha256`"
    ):
        checkpoints.load(1)


def test_steps_are_numbers_not_words(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (9, 10, 99_999_999, 100_000_000):
        save(checkpoints, step)
    assert checkpoints.steps == [10, 99_999_999, 100_000_000]
    assert checkpoints.load().step == 100_000_000
    assert checkpoints.load(10).state() == {"step": 10}


def test_a_resume_from_an_older_step_leaves_the_abandoned_future_behind(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (100, 200, 300):
        save(checkpoints, step)
    save(checkpoints, 250)
    assert checkpoints.load().step == 250
    assert checkpoints.steps == [200, 250]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 5)
    checkpoints.save(5, {"again": True}, {})
    assert checkpoints.load().state() == {"again": True}
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000005"]


@pytest.mark.parametrize("name", ["state.pt", "meta.json", "LAST"])
def test_what_cannot_be_read_just_now_is_not_taken_for_damage(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[str] = []
    checkpoints = Checkpoints(tmp_path, report=reports.append)
    for step in (1, 2):
        save(checkpoints, step)
    refused, opened = name, Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == refused:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(GanlabError, match=r"cannot read .*Input/output error"):
        checkpoints.load()
    refused = ""
    assert checkpoints.load().step == 2
    assert reports == []


@pytest.mark.parametrize("name", ["state.pt", "generator.safetensors", "meta.json"])
@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
def test_a_damaged_newest_is_reported_and_the_one_before_is_used(
    tmp_path: Path, name: str, harm: str
) -> None:
    reports: list[str] = []
    checkpoints = Checkpoints(tmp_path, report=reports.append)
    for step in (1, 2):
        save(checkpoints, step)
    file = tmp_path / "checkpoints" / "step-00000002" / name
    if harm == "flip" and name == "meta.json":
        file.write_text("{")
    elif harm == "flip":
        damage(file)
    elif harm == "truncate":
        file.write_bytes(file.read_bytes()[:10])
    else:
        file.unlink()
    assert checkpoints.load().step == 1
    (report,) = reports
    assert "step-00000002 is damaged" in report
    assert name in report
    with pytest.raises(GanlabError, match="damaged"):
        checkpoints.load(2)
    damage(tmp_path / "checkpoints" / "step-00000001" / "state.pt")
    with pytest.raises(GanlabError, match="every checkpoint"):
        checkpoints.load()


def test_what_is_not_there(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(GanlabError, match="has no checkpoint yet"):
        checkpoints.load()
    for step in (9, 10):
        save(checkpoints, step)
    with pytest.raises(GanlabError, match="no checkpoint of step 11; there are steps 9, 10"):
        checkpoints.load(11)
    with pytest.raises(GanlabError, match="no best checkpoint yet"):
        checkpoints.load("best")
    with pytest.raises(GanlabError, match="no checkpoint of step 8"):
        checkpoints.mark_best(8)


def test_checkpoints_for_being_the_best_do_not_push_out_the_regular_ones(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in range(25, 525, 25):
        save(checkpoints, step, regular=step % 100 == 0)
        checkpoints.mark_best(step)
    assert checkpoints.steps == [300, 400, 500]
    for step in (525, 550):
        save(checkpoints, step, regular=False)
        checkpoints.mark_best(step)
    assert checkpoints.steps == [300, 400, 500, 550]
    assert [checkpoints.load(step).regular for step in checkpoints.steps] == [True, True, True, False]
    save(checkpoints, 600)
    assert checkpoints.steps == [400, 500, 550, 600]
    checkpoints.mark_best(600)
    assert checkpoints.steps == [400, 500, 600]


def test_where_the_run_stands_is_kept_whatever_it_was_saved_for(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    save(checkpoints, 100)
    save(checkpoints, 125, regular=False)
    assert (checkpoints.steps, checkpoints.load().step) == ([100, 125], 125)
    save(checkpoints, 150, regular=False)
    assert checkpoints.steps == [100, 150]


def test_a_crash_between_replacing_and_renaming_loses_nothing(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    final = save(checkpoints, 5)
    final.rename(final.with_name(f".replaced-{final.name}"))
    (final.parent / ".writing-step-00000005").mkdir()
    assert checkpoints.steps == []
    checkpoints.recover()
    assert checkpoints.load().state() == {"step": 5}
    final.rename(final.with_name(f".replaced-{final.name}"))
    save(checkpoints, 6)
    assert checkpoints.steps == [5, 6]
    assert sorted(path.name for path in final.parent.iterdir()) == ["step-00000005", "step-00000006"]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let files grow to so many bytes: as on a full disk, the last write is a short one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100, 4096, 100_000, 500_000])
def test_a_write_that_stops_halfway_is_said_plainly(tmp_path: Path, size: int) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    # The state fits where the weights do not: each writer meets the end of the room.
    state = {"large": torch.zeros(10 if size == 500_000 else 10**5)}
    message = r"cannot write the checkpoint .*step-00000002: the file would be larger than allowed"
    with room_for(size), pytest.raises(GanlabError, match=message):
        checkpoints.save(2, state, {"weight": torch.zeros(10**6)})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]
    assert checkpoints.load().step == 1


def test_a_bug_in_the_state_is_not_dressed_up(tmp_path: Path) -> None:
    class Broken:
        def __reduce__(self) -> tuple[Any, ...]:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        Checkpoints(tmp_path).save(1, {"broken": Broken()}, {})


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    save(checkpoints, 1)

    def full(layout: CheckpointLayout, *_: object) -> None:
        layout.root.mkdir()
        with Path("/dev/full").open("wb") as file:
            torch.save(torch.zeros(10**5), file)

    monkeypatch.setattr(module, "write_checkpoint", full)
    with pytest.raises(GanlabError, match=r"cannot write the checkpoint .*step-00000002: the disk is full"):
        save(checkpoints, 2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]
    assert checkpoints.load().step == 1


@pytest.mark.parametrize("crash_at", ["write_checkpoint", "_move_into_place", "write_atomically", "rmtree"])
def test_a_crash_anywhere_leaves_a_good_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: str
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    save(checkpoints, 1)
    if (child := os.fork()) == 0:

        def crash(*_: object, **__: object) -> None:
            os._exit(9)

        target = module.shutil if crash_at == "rmtree" else module
        monkeypatch.setattr(target, crash_at, crash)
        save(checkpoints, 2)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    later = Checkpoints(tmp_path, keep=1)
    expected = 2 if crash_at == "rmtree" else 1
    assert later.load().state() == {"step": expected}
    save(later, 3)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]


def test_nothing_is_unpickled_that_could_run_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "trapped"),)

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"trap": Trap()}, {})
    with pytest.raises(GanlabError, match="nothing in it was run"):
        checkpoints.load().state()
    assert not (tmp_path / "trapped").exists()
