"""Turns by CUDA graphs, on the CPU: kernels that are run again stand in for what a GPU records."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab.commands.cli import run
from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.capture import CudaCapture
from ganlab.engine.engine import Engine
from ganlab.engine.surroundings import Surroundings
from ganlab.errors import ExperimentError
from ganlab.training.build import build_engine

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from recording import record

PLUGIN = """
import numpy as np
import torch
from torch import nn
from ganlab import Augmentation, AugmentationComponent, DiscriminatorComponent, Loss, LossComponent, \\
    OptimizerComponent, hookimpl

class Mine(Loss):
    def __init__(self):
        self.state = {}

    def discriminator(self, game):
        return game.real_logits.square().mean() * self.factor(game)

class TorchDraw(Mine):
    def factor(self, game):
        return torch.rand(())

class NumpyDraw(Mine):
    def factor(self, game):
        return 1 + np.random.rand()

class Step(Mine):
    def factor(self, game):
        return 1 if game.step < 1000 else 2

class Waits(Mine):
    def factor(self, game):
        return 1 if game.real.mean().item() > -5 else 2

class Remembers(Mine):
    def factor(self, game):
        return self.state.setdefault("factor", torch.ones(()))

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = dict(state)

class Fickle(Mine):
    counts = iter(range(10**9))

    def factor(self, game):
        return 1 + next(self.counts)

class Draws(Mine):
    def factor(self, game):
        return game.rand(1).mean()

LOSSES = (TorchDraw, NumpyDraw, Step, Waits, Remembers, Fickle, Draws)

class Moving(torch.optim.SGD):
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data = parameter.data - 0.01 * parameter.grad

class Adapts(Augmentation):
    def __call__(self, samples, draws):
        return samples

    def state_dict(self):
        return {"p": 1.0}

class Replacing(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(768, 1))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, images):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * images.detach().mean()
        return self.layers(images).squeeze(1)

@hookimpl
def ganlab_losses():
    for each in LOSSES:
        yield LossComponent(name=each.__name__.lower(), summary="…", build=lambda options, each=each: each(),
            needs=frozenset({"discriminator"}))

@hookimpl
def ganlab_optimizers():
    yield OptimizerComponent(name="moving", summary="…", build=lambda options, parameters: Moving(parameters))

@hookimpl
def ganlab_augmentations():
    yield AugmentationComponent(name="adapts", summary="…", build=lambda options, spec: Adapts())

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="replacing", summary="…", build=lambda options, image: Replacing())
"""

EXPERIMENT = """
title = "Graphs"
plugins = ["mine.py"]
[image]
size = 16
[dataset]
name = "faces"
count = 40
mirror = true
[latent]
dim = 4
[generator]
name = "dcgan"
width = 4
[discriminator]
name = "{discriminator}"
{discriminator_options}
[[losses]]
name = "relativistic"
{losses}
[optimizer.discriminator]
name = "{optimizer}"
[training]
steps = 8
batch_size = 4
device = "cpu"
precision = "fp32"
log_every = 2
cuda_graphs = {graphs}
{training}
[running_statistics]
samples = 0
[samples]
count = 4
[checkpoint]
every = 2
"""

LAZY = """
[[losses]]
name = "r1"
every = 2
[[losses]]
name = "r2"
every = 2
"""

AUTO = '"auto"'


def also(name: str) -> str:
    """Return another loss's table."""
    return f'[[losses]]\nname = "{name}"\n'


def write(
    directory: Path,
    graphs: str,
    *,
    losses: str = LAZY,
    training: str = "",
    discriminator: str = "dcgan",
    normalisation: str = "none",
    optimizer: str = "adam",
) -> Path:
    (directory / "mine.py").write_text(PLUGIN)
    options = f'width = 4\nnormalisation = "{normalisation}"' if discriminator == "dcgan" else ""
    file = directory / "x.toml"
    file.write_text(
        EXPERIMENT.format(
            graphs=graphs,
            losses=losses,
            training=training,
            discriminator=discriminator,
            discriminator_options=options,
            optimizer=optimizer,
        )
    )
    return file


