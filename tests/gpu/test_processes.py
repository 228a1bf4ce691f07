"""Processes that share a run: on one GPU, and each on its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from trials import APART, difference, experiment, ganlab, state, train

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]

ALIKE = ("--set", 'generator.normalisation="layer"', "--set", 'discriminator.normalisation="layer"')
"""Batch normalisation is each process's own on the CPU, so that processes train as one without it alone."""

R1 = '[[losses]]\nname = "r1"\n'


def torchrun(processes: int) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # By number: the name of a machine that reaches no network may lead nowhere.
    meeting = ["--master-addr=127.0.0.1", f"--master-port={port}"]
    return ["-m", "torch.distributed.run", *meeting, f"--nproc-per-node={processes}"]


@pytest.mark.parametrize("normalisation", ["layer", "batch"])
def test_two_processes_on_one_device_train_as_one(
    tmp_path: Path, device: str, normalisation: str, record_property: Record
) -> None:
    if device == "cpu" and normalisation == "batch":
        pytest.skip("no CUDA device: on the CPU batch normalisation is each process's own")
    text = experiment("cuda:0" if device == "cuda" else device, count=200)
    same = ALIKE if normalisation == "layer" else ()
    alone = train(tmp_path, text, *same, name="alone")
    shared = train(tmp_path, text, *same, name="shared", launcher=torchrun(2))
    assert state(shared)["sessions"][-1]["processes"] == 2
    apart = difference(alone, shared)
    record_property(f"{normalisation} normalisation: weights of two processes apart from one's by", apart)
    assert apart < APART


@pytest.mark.usefixtures("cuda")
def test_a_penalty_through_synchronised_batch_normalisation_is_refused(
    tmp_path: Path, record_property: Record
) -> None:
    (tmp_path / "x.toml").write_text(experiment("cuda:0", count=200, more=R1))
    done = ganlab("run", "x.toml", cwd=tmp_path, launcher=torchrun(2))
    assert done.returncode != 0
    (line,) = {line for line in done.stderr.splitlines() if "synchronised between GPUs" in line}
    record_property("it says", line)


def test_more_processes_than_gpus_are_refused(
    tmp_path: Path, cuda: torch.device, record_property: Record
) -> None:
    (tmp_path / "x.toml").write_text(experiment(cuda.type, count=200))
    too_many = torch.cuda.device_count() + 1
    done = ganlab("run", "x.toml", cwd=tmp_path, launcher=torchrun(too_many))
    assert done.returncode != 0
    (line,) = {line for line in done.stderr.splitlines() if "processes share a run on this machine" in line}
    assert "start at most one process for each (--nproc-per-node)" in line
    record_property("it says", line)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("normalisation", ["layer", "batch"])
def test_two_gpus_train_as_one(
    tmp_path: Path, cuda: torch.device, normalisation: str, record_property: Record
) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip(f"{torch.cuda.device_count()} CUDA device")
    text = experiment(cuda.type, count=200)
    same = ALIKE if normalisation == "layer" else ()
    alone = train(tmp_path, text, *same, name="alone")
    shared = train(tmp_path, text, *same, name="shared", launcher=torchrun(2))
    apart = difference(alone, shared)
    record_property(f"{normalisation} normalisation: weights of two processes apart from one's by", apart)
    assert apart < APART
