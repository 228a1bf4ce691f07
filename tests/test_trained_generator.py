"""A trained generator from Python: `ganlab.load`, and what `ganlab export` writes."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fresh_process import ganlab as command_line
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ganlab
from ganlab import GanlabError, ImageSpec, LatentSpec, TrainedGenerator
from ganlab.after_training import export
from ganlab.commands.cli import run
from ganlab.engine.latents import interpolate
from ganlab.registry import load_registry

pytestmark = pytest.mark.slow

GENERATOR = """
from ganlab import GeneratorComponent, Options, hookimpl

class ToldOptions(Options):
    habit: str = ""

def build(options, image, latent):
    from told_network import Told
    return Told(latent.dim, image.shape, options.habit)

@hookimpl
def ganlab_generators():
    yield GeneratorComponent(
        name="told", summary="Grey by class", options=ToldOptions, build=build, takes_labels=True
    )
"""

NETWORK = """
import torch
from torch import nn

class Told(nn.Module):
    def __init__(self, dim, shape, habit):
        super().__init__()
        self.shape, self.habit, self.truncation = shape, habit, 1.0
        self.layer = nn.Linear(dim, torch.Size(shape).numel())

    def forward(self, latents, labels):
        if self.habit == "moody" and latents.sum() > 0:
            latents = -latents
        if self.habit == "counting":
            latents = latents.view(len(latents), -1)
        noise = self.truncation * torch.tanh(self.layer(latents)).view(-1, *self.shape)
        return labels.view(-1, 1, 1, 1) / 4 + noise / 50
"""

OTHERS = """
import numpy as np
from PIL import Image
from ganlab import DatasetComponent, DiscriminatorComponent, ImageSource, hookimpl

class Source(ImageSource):
    class_names = ("never", "left", "right")

    def __len__(self):
        return 20

    def fingerprint(self):
        return "partly labelled"

    def labels(self):
        return 1 + np.arange(20, dtype=np.int64) % 2

    def read(self, index):
        return Image.new("L", (8, 8), 6 * index)

def build(options, image):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 1))

@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="partly", summary="One class never occurs", build=lambda *_: Source())

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="line", summary="One linear layer", build=build)
"""

EXPERIMENT: dict[str, Any] = {
    "title": "Told",
    "plugins": ["./told.py", "./others.py"],
    "image": {"size": 8, "channels": 1},
    "dataset": {"name": "partly"},
    "latent": {"dim": 4},
    "generator": {"name": "told"},
    "discriminator": {"name": "line"},
    "losses": [{"name": "non-saturating"}],
    "training": {"steps": 2, "batch_size": 4, "precision": "fp32"},
    "evaluators": [{"name": "mmd", "features": "pixels", "samples": 8, "every": 1}],
    "samples": {"count": 4},
    "ema": {"half_life_images": 50, "ramp_up": 0.0},
    "trackers": [],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with local plugins, and a run of them; the plugins' own files are gone."""
    directory = tmp_path_factory.mktemp("home")
    for name, content in (("told", GENERATOR), ("told_network", NETWORK), ("others", OTHERS)):
        (directory / f"{name}.py").write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        ganlab.run(EXPERIMENT, quiet=True)
    (directory / "originals").mkdir()
    for file in directory.glob("*.py"):
        file.rename(directory / "originals" / file.name)
    return directory


@pytest.fixture
def copied(home: Path, tmp_path: Path) -> Path:
    """A copy of the run, elsewhere."""
    (path,) = (home / "runs").glob("*/*/")
    return Path(shutil.copytree(path, tmp_path / "elsewhere"))


@pytest.fixture(scope="module")
def trained(home: Path) -> TrainedGenerator:
    return ganlab.load("latest", runs=home / "runs")


def classes(samples: torch.Tensor) -> list[int]:
    """Return the classes that samples tell."""
    return [round(float(each)) for each in samples.mean((1, 2, 3)) * 4]


