"""`ganlab train-features`, from labels to a file that `classifier` reads."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import ganlab_features
from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

EXPERIMENT = """
title = "Faces"
[image]
size = 16
[dataset]
name = "faces"
count = 400
labels = "hair"
holdout = 0.25
[generator]
name = "dcgan"
[[losses]]
name = "mmd"
[training]
steps = 1
[[evaluators]]
name = "mmd"
samples = 100
"""
SPEC = ImageSpec(3, 16, 16)
CLASSIFIER = next(each for each in ganlab_features.ganlab_features() if each.name == "classifier")
Shell = Callable[..., tuple[int, str, str]]


def build(weights: Path, spec: ImageSpec = SPEC, output: str = "features") -> FeatureExtractor:
    extractor = CLASSIFIER.build(CLASSIFIER.options(weights=weights, output=output), spec)
    assert isinstance(extractor, FeatureExtractor)
    return extractor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the experiment `x.toml` and the features that it gave, `one.safetensors`."""
    directory = tmp_path_factory.mktemp("features")
    (directory / "x.toml").write_text(EXPERIMENT)
    arguments = ["train-features", str(directory / "x.toml"), "--out", str(directory / "one.safetensors")]
    assert run([*arguments, "--epochs", "8"]) == 0
    return directory


@pytest.fixture
def shell(folder: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["train-features", str(folder / "x.toml"), *arguments])
        return code, *capsys.readouterr()

    return call


def test_it_learns_and_says_so(folder: Path) -> None:
    with safe_open(folder / "one.safetensors", framework="pt") as file:
        note = json.loads(file.metadata()["ganlab"])
    classes = note["class_names"]
    assert note["spec"] == {"channels": 3, "height": 16, "width": 16, "classes": len(classes)}
    assert note["held_out"] == 100 and note["epochs"] == 8
    assert note["accuracy"] > 2 / len(classes)


def test_the_same_experiment_gives_the_same_bytes_and_leaves_the_generators_alone(
    folder: Path, shell: Shell
) -> None:
    before = torch.get_rng_state()
    for name in ("a", "b"):
        assert shell("--out", str(folder / f"{name}.safetensors"), "--epochs", "1")[0] == 0
    assert torch.equal(before, torch.get_rng_state())
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()
    assert build(folder / "a.safetensors").fingerprint() != build(folder / "one.safetensors").fingerprint()


def test_what_it_prints_can_be_pasted(folder: Path, shell: Shell) -> None:
    out = folder / "told.safetensors"
    _, text, errors = shell("--out", str(out), "--epochs", "1")
    assert "training on images: " in errors
    assert "accuracy on 100 held-out samples: " in text
    table = text[text.index("[evaluators.features]") :]
    features = tomllib.loads(table)["evaluators"]["features"]
    assert features == {"name": "classifier", "weights": str(out.resolve())}
    experiment = folder / "with.toml"
    experiment.write_text(EXPERIMENT + table)
    assert run(["validate", str(experiment)]) == 0


def test_both_outputs_are_named_and_do_not_depend_on_the_batch(folder: Path) -> None:
    images = torch.randint(
        0, 256, (9, *SPEC.shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    for output in ("features", "probabilities"):
        extractor = build(folder / "one.safetensors", output=output)
        with torch.no_grad():
            together = extractor.extract(images)
            apart = torch.cat([extractor.extract(part) for part in images.split(4)])
        assert together.shape == (9, len(extractor.names()))
        torch.testing.assert_close(apart, together, rtol=0, atol=1e-5)
        assert extractor.standardise is (output == "features")
    assert torch.allclose(together.sum(1), torch.ones(9))
    assert extractor.names()[0].startswith("probability of ")
    prints = {
        build(folder / "one.safetensors", output=each).fingerprint() for each in ("features", "probabilities")
    }
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.labels='none'"], "the dataset 'faces' has no labels as this experiment asks for it"),
        (["dataset.holdout=0.0"], "dataset.holdout is 0: no sample is left to tell"),
    ],
)
def test_data_without_labels_or_holdout_is_refused(
    folder: Path, shell: Shell, overrides: list[str], message: str
) -> None:
    out = folder / "never.safetensors"
    code, _, errors = shell("--out", str(out), *(word for each in overrides for word in ("--set", each)))
    assert code == 2 and message in errors and not out.exists()


def test_vectors_fixed_features_and_existing_files_are_refused(folder: Path, shell: Shell) -> None:
    assert "exists; choose another --out, or --force" in shell("--out", str(folder / "one.safetensors"))[2]
    code, _, errors = shell("--out", str(folder / "never.safetensors"), "--features", "wavelet")
    assert code == 2 and "the features 'wavelet' are fixed: there is nothing to train" in errors
    vectors = folder / "vectors.toml"
    text = EXPERIMENT.replace("[image]\nsize = 16\n", "").replace('"faces"', '"gaussians"')
    vectors.write_text(text.replace('labels = "hair"', "labels = true").replace('"dcgan"', '"mlp"'))
    assert run(["train-features", str(vectors), "--out", str(folder / "never.safetensors")]) == 2


def test_a_wrong_file_is_refused(folder: Path) -> None:
    whole = (folder / "one.safetensors").read_bytes()
    broken, foreign = folder / "broken.safetensors", folder / "foreign.safetensors"
    broken.write_bytes(whole[: len(whole) // 2])
    foreign.write_bytes(whole.replace(rb"\"classifier\"", rb"\"clazzifier\""))
    cases = [
        (folder / "absent", SPEC, "cannot be read"),
        (broken, SPEC, "not a complete safetensors file"),
        (foreign, SPEC, "did not write it for features `classifier`"),
        (folder / "one.safetensors", ImageSpec(3, 32, 32), "trained on 3×16×16 images"),
    ]
    for path, spec, message in cases:
        with pytest.raises(ComponentError, match=message) as refusal:
            build(path, spec)
        assert refusal.value.option == "weights"
        assert "ganlab train-features X.toml --out FILE" in str(refusal.value)
