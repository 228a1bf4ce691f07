"""A whole run on the device: training, checkpoints, samples."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from trials import checkpoint, ganlab, records, state

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


def test_a_run_trains_and_measures(run: Path, device: str, record_property: Record) -> None:
    assert state(run)["status"] == "completed"
    logged = records(run)
    assert [line["step"] for line in logged] == [4, 8, 12]
    losses = {name: value for name, value in logged[-1].items() if name.startswith(("loss/", "gradient_"))}
    assert losses and all(math.isfinite(value) for value in losses.values())
    measured = records(run, "evaluations")
    assert all(math.isfinite(line["value"]) for line in measured)
    environment = json.loads((run / "environment.json").read_text())
    assert environment["device"] == device
    if device == "cuda":
        assert environment["device_name"] == torch.cuda.get_device_name()
        assert logged[-1]["memory/device-peak-mib"] > 0
        record_property("device peak, MiB", round(logged[-1]["memory/device-peak-mib"]))
    record_property("mmd at step 12", next(line["value"] for line in measured if line["step"] == 12))


def test_checkpoints_can_be_read_where_there_is_no_gpu(run: Path) -> None:
    saved = torch.load(checkpoint(run) / "state.pt", weights_only=True, map_location="cpu")
    players = saved["engine"]["players"]
    assert all(
        tensor.device.type == "cpu"
        for player in players.values()
        for network in player["networks"].values()
        for tensor in network.values()
    )
    done = ganlab("resume", run, "--set", "training.device=cpu", "--set", "training.steps=14",
                  "--allow-change", "--fork", cwd=run.parents[2], CUDA_VISIBLE_DEVICES="")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_samples_are_the_same_with_and_without_a_gpu(run: Path, tmp_path: Path) -> None:
    made = []
    for name, environment in (("with", {}), ("without", {"CUDA_VISIBLE_DEVICES": ""})):
        file = tmp_path / f"{name}.npy"
        done = ganlab("sample", run, "--count", "70", "--out", file, cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        made.append(np.load(file))
    assert made[0].shape == (70, 32, 32, 3)
    assert np.array_equal(*made)
