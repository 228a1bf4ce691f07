"""Codes of another run's encoder, as features of metrics and of a loss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import ganlab
import ganlab_features
from ganlab import ImageSpec
from ganlab.commands.cli import run
from ganlab.testing import check_component
from ganlab_features.encoder import EncoderFeatures

pytestmark = pytest.mark.slow

COMMON = """
title = "{title}"
[image]
size = 16
[dataset]
name = "faces"
count = 60
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
[training]
steps = 4
batch_size = 16
precision = "fp32"
[running_statistics]
samples = 64
[samples]
every = 4
count = 4
[checkpoint]
every = 2
"""
VAE = """
[encoder]
name = "dcgan"
width = 2
[[losses]]
name = "elbo"
"""
CODES = """
[[losses]]
name = "mmd"
[losses.features]
name = "encoder"
run = "{vae}"
checkpoint = 4
[[evaluators]]
name = "mmd"
every = 4
samples = 20
[evaluators.features]
name = "encoder"
run = "{vae}"
"""
IMAGE = ImageSpec(channels=3, height=16, width=16)


def write(directory: Path, title: str, content: str) -> Path:
    file = directory / f"{title}.toml"
    file.write_text(COMMON.format(title=title) + content)
    return file


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("vae")
    assert run(["run", str(write(directory, "vae", VAE)), "--runs", str(directory / "runs"), "--quiet"]) == 0
    (path,) = (directory / "runs").glob("vae/*/")
    return path


def test_it_keeps_the_promises_of_its_kind(vae: Path) -> None:
    (component,) = (each for each in ganlab_features.ganlab_features() if each.name == "encoder")
    check_component(component, options={"run": vae}, spec=IMAGE)


def test_features_are_the_means_of_codes_and_known_by_the_weights(vae: Path, tmp_path: Path) -> None:
    images = torch.randint(0, 256, (5, *IMAGE.shape), dtype=torch.uint8)
    features = EncoderFeatures(IMAGE, vae, "last")
    trained = ganlab.load_encoder(vae, checkpoint="last")
    assert (trained.step, trained.latent.dim, trained.spec.shape) == (4, 4, IMAGE.shape)
    assert torch.equal(features.extract(images), trained.network(images.float() / 127.5 - 1)[0])
    moved = Path(shutil.copytree(vae, tmp_path / "moved"))
    assert EncoderFeatures(IMAGE, moved, 4).fingerprint() == features.fingerprint()
    assert EncoderFeatures(IMAGE, moved, 2).fingerprint() != features.fingerprint()


def test_a_generator_learns_in_the_space_of_codes_and_resumes_to_the_byte(vae: Path, tmp_path: Path) -> None:
    file, runs = write(tmp_path, "codes", CODES.format(vae=vae)), tmp_path / "runs"

    def train(*arguments: str) -> Path:
        before = set(runs.glob("codes/*/"))
        assert run(["run", str(file), "--runs", str(runs), "--quiet", *arguments]) == 0
        return next(iter(set(runs.glob("codes/*/")) - before), runs)

    def weights(path: Path) -> list[bytes]:
        files = sorted((path / "checkpoints" / "step-00000004").glob("*.safetensors"))
        assert files
        return [each.read_bytes() for each in files]

    whole, cut = train(), train("--set", "training.steps=2")
    train("--resume", cut.name)
    assert weights(cut) == weights(whole)
    resolved = (whole / "resolved.toml").read_text()
    assert resolved.count(f'run = "{vae}"') == 2
    measured = [json.loads(line) for line in (whole / "evaluations.jsonl").read_text().splitlines()]
    assert {each["features"] for each in measured} == {"encoder"}


def test_others_weights_in_its_place_do_not_go_unnoticed(
    vae: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(vae, tmp_path / "vae"))
    content = CODES.format(vae=copy).replace("checkpoint = 4", 'checkpoint = "last"')
    file, runs = write(tmp_path, "codes", content), ("--runs", str(tmp_path / "runs"), "--quiet")
    assert run(["run", str(file), *runs, "--set", "training.steps=2"]) == 0
    (resolved,) = (tmp_path / "runs").glob("codes/*/resolved.toml")
    shutil.rmtree(copy / "checkpoints" / "step-00000004")
    capsys.readouterr()
    assert run(["run", str(file), *runs, "--resume", "auto"]) == 2
    assert "losses.mmd.features.run" in capsys.readouterr().err
    assert run(["run", str(file), *runs, "--resume", "auto", "--allow-change"]) == 2
    assert "losses.0.features: its features are not those that were learned by" in capsys.readouterr().err
    assert run(["run", str(resolved), *runs]) == 0
    assert "named by losses.mmd.features.run has changed" in capsys.readouterr().err


def test_a_run_that_has_moved_is_the_same(vae: Path, tmp_path: Path) -> None:
    file = write(tmp_path, "codes", CODES.format(vae=vae))
    runs = ("--runs", str(tmp_path / "runs"), "--quiet")
    assert run(["run", str(file), *runs, "--set", "training.steps=2"]) == 0
    moved = Path(shutil.copytree(vae, tmp_path / "moved"))
    write(tmp_path, "codes", CODES.format(vae=moved))
    assert run(["run", str(file), *runs, "--resume", "auto"]) == 0
    assert len(list((tmp_path / "runs").glob("codes/*/"))) == 1


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("features", '"wavelet"', "learn by: classifier, encoder, pixels"),
        ("features.run", '"nowhere"', "no run"),
        ("features.run", '"{gan}"', "has no encoder"),
        ("name", '"hinge"', "losses that do: mmd"),
        ("scales", "[1, 2]", "use scales = [1]"),
    ],
)
def test_what_cannot_be_is_said(
    key: str, value: str, told: str, vae: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "{gan}" in value:
        plain = '[[losses]]\nname = "mmd"\n'
        file, runs = write(tmp_path, "gan", plain), tmp_path / "runs"
        assert run(["run", str(file), "--runs", str(runs), "--quiet", "--set", "training.steps=1"]) == 0
        value = value.format(gan=next(iter(runs.glob("gan/*/"))))
    file = write(tmp_path, "codes", CODES.format(vae=vae))
    if key == "name":
        file.write_text(file.read_text().replace('[[losses]]\nname = "mmd"', f"[[losses]]\nname = {value}"))
        changes = []
    else:
        changes = ["--set", f"losses.0.{key}={value}"]
    assert run(["validate", str(file), *changes]) == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error


def test_an_encoder_of_other_images_is_refused(vae: Path) -> None:
    with pytest.raises(ganlab.ComponentError, match=r"trained on 3×16×16 .* 3×32×32") as refused:
        EncoderFeatures(ImageSpec(3, 32, 32), vae, "best")
    assert refused.value.option == "run"
