"""Faults, one by one; `python tests/training/faults.py` prints what comes of them as a table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from faults import FAULTS, TESTED_ELSEWHERE, Bench, UnavailableError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in TESTED_ELSEWHERE])
def test_a_fault_is_told_plainly_and_costs_nothing(tmp_path: Path, name: str) -> None:
    try:
        FAULTS[name](Bench(tmp_path / "bench"))
    except UnavailableError as error:
        pytest.skip(str(error))