@pytest.mark.parametrize("arguments", [[], ["--label", "left"], ["--truncation", "0.5"]])
def test_a_copy_makes_what_the_command_line_makes_of_the_run(
    home: Path, copied: Path, tmp_path: Path, arguments: list[str]
) -> None:
    out = str(tmp_path / "samples.npy")
    command = ["sample", "latest", "--runs", str(home / "runs"), "--count", "70", "--seed", "3", "--out", out]
    assert run([*command, *arguments]) == 0
    keywords = {"--label": {"labels": "left"}, "--truncation": {"truncation": 0.5}}
    chosen = keywords.get(arguments[0], {}) if arguments else {}
    loaded = ganlab.load(copied)
    samples = loaded.sample(70, seed=3, **chosen)  # type: ignore[arg-type]
    assert samples.dtype == torch.float32 and samples.shape == (70, 1, 8, 8)
    rows = loaded.to_uint8(samples).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(rows, np.load(out))
    assert np.array_equal(np.asarray(loaded.to_pil(samples)[5]), rows[5, ..., 0])


def test_what_is_loaded_says_what_it_is(trained: TrainedGenerator, home: Path) -> None:
    assert trained.class_names == ("never", "left", "right") and trained.trained_classes == (1, 2)
    assert not trained.generator.training
    assert not any(parameter.requires_grad for parameter in trained.generator.parameters())
    (path,) = (home / "runs").glob("*/*/")
    lines = [json.loads(line) for line in (path / "evaluations.jsonl").read_text().splitlines()]
    assert [*trained.measurements] == [line for line in lines if line["step"] == trained.step]
    assert repr(trained) == (
        f"<generator of 1×8×8 images, of 3 classes: 'Told', run {path.name}, "
        f"step {trained.step}, averaged weights>"
    )
    raw = ganlab.load(path, checkpoint="last", ema=False)
    assert raw.step == 2 and not raw.averaged
    assert not torch.equal(raw.sample(4), ganlab.load(path, checkpoint="last").sample(4))


def test_labels_are_names_or_numbers_for_all_or_for_each(trained: TrainedGenerator) -> None:
    assert classes(trained.sample(4)) == [1, 2, 1, 2]
    assert classes(trained.sample(3, labels="right")) == classes(trained.sample(3, labels=2)) == [2, 2, 2]
    assert classes(trained.sample(3, labels=["right", 1, "2"])) == [2, 1, 2]
    assert classes(trained.sample(2, labels=torch.tensor([2, 1]))) == [2, 1]
    for labels, message in (
        ("middle", "unknown label 'middle'; the labels are 0 'never', 1 'left', 2 'right'"),
        (3, "unknown label '3'"),
        (-1, "unknown label '-1'"),
        ("never", "no training sample was of class 'never'"),
        ([1, 2, 1], "there must be a label for each of 4, or one for all, not 3"),
    ):
        with pytest.raises(GanlabError, match=message):
            trained.sample(4, labels=labels)  # type: ignore[arg-type]
    with pytest.raises(GanlabError, match="truncation is a share, from 0 to 1, not 2"):
        trained.sample(4, truncation=2)
    assert trained.generator.truncation == 1


def test_labels_of_combinations_are_typed_in_any_order_or_by_number(trained: TrainedGenerator) -> None:
    names = ("not Smiling, not Male", "Smiling, not Male", "not Smiling, Male", "Smiling, Male")
    paired = dataclasses.replace(trained, class_names=names, trained_classes=(0, 1, 2, 3))
    for label, name in enumerate(names):
        parts = name.split(", ")
        for typed in (label, str(label), name, ",".join(parts[::-1]), f" {parts[1].upper()} ,{parts[0]}"):
            assert paired.label_of(typed) == label
    for typed in ("Smiling", "Smiling, Smiling", "Smiling, Male, Male", "4", "smiling male", ""):
        with pytest.raises(GanlabError, match=rf"unknown label '{typed}'; .* 3 'Smiling, Male'$"):
            paired.label_of(typed)
    twins = dataclasses.replace(paired, class_names=("A", "a", "b", "c"))
    assert [twins.label_of(each) for each in ("A", "a", "B")] == [0, 1, 2]
    with pytest.raises(GanlabError, match="unknown label"):
        dataclasses.replace(twins, class_names=("AA", "aa", "b", "c")).label_of("Aa")


