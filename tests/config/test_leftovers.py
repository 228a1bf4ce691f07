"""A file whose choices are changed: what belongs to the old ones gives way to what a person says."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.commands import cli
from ganlab.config import Experiment, dump_resolved, load_experiment
from ganlab.errors import ExperimentError

World = Callable[..., Experiment]


@pytest.fixture
def change(load: World, base: str, world: Path) -> World:
    """Load an experiment, resolve it, and load the resolved file with overrides."""

    def resolve_and_load(*overrides: str, text: str = base) -> Experiment:
        (world / "resolved.toml").write_text(dump_resolved(load(text)))
        return load_experiment("resolved.toml", overrides=overrides)

    return resolve_and_load


def test_a_default_label_follows_its_name(change: World, base: str) -> None:
    text = base.replace(
        'name = "duel"', 'name = "duel"\nlabel = "first"\n[[losses]]\nname = "match"\nweight = 2'
    )
    changed = change("losses.1.name=duel", text=text).resolved["losses"]
    assert changed[1] == {"name": "duel", "label": "duel", "weight": 2.0, "every": 1}
    swapped = change("losses.0.name=match", "losses.1.name=duel", text=text).resolved["losses"]
    assert [loss["label"] for loss in swapped] == ["first", "duel"]
    kept = change("losses.1.name=duel", "losses.1.label=match", text=text).resolved["losses"]
    assert [loss["label"] for loss in kept] == ["first", "match"]


def test_an_optimizer_leaves_nothing_behind(change: World) -> None:
    changed = change("optimizer.generator.name=sgd", "optimizer.generator.momentum=0.5")
    assert changed.resolved["optimizer"]["generator"]["momentum"] == 0.5
    assert "betas" not in changed.resolved["optimizer"]["generator"]


def test_another_evaluator_takes_label_features_and_best_with_it(change: World) -> None:
    changed = change("evaluators.0.name=insider")
    (table,) = changed.resolved["evaluators"]
    assert (table["label"], "features" in table) == ("insider", False)
    assert changed.resolved["checkpoint"]["best"] == "insider.distance"
    assert "best" not in change("evaluators=[]").resolved["checkpoint"]


WIDE = """
from ganlab import GeneratorComponent, Options, hookimpl


class WideOptions(Options):
    width: int = 90


@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="wide", summary="Wide.", build=print, options=WideOptions)
"""


def test_options_that_both_components_have_take_the_new_one_s_default(
    change: World, base: str, world: Path
) -> None:
    (world / "wide.py").write_text(WIDE)
    text = base.replace('["./world.py"]', '["./world.py", "./wide.py"]')
    assert change(text=text).resolved["generator"] == {"name": "net", "width": 4}
    assert change("generator.name=wide", text=text).resolved["generator"] == {"name": "wide", "width": 90}
    kept = change("generator.name=wide", "generator.width=7", text=text).resolved["generator"]
    assert kept == {"name": "wide", "width": 7}


def test_a_component_that_set_chooses_begins_afresh_as_one_of_a_child_does(
    load: World, base: str, world: Path
) -> None:
    (world / "wide.py").write_text(WIDE)
    own = base.replace('["./world.py"]', '["./world.py", "./wide.py"]').replace(
        'name = "net"\n[disc', 'name = "net"\nwidth = 8\n[disc'
    )
    (world / "own.toml").write_text(own)
    (world / "child.toml").write_text('extends = "own.toml"\n[generator]\nname = "wide"\n')
    child = load_experiment("child.toml").resolved["generator"]
    assert load(own).resolved["generator"] == {"name": "net", "width": 8}
    assert load(own, "generator.name=wide").resolved["generator"] == child == {"name": "wide", "width": 90}
    assert load(own, 'generator.name="world/net"').resolved["generator"]["width"] == 8
    (world / "own.toml").write_text(own + "[optimizer.generator]\nlearning_rate = 0.5\nbetas = [0.1, 0.2]\n")
    optimizer = ["optimizer.generator.name=sgd", "optimizer.generator.momentum=0.5"]
    for source in (Path("own.toml"), tomllib.loads(Path("own.toml").read_text())):
        resolved = load_experiment(source, overrides=optimizer).resolved["optimizer"]["generator"]
        assert (resolved["momentum"], resolved["learning_rate"], "betas" in resolved) == (0.5, 0.5, False)


def test_a_command_takes_another_component_over_one_s_own_file(
    base: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "own.toml").write_text(base.replace('name = "net"\n[disc', 'name = "net"\nwidth = 8\n[disc'))
    chosen = ["--set", "generator.name=deep", "--set", "generator.depth=2"]
    assert cli.run(["slurm", "own.toml", *chosen]) == 0
    assert cli.run(["slurm", "own.toml", *chosen, "--set", "generator.width=8"]) == 2
    assert "generator.width: there is no such key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["generator.name=deep", "generator.depth=3", "generator.width=6"], "there is no such key"),
        (["checkpoint.best=gone"], "no evaluator yields `gone`"),
        (["optimizer.generator.name=sgd", "optimizer.generator.eps=1"], "there is no such key"),
    ],
)
def test_what_a_person_says_is_never_dropped(change: World, overrides: list[str], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        change(*overrides)


@pytest.mark.parametrize(
    ("written", "overrides", "height", "width"),
    [
        ("height = 16\nwidth = 32", ["image.size=64"], 64, 64),
        ("size = 16", ["image.size=64"], 64, 64),
        ("size = 16", ["image.width=64"], 16, 64),
        ("size = 16", ["image.height=64", "image.width=8"], 64, 8),
        ("height = 16\nwidth = 32", ["image.height=64"], 64, 32),
    ],
)
def test_a_size_that_is_set_wins(
    change: World,
    load: World,
    base: str,
    world: Path,
    written: str,
    overrides: list[str],
    height: int,
    width: int,
) -> None:
    text = f"{base}[image]\n{written}\n"
    sizes = {
        f"{experiment.image.height}×{experiment.image.width}"
        for experiment in (change(*overrides, text=text), load(text, *overrides))
        if experiment.image
    }
    assert sizes == {f"{height}×{width}"}


def test_a_size_in_a_file_wins_over_its_base(load: World, base: str, world: Path) -> None:
    (world / "resolved.toml").write_text(dump_resolved(load(f"{base}[image]\nheight = 16\nwidth = 32\n")))
    (world / "child.toml").write_text('extends = "resolved.toml"\n[image]\nsize = 64\n')
    image = load_experiment("child.toml").image
    assert image is not None and (image.height, image.width) == (64, 64)
