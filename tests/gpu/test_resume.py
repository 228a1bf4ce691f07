"""The same bytes again, in a second run and in one that is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from trials import APART, DETERMINISTIC, difference, experiment, ganlab, state, train

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


def test_the_same_seed_and_a_resumed_run(tmp_path: Path, device: str, record_property: Record) -> None:
    text = experiment(device)
    first = train(tmp_path, text, name="first", prelude=DETERMINISTIC)
    again = train(tmp_path, text, name="again", prelude=DETERMINISTIC)
    resumed = train(tmp_path, text, "--set", "training.steps=8", name="resumed", prelude=DETERMINISTIC)
    done = ganlab("resume", resumed, "--set", "training.steps=12", cwd=tmp_path, prelude=DETERMINISTIC)
    assert done.returncode == 0, done.stdout + done.stderr
    changes = [change for session in state(resumed)["sessions"] for change in session["changes"]]
    assert changes == ["training.steps: 8 -> 12"], "the machine has not changed"
    repeated, went_on = difference(first, again), difference(first, resumed)
    record_property("deterministic kernels: weights of a second run apart by", repeated)
    record_property("deterministic kernels: weights of a resumed run apart by", went_on)
    assert repeated < APART
    # What repeats to the byte goes on to the byte.
    assert went_on == 0 if repeated == 0 else went_on < APART


def test_kernels_as_they_are_repeat_closely(tmp_path: Path, device: str, record_property: Record) -> None:
    runs = [train(tmp_path, experiment(device, count=200), name=name) for name in ("one", "two")]
    apart = difference(*runs)
    record_property("kernels as they are: weights of a second run apart by", apart)
    assert apart < APART
