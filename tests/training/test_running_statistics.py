"""The generator that is judged has running statistics of its own weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageChops
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils import spectral_norm as hooked_spectral_norm
from torch.nn.utils.parametrizations import spectral_norm

from ganlab.commands.cli import run
from ganlab.engine.running_statistics import (
    fresh_statistics,
    has_running_state,
    synchronised,
    unsynchronised,
)

pytestmark = pytest.mark.slow

EXPERIMENT = """
title = "Normalised"
[image]
size = 16
[dataset]
name = "faces"
count = 400
[latent]
dim = 8
[generator]
name = "dcgan"
width = 8
[discriminator]
name = "dcgan"
width = 8
[[losses]]
name = "non-saturating"
[optimizer.generator]
learning_rate = 1e-3
[optimizer.discriminator]
learning_rate = 1e-3
[training]
steps = 120
batch_size = 16
precision = "fp32"
[ema]
ramp_up = 0.5
[running_statistics]
samples = 200
[samples]
every = 120
count = 4
[[evaluators]]
name = "mmd"
every = 120
samples = 200
[checkpoint]
every = 120
"""


def run_experiment(directory: Path, *changes: str, text: str = EXPERIMENT) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "x.toml").write_text(text)
    changed = [part for change in changes for part in ("--set", change)]
    assert run(["run", str(directory / "x.toml"), "--runs", str(directory / "runs"), *changed]) == 0
    (path,) = (directory / "runs").glob("*/*/")
    return path


def mmd2(path: Path) -> float:
    records = [json.loads(line) for line in (path / "evaluations.jsonl").read_text().splitlines()]
    return [float(each["value"]) for each in records if each["metric"] == "mmd2"][-1]


def last(path: Path) -> Path:
    return path / "checkpoints" / (path / "LAST").read_text().strip()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_experiment(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def as_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, evaluated with the running averages that training left."""
    return run_experiment(tmp_path_factory.mktemp("lagging"), "running_statistics.samples=0")


def test_statistics_are_the_mean_over_batches_of_their_means_and_variances() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, momentum=0.3), nn.Dropout(0.5)).double()
    network.eval()
    batches = torch.randn(7, 64, 3, dtype=torch.float64) * 3 + 2
    network[1].running_var.fill_(float("nan"))  # what was there before plays no part
    with fresh_statistics(network):
        for batch in batches:
            network(batch)
    hidden = network[0](batches)
    assert torch.allclose(network[1].running_mean, hidden.mean(1).mean(0), atol=1e-12)
    assert torch.allclose(network[1].running_var, hidden.var(1).mean(0), atol=1e-12)
    assert network[1].momentum == 0.3
    assert not any(module.training for module in network.modules())
    assert not network[1]._forward_pre_hooks


def test_deeper_layers_see_what_the_batch_s_own_statistics_make_of_it() -> None:
    torch.manual_seed(0)
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    network = nn.Sequential(first, nn.ReLU(), second).eval()
    images = torch.randn(32, 2, 4, 4) * 9 - 4
    with fresh_statistics(network):
        network(images)
    normal = (images - images.mean((0, 2, 3), keepdim=True)) / (
        images.var((0, 2, 3), keepdim=True, correction=0) + first.eps
    ).sqrt()
    assert torch.allclose(second.running_mean, normal.relu().mean((0, 2, 3)), atol=1e-6)


