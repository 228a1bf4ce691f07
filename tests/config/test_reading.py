"""Files, `extends` and `--set`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.config import Experiment, load_experiment
from ganlab.errors import ExperimentError, Problem

World = Callable[..., Experiment]
Refused = Callable[..., list[Problem]]


def problem(file: str) -> Problem:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(file)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_an_absent_file_is_named_with_a_guess(world: Path) -> None:
    (world / "experiment.toml").touch()
    assert str(problem("experimnt.toml")) == (
        "experimnt.toml: there is no such file\n    did you mean `experiment.toml`?"
    )


def test_a_directory_and_a_binary_are_no_experiments(world: Path) -> None:
    (world / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert str(problem(".")).endswith("is a directory, not an experiment file")
    assert str(problem("binary.toml")) == "binary.toml: is not a text file in UTF-8"


@pytest.mark.parametrize(
    ("text", "place"),
    [("a = 1\nb == 2\n", "x.toml:2:4"), ("a = 1\nb = [1,\n", "x.toml:3")],
)
def test_broken_toml_is_placed(world: Path, text: str, place: str) -> None:
    (world / "x.toml").write_text(text)
    found = str(problem("x.toml"))
    assert found.startswith(f"{place}: not valid TOML: ")
    assert "(at " not in found


def test_extends_merges_tables_and_replaces_arrays(world: Path, base: str) -> None:
    (world / "base.toml").write_text(base + "[latent]\ndim = 7\ndistribution = 'uniform'\n")
    (world / "child.toml").write_text(
        "extends = 'base.toml'\ntitle = 'child'\n[latent]\ndim = 9\n"
        "[[losses]]\nname = 'duel'\nlabel = 'one'\n[[losses]]\nname = 'match'\n"
    )
    experiment = load_experiment("child.toml")
    assert experiment.settings.title == "child"
    assert (experiment.latent.dim, experiment.latent.distribution) == (9, "uniform")
    assert [loss.selection.label for loss in experiment.losses] == ["one", "match"]
    assert experiment.origin.find("latent.dim") == (Path("child.toml"), 4)
    assert experiment.origin.find("latent.distribution") == (Path("base.toml"), 19)
    assert experiment.origin.find("losses.1.name") == (Path("child.toml"), 9)


def test_a_table_that_names_another_component_starts_afresh(world: Path, base: str) -> None:
    (world / "base.toml").write_text(base.replace('name = "net"\n[disc', 'name = "net"\nwidth = 8\n[disc'))
    (world / "same.toml").write_text("extends = 'base.toml'\n[generator]\nname = 'net'\n")
    (world / "other.toml").write_text("extends = 'base.toml'\n[generator]\nname = 'deep'\ndepth = 2\n")
    assert load_experiment("same.toml").generator.options.model_dump() == {"width": 8}
    assert load_experiment("other.toml").generator.options.model_dump() == {"depth": 2}


def test_paths_belong_to_the_file_that_sets_them(world: Path, base: str) -> None:
    below = world / "below"
    below.mkdir()
    (below / "base.toml").write_text(
        base.replace("./world.py", "../world.py").replace('"pictures"', '"pictures"\nroot = "here"')
    )
    (world / "child.toml").write_text("extends = 'below/base.toml'\n")
    (world / "own.toml").write_text("extends = 'below/base.toml'\n[dataset]\nroot = 'here'\n")
    (below / "default.toml").write_text(base.replace("./world.py", "../world.py"))
    root = {name: load_experiment(f"{name}.toml").dataset.options.root for name in ("child", "own")}
    assert root == {"child": below / "here", "own": world / "here"}
    assert load_experiment("below/default.toml").dataset.options.root == below / "data"
    overridden = load_experiment("below/base.toml", overrides=["dataset.root=elsewhere"])
    assert overridden.dataset.options.root == world / "elsewhere"


def test_a_circle_is_refused_with_its_chain(world: Path) -> None:
    for name, base in (("a", "b"), ("b", "c"), ("c", "b")):
        (world / f"{name}.toml").write_text(f"extends = '{base}.toml'\n")
    found = problem("a.toml")
    assert (found.path, found.file, found.line) == ("extends", Path("c.toml"), 1)
    assert found.message == "goes in a circle: b.toml → c.toml → b.toml"


def test_an_absent_base_is_named_where_it_is_asked_for(world: Path) -> None:
    (world / "a.toml").write_text("title = 'x'\nextends = 'bse.toml'\n")
    (world / "base.toml").touch()
    assert str(problem("a.toml")) == (
        "a.toml:2: extends: there is no file bse.toml\n    did you mean `base.toml`?"
    )


def test_set_reads_toml_and_plain_words(load: World, base: str) -> None:
    experiment = load(
        base,
        "training.steps=77",
        "generator.name=conv",
        "title=a title with spaces",
        "evaluators.0.every=5",
        "dataset.spread=[0.5, 4]",
        "checkpoint={keep = 2}",
        "losses.0.weight=2",
    )
    settings = experiment.settings
    assert (settings.training.steps, settings.title, settings.checkpoint.keep) == (
        77,
        "a title with spaces",
        2,
    )
    assert experiment.evaluators[0].settings.every == 5
    assert experiment.losses[0].settings.weight == 2.0
    assert experiment.dataset.options.model_dump()["spread"] == (0.5, 4.0)
    assert experiment.generator.component.name == "conv"


def test_the_last_set_wins(load: World, base: str) -> None:
    assert load(base, "seed=1", "seed=2").settings.seed == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: must be `key=value`, as in `--set training.steps=100`"),
        ("=3", "--set =3: must be `key=value`, as in `--set training.steps=100`"),
        ("seed=", '--set seed=: has no value\n    an empty text is ""'),
        ("evaluators.3.every=5", "--set evaluators.3.every=5: `evaluators` has 1 entry\n    indices: 0"),
        ("losses.first.weight=5", "`losses` is an array\n    name an entry by its index: 0"),
        ("samples.0.every=5", "`samples`"),
        ("training.steps.x=5", "`training.steps` is a value, not a table"),
        ("dataset.spread=[1", "the value is not valid TOML"),
    ],
)
def test_a_set_that_leads_nowhere_says_so(refused: Refused, base: str, override: str, message: str) -> None:
    problems = refused(base, override)
    assert len(problems) == 1
    assert message in str(problems[0])


def test_every_bad_set_is_reported_at_once(refused: Refused, base: str) -> None:
    assert len(refused(base, "seed", "evaluators.9.every=1")) == 2


def test_a_set_gets_the_same_checks_and_is_named(refused: Refused, base: str) -> None:
    problems = refused(base, "training.steps=5.5", "training.stps=3")
    assert [str(problem) for problem in problems] == [
        "training.steps: must be a whole number ≥ 1, not 5.5\n    from --set training.steps=5.5",
        "training.stps: there is no such key\n    did you mean `steps`?\n    allowed: batch_size, device, "
        "discriminator_steps, generator_steps, joint_batch, log_every, microbatch_size, precision, "
        "reuse_fakes, steps\n    from --set training.stps=3",
    ]


def test_a_set_that_makes_an_unknown_table_is_to_blame(refused: Refused, base: str) -> None:
    (problem,) = refused(base, "a.b.c=1")
    assert str(problem).startswith("a: there is no such key")
    assert str(problem).endswith("from --set a.b.c=1")


def test_set_leaves_the_file_untouched_by_sharing(load: World, base: str) -> None:
    load(base, "training.steps=3")
    assert load(base).settings.training.steps == 10
