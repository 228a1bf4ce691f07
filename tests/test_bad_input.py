"""What a user gets for a mistake: what and where and what would be right; never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fresh_process import ganlab

pytestmark = pytest.mark.slow

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
    assert "(4, 3, 16, 16)" in message


PLUGIN = """\
from ganlab import DiscriminatorComponent, EvaluatorComponent, LossComponent, Metric, hookimpl


def crashing(options, image):
    return 1 / 0


def lazy(options, image):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.LazyLinear(1))


def not_finite(options):
    from ganlab import Loss

    class NotFinite(Loss):
        def generator(self, game):
            return game.fake.mean() / 0

    return NotFinite()


def detached(options):
    from ganlab import Loss

    class Detached(Loss):
        def generator(self, game):
            return game.fake.mean().detach()

    return Detached()


def late(options, image):
    from ganlab import Estimate, Evaluator

    class Late(Evaluator):
        calls = 0

        def evaluate(self, real, fake):
            self.calls += 1
            return {"late": Estimate(1 / (4 - self.calls))}

    return Late()


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="crashing", summary="Divides by zero", build=crashing)
    yield DiscriminatorComponent(name="lazy", summary="Leaves its sizes open", build=lazy)


@hookimpl
def ganlab_losses():
    yield LossComponent(name="not-finite", summary="Divides by zero", build=not_finite)
    yield LossComponent(name="detached", summary="Has no gradient", build=detached)


@hookimpl
def ganlab_evaluators():
    metrics = (Metric("late"),)
    yield EvaluatorComponent(name="late", summary="Fails the fourth time", build=late, metrics=metrics)
"""


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        (
            ('"dcgan"\nwidth = 2\n[[', '"crashing"\n[['),
            1,
            ["'crashing' raised ZeroDivisionError", "mine.py:5"],
        ),
        (('"dcgan"\nwidth = 2\n[[', '"lazy"\n[['), 2, ["discriminator", "lazy modules"]),
        (
            ("[training]", '[[losses]]\nname = "not-finite"\n[training]'),
            2,
            ["loss `not-finite`", "must be finite"],
        ),
        (("[training]", '[[losses]]\nname = "detached"\n[training]'), 2, ["losses.1", "detached"]),
    ],
    ids=["crashing", "lazy", "not-finite", "detached"],
)
def test_validate_names_a_plugin_that_does_not_work(
    tmp_path: Path, change: tuple[str, str], code: int, expected: list[str]
) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    assert change[0] in EXPERIMENT
    (tmp_path / "x.toml").write_text('plugins = ["./mine.py"]\n' + EXPERIMENT.replace(*change, 1))
    result = ganlab("validate", "x.toml", cwd=tmp_path)
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    for words in expected:
        assert words in result.stderr


NETWORKS = """\
from ganlab import DiscriminatorComponent, hookimpl


def tired(options, image):
    from torch import nn

    class Tired(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(image.channels * 256, 1))

        def forward(self, images):
            return self.layers(images[:, :, 1:] if self.training else images)

    return Tired()


def pair(options, image):
    from torch import nn

    class Pair(nn.Module):
        def forward(self, images):
            return images, images

    return Pair()


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="tired", summary="Trains on images cut off", build=tired)
    yield DiscriminatorComponent(name="pair", summary="Returns two things", build=pair)
"""


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        # Not the loss, which asked for logits, nor a line of torch's.
        (
            "tired",
            1,
            ["x.toml:13: discriminator: the discriminator 'tired' raised RuntimeError: mat1", "mine.py:13)"],
        ),
        ("pair", 2, ["x.toml:13: discriminator: ", "must return logits or a ganlab.Verdict, not a tuple"]),
    ],
)
def test_a_network_is_blamed_for_what_it_does_while_it_trains(
    tmp_path: Path, name: str, code: int, expected: list[str]
) -> None:
    (tmp_path / "mine.py").write_text(NETWORKS)
    text = EXPERIMENT.replace('name = "dcgan"\nwidth = 2\n[[', f'name = "{name}"\n[[')
    (tmp_path / "x.toml").write_text('plugins = ["./mine.py"]\n' + text)
    result = ganlab("run", "x.toml", cwd=tmp_path)
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    for words in expected:
        assert words in error


SOURCE = """\
import numpy as np
from ganlab import DatasetComponent, ImageSource, hookimpl


