"""Many runs of one file: `ganlab run --seeds` and `--vary`, and how `ganlab runs` shows them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlab.commands.cli import run
from ganlab.commands.sweep import parse_seeds, parse_varied
from ganlab.errors import UsageError
from ganlab.runs.reading import list_runs

EXPERIMENT = """
title = "Tiny rings"
trackers = []
[dataset]
name = "gaussians"
count = 200
[latent]
dim = 2
[generator]
name = "mlp"
width = 4
[discriminator]
name = "mlp"
width = 4
[[losses]]
name = "hinge"
[training]
steps = 2
batch_size = 8
precision = "fp32"
[[evaluators]]
name = "frechet"
every = 1
samples = 16
[checkpoint]
every = 1
"""

Ganlab = Callable[..., str]
"""Runs a command on the experiment's runs; returns what it printed on standard output and standard error."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture
def ganlab(file: Path, capsys: pytest.CaptureFixture[str]) -> Ganlab:
    def invoke(verb: str, *arguments: str, status: int = 0) -> str:
        words = [verb, str(file)] if verb == "run" else [verb]
        assert run([*words, *arguments, "--runs", str(file.parent / "runs")]) == status
        return "".join(capsys.readouterr())

    return invoke


def found(file: Path) -> dict[int, list[Any]]:
    """Return the states of all runs by their seed, the oldest first."""
    runs: dict[int, list[Any]] = {}
    for each in reversed(list_runs(file.parent / "runs")):
        runs.setdefault(each.experiment()["seed"], []).append(each.state)
    return runs


