"""The resolved experiment: complete, and a fixed point."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganlab import __version__
from ganlab.config import Experiment, dump_resolved, load_experiment, relocate_plugins
from ganlab.config.toml_writer import toml_document, toml_value

World = Callable[..., Experiment]


def reload(experiment: Experiment, directory: Path) -> Experiment:
    (directory / "resolved.toml").write_text(dump_resolved(experiment), encoding="utf-8")
    return load_experiment(directory / "resolved.toml")


def has_none(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_none(inner) for inner in value.values())
    return value is None or (isinstance(value, list) and any(has_none(inner) for inner in value))


def test_every_default_and_option_is_written_out(load: World, base: str, world: Path) -> None:
    resolved = load(base).resolved
    assert resolved["dataset"] == {
        "name": "pictures",
        "holdout": 0.1,
        "split_seed": 0,
        "on_bad_image": "fail",
        "mirror": False,
        "root": str(world / "data"),
        "classes": 8,
        "layout": "ring",
        "spread": [1.0, 2.0],
        "words": [],
    }
    assert resolved["evaluators"] == [
        {
            "name": "judge",
            "label": "judge",
            "every": 1000,
            "samples": 5000,
            "features": {"name": "eyes", "width": 4},
        }
    ]
    assert resolved["losses"] == [{"name": "duel", "label": "duel", "weight": 1.0, "every": 1}]
    assert resolved["image"]["height"] == 32
    assert resolved["plugins"] == [str(world / "world.py")]
    assert resolved["optimizer"]["generator"]["betas"] == [0.5, 0.999]
    assert not has_none(dict(resolved))


@pytest.mark.parametrize(
    ("said", "pinned"),
    [
        ("", True),
        ('networks = ["generator"]', True),
        ("checkpoint = 2", False),
        ('run = "other"', False),
        ('run = "other"\npinned = { run = "/runs/other/2", step = 2, digest = "bb" }', True),
    ],
)
def test_another_start_is_not_what_was_pinned(
    load: World, base: str, tmp_path: Path, said: str, pinned: bool
) -> None:
    pin = {"run": "/runs/parent/1", "step": 4, "digest": "aa"}
    before = load(base, "start.run=parent", f"start.pinned={toml_inline(pin)}")
    assert before.resolved["start"]["pinned"] == pin
    (tmp_path / "resolved.toml").write_text(dump_resolved(before))
    (tmp_path / "other.toml").write_text(f'extends = "resolved.toml"\n[start]\n{said}\n')
    changes = [f"start.{line.replace(' = ', '=', 1)}" for line in said.splitlines()]
    extended = load_experiment(tmp_path / "other.toml").resolved["start"]
    overridden = load_experiment(tmp_path / "resolved.toml", overrides=changes).resolved["start"]
    assert extended == overridden
    assert ("pinned" in extended) == pinned
    if pinned and "other" not in said:
        assert extended["pinned"] == pin


def toml_inline(table: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key} = {toml_value(value)}" for key, value in table.items()) + "}"


def test_what_it_was_made_of_is_recorded(load: World, base: str, world: Path) -> None:
    provenance = load(base).resolved["provenance"]
    digest = hashlib.sha256((world / "world.py").read_bytes()).hexdigest()
    assert provenance["ganlab"] == __version__
    assert provenance["files"] == [{"name": "world.py", "sha256": digest}]
    assert {"path": "losses.0", "component": "world/duel", "plugin": "world.py"} in provenance["components"]
    assert [entry["path"] for entry in provenance["components"]] == [
        "dataset",
        "generator",
        "discriminator",
        "losses.0",
        "optimizer.generator",
        "optimizer.discriminator",
        "evaluators.0",
        "evaluators.0.features",
        "trackers.0",
    ]


def test_the_text_is_readable_toml(load: World, base: str) -> None:
    experiment = load(base)
    text = dump_resolved(experiment)
    assert tomllib.loads(text) == experiment.resolved
    assert '\n\n[[losses]]\nname = "duel"\n' in text
    assert "\nbetas = [0.5, 0.999]\n" in text


def test_it_repeats_itself_without_a_warning(load: World, base: str, tmp_path: Path) -> None:
    first = load(base)
    second = reload(first, tmp_path)
    assert second.resolved == first.resolved
    assert second.warnings == ()
    assert second.settings == first.settings
    assert second.dataset.options == first.dataset.options


def test_what_has_changed_since_is_a_warning_not_an_error(load: World, base: str, world: Path) -> None:
    text = dump_resolved(load(base)).replace(f'ganlab = "{__version__}"', 'ganlab = "0.0.9"')
    text = text.replace('"world/duel"', '"elsewhere/duel"')
    (world / "resolved.toml").write_text(text)
    (world / "world.py").write_text((world / "world.py").read_text() + "# changed\n")
    assert load_experiment("resolved.toml").warnings == (
        f"resolved by ganlab 0.0.9; this is {__version__}",
        "losses.0 was elsewhere/duel; it is now world/duel",
        "the plugin file world.py has changed since the experiment was resolved",
    )


def test_the_recorded_distribution_decides_where_a_name_has_become_ambiguous(
    load: World, base: str, world: Path
) -> None:
    text = dump_resolved(load(base))
    (world / "twin.py").write_text((world / "world.py").read_text())
    (world / "resolved.toml").write_text(text)
    experiment = load_experiment("resolved.toml", plugins=["twin.py"])
    assert experiment.resolved["provenance"]["components"][0]["component"] == "world/pictures"


def test_plugins_can_move_into_the_run(load: World, base: str, world: Path) -> None:
    experiment = load(base)
    assert experiment.plugin_files == {"world.py": world / "world.py"}
    run = world / "run"
    (run / "plugins").mkdir(parents=True)
    (world / "world.py").rename(run / "plugins" / "world.py")
    moved = relocate_plugins(experiment.resolved, {world / "world.py": "plugins/world.py"})
    (run / "resolved.toml").write_text(toml_document(moved))
    again = load_experiment(run / "resolved.toml")
    assert again.warnings == ()
    assert {**again.resolved, "plugins": 0} == {**experiment.resolved, "plugins": 0}


def test_a_plugin_from_the_command_line_is_part_of_it(world: Path, base: str) -> None:
    (world / "experiment.toml").write_text(base.replace('plugins = ["./world.py"]\n', ""))
    experiment = load_experiment("experiment.toml", plugins=["world.py"])
    assert experiment.resolved["plugins"] == [str(world / "world.py")]


_words = st.text(st.characters(codec="utf-8"), max_size=8)
_options = st.fixed_dictionaries(
    {},
    optional={
        "classes": st.integers(1, 100),
        "layout": st.sampled_from(["ring", "grid"]),
        "spread": st.lists(st.integers(-9, 9) | st.floats(allow_nan=False), min_size=2, max_size=2),
        "limit": st.integers(-(2**60), 2**60),
        "words": st.lists(_words, max_size=3),
        "root": st.text("ab./ é", min_size=1, max_size=8),
        "holdout": st.floats(0, 0.99),
        "mirror": st.booleans(),
    },
)
_loss = st.fixed_dictionaries(
    {}, optional={"weight": st.floats(0, 1e6), "every": st.integers(1, 99), "label": st.just("other")}
)
_optimizer = st.one_of(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["adam", "adamw"])}, optional={"eps": st.floats(1e-12, 1e-3)}
    ),
    st.fixed_dictionaries({"name": st.just("sgd")}, optional={"momentum": st.floats(0, 0.9)}),
    st.fixed_dictionaries({"name": st.just("rmsprop")}, optional={"clip_gradient_norm": st.floats(0.1, 5)}),
    st.fixed_dictionaries({"learning_rate": st.floats(1e-6, 1)}),
)
_image = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"size": st.integers(1, 512)}, optional={"channels": st.integers(1, 4)}),
    st.fixed_dictionaries({"height": st.integers(1, 512), "width": st.integers(1, 512)}),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=_options,
    loss=_loss,
    optimizer=_optimizer,
    image=_image,
    best=st.sampled_from([None, "judge", "judge.gain"]),
)
def test_resolving_is_a_fixed_point_whichever_the_options(
    load: World,
    base: str,
    world: Path,
    data: dict[str, Any],
    loss: dict[str, Any],
    optimizer: dict[str, Any],
    image: dict[str, Any],
    best: str | None,
) -> None:
    tables = tomllib.loads(base)
    tables["dataset"] |= data
    tables["losses"][0] |= loss
    tables |= {"optimizer": {"generator": optimizer}, "image": image}
    if best:
        tables["checkpoint"] = {"best": best}
    first = load(toml_document(tables))
    second = reload(first, world)
    assert second.resolved == first.resolved
    assert second.settings == first.settings
    assert dump_resolved(second) == dump_resolved(first)
    assert second.warnings == ()
    for key, value in data.items():
        if key != "root":
            assert second.resolved["dataset"][key] == value
