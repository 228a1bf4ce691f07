"""How many processes a batch can be shared by."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine
from ganlab.errors import GanlabError, UsageError
from ganlab.processes import Processes
from ganlab.training.build import require_same_data

EXPERIMENT = """
title = "Shared"
[dataset]
name = "gaussians"
count = 100
[generator]
name = "mlp"
[discriminator]
name = "mlp"
[[losses]]
name = "hinge"
[training]
steps = 1
batch_size = {batch}
microbatch_size = {micro}
"""


def build(directory: Path, batch: int, micro: int, world: int) -> Engine:
    file = directory / "x.toml"
    file.write_text(EXPERIMENT.format(batch=batch, micro=micro))
    experiment = load_experiment(file)
    data = prepare(experiment, cache=directory / "cache", progress=False)
    return Engine.build(experiment, data, Processes(rank=0, world=world))


def test_every_process_has_samples_and_as_many_passes_as_the_others(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 processes cannot share a batch of 2"):
        build(tmp_path, 2, 2, 3)
    with pytest.raises(UsageError, match=r"3 or 2 samples of a batch of 10.* 2 or 1 passes.* multiple of 4"):
        build(tmp_path, 10, 2, 4)
    assert build(tmp_path, 9, 3, 2).rows == slice(0, 4)


class Two(Processes):
    """What a leader hears from two processes, of which the other found fewer samples."""

    def gather_object(self, value: Any) -> list[Any]:
        return [value, ("another", 53)]

    def broadcast_object(self, value: Any) -> Any:
        return value


def test_processes_with_unequal_data_are_refused() -> None:
    store = type("Store", (), {"fingerprint": "one", "__len__": lambda self: 60})()
    data: Any = SimpleNamespace(store=store)
    require_same_data(data, Processes())
    with pytest.raises(GanlabError, match=r"do not have the same data .*rank 0: 60, rank 1: 53"):
        require_same_data(data, Two(0, 2))
