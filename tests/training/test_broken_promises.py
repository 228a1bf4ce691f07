"""A run that begins warns of promises that its local plugins break, and trains all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganlab.commands.cli import run
from ganlab.config import load_experiment
from ganlab.training.plan import Plan
from ganlab.training.session import run_experiment

EXPERIMENT = """\
title = "Warned"
plugins = ["./mine.py"]
[image]
size = 8
[dataset]
name = "faces"
count = 20
[latent]
dim = 4
[generator]
name = "mlp"
[discriminator]
name = "NAME"
[[losses]]
name = "least-squares"
[training]
steps = 2
batch_size = 4
device = "cpu"
[running_statistics]
samples = 0
[samples]
count = 4
"""

PLUGIN = """\
import torch
from torch import nn
from ganlab import DiscriminatorComponent, hookimpl

class Sound(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 8), nn.Dropout(), nn.Linear(8, 1))

    def forward(self, images):
        return self.layers(images)

class Spare(Sound):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__()
        self.spare = nn.Linear(2, 2)

class Sigmoid(Sound):
    def forward(self, images):
        return super().forward(images).sigmoid()

@hookimpl
def ganlab_discriminators():
    for each in (Sound, Spare, Sigmoid):
        name = each.__name__.lower()
        yield DiscriminatorComponent(name=name, summary="…", build=lambda options, image, each=each: each())
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN)
    return tmp_path


def experiment(directory: Path, discriminator: str) -> str:
    path = directory / f"{discriminator}.toml"
    path.write_text(EXPERIMENT.replace("NAME", discriminator))
    return str(path)


def weights(runs: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in runs.rglob("checkpoints/*/*.safetensors")}


def test_each_broken_promise_is_one_warning_once(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = experiment(directory, "spare")
    assert run(["run", file, "--quiet"]) == 0
    told = capsys.readouterr().err
    assert told.count("warning:") == 2
    who = f"warning: {directory / 'mine.py'}: discriminator `spare` breaks the promise "
    assert (
        f"{who}“a gradient reaches every parameter”: no gradient reaches the parameter `spare.weight`; "
        in told
    )
    assert f"{who}“it seeds no global generator”: it calls torch.manual_seed()" in told
    assert told.endswith("\n    `ganlab check ./mine.py` says more\n")
    assert run(["run", file, "--quiet", "--resume", "auto", "--set", "training.steps=3"]) == 0
    assert "warning:" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "promise"), [("sound", ""), ("sigmoid", "logits, not probabilities")])
def test_the_check_changes_no_byte_and_is_silent_of_what_is_sound(
    directory: Path, capsys: pytest.CaptureFixture[str], name: str, promise: str
) -> None:
    file = experiment(directory, name)
    assert run(["run", file, "--quiet", "--runs", "checked"]) == 0
    told = capsys.readouterr().err
    assert ("warning:" in told) == bool(promise)
    assert promise in told
    run_experiment(load_experiment(Path(file)), Plan(directory / "unchecked"), quiet=True)
    checked = weights(directory / "checked")
    assert checked
    assert checked == weights(directory / "unchecked")
