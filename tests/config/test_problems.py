# ruff: noqa: E501
"""What is wrong with an experiment: all of it at once, each with its line, in people's words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Predicate
from pydantic import Field, FilePath

from ganlab.components import Options
from ganlab.config import Experiment, load_experiment
from ganlab.config.experiment import Origin
from ganlab.config.validation import check_options
from ganlab.errors import ComponentError, ExperimentError, Problem

World = Callable[..., Experiment]
Refused = Callable[..., list[Problem]]


def changed(base: str, old: str, new: str) -> str:
    assert base.count(old) == 1
    return base.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "message", "hint"),
    [
        ("steps = 10", 'steps = "10"', 12, "training.steps", 'must be a whole number ≥ 1, not "10"', "write it without quotes: 10"),
        ("steps = 10", "steps = 10.0", 12, "training.steps", "must be a whole number ≥ 1, not 10.0", "write it without a fraction: 10"),
        ("steps = 10", "steps = 0", 12, "training.steps", "must be a whole number ≥ 1, not 0", ""),
        ("steps = 10", "steps = true", 12, "training.steps", "must be a whole number ≥ 1, not true", ""),
        ("steps = 10", "steps = 10\ndevice = 'gpu'", 13, "training.device", 'must be "auto", "cpu", "mps", "cuda", or "cuda:1" for a GPU by its number, not "gpu"', ""),
        ("steps = 10", "steps = 10\nprecision = 'bf61'", 13, "training.precision", 'must be "auto", "fp32" or "bf16", not "bf61"', 'did you mean "bf16"?'),
        ("steps = 10", "batch_size = 10", 11, "training.steps", "is missing", "add `steps = …` to `training`: a whole number ≥ 1"),
        ('title = "a test"\n', "", None, "title", "is missing", "add `title = …` to the file"),
        ('[training]\nsteps = 10\n', "", None, "training", "is missing", "add a table `[training]`"),
        ('name = "duel"', 'name = "duel"\nwieght = 2', 11, "losses.0.wieght", "there is no such key", "did you mean `weight`?\nallowed: every, features, label, name, weight"),
        ('name = "duel"', 'name = "duel"\nweight = inf', 11, "losses.0.weight", "must be a finite number, not inf", ""),
        ('name = "duel"', 'name = "duel"\nweight = nan', 11, "losses.0.weight", "is not a number (nan)", ""),
        ('name = "duel"', 'name = "duel"\nlabel = "a b"', 11, "losses.0.label", 'must be a word of at most 100 letters a to z, digits, `.`, `_` and `-`, the first a letter or digit, not "a b"', ""),
        ('name = "duel"', f'name = "duel"\nlabel = "{"a" * 101}"', 11, "losses.0.label", "must be a word of at most 100 letters", ""),
        ('title = "a test"', 'title = ""', 1, "title", "must not be empty", ""),
        ('name = "duel"', 'name = "duel"\n[[evaluators]]\nname = "judge"\nlabel = "-"', 13, "evaluators.0.label", 'must be a word of at most 100 letters a to z, digits, `.`, `_` and `-`, the first a letter or digit, not "-"', ""),
        ('name = "duel"', 'name = "dual"', 10, "losses.0.name", "there is no loss `dual`", "did you mean `duel`?\ninstalled: duel, encode, match"),
        ('name = "duel"', "weight = 1", 9, "losses.0.name", "is missing", "add `name = …` to `losses.0`"),
        ('name = "pictures"', 'name = "pictures"\nlayout = "rings"', 5, "dataset.layout", 'must be "ring" or "grid", not "rings"', 'did you mean "ring"?'),
        ('name = "pictures"', 'name = "pictures"\nspread = [1.0]', 5, "dataset.spread", "must be an array of 2 numbers, not [1.0]", ""),
        ('name = "pictures"', 'name = "pictures"\nspread = [1,\n"2"]', 6, "dataset.spread.1", 'must be a number, not "2"', "write it without quotes: 2"),
        ('name = "pictures"', 'name = "pictures"\nclasses = 101', 5, "dataset.classes", "must be a whole number ≥ 1 and ≤ 100, not 101", ""),
        ('name = "pictures"', 'name = "pictures"\nroot = 3', 5, "dataset.root", "must be a path, not 3", ""),
        ('name = "pictures"', 'name = "pictures"\nwords = ["a", 1]', 5, "dataset.words.1", "must be text, not 1", ""),
        ('name = "pictures"', 'name = "pictures"\nholdout = 1.5', 5, "dataset.holdout", "must be a number ≥ 0 and < 1, not 1.5", ""),
        ('name = "pictures"', 'name = "pictures"\nlimit = 2020-01-01', 5, "dataset.limit", "is a date, which no setting takes", 'as text: "2020-01-01"'),
        ('[generator]\nname = "net"', '[generator]\nname = "deep"', 5, "generator.depth", "is missing", "add `depth = …` to `generator`: a whole number"),
        ('name = "judge"', 'name = "judge"\nfeatures = 5', 15, "evaluators.0.features", "must be text or a table, not 5", ""),
        ('name = "judge"', 'name = "judge"\nfeatures = { width = 5 }', 15, "evaluators.0.features.name", "is missing", "feature extractors: eyes, hands"),
        ('name = "judge"', 'name = "judge"\nfeatures = "eye"', 15, "evaluators.0.features.name", "there is no feature extractor `eye`", "did you mean `eyes`?"),
        ('name = "judge"', 'name = "judge"\n[evaluators.features]\nname = "eyes"\nwidht = 2', 17, "evaluators.0.features.widht", "there is no such key", "did you mean `width`?"),
        ("[training]", "[optimizer.generator]\nname = 'sdg'\n[training]", 12, "optimizer.generator.name", 'there is no optimizer `sdg`', 'did you mean `sgd`?'),
        ("[training]", "[optimizer.generator]\nbetas = [0.5, 1.5]\n[training]", 12, "optimizer.generator.betas.1", "must be a number ≥ 0 and < 1, not 1.5", ""),
        ("[training]", "[optimizer.generator]\nname = 'sgd'\nbeta = 1\n[training]", 13, "optimizer.generator.beta", "there is no such key", "allowed: clip_gradient_norm, clip_weights, final_fraction"),
        ("[training]", "[optimizer.generator]\nname = 'sgd'\nnesterov = true\n[training]", 11, "optimizer.generator", "`nesterov` needs a `momentum` above 0", ""),
        ("[training]", "[latent]\ndim = 9\ncategories = [7, 3]\n[training]", 11, "latent", "`categories` take 10 elements, and `dim` is 9", ""),
        ("[training]", "[image]\nsize = 8\nwidth = 8\n[training]", 11, "image", "give either `size` or `height` and `width`, not both", ""),
        ('["./world.py"]', '["./world.py", "./gone.py"]', 2, "plugins.1", "there is no file", ""),
        ('["./world.py"]', f'["./world.py", "{"a" * 300}.py"]', 2, "plugins.1", "there is no file", ""),
        ('["./world.py"]', f'["./world.py", "{"a" * 300}"]', 2, "plugins.1", "ModuleNotFoundError: No module named", ""),
        ('name = "judge"', 'name = "judge"\nfeatures = { name = 5 }', 15, "evaluators.0.features.name", "must be text, not 5", "feature extractors: eyes, hands"),
        ("steps = 10", 'steps = 10\n"" = 10', 13, 'training.""', "there is no such key", "allowed"),
        ("steps = 10", 'steps = 10\n"a.b" = 10', 13, 'training."a.b"', "there is no such key", "allowed"),
        ('["./world.py"]', '["./world.py", 3]', 2, "plugins.1", "must be text, not 3", ""),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(
    refused: Refused, base: str, old: str, new: str, line: int | None, path: str, message: str, hint: str
) -> None:
    problems = refused(changed(base, old, new))
    assert [problem.path for problem in problems] == [path]
    problem = problems[0]
    assert (problem.file, problem.line) == (Path("experiment.toml"), line)
    assert problem.message.startswith(message)
    assert hint in problem.hint if hint else not problem.hint


def test_a_long_or_unprintable_key_does_not_fill_the_terminal(refused: Refused, base: str) -> None:
    text = changed(base, "steps = 10", 'steps = 10\n"' + "x" * 5000 + '" = 1\n"\\u001b[31m\\n" = 1')
    long, odd = map(str, refused(text))
    assert long.startswith("experiment.toml:13: training.xxx")
    assert len(long) < 400
    assert odd.startswith("experiment.toml:14: training.\\x1b[31m\\n: there is no such key")


def test_a_value_where_a_table_belongs(refused: Refused, base: str) -> None:
    text = "generator = 3\n" + base.replace('[generator]\nname = "net"\n', "")
    assert [str(problem) for problem in refused(text)] == [
        "experiment.toml:1: generator: must be a table, not 3"
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file(refused: Refused) -> None:
    problems = refused(
        """\
        plugins = ["world.py"]
        [dataset]
        name = "points"
        clases = 3
        [generator]
        name = "conv"
        [encoder]
        name = "net"
        [[losses]]
        name = "duel"
        [training]
        steps = "x"
        batch_size = 64
        microbatch_size = 48
        [checkpoint]
        best = "judge"
        [[trackers]]
        name = "paper"
        """
    )
    assert [(problem.line, problem.path) for problem in problems] == [
        (None, "title"),
        (4, "dataset.clases"),
        (6, "generator.name"),
        (7, "encoder"),
        (9, "losses.0"),
        (12, "training.steps"),
        (14, "training.microbatch_size"),
        (16, "checkpoint.best"),
    ]


def test_a_broken_plugin_that_is_asked_for_is_a_problem_with_the_plugins_own_line(
    refused: Refused, base: str, world: Path
) -> None:
    (world / "broken.py").write_text("x = 1\nx.nothing\n")
    problems = refused(changed(base, '"./world.py"', '"./world.py", "broken.py"'))
    assert [(problem.line, problem.path) for problem in problems] == [(2, "plugins.1")]
    assert problems[0].message.startswith(f"{world}/broken.py:2: AttributeError: ")


def test_a_broken_plugin_from_the_command_line_is_a_problem_too(world: Path, base: str) -> None:
    (world / "experiment.toml").write_text(base)
    (world / "broken.py").write_text("1/0\n")
    with pytest.raises(ExperimentError, match=r"--plugin broken\.py: .*ZeroDivisionError"):
        load_experiment("experiment.toml", plugins=["broken.py"])


def test_what_a_component_refuses_is_placed_at_its_option(load: World, base: str) -> None:
    experiment = load(changed(base, '[generator]\nname = "net"', '[generator]\nname = "net"\nwidth = 3'))
    with pytest.raises(ExperimentError) as caught:
        experiment.generator.build(None, None)
    assert str(caught.value) == "experiment.toml:7: generator.width: must be even"
    assert isinstance(caught.value.__cause__, ComponentError)


def test_nothing_heavy_is_imported(world: Path, base: str) -> None:
    import subprocess
    import sys

    (world / "experiment.toml").write_text(base)
    code = (
        "import sys; from ganlab.config import load_experiment; load_experiment('experiment.toml');"
        "print({'torch', 'numpy', 'PIL', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=world)
    assert result.stdout == "set()\n", result.stderr


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("    spec: type(lambda: 0) = None\n", "the plugin declares options that cannot be checked"),
        (
            "    width: int = 1\n    @field_validator('width')\n    def even(cls, width):\n        return 1 / 0\n",
            r"experiment.toml:5: generator: the plugin's check of its options raised ZeroDivisionError: .*"
            r"odd.py:7\)",
        ),
    ],
    ids=["declared", "checked"],
)
def test_options_that_cannot_be_checked_are_the_plugins_fault(
    world: Path, base: str, declared: str, told: str
) -> None:
    (world / "odd.py").write_text(
        "from pydantic import field_validator\n"
        "from ganlab import GeneratorComponent, ImageSpec, Options, hookimpl\n"
        f"class Odd(Options):\n{declared}"
        "@hookimpl\ndef ganlab_generators():\n"
        "    yield GeneratorComponent(name='odd', summary='Odd.', options=Odd, build=print)\n"
    )
    (world / "experiment.toml").write_text(
        changed(base, '[generator]\nname = "net"', '[generator]\nname = "odd"')
    )
    with pytest.raises(ExperimentError, match=told):
        load_experiment("experiment.toml", plugins=["odd.py"])


class _Ruled(Options):
    even: int = Field(2, multiple_of=2)
    code: str = Field("aa", pattern="^a+$")
    word: str = Field("abc", min_length=1)
    some: list[int] = Field([1], min_length=1)
    file: FilePath | None = None
    positive: Annotated[int, Predicate(lambda value: value > 0)] = 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("even", 3, "must be a whole number, a multiple of 2, not 3"),
        ("code", "b", 'must be text that fits the pattern ^a+$, not "b"'),
        ("word", "", "must not be empty"),
        ("some", [], "must not be empty"),
        ("file", "/no/such", 'there is no such file: "/no/such"'),
        ("positive", -3, "does not fit the option's own rule: -3"),
    ],
)
def test_rules_of_options_are_told(key: str, value: object, message: str) -> None:
    _, problems = check_options(
        _Ruled, {key: value}, path="dataset", origin=Origin({}), core_keys=frozenset(), directories={}
    )
    assert [problem.message for problem in problems] == [message]
