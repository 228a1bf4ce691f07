"""`ganlab sample`: which class, and which kind of file."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganlab
from ganlab import LatentSpec
from ganlab.commands.cli import run
from ganlab.data.files import ImageFiles
from ganlab.engine.latents import draw_latents, walk_around
from ganlab.engine.precision import choose_device

pytestmark = pytest.mark.slow

EXPERIMENT = """
title = "Digits"
plugins = ["./told.py"]
[image]
size = 16
channels = 1
[dataset]
name = "image-folder"
root = "digits"
labels = true
[latent]
dim = 4
[generator]
name = "told"
[discriminator]
name = "dcgan"
width = 4
[[losses]]
name = "non-saturating"
[training]
steps = 3
batch_size = 8
precision = "fp32"
[samples]
every = 100
count = 4
"""

PLUGIN = """
import numpy as np
from PIL import Image
from ganlab import *

class Source(ImageSource):
    class_names = ("never", "left", "right")

    def __len__(self):
        return 40

    def fingerprint(self):
        return "partly labelled"

    def labels(self):
        return 1 + np.arange(40, dtype=np.int64) % 2

    def read(self, index):
        return Image.new("L", (16, 16), 6 * index)

def build_told(options, image, latent):
    from told_network import Told
    return Told(latent.dim, image.shape)

@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="told", summary="Grey by class", build=build_told, takes_labels=True)

@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="partly", summary="One class never occurs", build=lambda *_: Source())
"""

NETWORK = """
import torch
from torch import nn

class Told(nn.Module):
    \"""Images whose brightness tells the label, with a little noise.\"""

    def __init__(self, dim, shape):
        super().__init__()
        self.shape = shape
        self.truncation = 1.0
        self.layer = nn.Linear(dim, torch.Size(shape).numel())

    def forward(self, latents, labels):
        noise = self.truncation * torch.tanh(self.layer(latents)).view(-1, *self.shape)
        return labels.view(-1, 1, 1, 1) / 20 + noise / 100
"""


def written(directory: Path, dataset: str = "") -> Path:
    """Write an experiment and what it needs."""
    (directory / "told.py").write_text(PLUGIN)
    (directory / "told_network.py").write_text(NETWORK)
    folder = 'name = "image-folder"\nroot = "digits"\nlabels = true'
    (directory / "x.toml").write_text(EXPERIMENT.replace(folder, dataset or folder))
    return directory / "x.toml"