@pytest.mark.parametrize(
    ("text", "seeds"), [("0,1,2", (0, 1, 2)), ("0..2", (0, 1, 2)), ("7, 3..4", (7, 3, 4)), ("5", (5,))]
)
def test_seeds_as_they_are_written(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "1,", "a", "-1", "2..1", "0..99999999", "1.5", "1,0..3"])
def test_what_names_no_seeds(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds is"):
        parse_seeds(text)


def test_values_as_they_are_written() -> None:
    assert parse_varied("generator.width=[4, 8]") == ("generator.width=4", "generator.width=8")
    assert parse_varied('a.b = ["x", "y z"]') == ('a.b="x"', 'a.b="y z"')
    assert parse_varied("a=[[0.0, 0.9], [0.5, 0.9]]") == ("a=[0.0, 0.9]", "a=[0.5, 0.9]")
    assert parse_varied("a=[{ b = 1 }, true]") == ("a={ b = 1 }", "a=true")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *[(text, "list of its values") for text in ("a", "a=4", "a=[]", "=[1]", "a=[b, c]", "a=[1]\nb=[2]")],
        ("seed=[0, 1]", "`--seeds 0..2`"),
        ('title=["a", "b"]', "another title makes no other experiment"),
        ("a=[1, 2, 1]", "has 1 twice"),
    ],
)
def test_what_names_no_values(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        parse_varied(text)


@pytest.mark.slow
def test_a_run_for_each_combination_continued_and_compared_as_a_whole(
    file: Path, ganlab: Ganlab, capsys: pytest.CaptureFixture[str]
) -> None:
    widths, losses = "generator.width=[4, 5]", 'losses.0.name=["hinge", "non-saturating"]'
    assert "ganlab compare" not in ganlab("run", "--vary", widths, "--set", "seed=7", "--quiet")
    told = ganlab("run", "--vary", widths, "--vary", losses, "--seeds", "7", "--resume", "auto")
    assert 'generator.width = 5, losses.0.name = "hinge", seed 7 is completed' in told
    assert 'generator.width = 4, losses.0.name = "non-saturating", seed 7: a new run' in told
    assert "ganlab compare 'Tiny rings' --runs" in told
    made = [run.experiment() for run in list_runs(file.parent / "runs")]
    assert sorted((each["generator"]["width"], each["losses"][0]["name"], each["seed"]) for each in made) == [
        (width, loss, 7) for width in (4, 5) for loss in ("hinge", "non-saturating")
    ]
    assert len(json.loads(ganlab("compare", "Tiny rings", "--json"))["experiments"]) == 4
    assert "Tiny rings (generator.width = 4, losses.hinge)" in ganlab("runs")

    moved = (file.parent / "runs").rename(file.parent / "all runs")
    again = ["--vary", widths, "--set", "seed=7", "--resume", "auto"]
    assert run(["run", str(file), *again, "--runs", str(moved)]) == 0
    assert f"--runs '{moved}'" in capsys.readouterr().out


def test_which_value_diverged_is_told(file: Path, ganlab: Ganlab) -> None:
    rates = "optimizer.discriminator.learning_rate=[1e-3, 1e30]"
    told = ganlab("run", "--vary", rates, "--set", "training.steps=4", "--quiet", status=3)
    assert "of 2 runs, these diverged: optimizer.discriminator.learning_rate = 1e+30" in told
    assert [state.status for state in found(file)[0]] == ["completed", "diverged"]


@pytest.mark.slow
def test_a_run_for_each_seed_continued_as_a_whole(file: Path, ganlab: Ganlab) -> None:
    ganlab("run", "--seeds", "0,1", "--quiet")
    before = found(file)
    assert {seed: [state.status for state in states] for seed, states in before.items()} == {
        0: ["completed"],
        1: ["completed"],
    }
    told = ganlab("run", "--seeds", "0..2", "--resume", "auto", "--quiet")
    assert "seed 0 is completed" in told and "seed 2: a new run" in told
    after = found(file)
    assert {seed: after[seed] for seed in before} == before
    assert [len(states) for states in after.values()] == [1, 1, 1]
    # Another experiment of the same title is not continued with, and more steps are.
    ganlab("run", "--seeds", "1", "--resume", "auto", "--quiet", "--set", "generator.width=5")
    ganlab("run", "--seeds", "1", "--resume", "auto", "--quiet", "--set", "training.steps=3")
    first, second = found(file)[1]
    assert (first.step, len(first.sessions)) == (3, 2)
    assert (second.step, len(second.sessions)) == (2, 1)


@pytest.mark.slow
def test_runs_side_by_side_end_in_the_same_bytes(file: Path, ganlab: Ganlab) -> None:
    ganlab("run", "--seeds", "3", "--quiet")
    told = ganlab("run", "--seeds", "3", "--vary", "generator.width=[4, 5]", "--jobs", "2")
    assert all(f"generator.width = {width}, seed 3: finished:" in told for width in (4, 5))
    alone, *beside = (state.last.metrics for state in found(file)[3])
    assert alone in beside and beside[0] != beside[1]


def test_a_seed_that_diverges_does_not_stop_the_others(file: Path, ganlab: Ganlab) -> None:
    changes = ("--set", "optimizer.discriminator.learning_rate=1e30", "--set", "training.steps=4", "--quiet")
    told = ganlab("run", "--seeds", "0,1", *changes, status=3)
    assert "of 2 runs, these diverged: seed 0; seed 1" in told
    assert [states[0].status for states in found(file).values()] == ["diverged", "diverged"]
    again = ganlab("run", "--seeds", "0,1", "--resume", "auto", *changes, status=3)
    assert "seed 0 has diverged: " in again
    assert all(len(states[0].sessions) == 1 for states in found(file).values())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--seeds", "0", "--fork", "--resume", "auto"), "--seeds and --vary go with --resume auto alone"),
        (("--seeds", "0", "--resume", "latest"), "--seeds and --vary go with --resume auto alone"),
        (("--seeds", "0", "--set", "seed=3"), "says it again"),
        (("--jobs", "2"), "--jobs goes with --seeds or --vary"),
        (("--vary", "generator.width=[4, 5]", "--fork", "--resume", "auto"), "go with --resume auto alone"),
        (("--vary", "generator.width=[4, 5]", "--set", "generator.width=3"), "says it again"),
        (("--vary", "latent.dim=[4]", "--vary", "latent.dim=[5]"), "another --vary or --set says it again"),
        (("--vary", "generator.width=[4, 0]"), "from --set generator.width=0"),
        (("--vary", "training.log_every=[1, 2, 3]", "--seeds", "0..400"), "these are 1,203 runs"),
        (("--seeds", "0", "--set", "generator.widht=3"), "widht"),
    ],
)
def test_what_does_not_go_together(file: Path, ganlab: Ganlab, arguments: tuple[str, ...], told: str) -> None:
    assert told in ganlab("run", *arguments, status=2)
    assert not found(file)


