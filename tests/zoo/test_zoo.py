"""`make zoo`, for two steps of one row; all of it takes hours."""

from __future__ import annotations

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ganlab.config import load_experiment

ZOO: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("zoo.py")))


def trials(out: Path, *arguments: str) -> list[Any]:
    found: list[Any] = ZOO["make_trials"](ZOO["parse"](["--out", str(out), "--mnist", str(out), *arguments]))
    return found


@pytest.mark.parametrize("data", ZOO["DATA"])
@pytest.mark.slow
def test_every_row_is_an_experiment(data: str, tmp_path: Path) -> None:
    full = trials(tmp_path, "--data", data, "--seeds", "1")
    assert len({trial.row.title for trial in full}) == len(full) > 25
    small = trials(tmp_path, "--data", data, "--small", "--row", "r1", "--row", "ebgan")
    for trial in (*full, *small):
        file = tmp_path / f"{trial.row.slug}.toml"
        file.write_text(trial.text)
        load_experiment(file)
    assert small[0].experiment["training"]["steps"] < full[0].experiment["training"]["steps"]


def test_tables_are_laid_over_others() -> None:
    below = {"a": {"name": "x", "width": 1}, "b": {"c": 1, "d": [1]}, "e": {"f": 2}}
    above = {"a": {"name": "y"}, "b": {"d": [2, 3]}, "e": False}
    assert ZOO["merge"](below, above) == {"a": {"name": "y"}, "b": {"c": 1, "d": [2, 3]}}


@pytest.mark.slow
def test_a_table_by_one_command_that_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data", "grid", "--row", "r1", "--steps", "2", "--jobs", "1", "--out", str(tmp_path)]
    for trial in trials(tmp_path, *command, "--seeds", "2"):
        assert ZOO["play"](trial).how == "completed"
    ZOO["main"]([*command, "--seeds", "2"])
    printed = capsys.readouterr().out
    assert "2 of 2 are done" in printed
    head, _, row, floor = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    assert head[1:4] == ["modes hit, of 25", "within 3σ, %", "MMD² · 10³"]
    assert row[0] == "| non-saturating + R1"
    assert " ± " in row[1]
    assert row[4] == "2 |"
    assert floor[1] == "25.0"
    assert (tmp_path / "tables.md").read_text() in printed


@pytest.mark.slow
def test_a_trial_whose_experiment_has_changed_is_not_done(tmp_path: Path) -> None:
    command = ["--data", "grid", "--row", "gmmn", "--seeds", "1"]
    (trial,) = trials(tmp_path, *command, "--steps", "1")
    assert ZOO["play"](trial).how == "completed"
    (longer,) = trials(tmp_path, *command, "--steps", "2")
    assert not longer.is_over()
    assert ZOO["play"](longer).how == "completed"
    assert trial.is_over()
    assert {line["step"] for line in longer.values().values()} == {2}


@pytest.mark.slow
def test_what_was_begun_goes_on_where_it_was(tmp_path: Path) -> None:
    command = ["--data", "grid", "--row", "gmmn", "--seeds", "1", "--steps", "1"]
    (trial,) = trials(tmp_path, *command)
    ZOO["play"](trial)
    state = trial.run() / "run.json"
    state.write_text(state.read_text().replace('"completed"', '"interrupted"'))
    assert not trial.is_over()
    assert ZOO["play"](trial).how == "completed"
    assert len([*tmp_path.rglob("run.json")]) == 1


def test_a_run_that_fails_is_told_with_its_log(tmp_path: Path) -> None:
    (trial,) = trials(tmp_path, "--data", "mnist", "--row", "gmmn", "--seeds", "1")
    ended = ZOO["play"](trial)
    assert ended.how == f"failed, {trial.folder / 'log.txt'} says why"
    assert "error: " in (trial.folder / "log.txt").read_text()


def test_a_row_that_there_is_not_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ZOO["parse"](["--row", "r4"])
    assert "there is no row r4; there are minimax, " in capsys.readouterr().err


def test_absent_mnist_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ZOO["main"](["--table", "--out", str(tmp_path), "--mnist", str(tmp_path / "none")])
    printed = capsys.readouterr().out
    assert "MNIST is left out: there is no folder" in printed
    assert "### faces" in printed
    assert "### mnist" not in printed


def test_each_trial_that_ends_is_told_with_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        *trials(tmp_path, "--data", "grid", "--row", "r1"),
        *trials(tmp_path, "--data", "faces", "--row", "r1"),
    ]
    inside = ZOO["play_all"].__globals__  # what runpy has run is no module that processes could import
    monkeypatch.setitem(inside, "ProcessPoolExecutor", lambda jobs, _: ThreadPoolExecutor(jobs))
    monkeypatch.setitem(inside, "play", lambda trial: inside["Ended"]("completed", 600.0))
    ZOO["play_all"](found, 1)
    first, start, *lines = capsys.readouterr().out.splitlines()
    assert first == "0 of 6 are done"
    assert "Ctrl-C: the same command goes on" in start
    assert lines[0] == "1 of 6  grid r1 seed 0: completed, 600 s; about 50 min left"
    assert lines[4].endswith("; about 10 min left")
    assert lines[5].endswith(": completed, 600 s")


def test_what_is_left_is_reckoned_by_data_of_the_same_kind() -> None:
    took = {"grid": [10.0, 20.0], "faces": [300.0]}
    assert ZOO["time_left"](["grid", "grid", "faces"], took, 2) == (15 + 15 + 300) / 2
    assert ZOO["time_left"](["mnist"], took, 1) == 110
    assert [ZOO["spoken"](seconds) for seconds in (59, 61, 3 * 3600)] == [
        "less than a minute left",
        "about 1 min left",
        "about 3.0 h left",
    ]
