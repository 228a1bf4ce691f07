"""What `ganlab validate` says of the time that steps take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ganlab.engine.step_time import time_a_step


class _Clocked:
    """An engine whose steps take as long as they are told to: `rare` seconds more on a loss's n-th."""

    def __init__(self, usual: float, rare: float, *every: int) -> None:
        self.usual, self.rare, self.every = usual, rare, every
        self.now, self.step = 0.0, 0
        losses = [SimpleNamespace(settings=SimpleNamespace(every=each)) for each in (1, *every)]
        self.experiment = SimpleNamespace(losses=losses)
        self.meter = SimpleNamespace(read=dict)

    def advance(self) -> None:
        self.now += self.usual + self.rare * sum(self.step % each == 0 for each in self.every)
        self.step += 1


@pytest.mark.parametrize("usual", [0.001, 0.09, 0.3, 7.0])
@pytest.mark.parametrize("every", [1, 2, 3, 11, 16, 100])
def test_what_is_rare_counts_for_its_share(usual: float, every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = _Clocked(usual, 3 * usual, every)
    monkeypatch.setattr("time.perf_counter", lambda: engine.now)
    assert time_a_step(engine) == pytest.approx(usual + 3 * usual / every)
    assert engine.step <= 22 and engine.now < 2 + 12 * usual


@pytest.mark.parametrize("every", [(), (4, 16), (16, 4, 2), (3, 4), (5, 5)])
def test_each_of_several_has_its_share(every: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = _Clocked(0.01, 0.05, *every)
    monkeypatch.setattr("time.perf_counter", lambda: engine.now)
    assert time_a_step(engine) == pytest.approx(0.01 + sum(0.05 / each for each in every))
    assert engine.step <= 22
