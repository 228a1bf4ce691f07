"""What `ganlab validate` says of the time that steps take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ganlab.engine.step_time import time_a_step


class _Clocked:
    """An engine whose steps take as long as they are told to: `rare` seconds more on every n-th."""

    def __init__(self, usual: float, rare: float, every: int) -> None:
        self.usual, self.rare, self.every = usual, rare, every
        self.now, self.step = 0.0, 0
        lazy = SimpleNamespace(settings=SimpleNamespace(every=every))
        self.experiment = SimpleNamespace(losses=[SimpleNamespace(settings=SimpleNamespace(every=1)), lazy])
        self.meter = SimpleNamespace(read=dict)

    def advance(self) -> None:
        self.now += self.usual + (self.rare if self.step % self.every == 0 else 0.0)
        self.step += 1


@pytest.mark.parametrize("usual", [0.001, 0.09, 0.3, 7.0])
@pytest.mark.parametrize("every", [1, 2, 3, 11, 16, 100])
def test_what_is_rare_counts_for_its_share(usual: float, every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = _Clocked(usual, 3 * usual, every)
    monkeypatch.setattr("time.perf_counter", lambda: engine.now)
    assert time_a_step(engine) == pytest.approx(usual + 3 * usual / every)
    assert engine.step <= 22 and engine.now < 2 + 12 * usual