class Counted:
    """Records, and counts what is recorded and replayed."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def __call__(self, functions: Sequence[Callable[[], None]]) -> list[Callable[[], None]]:
        self.recorded += 1

        def counted(replay: Callable[[], None]) -> Callable[[], None]:
            def play() -> None:
                self.replayed += 1
                replay()

            return play

        return [counted(replay) for replay in record(functions)]


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr("ganlab.engine.engine.capture_for", lambda device, processes: counted)
    return counted


def engine_of(directory: Path, graphs: str, **changes: Any) -> Engine:
    experiment = load_experiment(write(directory, graphs, **changes))
    data = prepare(experiment, progress=False)
    fresh = Engine.build(experiment, data)
    return build_engine(experiment, data, fresh.networks)


def flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        return {
            key: value for name, each in state.items() for key, value in flat(each, f"{path}/{name}").items()
        }
    if isinstance(state, list | tuple):
        return flat(dict(enumerate(state)), path)
    return {path: state.detach().numpy().tobytes() if isinstance(state, torch.Tensor) else state}


def trained(engine: Engine, steps: int = 6) -> dict[str, Any]:
    """Return an engine's state after some steps, with what was observed in each."""
    observed = []
    for _ in range(steps):
        engine.advance()
        observed.append(engine.meter.state_dict())
    gradients = {
        f"{kind}.{name}": parameter.grad
        for kind, network in engine.networks.items()
        for name, parameter in network.named_parameters()
    }
    return flat({"engine": engine.state_dict(), "observed": observed, "gradients": gradients})


VARIANTS: dict[str, dict[str, str]] = {
    "shared fakes, batch normalisation in the generator": {},
    "own fakes": {"training": "reuse_fakes = false"},
    "batch normalisation": {"losses": "", "normalisation": "batch"},
    "spectral normalisation": {"normalisation": "spectral"},
    "microbatches": {"training": "microbatch_size = 2"},
    "two turns of the discriminator": {"training": "discriminator_steps = 2"},
    "random numbers of a loss": {"losses": also("draws")},
    "augmentations": {"losses": LAZY + '[[augmentations]]\nname = "diffaugment"\n'},
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if changes else ()) for name, changes in VARIANTS.items()],
)
def test_a_run_by_graphs_is_the_run_without_to_the_byte(tmp_path: Path, capture: Counted, name: str) -> None:
    plain = trained(engine_of(tmp_path, "false", **VARIANTS[name]))
    assert capture.recorded == 0
    engine = engine_of(tmp_path, "true", **VARIANTS[name])
    assert trained(engine) == plain
    assert capture.recorded == (3 if "r1" in VARIANTS[name].get("losses", LAZY) else 2)
    assert engine.graphs.take_refusals() == []


def test_each_set_of_losses_that_is_due_has_a_graph_which_is_replayed(
    tmp_path: Path, capture: Counted
) -> None:
    engine = engine_of(tmp_path, "true")
    engine.advance()
    assert capture.recorded == 0, "the first step shows where weights lie"
    recorded = []
    for _ in range(4):
        engine.advance()
        recorded.append(capture.recorded)
    assert recorded == [2, 3, 3, 3], "the discriminator's without penalties, the generator's, with penalties"
    before = capture.replayed
    engine.advance()
    assert capture.replayed == before + 3, "the fakes, the discriminator's turn, the generator's"


