"""What is done for accelerators, as far as it shows on a machine that has none."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import ganlab_features
from ganlab import FeaturesComponent, ImageSpec
from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine import assembly, networks
from ganlab.engine.engine import Engine
from ganlab.engine.guard import Guard
from ganlab.engine.meter import Meter
from ganlab.engine.precision import choose_device, has_native_bf16, names_one_gpu
from ganlab.errors import UsageError
from ganlab.processes import Processes
from ganlab.processes.collectives import _choose_backend
from ganlab.runs.environment import describe_environment
from ganlab.training.changes import changes_of_machine
from ganlab.training.plan import Plan
from ganlab.training.session import run_experiment

pytestmark = pytest.mark.slow

META = torch.device("meta")
"""Stands for an accelerator: torch refuses to mix its tensors with those of the CPU."""

HEAD = """
title = "Elsewhere"
[image]
size = 16
[dataset]
name = "faces"
count = 40
mirror = true
[latent]
dim = 4
[optimizer.generator]
name = "rmsprop"
[training]
steps = 4
batch_size = 8
precision = "fp32"
{training}
[generator]
name = "dcgan"
width = 2
"""
DISCRIMINATOR = '[discriminator]\nname = "dcgan"\nwidth = 2\nnormalisation = "layer"\n'
RMSPROP = '[optimizer.discriminator]\nname = "rmsprop"\n'  # the fused kernels know no such device
ENCODER = '[encoder]\nname = "dcgan"\nwidth = 2\n'
GAMES = {
    **{name: [name] for name in ("non-saturating", "minimax", "hinge", "least-squares")},
    "penalties": ["wasserstein", "gradient-penalty", "r1"],
    "mmd": ["mmd"],
    "elbo": ["elbo"],
}


def experiment(name: str, training: str = "") -> str:
    text = HEAD.format(training=training)
    text += ENCODER if name == "elbo" else "" if name == "mmd" else DISCRIMINATOR + RMSPROP
    return text + "".join(f'[[losses]]\nname = "{loss}"\n' for loss in GAMES[name])


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let experiments train on a device whose tensors have no content."""
    monkeypatch.setattr(assembly, "choose_device", lambda *_: META)
    monkeypatch.setattr(networks, "_check_networks", lambda *_: None)
    monkeypatch.setattr(networks, "autocast", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(Guard, "verify", lambda _: None)


@pytest.mark.parametrize("free", [0, 2**50], ids=["gathered", "resident"])
@pytest.mark.parametrize("name", GAMES)
@pytest.mark.usefixtures("elsewhere")
def test_a_step_stays_on_its_device(
    tmp_path: Path, name: str, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlab.data.feed.free_memory", lambda _: free)
    training = "" if name in ("mmd", "elbo") else "microbatch_size = 4"
    (tmp_path / "x.toml").write_text(experiment(name, training))
    loaded = load_experiment(tmp_path / "x.toml")
    engine = Engine.build(loaded, prepare(loaded))
    for _ in range(2):
        engine.advance()
    assert engine.step == 2
    for _, network in engine.networks.items():
        assert {tensor.device for tensor in network.state_dict().values()} == {META}
    engine.feed.close()


def test_the_device_that_stands_for_one_notices_what_is_not_on_it() -> None:
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(3, device=META) + torch.zeros(3)


EXTRACTORS = [
    each
    for each in ganlab_features.ganlab_features()
    if ImageSpec in each.accepts and each.network is None and "weights" not in each.options.model_fields
]


@pytest.mark.parametrize("component", EXTRACTORS, ids=lambda component: component.name)
def test_features_are_extracted_where_the_samples_are(component: FeaturesComponent) -> None:
    extractor = component.build(component.options(), ImageSpec(3, 16, 16))
    features = extractor.extract(torch.zeros(4, 3, 16, 16, dtype=torch.uint8, device=META))
    assert (features.device, len(features)) == (META, 4)


def gpus(monkeypatch: pytest.MonkeyPatch, count: int, *, usable: bool = True) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable and count > 0)


def test_a_gpu_that_the_driver_cannot_serve_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 1, usable=False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="finds 0 CUDA devices"):
        choose_device("cuda")