class PerClass(nn.Module):
    """A normalisation layer for each class, beside one that the network keeps frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.BatchNorm1d(2) for _ in range(3))
        self.frozen = nn.BatchNorm1d(2)

    def train(self, mode: bool = True) -> PerClass:
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, x: torch.Tensor, label: int) -> torch.Tensor:
        return self.frozen(self.layers[label](x))


def test_each_layer_averages_the_batches_that_it_sees() -> None:
    torch.manual_seed(0)
    network = PerClass().train()
    for buffer in network.buffers():
        buffer.fill_(5)
    batches = torch.randn(4, 8, 2)
    with fresh_statistics(network):
        for batch, label in zip(batches, (0, 1, 0, 0), strict=True):
            network(batch, label)
    assert torch.allclose(network.layers[0].running_mean, batches[[0, 2, 3]].mean(1).mean(0))
    assert torch.allclose(network.layers[1].running_mean, batches[1].mean(0))
    assert network.layers[2].running_mean.tolist() == [5, 5]
    assert network.frozen.running_mean.tolist() == [5, 5]
    assert network.training and not network.frozen.training


class Conditional(nn.BatchNorm2d):
    """Somebody's conditional normalisation, derived from torch's."""

    def __init__(self, features: int) -> None:
        super().__init__(features, affine=False)
        self.gain = nn.Embedding(4, features)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return super().forward(x) * self.gain(labels)[:, :, None, None]


@pytest.mark.parametrize("layer", [Conditional(3), nn.InstanceNorm2d(3, track_running_stats=True)])
def test_layers_derived_from_torchs_take_part(layer: nn.Module) -> None:
    labels = [torch.arange(16) % 4] if isinstance(layer, Conditional) else []
    batches = torch.randn(3, 16, 3, 4, 4) + torch.tensor([1.0, 2.0, 3.0])[None, None, :, None, None]
    assert has_running_state(layer)
    with fresh_statistics(layer):
        for batch in batches:
            layer(batch, *labels)
    assert torch.allclose(layer.running_mean, batches.mean((0, 1, 3, 4)), atol=1e-6)


@pytest.mark.parametrize("normalise", [spectral_norm, hooked_spectral_norm])
def test_a_spectral_norm_is_that_of_the_weights_as_they_are(normalise: Any) -> None:
    torch.manual_seed(0)
    layer = normalise(nn.Linear(20, 30)).eval()
    weights = torch.randn(30, 20)
    original = (
        layer.weight_orig if normalise is hooked_spectral_norm else layer.parametrizations.weight.original
    )
    with torch.no_grad():
        original.copy_(weights)  # as an average of weights that the vectors have not seen
    layer(torch.zeros(1, 20))
    assert torch.linalg.matrix_norm(layer.weight, 2) > 1.05
    assert has_running_state(layer)
    with fresh_statistics(layer):
        pass
    layer(torch.zeros(1, 20))
    assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=0.01)


def test_a_network_without_such_layers_has_nothing_to_take() -> None:
    assert not has_running_state(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.InstanceNorm1d(2)))
    assert not has_running_state(nn.BatchNorm1d(2, track_running_stats=False))


def test_synchronising_spares_derived_layers_and_can_be_undone() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(Conditional(3)), nn.BatchNorm2d(3, affine=False))
    network[0].running_mean.fill_(2)
    kinds = [type(module) for module in synchronised(network).modules()]
    assert kinds.count(nn.SyncBatchNorm) == 2 and kinds.count(Conditional) == 1
    alone = unsynchronised(network)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in alone.modules())
    assert list(alone.state_dict()) == list(network.state_dict())
    with fresh_statistics(alone[0]):
        alone[0](torch.full((2, 3, 1, 1), 7.0))
    assert alone[0].running_mean.tolist() == [7, 7, 7]
    assert unsynchronised(synchronised(nn.BatchNorm1d(4)))(torch.ones(2, 4)).shape == (2, 4)
    shared = nn.BatchNorm1d(4).double()
    both = nn.ModuleList([nn.Sequential(shared), nn.Sequential(shared)])
    tensors = sum(1 for _ in (*both.parameters(), *both.buffers()))
    both = unsynchronised(synchronised(both))
    assert sum(1 for _ in (*both.parameters(), *both.buffers())) == tensors
    assert both[0][0].weight.dtype == torch.float64


def test_training_is_the_same_however_the_generator_is_evaluated(trained: Path, as_trained: Path) -> None:
    states = [
        torch.load(last(path) / "state.pt", weights_only=True)["engine"] for path in (trained, as_trained)
    ]
    for kind in ("players", "average"):
        for one, other in zip(*(list(tensors(state[kind])) for state in states), strict=True):
            assert torch.equal(one, other)


def tensors(state: Any) -> Any:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from tensors(value)


def test_the_gap_to_lagging_averages_is_as_large_as_it_was_measured(trained: Path, as_trained: Path) -> None:
    assert mmd2(trained) < 0.7 * mmd2(as_trained)


def test_what_is_exported_is_what_was_measured_and_drawn(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = load_file(last(trained) / "generator-ema.safetensors")
    state = torch.load(last(trained) / "state.pt", weights_only=True)["engine"]["average"]
    moved = {name for name in exported if not torch.equal(exported[name], state[name])}
    assert moved and all(
        name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in moved
    )
    assert exported["layers.1.num_batches_tracked"] == 4  # 200 samples, in whole batches of 64
    capsys.readouterr()
    assert run(["evaluate", str(trained), "--checkpoint", "last", "--json"]) == 0
    again = [each for each in json.loads(capsys.readouterr().out) if each["metric"] == "mmd2"]
    assert [each["value"] for each in again] == [mmd2(trained)]


def test_the_checkpoint_of_an_earlier_version_is_read_as_a_run_would_evaluate_it_now(
    trained: Path, as_trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "run"
    shutil.copytree(as_trained, old)
    resolved = (old / "resolved.toml").read_text()
    (old / "resolved.toml").write_text(resolved.replace("samples = 0", "samples = 200"))
    meta = json.loads((last(old) / "meta.json").read_text())
    del meta["own_statistics"]
    (last(old) / "meta.json").write_text(json.dumps(meta))
    for path, name in ((trained, "new"), (old, "old")):
        capsys.readouterr()
        assert (
            run(["sample", str(path), "--count", "4", "--out", str(tmp_path / name), "--checkpoint", "last"])
            == 0
        )
        assert ("is of an earlier ganlab" in capsys.readouterr().err) == (name == "old")
    for number in range(4):
        with (
            Image.open(tmp_path / f"new/{number:06d}.png") as new,
            Image.open(tmp_path / f"old/{number:06d}.png") as old_image,
        ):
            assert ImageChops.difference(new, old_image).getbbox() is None


def test_a_run_of_an_earlier_version_goes_on_and_forgets_a_best_it_cannot_compare(
    as_trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old"
    shutil.copytree(as_trained, old)
    resolved = (old / "resolved.toml").read_text()
    (old / "resolved.toml").write_text(resolved.replace("[running_statistics]\nsamples = 0\n", ""))
    rewrite_state(last(old))
    capsys.readouterr()
    assert run(["resume", str(old), "--set", "training.steps=121"]) == 0, capsys.readouterr().err
    assert "running statistics" in capsys.readouterr().out
    state = json.loads((old / "run.json").read_text())
    assert any("running statistics" in change for change in state["sessions"][-1]["changes"])
    assert state["best"]["step"] == 121


def rewrite_state(checkpoint: Path) -> None:
    """Let a checkpoint look as one of the version that did not know of statistics of its own."""
    import hashlib

    state = torch.load(checkpoint / "state.pt", weights_only=True)
    del state["trainer"]["statistics_samples"]
    torch.save(state, checkpoint / "state.pt")
    content = (checkpoint / "state.pt").read_bytes()
    meta = json.loads((checkpoint / "meta.json").read_text())
    del meta["own_statistics"]
    meta["files"]["state.pt"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (checkpoint / "meta.json").write_text(json.dumps(meta))
