from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganlab import ImageSpec, VectorSpec
from ganlab.config import load_experiment
from ganlab.data import Data, prepare
from ganlab.data.split import split
from ganlab.errors import ExperimentError, GanlabError

PLUGIN = '''
from pathlib import Path

import numpy as np
from PIL import Image

import ganlab


class WideOptions(ganlab.Options):
    count: int = 40
    root: Path = Path("nowhere")
    bad: bool = False


class Wide(ganlab.ImageSource):
    """Images twice as wide as high: black, with a white left half."""

    def __init__(self, count, bad):
        self.count, self.bad = count, bad

    def __len__(self):
        return self.count

    def fingerprint(self):
        return f"wide {self.count} {self.bad}"

    def read(self, index):
        if self.bad and index == 2:
            raise ganlab.BadImageError("two.jpg", "cut off")
        image = Image.new("RGB", (16, 8))
        image.paste((255, 255, 255), (0, 0, 8, 8))
        return image


class Numbers(ganlab.VectorSource):
    dimension = 2

    def __len__(self):
        return 30

    def fingerprint(self):
        return "numbers"

    def read(self, index):
        return np.array([index, -index], np.float32)


def build_wide(options, image):
    if options.root.name == "refused":
        raise ganlab.ComponentError(f"{options.root} does not exist", option="root")
    return Wide(options.count, options.bad)


def build_numbers(options, image):
    return Numbers()


@ganlab.hookimpl
def ganlab_datasets():
    accepts = (ganlab.VectorSpec,)
    yield ganlab.DatasetComponent(name="wide", summary="A test", options=WideOptions, build=build_wide)
    yield ganlab.DatasetComponent(name="numbers", summary="A test", build=build_numbers, accepts=accepts)


@ganlab.hookimpl
def ganlab_generators():
    both = (ganlab.ImageSpec, ganlab.VectorSpec)
    yield ganlab.GeneratorComponent(name="nothing", summary="A test", build=lambda *_: None, accepts=both)


@ganlab.hookimpl
def ganlab_losses():
    yield ganlab.LossComponent(name="naught", summary="A test", build=lambda *_: None)
'''

EXPERIMENT = """
title = "test"
seed = 5
plugins = ["./wide.py"]
trackers = []

[dataset]
name = "{dataset}"
{options}

{tables}
[generator]
name = "nothing"

[[losses]]
name = "naught"

[training]
steps = 1
batch_size = 2
"""


def prepared(directory: Path, dataset: str, options: str = "", tables: str = "[image]\nsize = 8\n") -> Data:
    (directory / "wide.py").write_text(PLUGIN)
    file = directory / "experiment.toml"
    file.write_text(EXPERIMENT.format(dataset=dataset, options=options, tables=tables))
    return prepare(load_experiment(file), cache=directory / "cache", progress=False)


def test_images_are_packed_as_the_experiment_says(tmp_path: Path) -> None:
    data = prepared(tmp_path, "wide", "holdout = 0.25")
    assert data.store.spec == ImageSpec(3, 8, 8) and len(data.store) == 40
    assert np.array_equal(data.split.holdout, split(40, 0.25, 0).holdout)
    left, right = data.store.samples[0, :, :4], data.store.samples[0, :, 4:]
    assert (left == 255).all() and (right == 0).all()
    padded = prepared(tmp_path, "wide", tables='[image]\nsize = 8\nfit = "pad"\n')
    assert not padded.store.samples[0, :2].any() and padded.store.samples[0, 2:6].any()


def test_every_seed_holds_out_the_same_samples(tmp_path: Path) -> None:
    prepared(tmp_path, "wide", "holdout = 0.25")

    def held_out(*overrides: str) -> NDArray[np.int64]:
        experiment = load_experiment(tmp_path / "experiment.toml", overrides=overrides)
        return prepare(experiment, cache=tmp_path / "cache", progress=False).split.holdout

    assert np.array_equal(held_out("seed=1"), held_out("seed=2"))
    assert np.array_equal(held_out("dataset.split_seed=5"), split(40, 0.25, 5).holdout)
    assert not np.array_equal(held_out("dataset.split_seed=5"), held_out())


def test_vectors(tmp_path: Path) -> None:
    data = prepared(tmp_path, "numbers", tables="")
    assert data.store.spec == VectorSpec(2) and len(data.split.training) == 27


def test_an_empty_dataset_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"experiment\.toml:7: dataset: the dataset is empty"):
        prepared(tmp_path, "wide", "count = 0")


def test_a_refusal_is_named_with_the_place_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"experiment\.toml:9: dataset\.root: .*refused does not exist"):
        prepared(tmp_path, "wide", 'root = "refused"')


def test_bad_images_are_treated_as_the_experiment_says(tmp_path: Path) -> None:
    with pytest.raises(
        GanlabError, match=r'(?s)bad image two\.jpg: cut off.*or set `on_bad_image = "skip"` in \[dataset\]'
    ):
        prepared(tmp_path, "wide", "bad = true")
    data = prepared(tmp_path, "wide", 'bad = true\non_bad_image = "skip"')
    assert data.store.skipped == ("two.jpg: cut off",)
    assert len(data.split.training) + len(data.split.holdout) == len(data.store) == 39


def test_copies_are_told_and_held_out_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    for number in range(120):
        Image.fromarray(images[number % 30]).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "x.toml").write_text(COPIES)
    for _ in range(2):
        data = prepare(load_experiment(tmp_path / "x.toml"))
        assert "warning: 90 of 120 samples are copies of others" in capsys.readouterr().err
        training, held_out = (
            {data.store.samples[index].tobytes() for index in each}
            for each in (data.split.training, data.split.holdout)
        )
        assert len(data.split.holdout) == 12 and not training & held_out


COPIES = """
title = "Copies"
[image]
size = 8
[dataset]
name = "image-folder"
root = "photos"
holdout = 0.1
[generator]
name = "dcgan"
[[losses]]
name = "mmd"
[training]
steps = 1
"""
