"""`ganlab tensorboard`: what runs are called, what it opens on, and what its tables begin with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import metadata as hparams

from ganlab.commands.cli import run
from ganlab.runs.reading import Run, list_runs
from ganlab.watching.columns import write_columns
from ganlab.watching.links import RunLinks

EXPERIMENT = """
title = "{title}"
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
name = "{loss}"
[training]
steps = 2
batch_size = 8
precision = "fp32"
log_every = 1
[[evaluators]]
name = "frechet"
every = 1
samples = 16
[[evaluators]]
name = "mmd"
every = 1
samples = 16
permutations = 10
[checkpoint]
every = 2
best = "mmd"
"""

MMD, FRECHET = "evaluation/mmd/mmd2-coordinates", "evaluation/frechet/frechet-coordinates"
LOGITS = ["logits/real", "logits/fake"]
LOSSES = ["loss/generator/total", "loss/discriminator/total"]


def train(folder: Path, title: str, loss: str) -> None:
    file = folder / "experiment.toml"
    file.write_text(EXPERIMENT.format(title=title, loss=loss))
    assert run(["run", str(file), "--quiet", "--runs", str(folder / "runs")]) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs: one title with two seeds and the first of them again, and one with another loss."""
    folder = tmp_path_factory.mktemp("watched")
    train(folder, "Rings", "non-saturating")
    train(folder, "Other rings", "hinge")
    [first] = (folder / "runs" / "rings").iterdir()
    for day, seed in ((1, 1), (2, 0)):  # the measurements are the same
        path = shutil.copytree(first, first.with_name(f"2100010{day}-000000-abcd"))
        state = json.loads((path / "run.json").read_text())
        state |= {"id": path.name, "created": f"2100-01-0{day}T00:00:00+00:00"}
        (path / "run.json").write_text(json.dumps(state))
        resolved = path / "resolved.toml"
        resolved.write_text(resolved.read_text().replace("\nseed = 0\n", f"\nseed = {seed}\n", 1))
    return folder / "runs"


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "runs")


def shown(links: Path) -> EventMultiplexer:
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(links))
    multiplexer.Reload()
    return multiplexer


def oldest_first(runs: Path) -> list[Run]:
    return list_runs(runs)[::-1]


def test_runs_are_called_by_title_and_seed_and_their_floors_are_shown_once(
    runs: Path, tmp_path: Path
) -> None:
    links = RunLinks(tmp_path / "links")
    links.show(list_runs(runs))
    again = [each for each in oldest_first(runs) if each.state.title == "Rings"][2]
    seen = shown(links.root)
    assert set(seen.Runs()) == {
        *("rings/seed-0", "rings/seed-1", f"rings/seed-0-{again.state.id}"),
        *("other-rings/seed-0", "floor/rings"),
    }
    assert len(list((links.root / "floor" / "rings").iterdir())) == 1
    measured = {(line["step"], line["metric"]): line for line in again.evaluations()}
    for metric, tag in (("mmd2", MMD), ("frechet", FRECHET)):
        for name, key in ((f"rings/seed-0-{again.state.id}", "value"), ("floor/rings", "floor")):
            points = [(event.step, event.value) for event in seen.Scalars(name, tag)]
            expected = [(step, measured[step, metric][key]) for step in (0, 1, 2)]
            assert [step for step, _ in points] == [step for step, _ in expected]
            assert [value for _, value in points] == pytest.approx([value for _, value in expected])


def test_another_floor_is_shown_beside_the_first(runs: Path, tmp_path: Path) -> None:
    run = next(each for each in list_runs(runs) if each.state.title == "Other rings")
    lines = run.path / "evaluations.jsonl"
    lines.write_text(re.sub(r'"floor": [^,]+', '"floor": 0.25', lines.read_text()))
    links = RunLinks(tmp_path / "links")
    links.show(list_runs(runs))
    assert {"floor/rings", "floor/other-rings"} <= set(shown(links.root).Runs())


def test_names_stay_when_runs_come_and_go(runs: Path, tmp_path: Path) -> None:
    first, *others = [each for each in oldest_first(runs) if each.state.title == "Rings"]
    links = RunLinks(tmp_path / "links")
    links.show([first])
    assert set(shown(links.root).Runs()) == {"rings/seed-0", "floor/rings"}
    links.show([*others, first])
    before = set(shown(links.root).Runs())
    shutil.rmtree(first.path)
    links.show(others)
    # The second of the seed keeps its id behind its name, and another run shows the floor.
    assert set(shown(links.root).Runs()) == before - {"rings/seed-0"}
    assert [file.resolve().parents[2] for file in (links.root / "floor/rings").iterdir()] == [others[0].path]