@given(seed=st.integers(0, 2**63 - 1), rows=st.integers(1, 3), steps=st.integers(2, 5))
def test_an_interpolation_goes_from_sample_to_sample(
    trained: TrainedGenerator, seed: int, rows: int, steps: int
) -> None:
    walk = trained.interpolate(steps, rows=rows, seed=seed).unflatten(0, (rows, steps))
    ends = trained.latents(2 * rows, seed=seed)
    labels = torch.tensor([1, 2, 1])[:rows]
    torch.testing.assert_close(walk[:, 0], trained.generator(ends[:rows], labels))
    torch.testing.assert_close(walk[:, -1], trained.generator(ends[rows:], labels))
    assert classes(walk.flatten(0, 1)) == labels.repeat_interleave(steps).tolist()


@pytest.mark.parametrize("name", ["style", "fastgan"])
def test_a_walk_has_one_noise_and_does_not_flicker(name: str) -> None:
    registry = load_registry()
    offer = next(
        each for each in registry.offers if (each.component.kind, each.component.name) == ("generator", name)
    )
    component, spec = offer.component, ImageSpec(1, 16, 16)
    torch.manual_seed(0)
    options = component.options(width=2, widest=2)
    network = component.build(options, spec, LatentSpec(4)).eval().requires_grad_(False)
    strengths = [weight for path, weight in network.named_parameters() if path.endswith("strength")]
    assert strengths
    for strength in strengths:
        strength.fill_(0.5)
    chosen: Any = None
    generator = TrainedGenerator(network, LatentSpec(4), spec, False, False, 0, chosen)
    # A walk around a single latent never leaves it.
    film = torch.cat(list(generator.batches(6, keys=1)))
    assert len(film.unique(dim=0)) == 1
    assert len(torch.cat(list(generator.batches(6))).unique(dim=0)) == 6
    one, other = (generator.interpolate(3, rows=2, seed=seed) for seed in (1, 1))
    assert torch.equal(one, other) and not torch.equal(one[:3], one[3:])
    at_once = network(interpolate(LatentSpec(4), *generator.latents(4, seed=1).split(2), 3))
    assert (one - at_once).abs().max() > 0.01


RESTLESS = """
import torch
from torch import nn
from ganlab import GeneratorComponent, hookimpl

class Restless(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape, self.shift = shape, nn.Parameter(torch.zeros(()))

    def forward(self, latents):
        return torch.tanh(self.shift + torch.randn(len(latents), *self.shape))

@hookimpl
def ganlab_generators():
    build = lambda options, image, latent: Restless(image.shape)
    yield GeneratorComponent(name="restless", summary="Noise", build=build)
"""


def test_pictures_of_walks_have_one_noise(tmp_path: Path) -> None:
    (tmp_path / "restless.py").write_text(RESTLESS)
    finished = ganlab.run(
        {
            "title": "Noise",
            "plugins": [str(tmp_path / "restless.py")],
            "image": {"size": 16},
            "dataset": {"name": "faces", "count": 20},
            "generator": {"name": "restless"},
            "discriminator": {"name": "dcgan", "width": 2},
            "losses": [{"name": "hinge"}],
            "training": {"steps": 1, "batch_size": 4},
            "samples": {"count": 16},
        },
        runs=tmp_path,
        quiet=True,
    )
    alike = []
    for name in ("interpolation", "fixed"):
        picture = np.asarray(Image.open(finished.pictures(name)[1]))
        alike.append(np.array_equal(picture[2:18, 2:18], picture[2:18, 20:36]))
    assert alike == [True, False]