def trained(directory: Path, dataset: str = "", *arguments: str) -> Path:
    written(directory, dataset)
    runs = str(directory / "runs")
    assert run(["run", str(directory / "x.toml"), "--runs", runs, "--quiet", *arguments]) == 0
    (path,) = (directory / "runs").glob("*/*/")
    return path


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on class folders 0 to 11, five images each; its dataset is gone."""
    directory = tmp_path_factory.mktemp("digits")
    for number in range(12):
        (directory / "digits" / str(number)).mkdir(parents=True)
        for copy in range(5):
            image = Image.new("L", (16, 16), 20 * number + copy)
            image.save(directory / "digits" / str(number) / f"{copy}.png")
    path = trained(directory)
    shutil.rmtree(directory / "digits")
    return path


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("partly"), 'name = "partly"')


def sampled(path: Path, out: Path, *arguments: str) -> list[int]:
    """Return the labels of six samples."""
    assert run(["sample", str(path), "--count", "6", "--out", str(out), *arguments]) == 0
    brightness = np.load(out).mean(axis=(1, 2, 3)) / 127.5 - 1
    return [round(each) for each in brightness * 20]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    assert run(["sample", *map(str, arguments)]) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def test_samples_are_made_on_the_device_that_is_asked_for(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = []

    def choose(wish: str) -> torch.device:
        wishes.append(wish)
        return choose_device("cpu" if wish == "cuda" else wish)

    with monkeypatch.context() as patch:
        patch.setattr("ganlab.engine.precision.choose_device", choose)
        plain = sampled(digits, tmp_path / "plain.npy")
        assert sampled(digits, tmp_path / "cuda.npy", "--device", "cuda") == plain
    assert wishes == ["cpu", "cuda"]
    if not torch.backends.mps.is_available():
        told = refused(capsys, digits, "--out", tmp_path / "mps.npy", "--device", "mps")
        assert "the device 'mps' was asked for, but there is none here" in told


def test_a_run_knows_its_classes(digits: Path, partly: Path) -> None:
    state = json.loads((digits / "run.json").read_text())
    assert state["class_names"] == [str(number) for number in range(12)]
    assert sum(state["class_counts"]) == 54 and min(state["class_counts"]) > 0
    state = json.loads((partly / "run.json").read_text())
    assert state["class_names"] == ["never", "left", "right"]
    assert state["class_counts"][0] == 0 and sum(state["class_counts"]) == 36


def test_a_label_is_the_name_of_a_class(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sampled(digits, tmp_path / "turns.npy") == [0, 1, 2, 3, 4, 5]
    for number in (2, 10):
        out = tmp_path / f"{number}.npy"
        assert sampled(digits, out, "--label", str(number)) == [number] * 6
        assert f"(averaged weights, class '{number}') in {out}" in capsys.readouterr().out
    message = refused(capsys, digits, "--out", tmp_path / "a.npy", "--label", "12")
    assert (
        "unknown label '12'; the labels are '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11'"
        in message
    )


def test_a_class_without_training_samples_is_never_drawn(
    partly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sampled(partly, tmp_path / "turns.npy") == [1, 2, 1, 2, 1, 2]
    assert sampled(partly, tmp_path / "left.npy", "--label", "left") == [1] * 6
    assert sampled(partly, tmp_path / "2.npy", "--label", "2") == [2] * 6
    for label in ("never", "0"):
        message = refused(capsys, partly, "--out", tmp_path / "a.npy", "--label", label)
        assert f"no training sample was of class '{label}'" in message
    message = refused(capsys, partly, "--out", tmp_path / "a.npy", "--label", "middle")
    assert "unknown label 'middle'; the labels are 0 'never', 1 'left', 2 'right'" in message


def test_a_run_that_recorded_no_classes_numbers_them_until_it_goes_on(
    partly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old"
    shutil.copytree(partly, old)
    state = json.loads((old / "run.json").read_text())
    del state["class_names"], state["class_counts"]
    (old / "run.json").write_text(json.dumps(state))
    assert sampled(old, tmp_path / "turns.npy") == [0, 1, 2, 0, 1, 2]
    assert sampled(old, tmp_path / "old.npy", "--label", "2") == [2] * 6
    assert "class 'number 2'" in capsys.readouterr().out
    assert run(["resume", str(old), "--set", "training.steps=4", "--quiet"]) == 0
    assert json.loads((old / "run.json").read_text())["class_names"] == ["never", "left", "right"]


def test_validate_names_the_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(written(tmp_path, 'name = "partly"'))]) == 0
    out = capsys.readouterr().out
    assert "classes        3, with samples for training: never (0), left (1" in out


def test_the_suffix_says_the_format(digits: Path, tmp_path: Path) -> None:
    def made(name: str, *arguments: str) -> Path:
        out = f"{tmp_path}/{name}"
        assert run(["sample", str(digits), "--count", "9", "--out", out, *arguments]) == 0
        return Path(out)

    array = np.load(made("faces.npy"))
    assert array.shape == (9, 16, 16, 1)
    grid = np.asarray(Image.open(made("faces.PNG", "--label", "3")))
    assert grid.shape == (56, 56) and np.array_equal(
        grid[20:36, 2:18], np.load(made("threes.npy", "--label", "3"))[3, ..., 0]
    )
    archive = made("faces.zip")
    files = ImageFiles(archive)
    assert files.names == tuple(f"{number:06}.png" for number in range(9))
    assert np.array_equal(np.stack([np.asarray(files.open(name)) for name in files.names]), array[..., 0])
    assert archive.read_bytes() == made("again.zip").read_bytes()
    assert len(list(made("faces").iterdir())) == 9
    assert len(list(made("faces.v2/").iterdir())) == 9
    assert [path.name for path in made("more", "--format", "zip").iterdir()] == ["samples.zip"]
    assert not list(tmp_path.glob(".*"))


def told(grid: Path) -> list[list[int | None]]:
    """Return the classes that the places of a grid tell, row by row; `None` where nothing is."""
    picture = np.asarray(Image.open(grid)).astype(float)
    rows, columns = (side // 18 for side in picture.shape)
    places = [
        [picture[18 * r + 2 : 18 * r + 18, 18 * c + 2 : 18 * c + 18] for c in range(columns)]
        for r in range(rows)
    ]
    return [
        [None if place.min() == 255 else round((place.mean() / 127.5 - 1) * 20) for place in row]
        for row in places
    ]


def test_a_grid_has_a_row_for_each_class(digits: Path, partly: Path, tmp_path: Path) -> None:
    def made(path: Path, *arguments: str) -> list[list[int | None]]:
        out = tmp_path / "grid.png"
        assert run(["sample", str(path), "--out", str(out), "--force", *arguments]) == 0
        return told(out)

    # Of 64, twelve rows of five hold 60; with four more, four rows are longer.
    assert made(digits) == [[label] * 5 for label in range(12)]
    assert made(digits, "--count", "64") == [
        [label] * 5 + [label if label < 4 else None] for label in range(12)
    ]
    assert made(digits, "--count", "9") == [[0, 0], [1, 1], [2, 2], [3, None], [4, None], [5, None]]
    assert made(digits, "--label", "7") == [[7] * 8] * 8
    assert made(partly) == [[1] * 8] * 4 + [[2] * 8] * 4
    ganlab.load(partly).save_grid(tmp_path / "python.png")
    assert told(tmp_path / "python.png") == made(partly)


def test_pictures_while_training_have_a_row_for_each_class(partly: Path) -> None:
    for name in ("fixed", "fixed_ema"):
        assert told(partly / "samples" / f"{name}-00000003.png") == [[1, 1], [2, 2]]
    # Grey 6i is of class 1 where i is even.
    real = np.asarray(Image.open(partly / "samples" / "real-00000000.png"))
    assert [[int(real[r, c]) // 6 % 2 for c in (2, 20)] for r in (2, 20)] == [[0, 0], [1, 1]]
    walks = told(partly / "samples" / "interpolation-00000003.png")
    assert walks == [[1] * 8, [2] * 8]


def test_one_image_alone_has_no_border(digits: Path, tmp_path: Path) -> None:
    assert run(["sample", str(digits), "--count", "1", "--out", str(tmp_path / "one.png")]) == 0
    assert Image.open(tmp_path / "one.png").size == (16, 16)


@pytest.mark.parametrize(("suffix", "kind"), [(".gif", "GIF"), (".webp", "WEBP")])
def test_an_animation_walks_through_the_latents(digits: Path, tmp_path: Path, suffix: str, kind: str) -> None:
    out = tmp_path / f"walk{suffix}"
    assert run(["sample", str(digits), "--count", "16", "--label", "3", "--out", str(out)]) == 0
    with Image.open(out) as animation:
        assert animation.format == kind and animation.size == (16 * 38, 16 * 38)  # as `timelapse` enlarges
        assert animation.info["loop"] == 0
        # GIF joins frames that are alike, and shows them longer.
        assert 1 < animation.n_frames <= 16


def test_a_walk_has_a_row_and_a_class_from_each_latent_to_the_next(digits: Path, tmp_path: Path) -> None:
    def made(name: str, *arguments: str) -> Path:
        out = tmp_path / name
        assert run(["sample", str(digits), "--interpolate", "3", "--out", str(out), *arguments]) == 0
        return out

    array = np.load(made("walk.npy", "--count", "12"))
    brightness = array.mean(axis=(1, 2, 3)) / 127.5 - 1
    assert [round(each) for each in brightness * 20] == [0] * 4 + [1] * 4 + [2] * 4
    grid = np.asarray(Image.open(made("walk.png", "--count", "12")))
    assert grid.shape == (3 * 18 + 2, 4 * 18 + 2)
    assert np.array_equal(grid[20:36, 38:54], array[6, ..., 0])
    assert Image.open(made("long.png")).size == (8 * 18 + 2, 3 * 18 + 2)
    with Image.open(made("film.webp", "--size", "64", "--fps", "20")) as film:
        # A WebP joins frames that are alike, too.
        assert film.size == (64, 64) and 60 < film.n_frames <= 72


@pytest.mark.parametrize("distribution", ["normal", "uniform", "sphere"])
def test_a_walk_is_a_loop_of_even_steps(distribution: str) -> None:
    latent = LatentSpec(64, distribution)  # type: ignore[arg-type]
    keys = draw_latents(latent, 3, torch.Generator().manual_seed(0))
    points, legs = walk_around(latent, keys, 20)
    assert legs.tolist() == [0] * 6 + [1] * 7 + [2] * 7
    torch.testing.assert_close(points[[0, 6, 13]], keys)
    steps = (points.roll(-1, 0) - points).norm(dim=1)
    assert steps.max() < 2 * steps.min()


@pytest.mark.parametrize(
    ("out", "arguments", "reason"),
    [
        (
            "a.jpg",
            [],
            "has the suffix .jpg; a file is one of .npy, .png, .zip, .gif, .webp, .mp4, and a directory",
        ),
        ("run.v2", [], "has the suffix .v2; a file is one of"),
        ("a.npy", ["--format", "grid"], "says npy, and --format grid: leave out --format"),
        ("a.png", ["--format", "png"], "says grid, and --format png: leave out --format"),
        ("a.png", ["--size", "64"], "--fps and --size are for films, .webp, .gif, .mp4"),
        ("a.gif", ["--interpolate", "3", "--count", "2"], "--count 2 is too few to walk around 3 latents"),
        ("a.png", ["--interpolate", "3", "--count", "10"], "does not fill them: it is 9 or 12"),
        ("there.npy", [], "there.npy exists; choose another --out, or --force to write over it"),
        ("folder.npy", ["--force"], "folder.npy is a directory, and .npy means a file"),
        ("there", ["--force"], "there is a file, and without a suffix --out is a directory"),
    ],
)
def test_what_contradicts_itself_or_is_there_is_refused(
    digits: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    out: str,
    arguments: list[str],
    reason: str,
) -> None:
    (tmp_path / "there.npy").write_text("mine")
    (tmp_path / "there").write_text("mine")
    (tmp_path / "folder.npy").mkdir()
    before = sorted(tmp_path.iterdir())
    assert reason in refused(capsys, digits, "--out", tmp_path / out, *arguments)
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "there.npy").read_text() == "mine"


def test_force_writes_over_a_file(digits: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert run(["sample", str(digits), "--count", "2", "--out", str(tmp_path / "a.zip"), "--force"]) == 0
    assert len(ImageFiles(tmp_path / "a.zip")) == 2


def test_truncation_makes_samples_of_a_class_alike(digits: Path, tmp_path: Path) -> None:
    spreads = []
    for share in ("1", "0.5", "0"):
        out = tmp_path / f"{share}.npy"
        sampled(digits, out, "--label", "3", "--truncation", share)
        spreads.append(np.load(out).astype(float).std(axis=0).mean())
    assert spreads[0] > spreads[1] > spreads[2] == 0
    sampled(digits, tmp_path / "none.npy", "--label", "3")
    assert np.array_equal(np.load(tmp_path / "none.npy"), np.load(tmp_path / "1.npy"))


def test_a_generator_that_cannot_truncate_says_so(
    partly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_dcgan = ("--set", "generator.name=dcgan", "--set", "generator.width=2")
    path = trained(tmp_path, 'name = "partly"', *of_dcgan)
    message = refused(capsys, path, "--out", tmp_path / "a.png", "--truncation", "0.5")
    assert "cannot trade variety for quality: it has no attribute `truncation`" in message
    assert not (tmp_path / "a.png").exists()
    assert "1.5 is not in the range" in refused(
        capsys, partly, "--out", tmp_path / "a.png", "--truncation", "1.5"
    )
