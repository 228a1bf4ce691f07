"""Too little memory: told as what it is, before anything dear is done where it can be known."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from ganlab.commands.cli import run
from ganlab.components import VectorSpec
from ganlab.config import load_experiment
from ganlab.data.free_memory import control_group_memory
from ganlab.data.preparation import find
from ganlab.engine.engine import Engine
from ganlab.memory import in_units, is_out_of_memory
from ganlab.processes import Processes
from ganlab.training.recorder import RunRecorder

pytestmark = pytest.mark.slow

EXPERIMENT = """\
title = "Memory"
{plugins}
[image]
size = 16
[dataset]
name = "faces"
count = 40
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
steps = 4
batch_size = 4
device = "cpu"
[checkpoint]
every = 2
{more}
"""

GREEDY = """\
import torch
from ganlab import (
    DiscriminatorComponent, Estimate, Evaluator, EvaluatorComponent, Loss, LossComponent, Metric, hookimpl
)

SHORTAGES = {{
    "cpu": lambda: torch.empty(2**50),
    "cuda": lambda: raising(torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.10 GiB.")),
    "numpy": lambda: __import__("numpy").zeros(2**50),
    "python": lambda: raising(MemoryError()),
}}

def raising(error):
    raise error

class Greedy(Loss):
    def generator(self, game):
        if game.step == 3:
            SHORTAGES["{shortage}"]()
        return game.fake.mean()

class Measure(Evaluator):
    calls = 0

    def evaluate(self, real, fake):
        self.calls += 1
        if self.calls == 2:
            SHORTAGES["{shortage}"]()
        return {{"most": Estimate(1.0)}}

def network(options, image):
    SHORTAGES["{shortage}"]()

@hookimpl
def ganlab_losses():
    yield LossComponent(name="greedy", summary="Takes all", build=lambda options: Greedy())

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="greedy", summary="Takes all", build=network)

@hookimpl
def ganlab_evaluators():
    yield EvaluatorComponent(
        name="greedy", summary="Takes all", build=lambda options, image: Measure(), metrics=(Metric("most"),),
        features=("pixels",),
    )
