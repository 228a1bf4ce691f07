"""Turns by CUDA graphs are those without, to the byte, and wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine
from ganlab.training.build import build_engine

pytestmark = pytest.mark.gpu

EXPERIMENTS = Path(__file__).parents[2] / "docs" / "experiments"

FAST = """
title = "As celeba64-fast"
[image]
size = 64
[dataset]
name = "faces"
count = 200
mirror = true
[latent]
dim = 64
[generator]
name = "dcgan"
width = 32
upsampling = "nearest"
[discriminator]
name = "dcgan"
width = 32
normalisation = "none"
[[losses]]
name = "relativistic"
[[losses]]
name = "r1"
every = 8
[[losses]]
name = "r2"
every = 8
[optimizer.generator]
learning_rate = 5e-4
[optimizer.discriminator]
learning_rate = 5e-4
[training]
steps = 5000
batch_size = 32
"""

PLAYED = {
    "quickstart": (),
    "celeba64-fast": (),
    "own fakes": ("training.reuse_fakes=false",),
    "microbatches": ("training.microbatch_size=16",),
    "spectral normalisation": ("discriminator.normalisation=spectral",),
}
"""What is changed of an experiment, the quickstart unless it is called otherwise."""


@pytest.fixture
def deterministic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have kernels give the same bits every time: without, a trial may find that nothing can be told."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def engine(directory: Path, name: str, graphs: str, precision: str) -> Engine:
    """Return an experiment's engine, as a run has it."""
    file = EXPERIMENTS / "quickstart.toml"
    if name == "celeba64-fast":
        file = directory / "fast.toml"
        file.write_text(FAST)
    overrides = [
        "dataset.count=200",
        "training.device=cuda",
        f"training.precision={precision}",
        f"training.cuda_graphs={graphs}",
        *(f"losses.{number}.every=2" for number in (1, 2)),
        *PLAYED[name],
    ]
    experiment = load_experiment(file, overrides=overrides)
    data = prepare(experiment, progress=False)
    return build_engine(experiment, data, Engine.build(experiment, data).networks)


def content(state: Any) -> Any:
    """Return a state with its tensors as bytes."""
    if isinstance(state, dict):
        return {name: content(each) for name, each in state.items()}
    if isinstance(state, list | tuple):
        return [content(each) for each in state]
    if isinstance(state, torch.Tensor):
        return state.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
    return state


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", PLAYED)
def test_graphs_change_no_byte(
    tmp_path: Path, cuda: torch.device, deterministic: None, name: str, precision: str
) -> None:
    found = []
    for graphs in ("false", "true"):
        played = engine(tmp_path, name, graphs, precision)
        for _ in range(3):
            played.advance()
        middle = content(played.state_dict())
        for _ in range(5):
            played.advance()
        played.guard.verify()
        found.append((middle, content(played.state_dict())))
        played.feed.close()
    assert found[0] == found[1]


def test_a_run_by_graphs_continues_to_the_same_bytes(
    tmp_path: Path, cuda: torch.device, deterministic: None
) -> None:
    played = engine(tmp_path, "quickstart", "true", "fp32")
    for _ in range(3):
        played.advance()
    saved = tmp_path / "state.pt"
    torch.save(played.state_dict(), saved)
    continued = engine(tmp_path, "quickstart", "true", "fp32")
    continued.load_state_dict(torch.load(saved, weights_only=False))
    for each in (played, continued):
        for _ in range(4):
            each.advance()
        each.feed.close()
    assert content(played.state_dict()) == content(continued.state_dict())


def test_a_step_by_graphs_does_not_wait_for_the_gpu(
    tmp_path: Path, cuda: torch.device, deterministic: None
) -> None:
    played = engine(tmp_path, "quickstart", "true", "fp32")
    for _ in range(4):
        played.advance()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(2):
            played.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    played.guard.verify()
    played.feed.close()


def test_what_cannot_be_recorded_costs_nothing(
    tmp_path: Path, cuda: torch.device, deterministic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = engine(tmp_path, "quickstart", "false", "fp32")
    tried = engine(tmp_path, "quickstart", '"auto"', "fp32")
    loss = tried.terms[0].loss
    original = loss.discriminator

    def waits(game: Any) -> Any:
        assert game.real.mean().item() < 2
        return original(game)

    monkeypatch.setattr(loss, "discriminator", waits)
    for each in (plain, tried):
        for _ in range(6):
            each.advance()
        each.feed.close()
    told = tried.graphs.take_refusals()
    assert len(told) == 2 and all("cannot be recorded" in each for each in told)
    assert content(plain.state_dict()) == content(tried.state_dict())
