"""Runs of earlier versions: their resolved experiments mean what they meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganlab.config import Experiment, dump_resolved, load_experiment
from ganlab.config.difference import differences
from ganlab.runs.reading import Run
from ganlab.runs.state import RunState

World = Callable[..., Experiment]


def earlier(load: World, base: str, world: Path) -> Run:
    """Return a run with the resolved experiment of a version that split the data by the seed."""
    text = dump_resolved(load(f"seed = 7\n{base}"))
    assert text.count("split_seed = 0\n") == 1
    (world / "resolved.toml").write_text(text.replace("split_seed = 0\n", ""))
    return Run(world, RunState("id", "a test", 10, "2026-01-01T00:00:00+00:00"))


def split_seed(experiment: Experiment) -> int:
    assert experiment.resolved["dataset"]["split_seed"] == experiment.settings.dataset.split_seed
    return experiment.settings.dataset.split_seed


def test_what_was_held_out_by_the_seed_stays_so(load: World, base: str, world: Path) -> None:
    run = earlier(load, base, world)
    assert split_seed(load_experiment(run.resolved)) == 7
    assert differences(run.experiment(), load_experiment(run.resolved)) == []


def test_another_seed_does_not_divide_the_data_anew(load: World, base: str, world: Path) -> None:
    run = earlier(load, base, world)
    forked = load_experiment(run.resolved, overrides=["seed=8"])
    assert split_seed(forked) == 7
    assert [str(each) for each in differences(run.experiment(), forked)] == ["seed: 7 -> 8"]
    (world / "child.toml").write_text('extends = "resolved.toml"\nseed = 8\n')
    assert split_seed(load_experiment("child.toml")) == 7


def test_where_nothing_is_held_out_an_unchanged_file_is_no_change(
    load: World, base: str, world: Path
) -> None:
    whole = base.replace("[dataset]\n", "[dataset]\nholdout = 0\n")
    run = earlier(load, whole, world)
    assert differences(run.experiment(), load(f"seed = 7\n{whole}")) == []
    run = earlier(load, base, world)
    assert [str(each) for each in differences(run.experiment(), load(f"seed = 7\n{base}"))] == [
        "dataset.split_seed: 7 -> 0"
    ]


def test_an_experiment_that_a_person_wrote_has_the_default(load: World, base: str) -> None:
    assert split_seed(load(f"seed = 7\n{base}")) == 0
