"""What a user gets for a mistake: what and where and what would be right; never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = """\
title = "Bad input"
[image]
size = 16
[dataset]
name = "faces"
count = 50
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
[discriminator]
name = "dcgan"
width = 2
[[losses]]
name = "non-saturating"
[training]
steps = 1
batch_size = 8
[[evaluators]]
name = "mmd"
samples = 8
"""


def ganlab(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ganlab", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def refused(tmp_path: Path, text: str, *arguments: str) -> str:
    """Run an experiment that must be refused, and return what the user reads."""
    (tmp_path / "x.toml").write_text(text)
    result = ganlab("run", "x.toml", *arguments, cwd=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("runs/*/*/run.json")), "a run directory was left behind"
    return result.stderr


CASES = {
    "a wrong key": ("steps = 1", "setps = 1", ["x.toml:", "training.setps", "steps"]),
    "a wrong type": ("steps = 1", 'steps = "1"', ["x.toml:18", "training.steps", "whole number"]),
    "a wrong value": ("size = 16", "size = -3", ["x.toml:3", "image.size"]),
    "a wrong component": ('name = "faces"', 'name = "facse"', ["x.toml:5", "dataset.name", "faces"]),
    "a wrong option": ("count = 50", "cuont = 50", ["x.toml:6", "dataset.cuont", "count"]),
    "a wrong loss": ('"non-saturating"', '"non-saturated"', ["x.toml:16", "losses.0.name", "non-saturating"]),
    "a size the network cannot make": ("size = 16", "size = 8", ["x.toml:9", "16 to 256", "8×8"]),
    "a loss that needs a discriminator": (
        '[discriminator]\nname = "dcgan"\nwidth = 2\n',
        "",
        ["x.toml:", "non-saturating", "[discriminator]"],
    ),
    "a discriminator that no loss needs": ('"non-saturating"', '"mmd"', ["x.toml:", "discriminator"]),
    "a missing dataset": (
        'name = "faces"\ncount = 50',
        'name = "image-folder"\nroot = "nowhere"',
        ["x.toml:", "dataset.root", "nowhere"],
    ),
    "labels of a dataset without them": (
        'name = "faces"\ncount = 50',
        'name = "image-folder"\nroot = "flat"\nlabels = true',
        ["x.toml:", "dataset.labels"],
    ),
    "an empty dataset": (
        'name = "faces"\ncount = 50',
        'name = "image-folder"\nroot = "empty"',
        ["x.toml:", "dataset", "empty"],
    ),
    "a device that is not there": ("steps = 1", 'steps = 1\ndevice = "cuda:17"', ["cuda:17", "cpu"]),
    "a best metric that nobody measures": (
        "[[evaluators]]",
        '[checkpoint]\nbest = "fid"\n[[evaluators]]',
        ["mmd"],
    ),
    "a missing plugin file": ("[image]", 'plugins = ["./gone.py"]\n[image]', ["x.toml:2", "gone.py"]),
    "no TOML at all": ("[image]", "[image", ["x.toml:2"]),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_mistakes_are_explained(tmp_path: Path, name: str) -> None:
    from PIL import Image

    (tmp_path / "empty").mkdir()
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "flat" / "a.png")
    before, after, expected = CASES[name]
    assert before in EXPERIMENT
    message = refused(tmp_path, EXPERIMENT.replace(before, after, 1))
    for words in expected:
        assert words in message, message


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = (
        EXPERIMENT.replace("count = 50", "cuont = 50")
        .replace("steps = 1", "steps = 0")
        .replace("dim = 4", "dim = 4.5")
    )
    message = refused(tmp_path, text)
    for path in ("dataset.cuont", "training.steps", "latent.dim"):
        assert path in message


def test_a_missing_experiment_file(tmp_path: Path) -> None:
    result = ganlab("run", "gone.toml", cwd=tmp_path)
    assert result.returncode == 2
    assert "gone.toml" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_runs_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "runs-file").write_text("not a directory")
    message = refused(tmp_path, EXPERIMENT, "--runs", "runs-file/below")
    assert "runs-file" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_runs_directory_without_permission(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "locked" in refused(tmp_path, EXPERIMENT, "--runs", "locked")


def test_a_corrupt_image_is_named(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(12):
        Image.new("RGB", (20, 20), (index * 20, 0, 0)).save(folder / f"{index}.jpg")
    whole = (folder / "5.jpg").read_bytes()
    (folder / "5.jpg").write_bytes(whole[: len(whole) // 2])
    text = EXPERIMENT.replace('name = "faces"\ncount = 50', 'name = "image-folder"\nroot = "images"')
    message = refused(tmp_path, text)
    assert "5.jpg" in message
    assert 'on_bad_image = "skip"' in message
    result = ganlab("run", "x.toml", "--set", "dataset.on_bad_image=skip", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_network_that_breaks_its_contract_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "from ganlab import DiscriminatorComponent, hookimpl\n"
        "def build(options, image):\n"
        "    from torch import nn\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(7, 1))\n"
        "@hookimpl\n"
        "def ganlab_discriminators():\n"
        "    yield DiscriminatorComponent(name='odd', summary='Too small', build=build)\n"
    )
    text = 'plugins = ["./odd.py"]\n' + EXPERIMENT.replace(
        'name = "dcgan"\nwidth = 2\n[[', 'name = "odd"\n[['
    )
    message = refused(tmp_path, text)
    assert "discriminator 'odd'" in message
    assert "(2, 3, 16, 16)" in message