"""


def experiment(tmp_path: Path, more: str = "", shortage: str = "cpu") -> Path:
    (tmp_path / "greedy.py").write_text(GREEDY.format(shortage=shortage))
    file = tmp_path / "x.toml"
    file.write_text(EXPERIMENT.format(plugins='plugins = ["./greedy.py"]', more=more))
    return file


def ganlab(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


SIZES = {"cpu": "4.0 PiB more", "cuda": "20.00 GiB more", "numpy": "8.00 PiB more", "python": "out of memory"}


@pytest.mark.parametrize("shortage", SIZES)
def test_a_step_that_needs_too_much_memory_leaves_what_was_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shortage: str
) -> None:
    file = experiment(tmp_path, '[[losses]]\nname = "greedy"', shortage)
    assert ganlab("run", file, "--runs", tmp_path / "runs") == 2
    told = capsys.readouterr().err
    assert "out of memory in the loss 'greedy'" in told
    assert SIZES[shortage] in told
    assert "lower training.batch_size or set training.microbatch_size" in told
    assert "the checkpoint of step 2 is kept" in told
    assert "bug" not in told
    (state,) = tmp_path.glob("runs/*/*/run.json")
    assert json.loads(state.read_text())["status"] == "failed"


def test_an_evaluator_that_needs_too_much_memory_costs_no_completed_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = experiment(tmp_path, '[[evaluators]]\nname = "greedy"\nevery = 3\nsamples = 4')
    assert (
        ganlab(
            "run",
            file,
            "--runs",
            tmp_path / "runs",
            "--set",
            "dataset.holdout=0.0",
            "--set",
            "checkpoint.every=100",
        )
        == 2
    )
    told = capsys.readouterr().err
    assert "out of memory in the evaluator 'greedy'" in told
    assert "lower the evaluator's `samples`" in told
    assert "the checkpoint of step 3 is kept" in told


def test_what_was_short_of_memory_is_told_where_the_state_cannot_be_saved_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = RunRecorder.checkpoint

    def save(record: RunRecorder, engine: Engine, state: Any, *, regular: bool) -> None:
        if engine.step == 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        checkpoint(record, engine, state, regular=regular)

    file = experiment(tmp_path, '[[evaluators]]\nname = "greedy"\nevery = 3\nsamples = 4')
    monkeypatch.setattr(RunRecorder, "checkpoint", save)
    changes = ("--set", "dataset.holdout=0.0", "--set", "checkpoint.every=100")
    assert ganlab("run", file, "--runs", tmp_path / "runs", *changes) == 2
    told = capsys.readouterr().err
    assert "out of memory in the evaluator 'greedy'" in told
    assert "lower the evaluator's `samples`" in told


def test_a_network_that_needs_too_much_memory_is_no_bug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = experiment(tmp_path)
    assert ganlab("validate", file, "--set", 'discriminator={name="greedy"}') == 2
    told = capsys.readouterr().err
    assert "out of memory in the discriminator 'greedy' while it was built: 4.0 PiB more" in told
    assert "bug" not in told


def test_memory_that_runs_out_anywhere_else_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short(**_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ganlab.commands.plugins.load_registry", short)
    assert ganlab("plugins") == 2
    assert "error: out of memory" in capsys.readouterr().err


def test_what_imports_say_of_memory_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_out_of_memory(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    assert not is_out_of_memory(ImportError("cannot import name 'x' from 'y'"))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (600_000_000, resource.RLIM_INFINITY))
    assert is_out_of_memory(SystemError("error return without exception set"))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert not is_out_of_memory(SystemError("error return without exception set"))


@pytest.mark.parametrize(
    ("message", "is_one"),
    [
        (
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you",
            True,
        ),
        ("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("std::bad_alloc", True),
        ("mat1 and mat2 shapes cannot be multiplied (4x8 and 9x2)", False),
    ],
)
def test_what_torch_says_of_memory_is_known(message: str, is_one: bool) -> None:
    assert is_out_of_memory(RuntimeError(message)) is is_one


def test_bytes_are_told_in_units() -> None:
    assert [in_units(count) for count in (0, 1023, 1536, 4 * 2**30)] == [
        "0 bytes",
        "1,023 bytes",
        "1.5 KiB",
        "4.0 GiB",
    ]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("verb", ["run", "validate"])
@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("image.size=300", "dcgan makes images from 16 to 256 pixels a side"),
        ('training.device="cuda:99"', "the device 'cuda:99' was asked for"),
        ("training.batch_size=900000000", "a step of 900,000,000 samples needs at least"),
        ('losses=[{name="mmd"}]', "no loss asks for the discriminator"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_packed(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], verb: str, override: str, told: str
) -> None:
    file = experiment(tmp_path)
    assert ganlab(verb, file, "--set", override) == 2
    errors = capsys.readouterr().err
    assert told in errors
    assert "packing" not in errors
    assert not cache.exists()


def test_a_batch_that_cannot_fit_is_refused_with_the_figures(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = experiment(tmp_path)
    assert ganlab("run", file, "--set", "training.batch_size=900000000") == 2
    told = capsys.readouterr().err
    assert "2.5 TiB for a batch of 900,000,000 samples" in told
    assert "lower training.batch_size or set training.microbatch_size" in told


def test_validate_prints_the_memory_that_a_step_takes(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganlab.engine.assembly import make_networks
    from ganlab.engine.memory_estimate import estimate
    from ganlab.engine.network_summary import count_parameters

    file = experiment(tmp_path)
    assert ganlab("validate", file) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("memory")]
    loaded = load_experiment(file)
    networks = make_networks(loaded, find(loaded).spec, Processes())
    footprint = estimate(loaded, find(loaded), networks)
    weights = {kind: count_parameters(network) for kind, network in networks.items()}
    assert footprint.parts["a batch of 4 samples"] == 4 * 3 * 16 * 16 * 4
    assert footprint.parts["the optimizers"] == 2 * 4 * sum(weights.values()), "Adam keeps two moments"
    assert footprint.parts["the averaged generator"] == 4 * weights["generator"]
    assert footprint.parts["the activations of 4 at once"] > 4 * sum(weights.values()), "or the gradients"
    for part in footprint.parts:
        assert part in line


MOMENTS = """
import torch
from ganlab import OptimizerComponent, hookimpl

class Moments(torch.optim.Optimizer):
    def step(self, closure=None):
        for weight in self.param_groups[0]["params"]:
            rows = weight.flatten(1).mean(1) if weight.ndim > 1 else weight.clone()
            self.state[weight] = {
                "one": weight.clone(), "half": weight.bfloat16(), "rows": rows, "step": torch.zeros(())
            }

@hookimpl
def ganlab_optimizers():
    yield OptimizerComponent(
        name="moments", summary="Remembers", build=lambda options, parameters: Moments(parameters, {})
    )
