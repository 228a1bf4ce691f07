"""Files, `extends` and `--set`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.commands import cli
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


def test_a_file_that_shares_little_but_its_suffix_is_no_guess(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "nofolder.toml").touch()
    assert cli.run(["run", "nothere.toml"]) == 2
    assert capsys.readouterr().err == "error: nothere.toml: there is no such file\n"
    assert cli.run(["run", "nofoldr"]) == 2
    assert "did you mean `nofolder.toml`?" in capsys.readouterr().err


def test_a_directory_and_a_binary_are_no_experiments(world: Path) -> None:
    (world / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert str(problem(".")).endswith("is a directory, not an experiment file")
    assert str(problem("binary.toml")) == "binary.toml: is not a text file in UTF-8"
    (world / "mine.py").write_text("import torch\n")
    assert str(problem("mine.py")).startswith("mine.py: is Python, not an experiment\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [("a = 1\nb == 2\n", "x.toml:2:4"), ("a = 1\nb = [1,\n", "x.toml:3")],
)
def test_broken_toml_is_placed(world: Path, text: str, place: str) -> None:
    (world / "x.toml").write_text(text)
    found = str(problem("x.toml"))
    assert found.startswith(f"{place}: not valid TOML: ")
    assert "(at " not in found


DEEP = "tables and arrays are nested more than 32 deep"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb = " + "[" * 3000 + "]" * 3000, "not valid TOML: arrays or tables are nested too deeply"),
        ("a = 1\nb = " + "[" * 40 + "]" * 40, f"b: {DEEP}"),
        ("a = 1\n[b" + ".b" * 2000 + "]\n", f"b: {DEEP}"),
        ("a = 1\nb = " + "9" * 5000, "not valid TOML: a number has too many digits"),
        ("a = 1\nb = -" + "1_" * 4999 + "1", "not valid TOML: a number has too many digits"),
        ("[a]\nb = [1, 0x" + "f" * 5000 + "]", "a.b.1: a number has too many digits"),
        ("#" * (1 << 20) + "\n", "is not an experiment file: it has more than 1,048,576 characters"),
    ],
)
def test_what_no_experiment_needs_is_refused_unread(world: Path, text: str, message: str) -> None:
    (world / "x.toml").write_text(text)
    place = "x.toml:2" if "digits" in message else "x.toml"
    assert str(problem("x.toml")) == f"{place}: {message}"


def test_an_endless_file_is_not_read_to_its_end(world: Path) -> None:
    assert "is not an experiment file" in str(problem("/dev/zero"))


def test_extends_merges_tables_and_replaces_arrays(world: Path, base: str) -> None:
    (world / "base.toml").write_text(base + "[latent]\ndim = 7\ndistribution = 'uniform'\n")
    (world / "child.toml").write_text(
        "extends = 'base.toml'\ntitle = 'child'\n[latent]\ndim = 9\n"
        "[[losses]]\nname = 'duel'\nlabel = 'one'\n[[losses]]\nname = 'match'\n"
    )
    experiment = load_experiment("child.toml")
    assert experiment.settings.title == "child"
    assert (experiment.latent.dim, experiment.latent.distribution) == (9, "uniform")
    assert [loss.label for loss in experiment.losses] == ["one", "match"]
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


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("..", ".. is a directory, not an experiment file"),
        ("binary.toml", "binary.toml is not a text file in UTF-8"),
        ("/proc/self/mem", "/proc/self/mem cannot be read: Input/output error"),
        ("a" * 5000, "there is no file aaa"),
        ("a/" * 3000, "there is no file a/a/"),
    ],
)
def test_an_unreadable_base_is_told_where_it_is_asked_for(world: Path, base: str, message: str) -> None:
    (world / "binary.toml").write_bytes(b"\xff")
    (world / "x.toml").write_text(f"title = 'x'\nextends = '{base}'\n")
    assert str(problem("x.toml")).startswith(f"x.toml:2: extends: {message}")


def test_a_row_of_bases_has_an_end(world: Path, base: str) -> None:
    for index in range(60):
        (world / f"{index}.toml").write_text(f"extends = '{index + 1}.toml'\n")
    (world / "60.toml").write_text(base)
    assert load_experiment("40.toml").settings.title == "a test"
    assert str(problem("0.toml")) == "32.toml:1: extends: more than 32 files extend one another"


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
        (".name={}", "--set .name={}: a part of the key is empty\n    write it as in"),
        ("training..steps=5", "a part of the key is empty"),
        ("evaluators.3.every=5", "--set evaluators.3.every=5: `evaluators` has 1 entry\n    indices: 0"),
        ("losses.first.weight=5", "`losses` is an array\n    name an entry by its index: 0"),
        ("samples.0.every=5", "`samples`"),
        ("training.steps.x=5", "`training.steps` is a value, not a table"),
        ("dataset.spread=[1", "the value is not valid TOML"),
        ("evaluators.².every=5", "`evaluators` is an array\n    name an entry by its index: 0"),
        ("evaluators." + "9" * 5000 + ".every=5", "`evaluators` has 1 entry\n    indices: 0"),
        ("seed=" + "9" * 5000, "seed: must be a whole number"),
        ("dataset.words=" + "[" * 3000 + "]" * 3000, "arrays or tables are nested too deeply"),
        ("dataset" + ".words" * 31 + "=[]", "leads more than 32 tables and arrays deep"),
        ("dataset.words=[1,\n" + "2,\n" * 500, "--set dataset.words=[1,\\n2,\\n2,"),
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
        "training.stps: there is no such key\n    did you mean `steps`?\n    allowed: batch_size, "
        "cuda_graphs, device, discriminator_steps, generator_steps, joint_batch, log_every, microbatch_size, "
        "precision, reuse_fakes, steps\n    from --set training.stps=3",
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("optimizer.discriminator.lr", "learning_rate"),
        ("training.batch", "batch_size"),
        ("training.ds", "discriminator_steps"),
    ],
)
def test_an_abbreviated_key_is_recognised(refused: Refused, base: str, key: str, meant: str) -> None:
    (problem,) = refused(base, f"{key}=1")
    assert f"did you mean `{meant}`?" in str(problem)


def test_a_set_that_makes_an_unknown_table_is_to_blame(refused: Refused, base: str) -> None:
    (problem,) = refused(base, "a.b.c=1")
    assert str(problem).startswith("a: there is no such key")
    assert str(problem).endswith("from --set a.b.c=1")


def test_a_table_that_a_set_makes_is_named_where_a_key_of_it_is_missing(refused: Refused, base: str) -> None:
    missing = [str(each) for each in refused(base, "encoder.depth=3") if each.path == "encoder.name"]
    assert missing == [
        "encoder.name: is missing\n    add `name = …` to `encoder`: text\n    from --set encoder.depth=3"
    ]


def test_set_leaves_the_file_untouched_by_sharing(load: World, base: str) -> None:
    load(base, "training.steps=3")
    assert load(base).settings.training.steps == 10