@pytest.mark.slow
def test_a_run_by_graphs_continues_to_the_same_bytes(tmp_path: Path, capture: Counted) -> None:
    plain = trained(engine_of(tmp_path, "false"), 7)
    first = engine_of(tmp_path, "true")
    trained(first, 3)
    state = copy.deepcopy(first.state_dict())
    first.advance()
    continued = engine_of(tmp_path, "true")
    before = capture.recorded
    for engine in (continued, first):
        engine.load_state_dict(copy.deepcopy(state))
        found = trained(engine, 4)
        assert all(found[path] == plain[path] for path in plain if not path.startswith("/observed"))
    assert capture.recorded == before + 6, "what is loaded is recorded anew"


@pytest.mark.parametrize("normalisation", ["batch", "spectral"])
def test_recording_and_trial_move_nothing(tmp_path: Path, capture: Counted, normalisation: str) -> None:
    engine = engine_of(tmp_path, AUTO, losses="", normalisation=normalisation)
    engine.advance()
    gradients = [parameter.grad for parameter in engine.networks.generator.parameters()]
    before = flat(engine.state_dict())
    engine.graphs.prepare(engine.step)
    assert capture.recorded == 2
    assert flat(engine.state_dict()) == before
    assert all(
        parameter.grad is gradient
        for parameter, gradient in zip(engine.networks.generator.parameters(), gradients, strict=True)
    )


REFUSED = {
    "torchdraw": "random numbers that belong to torch, NumPy or Python would be another with it",
    "numpydraw": "random numbers that belong to torch, NumPy or Python would be another with it",
    "step": "a loss looks at `game.step`",
    "waits": "it cannot be recorded: .*not permitted when stream is capturing",
    "remembers": "the loss 'remembers' has a state of its own",
    "fickle": "without one, too, it is not the same to the byte each time",
}


@pytest.mark.parametrize("loss", [loss for loss in REFUSED if loss != "fickle"])
def test_what_a_graph_cannot_repeat_is_computed_without_and_told_once(
    tmp_path: Path, capture: Counted, loss: str
) -> None:
    plain = trained(engine_of(tmp_path, "false", losses=also(loss)))
    engine = engine_of(tmp_path, AUTO, losses=also(loss))
    assert trained(engine) == plain
    (told,) = engine.graphs.take_refusals()
    assert told.startswith(f"no CUDA graph of the discriminator's turn with 'relativistic' and '{loss}': ")
    with pytest.raises(AssertionError, match=REFUSED[loss]):
        raise AssertionError(told)
    assert engine.graphs.take_refusals() == []
    assert capture.replayed > 0, "the generator's turn has a graph all the same"


@pytest.mark.parametrize("loss", REFUSED)
def test_where_graphs_are_asked_for_a_turn_without_is_an_error_that_says_why(
    tmp_path: Path, capture: Counted, loss: str
) -> None:
    engine = engine_of(tmp_path, "true", losses=also(loss))
    with pytest.raises(ExperimentError, match=REFUSED[loss]) as caught:
        trained(engine)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("training.cuda_graphs", 32)
    assert 'set it to "auto"' in problem.hint


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"losses": '[[augmentations]]\nname = "adapts"\n'},
            "the augmentation 'adapts' adapts between turns",
        ),
        (
            {"losses": "", "discriminator": "replacing"},
            "discriminator.mean after it would be another with it",
        ),
        ({"optimizer": "moving"}, "the optimizer moves weights to other places in memory"),
    ],
)
def test_other_components_that_a_graph_would_lose_sight_of(
    tmp_path: Path, capture: Counted, changes: dict[str, str], why: str
) -> None:
    plain = trained(engine_of(tmp_path, "false", **changes))
    engine = engine_of(tmp_path, AUTO, **changes)
    assert trained(engine) == plain
    assert any(why in told for told in engine.graphs.take_refusals())


