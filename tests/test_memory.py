"""Too little memory: told as what it is, before anything dear is done where it can be known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganlab.commands.cli import run
from ganlab.memory import in_units, is_out_of_memory

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
