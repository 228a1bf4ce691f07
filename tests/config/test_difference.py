"""What differs between the experiment that a run was, and the one that is to go on."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.config import Experiment, dump_resolved, load_experiment
from ganlab.config.difference import Difference, differences

World = Callable[..., Experiment]


def changes(before: Experiment, now: Experiment) -> list[str]:
    """Return what differs from an experiment as a run's `resolved.toml` gives it back."""
    return [str(difference) for difference in differences(tomllib.loads(dump_resolved(before)), now)]


def test_an_experiment_is_no_different_from_itself(load: World, base: str) -> None:
    assert changes(load(), load()) == []
    # TOML has no tuples and no `None`, and tells 3 from 3.0.
    unusual = ("dataset.spread=[2.0, 3.0]", 'dataset.words=["a", "b"]', "losses.0.weight=3")
    assert changes(load(base, *unusual), load(base, *unusual)) == []


@pytest.mark.parametrize(
    ("override", "change"),
    [
        ("dataset.classes=9", "dataset.classes: 8 -> 9"),
        ("dataset.layout=grid", 'dataset.layout: "ring" -> "grid"'),
        ("dataset.spread=[1.0, 3.0]", "dataset.spread: [1.0, 2.0] -> [1.0, 3.0]"),
        ("losses.0.weight=2.0", "losses.duel.weight: 1.0 -> 2.0"),
        ("generator.width=6", "generator.width: 4 -> 6"),
        ("evaluators.0.samples=77", "evaluators.judge.samples: 5000 -> 77"),
        ("seed=7", "seed: 0 -> 7"),
        ("dataset.limit=5", "dataset.limit: added (5)"),
    ],
)
def test_a_changed_key_is_named_with_both_values(load: World, base: str, override: str, change: str) -> None:
    assert changes(load(), load(base, override)) == [change]


def test_a_key_that_is_gone_is_named_with_its_value(load: World, base: str) -> None:
    assert changes(load(base, "dataset.limit=5"), load()) == ["dataset.limit: removed (5)"]


@pytest.mark.parametrize(
    ("table", "key", "otherwise"),
    [
        ((), "running_statistics", "running_statistics.samples=64"),
        (("dataset",), "mirror", "dataset.mirror=true"),
        (("dataset",), "layout", "dataset.layout=grid"),
        (("losses", 0), "weight", "losses.0.weight=2.0"),
        (("optimizer", "generator"), "eps", "optimizer.generator.eps=1e-6"),
    ],
)
def test_a_key_that_an_earlier_version_did_not_know_is_no_change_at_its_default(
    load: World, base: str, table: tuple[str | int, ...], key: str, otherwise: str
) -> None:
    before = tomllib.loads(dump_resolved(load()))
    place = before
    for part in table:
        place = place[part]  # type: ignore[index]
    del place[key]
    assert differences(before, load()) == []
    (change,) = differences(before, load(base, otherwise))
    assert change.before is not None and change.now is not None


def test_a_longer_run_is_the_same_run(load: World, base: str) -> None:
    assert changes(load(), load(base, "training.steps=99")) == []


def test_where_files_lie_is_no_difference(load: World, base: str) -> None:
    assert changes(load(), load(base, "dataset.root=elsewhere")) == []


def test_a_file_of_another_component_is_compared_by_its_content(load: World, base: str, world: Path) -> None:
    def weighted(file: str, content: str) -> Experiment:
        (world / file).write_text(content)
        return load(base, f'evaluators.0.features={{name="eyes", weights="{file}"}}')

    before = weighted("a.pt", "one")
    assert changes(before, weighted("copy.pt", "one")) == []
    for file in ("b.pt", "a.pt"):
        (change,) = changes(before, weighted(file, "two"))
        assert change.startswith("evaluators.judge.features.weights: ")
    (gone,) = changes(before, load())
    assert gone.startswith("evaluators.judge.features.weights: removed ")
    (world / "a.pt").write_text("two")
    resolved = world / "resolved.toml"
    resolved.write_text(dump_resolved(before))
    assert any(
        "evaluators.judge.features.weights has changed" in each for each in load_experiment(resolved).warnings
    )


def test_a_file_whose_content_was_not_recorded_is_compared_by_its_path(
    load: World, base: str, world: Path
) -> None:
    def weighted(file: str) -> Experiment:
        (world / file).write_text("one")
        return load(base, f'evaluators.0.features={{name="eyes", weights="{file}"}}')

    before = tomllib.loads(dump_resolved(weighted("a.pt")))
    del before["provenance"]["inputs"]
    assert differences(before, weighted("a.pt")) == []
    (change,) = differences(before, weighted("b.pt"))
    assert change.path == "evaluators.judge.features.weights"


def test_entries_are_told_apart_by_their_labels(load: World, base: str) -> None:
    more = base.replace("[training]", '[[losses]]\nname = "match"\nweight = 0.5\n[training]')
    added = changes(load(), load(more))
    assert 'losses.match.name: added ("match")' in added
    assert "losses.match.weight: added (0.5)" in added
    assert all(change.startswith("losses.match.") for change in added)
    before = load(more)
    first = '[[losses]]\nname = "match"\nweight = 0.5\n[[losses]]\nname = "duel"'
    assert changes(before, load(base.replace('[[losses]]\nname = "duel"', first))) == []


def test_a_plugin_file_is_compared_by_its_content(load: World, world: Path) -> None:
    before = load()
    moved = world / "elsewhere.py"
    moved.write_text((world / "world.py").read_text())
    (world / "world.py").write_text(moved.read_text() + "\n# another idea\n")
    (change,) = changes(before, load())
    assert change.startswith("plugin file world.py: ")
    assert " -> " in change


def test_differences_read_as_sentences() -> None:
    assert str(Difference("a.b", "1", "2")) == "a.b: 1 -> 2"
    assert str(Difference("a.b", None, "2")) == "a.b: added (2)"
    assert str(Difference("a.b", "1", None)) == "a.b: removed (1)"


def test_weights_that_a_start_turned_out_to_be_are_a_difference_only_from_others(
    load: World, base: str
) -> None:
    asked = ("start.run=parent", "start.checkpoint=4")
    pins = [
        (*asked, f'start.pinned={{run="/runs/parent/1", step=4, digest="{digest}"}}')
        for digest in ("aa", "bb")
    ]
    assert changes(load(base, *pins[0]), load(base, *asked)) == []
    assert changes(load(base, *pins[0]), load(base, *pins[0])) == []
    assert changes(load(base, *pins[0]), load(base, *pins[1])) == ['start.pinned.digest: "aa" -> "bb"']
    other = ("start.run=other", "start.checkpoint=4")
    assert changes(load(base, *pins[0]), load(base, *other)) == ['start.run: "parent" -> "other"']