def test_pictures(trained: TrainedGenerator, tmp_path: Path) -> None:
    walk = trained.interpolate(4, rows=2)
    trained.save_grid(tmp_path / "walk.png", walk, columns=4)
    with Image.open(tmp_path / "walk.png") as picture:
        assert picture.size == (4 * 10 + 2, 2 * 10 + 2)
        shown = np.asarray(picture)
    assert np.array_equal(shown[12:20, 32:40], trained.to_uint8(walk)[7, 0].numpy())
    notebook = Image.open(io.BytesIO(trained._repr_png_()))
    # Small images are enlarged by a whole factor, so that somebody sees them.
    assert notebook.size == (12 * 42, 12 * 42)
    grid = np.asarray(notebook)[::12, ::12]
    assert np.array_equal(grid, trained.grid(trained.sample(16, labels=[1] * 8 + [2] * 8))[..., 0])


def test_plugins_that_sampling_does_not_need_may_be_gone_or_broken(copied: Path) -> None:
    before = ganlab.load(copied).sample(4)
    (copied / "plugins" / "others.py").unlink()
    assert torch.equal(ganlab.load(copied).sample(4), before)
    (copied / "plugins" / "others.py").write_text("import no_such_module")
    assert torch.equal(ganlab.load(copied).sample(4), before)