def test_what_is_measured_later_stands_beside_the_run(runs: Path, tmp_path: Path) -> None:
    run_ = next(each for each in list_runs(runs) if each.state.title == "Other rings")
    assert run(["evaluate", str(run_.path), "--evaluator", "frechet"]) == 0
    [later] = (run_.path / "evaluate").iterdir()
    links = RunLinks(tmp_path / "links")
    links.show([run_])
    name = f"other-rings/seed-0-evaluate-{later.name}"
    assert set(shown(links.root).Runs()) == {
        *("other-rings/seed-0", "floor/other-rings"), *(name, f"{name}/floor"),
    }  # fmt: skip


Address = Callable[..., list[str]]


@pytest.fixture
def pinned(runs: Path, capsys: pytest.CaptureFixture[str]) -> Address:
    def ask(*arguments: str) -> list[str]:
        capsys.readouterr()
        assert run(["tensorboard", "--runs", str(runs), "--print", *arguments]) == 0
        return pins(capsys.readouterr().out.strip())

    return ask


def pins(address: str) -> list[str]:
    parts = urlsplit(address)
    query = parse_qs(parts.query, strict_parsing=True)
    assert (query["smoothing"], parts.fragment) == (["0"], "timeseries&_smoothingWeight=0")
    cards = json.loads(query["pinnedCards"][0])
    assert all(card["plugin"] == "scalars" and set(card) == {"plugin", "tag"} for card in cards)
    assert re.fullmatch(r"[\w:/.?=&%#,-]+", address), "a terminal must see all of it as one link"
    return [card["tag"] for card in cards]


def test_it_opens_on_the_metrics_the_balance_and_the_losses(pinned: Address) -> None:
    # What chooses the best checkpoint stands first. Hinge's logits are no odds: there is no accuracy.
    assert pinned() == [MMD, FRECHET, "balance/accuracy", *LOSSES, *LOGITS]
    assert pinned("rings") == [MMD, FRECHET, "balance/accuracy", *LOSSES]
    assert pinned("Other rings") == [MMD, FRECHET, *LOSSES, *LOGITS]


def test_it_opens_on_the_metrics_of_a_run_that_has_measured_nothing_yet(runs: Path, pinned: Address) -> None:
    for run_ in list_runs(runs):
        for name in ("evaluations.jsonl", "metrics.jsonl"):
            (run_.path / name).unlink()
    assert pinned() == [MMD, FRECHET, "balance/accuracy", *LOSSES]


def test_there_may_be_no_run_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").mkdir()
    assert run(["tensorboard", "--print", "--port", "7000", "--runs", str(tmp_path / "runs")]) == 0
    address = capsys.readouterr().out.strip()
    assert pins(address) == ["balance/accuracy", *LOSSES]
    assert address.startswith("http://localhost:7000/?")
    assert run(["tensorboard", "--print", "--runs", str(tmp_path / "nowhere")]) == 2
    assert "there is no directory" in capsys.readouterr().err


def columns(root: Path) -> Any:
    """Return the description of the table of settings that the files below a directory hold."""
    found = []
    for folder in {path.parent for path in root.rglob("*tfevents*")}:
        seen = EventAccumulator(str(folder)).Reload()
        if hparams.EXPERIMENT_TAG in seen.Tags()["tensors"]:
            content = seen.SummaryMetadata(hparams.EXPERIMENT_TAG).plugin_data.content
            found.append(hparams.parse_experiment_plugin_data(content))
            assert hparams.SESSION_START_INFO_TAG in seen.Tags()["tensors"], "the run itself is hidden"
    [experiment] = found
    return experiment


def test_the_table_of_settings_begins_with_what_differs_the_seed_and_the_metrics(
    runs: Path, tmp_path: Path
) -> None:
    links = RunLinks(tmp_path / "links")
    links.show(list_runs(runs))
    write_columns(links.root, [MMD, FRECHET])
    table = columns(links.root)
    first = {column.name for column in table.hparam_infos if column.differs}
    assert first == {"seed", "losses.hinge.name", "losses.non-saturating.name"}
    assert {"training.steps", "generator.width"} <= {column.name for column in table.hparam_infos}
    assert [metric.name.tag for metric in table.metric_infos] == [MMD, FRECHET]
    assert not list(runs.rglob("*.columns"))


@pytest.mark.slow
@pytest.mark.usefixtures("heard_signals")
def test_it_serves_until_it_is_asked_to_end_and_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganlab", "tensorboard", "--runs", trained, "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().rpartition(" ")[2].strip()
        assert pins(address) == [MMD, FRECHET, "balance/accuracy", *LOSSES, *LOGITS]
        links = next(tmp_path.glob("ganlab-*"))
        names = {path.parent.relative_to(links).as_posix() for path in links.rglob("*tfevents*")}
        assert len(names) == 5
        deadline = time.monotonic() + 60
        while set(ask(f"{address.partition('?')[0]}data/runs")) != names:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 0
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())
