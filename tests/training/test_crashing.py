"""Random kills, a few; `python tests/training/crashing.py` has many."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from crashing import survive

pytestmark = pytest.mark.slow


def test_a_run_survives_random_kills(tmp_path: Path) -> None:
    counts = survive(tmp_path / "crashing", kills=4, steps=30, seed=1)
    assert counts["kills"] == counts["times `ganlab runs` showed the truth after a kill"] == 4
    assert counts["killed: packing"] >= 1
    assert counts["runs compared with the undisturbed one, all bytes equal"] >= 1