def test_each_process_takes_the_gpu_of_its_local_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    ranks = [Processes(rank, 4, rank % 2, local_world=2) for rank in range(4)]
    assert [choose_device("auto", each).index for each in ranks] == [0, 1, 0, 1]


def test_processes_share_the_gpu_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    ranks = [Processes(rank, 2, rank, local_world=2) for rank in range(2)]
    for wish, devices, backend in (
        ("cuda", ["cuda:0", "cuda:1"], "cpu:gloo,cuda:nccl"),
        ("cuda:1", ["cuda:1", "cuda:1"], "gloo"),  # NCCL refuses two processes on one GPU
    ):
        chosen = [choose_device(wish, each) for each in ranks]
        assert [str(device) for device in chosen] == devices
        one_gpu = names_one_gpu(wish)
        assert {_choose_backend(device, one_gpu) for device in chosen} == {backend}
        assert current[-2:] == chosen


@pytest.mark.parametrize("rank", [0, 1])
def test_more_processes_than_gpus_are_told_so_alike(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 1)
    for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29500")
    with pytest.raises(UsageError, match=r"2 processes .* finds 1 CUDA devices: start at most one .*cuda:0"):
        choose_device("auto", Processes.from_environment())


def test_the_device_itself_is_asked_for_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]

    @contextlib.contextmanager
    def switched(device: torch.device) -> Iterator[None]:
        current.append(device.index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", switched)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1] == 1)
    assert has_native_bf16(torch.device("cuda:1"))
    assert not has_native_bf16(torch.device("cuda:0"))


def test_only_cuda_kernels_are_trusted_to_hold_still() -> None:
    # Tensors cannot be made for the others here; META goes the way of them all.
    assert Guard(META, Meter())._synchronous
    assert Guard(torch.device("cpu"), Meter())._synchronous


def test_a_run_that_goes_on_on_its_own_gpu_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    before = json.loads(json.dumps(describe_environment("cuda")))
    run: Any = SimpleNamespace(environment=lambda: before, state=SimpleNamespace(sessions=()))
    assert changes_of_machine(run, Processes(), torch.device("cuda")) == []
    (change,) = changes_of_machine(run, Processes(), torch.device("cpu"))
    assert change.startswith("device_name: Some GPU -> ")


def test_steps_that_a_checkpoint_waits_for_are_no_gift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, steps, batch = 0.05, 8, 8
    monkeypatch.setattr(Guard, "check", lambda *_: None)
    monkeypatch.setattr(Guard, "verify", lambda _: time.sleep(pause))
    training = f"log_every = {steps}"
    text = experiment("mmd", training).replace("steps = 4", f"steps = {steps}")
    (tmp_path / "x.toml").write_text(text + "[checkpoint]\nevery = 1\n")
    run = run_experiment(load_experiment(tmp_path / "x.toml"), Plan(tmp_path / "runs"), quiet=True)
    assert run is not None
    (line,) = (run.path / "metrics.jsonl").read_text().splitlines()
    # An accelerator plays what is queued while the host waits in each of the checkpoints.
    assert json.loads(line)["speed/images-per-second"] <= steps * batch / (steps * pause)


def test_a_penalty_is_told_that_synchronised_batch_normalisation_cannot_be_differentiated_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backward(_: torch.Tensor) -> None:  # as torch's SyncBatchNorm has it, which no CPU can compute
        raise RuntimeError("derivative for batch_norm_backward_elemt is not implemented")

    monkeypatch.setattr(torch.autograd, "backward", backward)
    (tmp_path / "x.toml").write_text(experiment("penalties"))
    with pytest.raises(UsageError, match="synchronised between GPUs"):
        run_experiment(load_experiment(tmp_path / "x.toml"), Plan(tmp_path / "runs"), quiet=True)