def test_seeds_of_several_processes_are_refused(
    file: Path, ganlab: Ganlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchrun = {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": 1}
    for name, value in {**torchrun, "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, str(value))
    assert "give each run its seed" in ganlab("run", "--seeds", "0", status=2)


def test_runs_of_one_experiment_are_listed_together(tmp_path: Path, ganlab: Ganlab) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "comparison"))
    from simulated import simulate

    for seed, value in ((0, 0.25), (1, 0.75)):
        simulate(tmp_path, seed, {"mmd.mmd2": [(100, value, 0.125)]})
        simulate(tmp_path, 5, value, title="Others", loss="hinge", overrides=[f"generator.width={8 + seed}"])
    rows = ganlab("runs").splitlines()
    assert "mmd.mmd2 0.50 ± 0.25 over 2 seeds" in rows[2] and "2 runs" in rows[2]
    assert "mmd.mmd2 0.75 ± 0.12 over 0.001 at 100" in rows[3] and "non-saturating" in rows[3]
    assert "mlp, mlp" in rows[3] and rows[3].endswith("Rings")
    assert rows[1].endswith("Others (generator.width = 9)")
    assert rows[5].endswith("Others (generator.width = 8)")

    def listed(*arguments: str) -> list[tuple[str, int]]:
        return [(each["title"], each["seed"]) for each in json.loads(ganlab("runs", "--json", *arguments))]

    assert listed() == [("Others", 5), ("Rings", 1), ("Others", 5), ("Rings", 0)]
    assert listed("--title", "rings") == [("Rings", 1), ("Rings", 0)]
    assert listed("--sort", "best", "--title", "Rings") == [("Rings", 0), ("Rings", 1)]
    assert listed("--sort", "title")[:2] == [("Others", 5), ("Others", 5)]
    record = json.loads(ganlab("runs", "--json", "--title", "Rings"))
    assert record[0]["group"] == record[1]["group"]
    assert (record[0]["best_standard_error"], record[0]["best_floor"]) == (0.125, 0.001)
    assert "there are no runs of 'x'" in ganlab("runs", "--title", "x")


def test_of_several_runs_of_a_seed_the_newest_counts(tmp_path: Path, ganlab: Ganlab) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "comparison"))
    from simulated import simulate

    values = {0: (0.9, 0.25), 1: (0.75,), 2: (0.7, 0.5, 0.5)}
    for seed, of_seed in values.items():
        for value in of_seed:
            simulate(tmp_path, seed, value)
    told = ganlab("runs")
    assert "6 runs" in told and "mmd.mmd2 0.50 ± 0.14 over 3 seeds" in told
    assert json.loads(ganlab("compare", "Rings", "--json"))["metrics"][0]["measured"]["A"]["mean"] == 0.5


def test_the_parent_that_runs_share_stands_in_the_row_of_their_experiment(
    tmp_path: Path, ganlab: Ganlab
) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "comparison"))
    from simulated import simulate

    for seed in (0, 1):
        path = simulate(tmp_path, seed, 0.5).path / "run.json"
        parent = {"id": "20260101-000000-abcd", "step": 3000, "path": "/runs/x", "digest": "d" * 64}
        path.write_text(json.dumps({**json.loads(path.read_text()), "parent": parent}))
    header, *rows = ganlab("runs").splitlines()
    at = header.index("PARENT")
    assert [row[at:].partition("  ")[0] for row in rows] == ["20260101-000000-abcd at 3,000"] * 3


@pytest.mark.slow
def test_in_a_terminal_what_runs_share_stands_above_them_and_ids_stay_whole(
    tmp_path: Path, terminal: Callable[..., tuple[int, str]]
) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "comparison"))
    from simulated import simulate

    runs = [
        simulate(tmp_path, 1, {"mmd.mmd2": [(100, 0.2512, 0.01)]}),
        simulate(tmp_path, 2, {"mmd.mmd2": [(100, 0.7512, 0.01)]}, status="interrupted"),
        simulate(tmp_path, 3, 0.5, title="Others", loss="hinge"),
    ]
    code, text = terminal("-m", "ganlab", "runs", "--runs", str(tmp_path / "runs"), columns=100)
    lines = re.sub(r"\x1b\[\d*m", "", text).splitlines()
    assert code == 0 and max(map(len, lines)) <= 100
    rows = {line.split()[0]: line.split()[1:] for line in lines if "202" in line}
    assert set(rows) == {run.state.id for run in runs}
    assert " ".join(rows[runs[0].state.id]).startswith("completed 100 1 0.251 ± 0.010 over 0.001 at 100")
    assert " ".join(rows[runs[1].state.id]).startswith("interrupted 60/100 2 0.751 ± 0.010")
    heading = " ".join(lines[lines.index("Rings") + 1 :][:2])
    assert heading.startswith(
        "generator mlp, discriminator mlp; losses non-saturating; best by mmd.mmd2, over its floor; 2 runs, "
        "mean 0.50 ± 0.25 over 2 seeds"
    )
    assert lines.index("Others") < lines.index("Rings")
