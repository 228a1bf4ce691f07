"""Evaluation on the device."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from trials import ganlab

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


def test_a_gpu_measures_what_a_cpu_does(run: Path, device: str, record_property: Record) -> None:
    measured = []
    for where in ("cpu", device):
        done = ganlab("evaluate", run, "--device", where, "--json", cwd=run.parents[2])
        assert done.returncode == 0, done.stdout + done.stderr
        measured.append({f"{m['evaluator']}.{m['metric']}": m for m in json.loads(done.stdout)})
    assert measured[0].keys() == measured[1].keys() and measured[0]
    for name, one in measured[0].items():
        other = measured[1][name]
        record_property(f"{name} on cpu, {device}", f"{one['value']:.8g}, {other['value']:.8g}")
        assert other["value"] == pytest.approx(one["value"], rel=2e-3, abs=1e-5)