"""


def test_what_an_optimizer_of_ones_own_remembers_is_counted(tmp_path: Path, cache: Path) -> None:
    from ganlab.engine.assembly import make_networks
    from ganlab.engine.memory_estimate import estimate

    (tmp_path / "moments.py").write_text(MOMENTS)
    file, plugin = experiment(tmp_path), str(tmp_path / "moments.py")
    names = ["optimizer.generator.name=moments", "optimizer.discriminator.name=sgd"]
    loaded = load_experiment(file, overrides=names, plugins=[plugin])
    networks = make_networks(loaded, find(loaded).spec, Processes())
    footprint = estimate(loaded, find(loaded), networks)
    weights = list(networks.generator.parameters())
    rows = sum(weight.numel() for weight in weights if weight.ndim == 1)
    assert footprint.parts["the optimizers"] == 6 * sum(weight.numel() for weight in weights) + 4 * rows


@pytest.mark.parametrize(("free", "told"), [(0, "and 0 bytes are free on cpu"), (None, "")])
def test_no_room_is_refused_and_unknown_room_is_not(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    free: int | None,
    told: str,
) -> None:
    for module in ("ganlab.engine.memory_estimate", "ganlab.data.feed"):
        monkeypatch.setattr(f"{module}.free_memory", lambda _: free)
    assert ganlab("validate", experiment(tmp_path)) == (2 if told else 0)
    output = capsys.readouterr()
    assert told in output.err
    assert ("free" in output.out + output.err) is bool(told)


def test_the_estimate_closes_every_feed_that_it_opens(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganlab.data.feed import Feed
    from ganlab.engine.assembly import make_networks
    from ganlab.engine.memory_estimate import estimate

    opened: list[Feed] = []
    closed: list[Feed] = []
    create, close = Feed.__init__, Feed.close

    def creating(feed: Feed, *arguments: Any, **options: Any) -> None:
        opened.append(feed)
        create(feed, *arguments, **options)

    def closing(feed: Feed) -> None:
        closed.append(feed)
        close(feed)

    monkeypatch.setattr(Feed, "__init__", creating)
    monkeypatch.setattr(Feed, "close", closing)
    loaded = load_experiment(experiment(tmp_path))
    networks = make_networks(loaded, find(loaded).spec, Processes())
    estimate(loaded, find(loaded), networks)
    assert opened and opened == closed


LINEAR = """from torch import nn
from ganlab import DiscriminatorComponent, GeneratorComponent, VectorSpec, hookimpl

@hookimpl
def ganlab_generators():
    yield GeneratorComponent(
        name="linear", summary="A matrix", accepts=(VectorSpec,),
        build=lambda options, spec, latent: nn.Linear(latent.dim, spec.dimension),
    )

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(
        name="softplus", summary="Three layers", accepts=(VectorSpec,),
        build=lambda options, spec: nn.Sequential(nn.Linear(2, 1000), nn.Softplus(), nn.Linear(1000, 1)),
    )
"""

VECTORS = """title = "Vectors"
plugins = ["./linear.py"]
[dataset]
name = "gaussians"
[latent]
dim = 4
[generator]
name = "linear"
[discriminator]
name = "softplus"
[[losses]]
name = "non-saturating"
[training]
steps = 1
batch_size = 64
device = "cpu"
precision = "fp32"
"""


def test_activations_are_those_that_the_backward_pass_needs(tmp_path: Path) -> None:
    from ganlab.engine.assembly import make_networks
    from ganlab.engine.memory_estimate import estimate

    (tmp_path / "linear.py").write_text(LINEAR)
    file = tmp_path / "x.toml"
    file.write_text(VECTORS)

    def activations(*overrides: str, rows: int = 64) -> int:
        loaded = load_experiment(file, overrides=overrides)
        assert find(loaded).spec == VectorSpec(2)
        networks = make_networks(loaded, find(loaded).spec, Processes())
        return estimate(loaded, find(loaded), networks).parts[f"the activations of {rows:,} at once"]

    # Of real and of fake samples each, what goes into the softplus and what comes out of it.
    wide = 2 * 2 * 1000 * 4
    for rows in (4, 64, 10_000):
        assert activations(f"training.batch_size={rows}", rows=rows) == pytest.approx(rows * wide, rel=0.01)
    assert activations("training.microbatch_size=8", rows=8) == pytest.approx(8 * wide, rel=0.01)


def test_an_estimate_leaves_everything_as_it_was(tmp_path: Path) -> None:
    import torch

    from ganlab.engine.assembly import make_networks
    from ganlab.engine.memory_estimate import estimate

    loaded = load_experiment(experiment(tmp_path))
    networks = make_networks(loaded, find(loaded).spec, Processes())
    before = {
        (kind, name): tensor.clone()
        for kind, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    randomness = torch.get_rng_state()
    estimate(loaded, find(loaded), networks)
    assert torch.equal(torch.get_rng_state(), randomness)
    for kind, network in networks.items():
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, before[kind, name])
        assert all(parameter.grad is None for parameter in network.parameters())


def test_the_limits_of_control_groups_count(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job/step\n")
    job = tmp_path / "sys/fs/cgroup/job"
    (job / "step").mkdir(parents=True)
    (job / "memory.max").write_text("1000\n")
    (job / "memory.current").write_text("700\n")
    (job / "memory.stat").write_text("anon 500\ninactive_file 100\nactive_file 50\n")
    (job / "step/memory.max").write_text("max\n")
    (job / "step/memory.current").write_text("600\n")
    assert list(control_group_memory(tmp_path)) == [450]


def test_the_limits_of_the_first_kind_of_control_groups_count(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("3:cpu,cpuacct:/\n2:memory:/docker\n")
    group = tmp_path / "sys/fs/cgroup/memory/docker"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("1000\n")
    (group / "memory.usage_in_bytes").write_text("700\n")
    (group / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 50\n")
    assert list(control_group_memory(tmp_path)) == [350]
