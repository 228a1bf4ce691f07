"""`ganlab evaluate`: a run measured again, as it was and otherwise."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

EXPERIMENT = """
title = "Measured"
[image]
size = 16
[dataset]
name = "faces"
count = 120
holdout = 0.25
[latent]
dim = 4
[generator]
name = "dcgan"
width = 4
[discriminator]
name = "dcgan"
width = 4
[[losses]]
name = "non-saturating"
[training]
steps = 6
batch_size = 8
precision = "fp32"
[running_statistics]
samples = 64
[samples]
every = 100
count = 4
[checkpoint]
every = 2
keep = 9
best = "mmd"
[[evaluators]]
name = "mmd"
every = 2
samples = 70
[[evaluators]]
name = "frechet"
features = "pixels"
every = 2
samples = 50
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    (directory / "x.toml").write_text(EXPERIMENT)
    assert run(["run", str(directory / "x.toml"), "--runs", str(directory / "runs")]) == 0
    (path,) = (directory / "runs").glob("*/*/")
    return path


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    capsys.readouterr()
    code = run(["evaluate", *map(str, arguments), "--json"])
    output = capsys.readouterr()
    assert code == 0, output.err
    found: list[dict[str, Any]] = json.loads(output.out)
    return found


def described_last(path: Path) -> dict[str, Any]:
    """Return what the newest measurements say of how they were made."""
    newest = max((path / "evaluate").iterdir(), key=lambda directory: directory.stat().st_mtime_ns)
    described: dict[str, Any] = json.loads((newest / "evaluation.json").read_text())
    return described


def while_training(path: Path) -> list[dict[str, Any]]:
    lines = (path / "evaluations.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "time"} for line in lines]


def test_every_checkpoint_gives_the_numbers_it_gave_while_training(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(capsys, trained, "--checkpoint", "all", "--device", "cpu")
    steps = {int(path.name.removeprefix("step-")) for path in (trained / "checkpoints").iterdir()}
    then = [each for each in while_training(trained) if each["step"] in steps]
    assert found == then and {2, 4, 6} <= steps
    greedier = ("--evaluator", "precision-recall", "--set", "precision-recall.samples=90")
    beside = evaluated(capsys, trained, "--checkpoint", "4", "--evaluator", "mmd", *greedier)
    assert beside[:2] == [each for each in then if each["step"] == 4 and each["evaluator"] == "mmd"]
    assert [each["n_fake"] for each in beside[2:]] == [90, 90]
    alone = evaluated(capsys, trained, "--checkpoint", "4", "--evaluator", "frechet")
    assert alone == [each for each in then if each["step"] == 4 and each["evaluator"] == "frechet"]


def test_results_are_kept_beside_the_run_and_leave_it_alone(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    shutil.rmtree(trained / "evaluate", ignore_errors=True)
    found = evaluated(capsys, trained, "--checkpoint", "all")
    (directory,) = (trained / "evaluate").iterdir()
    lines = [json.loads(line) for line in (directory / "evaluations.jsonl").read_text().splitlines()]
    assert [{key: value for key, value in line.items() if key != "time"} for line in lines] == found
    described = json.loads((directory / "evaluation.json").read_text())
    resolved = tomllib.loads((trained / "resolved.toml").read_text())["evaluators"]
    assert list(described["evaluators"].values()) == resolved and not described["other_data"]
    with Image.open(directory / "curves.png") as picture:
        assert picture.size == (1120, 680)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    events = EventAccumulator(str(directory / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    shown = events.Scalars("evaluation/mmd/mmd2-wavelet")
    assert [(event.step, event.value) for event in shown] == [
        (each["step"], pytest.approx(each["value"])) for each in found if each["metric"] == "mmd2"
    ]
    outside = {path: content for path, content in before.items() if "evaluate" not in path.parts}
    assert all(path.read_bytes() == content for path, content in outside.items())


def test_other_evaluators_and_other_options(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(
        capsys, trained, "--evaluator", "mmd", "--evaluator", "precision-recall",
        "--set", "mmd.features=pixels", "--set", "precision-recall.samples=60",
    )  # fmt: skip
    by_metric = {each["metric"]: each for each in found}
    assert by_metric["mmd2"]["features"] == "pixels"
    assert by_metric["precision"]["n_fake"] == by_metric["precision"]["n_real"] == 60
    best = int((trained / "BEST").read_text().strip().removeprefix("step-"))
    assert {each["step"] for each in found} == {best}
    assert described_last(trained)["evaluators"]["mmd"]["features"] == {"name": "pixels", "size": 8}
    by_index = evaluated(capsys, trained, "--evaluator", "frechet", "--set", "evaluators.1.samples=30")
    assert {each["n_fake"] for each in by_index} == {30}


def test_a_copied_run_is_measured_elsewhere(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(trained, moved)
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "another-cache"))
    monkeypatch.chdir(tmp_path)
    found = evaluated(capsys, moved, "--checkpoint", "last")
    assert found == [each for each in while_training(trained) if each["step"] == 6]


def test_what_cannot_be_is_told(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["--checkpoint", "3"], "there are steps 2, 4, 6"),
        (["--checkpoint", "first"], "it takes best, last"),
        (["--evaluator", "mmdd"], "did you mean `mmd`?"),
        (["--set", "mmd.bandwidths=[]"], "mmd.bandwidths"),
        (["--set", "frechett.samples=3"], "no evaluator here is called `frechett`"),
        (["--set", "dataset.nam=3"], "dataset.nam"),
        (["--set", "evaluators.frechet.samples=30"], "by its label alone: frechet.samples=30\n"),
        (
            ["--evaluator", "frechet", "--set", "evaluators.0.samples=30"],
            "is for the run's own `mmd`, which is not measured now; an evaluator that is goes by its label: "
            "frechet.samples=30\n",
        ),
        (["--set", "evaluators.7.samples=30"], "`evaluators` has 2 entries"),
    ):
        capsys.readouterr()
        assert run(["evaluate", str(trained), *arguments]) == 2
        assert message in capsys.readouterr().err


def test_another_share_of_held_out_samples_is_noticed(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the run froze was of other training samples."""
    assert run(["evaluate", str(trained), "--set", "dataset.holdout=0.4"]) == 0
    assert "warning: the data is not what the run was trained on" in capsys.readouterr().err


def test_what_cannot_be_measured_leaves_nothing_behind(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set((trained / "evaluate").glob("*"))
    arguments = ["--evaluator", "precision-recall", "--set", "precision-recall.k=200"]
    assert run(["evaluate", str(trained), *arguments]) == 2
    assert "precision-recall.k" in capsys.readouterr().err
    assert set((trained / "evaluate").glob("*")) == before


def test_what_is_said_at_some_steps_only_has_those(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(trained), "--checkpoint", "all", "--evaluator", "diversity"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match(r"warning: diversity at [\d, ]+: COLLAPSED", line) for line in lines)
    assert any(re.match(r"warning: diversity: only \d+ samples on one side", line) for line in lines)


def test_other_data_is_noticed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(trained), "--set", "dataset.count=100", "--set", "mmd.samples=40"]) == 0
    output = capsys.readouterr()
    assert "warning: the data is not what the run was trained on" in output.err
    assert output.out.splitlines()[0].split()[:3] == ["STEP", "EVALUATOR", "METRIC"]
    assert described_last(trained)["other_data"]
    assert "kept in" in output.out