class Source(ImageSource):
    def __len__(self):
        return 50

    def read(self, index):
        return {}

    def fingerprint(self):
        return "source"


@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="mine", summary="Wrong", build=lambda options, image: Source())
"""


@pytest.mark.parametrize(
    ("read", "code", "expected"),
    [
        ("np.zeros((16, 16, 3), np.uint8)", 2, "read(0) returned a ndarray, not a PIL image"),
        ("{}[index]", 1, "the dataset 'mine' raised KeyError: 0 (at "),
    ],
)
def test_a_dataset_is_blamed_for_what_it_reads(tmp_path: Path, read: str, code: int, expected: str) -> None:
    (tmp_path / "mine.py").write_text(SOURCE.replace("{}", read))
    text = EXPERIMENT.replace('name = "faces"\ncount = 50', 'name = "mine"')
    (tmp_path / "x.toml").write_text('plugins = ["./mine.py"]\n' + text)
    result = ganlab("run", "x.toml", cwd=tmp_path)
    assert result.returncode == code, result.stdout + result.stderr
    assert f"x.toml:5: dataset: {expected}" in result.stderr
    assert code == 2 or "mine.py:10)" in result.stderr


def test_a_batch_that_is_too_small_is_no_bug_of_a_plugin(tmp_path: Path) -> None:
    text = (
        EXPERIMENT.replace('"faces"', '"gaussians"')
        .replace("[image]\nsize = 16\n", "")
        .replace('"dcgan"\nwidth = 2\n[disc', '"mlp"\nnormalisation = "batch"\n[disc')
        .replace('"dcgan"', '"mlp"')
        .replace("batch_size = 8", "batch_size = 1")
    )
    (tmp_path / "x.toml").write_text(text)
    result = ganlab("run", "x.toml", cwd=tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "x.toml:7: generator: the generator 'mlp' raised ValueError" in result.stderr
    assert "takes 2 samples at once: raise training.batch_size" in result.stderr
    assert "bug" not in result.stderr


FORGETTING = """\
import numpy as np
from ganlab import Loss, LossComponent, hookimpl


class Balance(Loss):
    share = np.float64(0.5)

    def generator(self, game):
        return game.fake.mean()

    def state_dict(self):
        return {"shares": [self.share]}


@hookimpl
def ganlab_losses():
    yield LossComponent(name="balance", summary="Remembers", build=lambda options: Balance())
"""


def test_a_state_that_no_checkpoint_gives_back_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FORGETTING)
    text = EXPERIMENT.replace("[training]", '[[losses]]\nname = "balance"\n[training]')
    told = refused(tmp_path, 'plugins = ["./mine.py"]\n' + text)
    assert "x.toml:18: losses.1: its state_dict() holds numpy.float64 at ['shares'][0]; checkpoints" in told


def test_an_evaluator_that_crashes_costs_no_training(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    text = 'plugins = ["./mine.py"]\n' + EXPERIMENT.replace('name = "mmd"\n', 'name = "late"\nevery = 2\n')
    (tmp_path / "x.toml").write_text(text)
    # Measured three times before the crash: the floor, step 0, and step 2.
    result = ganlab("run", "x.toml", "--set", "training.steps=10", cwd=tmp_path)
    assert result.returncode == 1
    assert "the evaluator 'late' raised ZeroDivisionError" in result.stderr
    (run,) = tmp_path.glob("runs/*/*/")
    assert (run / "LAST").read_text().strip() == "step-00000004"
    state = json.loads((run / "run.json").read_text())
    assert (state["status"], state["step"]) == ("failed", 4)
