"""`make zoo`, for two steps of one row; all of it takes hours."""

from __future__ import annotations

import runpy
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
        assert ZOO["play"](trial) == "completed"
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
    assert ZOO["play"](trial) == "completed"
    (longer,) = trials(tmp_path, *command, "--steps", "2")
    assert not longer.is_over()
    assert ZOO["play"](longer) == "completed"
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
    assert ZOO["play"](trial) == "completed"
    assert len([*tmp_path.rglob("run.json")]) == 1


def test_a_run_that_fails_is_told_with_its_log(tmp_path: Path) -> None:
    (trial,) = trials(tmp_path, "--data", "mnist", "--row", "gmmn", "--seeds", "1")
    result = ZOO["play"](trial)
    assert result == f"failed, {trial.folder / 'log.txt'} says why"
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