def test_a_recording_that_fails_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(functions: Sequence[Callable[[], None]]) -> list[Callable[[], None]]:
        for function in functions:
            function()
        raise RuntimeError("no room on the GPU")

    plain = trained(engine_of(tmp_path, "false", normalisation="batch", losses=""))
    monkeypatch.setattr("ganlab.engine.engine.capture_for", lambda device, processes: fail)
    engine = engine_of(tmp_path, AUTO, normalisation="batch", losses="")
    assert trained(engine) == plain
    told = engine.graphs.take_refusals()
    assert len(told) == 2
    what = "the discriminator's turn with 'relativistic'"
    assert told[0] == f"no CUDA graph of {what}: it cannot be recorded: RuntimeError: no room on the GPU"


def test_where_there_is_no_room_to_try_a_turn_is_computed_without(
    tmp_path: Path, capture: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(around: Surroundings) -> dict[str, Any]:
        raise torch.OutOfMemoryError("no room on the GPU")

    plain = trained(engine_of(tmp_path, "false", losses=""), 3)
    engine = engine_of(tmp_path, AUTO, losses="")
    monkeypatch.setattr(Surroundings, "save", save)
    assert trained(engine, 3) == plain
    assert all("no room on the GPU" in told for told in engine.graphs.take_refusals())
    assert capture.recorded == 0


class FakeCuda:
    """Stands in for what torch.cuda records with: as torch 2.10, it goes on where a recording's end fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.valid, self.mode = "main", True, "default"
        self.pools: list[object] = []
        self.generator_records = False
        for name in ("graph", "stream", "set_sync_debug_mode"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: self.mode)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: self.Stream("side"))
        monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: self.Stream(self.now))
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", object)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", self.Graph)
        monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", self.end, raising=False)

    class Stream(str):
        def wait_stream(self, other: object) -> None:
            pass

    class Graph:
        def replay(self) -> None:
            pass

        def reset(self) -> None:
            pass

    def set_sync_debug_mode(self, mode: str) -> None:
        self.mode = mode

    def end(self, device: int, pool: object) -> None:
        if pool not in self.pools:
            raise RuntimeError("not currently recording to mempool_id")
        self.pools.remove(pool)

    @contextlib.contextmanager
    def stream(self, stream: str) -> Iterator[None]:
        before, self.now = self.now, str(stream)
        try:
            yield
        finally:
            self.now = before

    @contextlib.contextmanager
    def graph(self, graph: Graph, pool: object, stream: str, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        before, self.now, self.valid, self.generator_records = self.now, stream, True, True
        self.pools.append(pool)
        try:
            yield
        finally:
            if not self.valid:
                raise RuntimeError("operation failed due to a previous error during capture")
            self.pools.remove(pool)
            self.generator_records, self.now = False, before


@pytest.mark.parametrize("invalidates", [True, False])
def test_a_recording_that_fails_leaves_nothing_that_records(
    monkeypatch: pytest.MonkeyPatch, invalidates: bool
) -> None:
    cuda = FakeCuda(monkeypatch)

    def spoil() -> None:
        if cuda.pools:
            cuda.valid = not invalidates
            raise ValueError("not while it is recorded")

    capture = CudaCapture(torch.device("cpu"))
    with pytest.raises(RuntimeError if invalidates else ValueError):
        capture([lambda: None, spoil])
    assert (cuda.pools, cuda.generator_records, cuda.now, cuda.mode) == ([], False, "main", "default")
    assert len(capture([lambda: None, lambda: None])) == 2


def test_without_a_cuda_device_auto_is_silent_and_true_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = engine_of(tmp_path, AUTO)
    trained(engine, 2)
    assert engine.graphs.take_refusals() == []
    write(tmp_path, "true")
    for command in ("validate", "run"):
        assert run([command, "x.toml"]) != 0
        printed = capsys.readouterr().err
        assert "x.toml:37: training.cuda_graphs: CUDA graphs are for one process on a CUDA device" in printed
        assert "and this run is on cpu" in printed


def test_a_run_says_what_has_no_graph(
    tmp_path: Path, capture: Counted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, AUTO, losses=also("step"))
    assert run(["run", "x.toml"]) == 0
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("no CUDA graph of the discriminator's turn") == 1