def test_the_generators_own_plugin_gone_is_said_with_what_mends_it(
    home: Path, copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ganlab.load(copied).sample(4)
    (copied / "plugins" / "told.py").unlink()
    with pytest.raises(GanlabError) as caught:
        ganlab.load(copied)
    message = str(caught.value)
    assert "generator.name: there is no generator `told`" in message
    assert f"there is no file {copied / 'plugins' / 'told.py'}" in message
    assert "it came from the local plugin told.py: put that back" in message
    mended = str(home / "originals" / "told.py")
    assert torch.equal(ganlab.load(copied, plugins=[mended]).sample(4), before)
    arguments = ["sample", str(copied), "--count", "4", "--out", str(tmp_path / "four.npy")]
    assert run(arguments) == 2
    assert "it came from the local plugin told.py" in capsys.readouterr().err
    assert run([*arguments, "--plugin", mended]) == 0


def test_a_module_gone_that_a_plugin_imports_is_said(copied: Path, tmp_path: Path) -> None:
    (copied / "plugins" / "told_network.py").unlink()
    # In a process that has never imported it.
    result = command_line("sample", copied, "--out", "grid.png", cwd=tmp_path)
    assert result.returncode == 2
    assert "imports the module 'told_network', which is not there. Put that file back" in result.stderr


def test_a_package_that_is_not_installed_is_named(copied: Path) -> None:
    resolved = copied / "resolved.toml"
    text = resolved.read_text().replace('name = "told"', 'name = "grand"')
    was = 'component = "told/told"\nplugin = "told.py"'
    assert was in text
    resolved.write_text(
        text.replace(was, 'component = "grand-gan/grand"\nplugin = "grand-gan:nets"\nversion = "2.1"')
    )
    with pytest.raises(GanlabError, match=r"it came with the package grand-gan 2\.1, which is not installed"):
        ganlab.load(copied)


def test_what_is_exported_is_loaded_to_the_same_samples(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "given"
    assert run(["export", str(copied), "--out", str(out), "--no-programs"]) == 0
    ours, samples = ganlab.load(copied), ganlab.load(copied).sample(4, labels="left")
    shutil.rmtree(copied)
    exported = ganlab.load(out)
    assert torch.equal(exported.sample(4, labels="left"), samples)
    assert repr(exported) == repr(ours) and exported.measurements == ours.measurements
    assert sorted(file.name for file in (out / "source").iterdir()) == ["told.py", "told_network.py"]
    names = {file.name for file in out.iterdir()}
    assert names == {"README.md", "generator.json", "samples.png", "source", "weights.safetensors"}
    described = json.loads((out / "generator.json").read_text())
    assert described["range"] == [-1, 1] and described["class_names"] == ["never", "left", "right"]
    assert run(["sample", str(out), "--count", "4", "--out", str(tmp_path / "four.npy")]) == 0
    again = tmp_path / "again"
    assert run(["export", str(out), "--out", str(again), "--no-programs"]) == 0
    assert json.loads((again / "generator.json").read_text()) == described
    with pytest.raises(GanlabError, match="holds one checkpoint and one kind of weights"):
        ganlab.load(out, checkpoint="last")
    weights = out / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\1\0")
    with pytest.raises(GanlabError, match="is damaged: it is not what was written"):
        ganlab.load(out)
    (out / "generator.json").write_text(json.dumps({**described, "format": 2, "ganlab": "9.0"}))
    with pytest.raises(GanlabError, match=r"is of format 2, and this ganlab reads 1: .* by ganlab 9\.0"):
        ganlab.load(out)


def test_an_export_replaces_nothing_but_an_export(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("everything")
    for arguments in ([], ["--force"]):
        assert run(["export", str(copied), "--out", str(mine), "--no-programs", *arguments]) == 2
        assert "is there already" in capsys.readouterr().err
    assert [file.name for file in mine.iterdir()] == ["thesis.txt"]
    out = tmp_path / "out"
    for arguments, code in (([], 0), ([], 2), (["--force"], 0)):
        assert run(["export", str(copied), "--out", str(out), "--no-programs", *arguments]) == code
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("habit", "reason"),
    [
        ("moody", "the network cannot be traced: "),
        (
            "counting",
            "the network's code turns the number of samples into a constant, as `len(latents)` does",
        ),
    ],
)
def test_a_network_that_cannot_be_traced_is_exported_without_programs(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], habit: str, reason: str
) -> None:
    resolved = copied / "resolved.toml"
    resolved.write_text(resolved.read_text().replace('habit = ""', f'habit = "{habit}"'))
    out = tmp_path / habit
    assert run(["export", str(copied), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"no torch.export: {reason}" in said and f"no ONNX: {reason}" in said
    assert not (out / "generator.pt2").exists() and "torch.export" not in (out / "README.md").read_text()
    assert torch.equal(ganlab.load(out).sample(4), ganlab.load(copied).sample(4))


def test_a_program_that_does_something_else_is_not_kept(
    trained: TrainedGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = torch.export.load

    class Other:
        def __init__(self, path: Path) -> None:
            self.program = load(path)

        def module(self) -> Any:
            network = self.program.module()
            return lambda latents, labels: network(latents, labels) * 1.1

    monkeypatch.setattr(torch.export, "load", Other)
    monkeypatch.setattr(export, "find_spec", {"onnx": ...}.get)
    left_out = export.export_generator(trained, tmp_path)
    assert "away from the network's" in left_out["torch.export"]
    assert left_out["ONNX"] == "it needs onnxscript, onnxruntime: pip install 'ganlab[onnx]'"
    assert not (tmp_path / "generator.pt2").exists()


def test_codes_of_categories_go_wherever_the_generator_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coded = {
        "title": "Coded",
        "dataset": {"name": "gaussians", "count": 50},
        "latent": {"dim": 7, "distribution": "sphere", "categories": [3]},
        "generator": {"name": "mlp", "width": 4},
        "losses": [{"name": "mmd"}],
        "training": {"steps": 1, "batch_size": 4, "precision": "fp32"},
        "trackers": [],
    }
    ganlab.run(coded, quiet=True)
    trained = ganlab.load("latest")
    assert run(["export", "latest", "--out", "out"]) == 0
    exported = ganlab.load("out")
    assert exported.latent == trained.latent == LatentSpec(7, "sphere", (3,))
    assert torch.equal(exported.sample(5), trained.sample(5))
    card = Path("out", "README.md").read_text()
    assert "| latents | `(N, 7)` float32, one-hot codes of lengths 3, then 4 uniform on the sphere" in card
    drawn = re.findall(r"^latents = .*?(?=^with|^session)", card, flags=re.MULTILINE | re.DOTALL)
    assert len(drawn) == 2
    for code in drawn:
        names: dict[str, Any] = {"torch": torch, "np": np}
        exec(code, names)
        latents = torch.as_tensor(names["latents"], dtype=torch.float32)
        assert latents.shape == (16, 7)
        assert torch.equal(latents[:, :3].sort(dim=1).values, torch.tensor([[0.0, 0, 1]]).expand(16, 3))
        torch.testing.assert_close(latents[:, 3:].norm(dim=1), torch.full((16,), 2.0))
