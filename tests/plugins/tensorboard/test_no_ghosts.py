"""What TensorBoard itself shows of a run that was killed and taken up again, by its HTTP API."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganlab import RunInfo
from ganlab_tensorboard.tracker import TensorBoardTracker

pytestmark = pytest.mark.slow

LOADERS = [
    pytest.param("false", id="slow"),
    pytest.param(
        "true",
        id="fast",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("tensorboard_data_server") is None, reason="no tensorboard-data-server"
        ),
    ),
]


def tracker(directory: Path, step: int = 0) -> TensorBoardTracker:
    experiment = {"seed": 0, "training": {"steps": 100, "log_every": 1, "batch_size": 4}}
    return TensorBoardTracker(RunInfo("20260101-000000-abcd", "Ghosts", directory, experiment, step))


def record(witness: TensorBoardTracker, steps: range) -> None:
    for step in steps:
        measured = {"evaluation/mmd/mmd2-pixels": 1.0, "evaluation/mmd/mmd2-pixels-floor": 0.5}
        witness.scalars({"loss": float(step), "balance/accuracy": 0.5} | measured, step)
        witness.image("samples/fixed", np.full((4, 4, 3), step, dtype=np.uint8), step)


def crash_and_resume(directory: Path) -> Iterator[None]:
    """Record 1 to 5, mark, go on to 9, die; go on from 5 to 12. Yields after the death, and at the end."""
    first = tracker(directory)
    record(first, range(1, 6))
    mark = first.mark()
    record(first, range(6, 10))
    del first  # with no `close`, as when it is killed
    yield
    again = tracker(directory, step=5)
    again.rewind(mark, 5)
    record(again, range(6, 13))
    again.close("completed", {})
    yield


@contextmanager
def tensorboard(directory: Path, fast: str) -> Iterator[str]:
    """Serve a directory, and yield the address."""
    command = [
        *(sys.executable, "-m", "tensorboard.main", f"--logdir={directory}", "--port=0", "--host=127.0.0.1"),
        *(f"--load_fast={fast}", "--reload_interval=1", "--samples_per_plugin=images=100"),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield address[0]
                return
        raise AssertionError("TensorBoard did not start")
    finally:
        server.kill()
        server.communicate()


def ask(address: str, path: str, **query: str) -> Any:
    url = f"{address}/data/plugin/{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError:
        return []


def shown(address: str) -> tuple[list[tuple[int, float]], list[int]]:
    """Return (step, value) of the scalar, and the steps of the picture."""
    scalars = ask(address, "scalars/scalars", run="tensorboard", tag="loss")
    images = ask(address, "images/images", run="tensorboard", tag="samples/fixed", sample="0")
    return [(step, value) for _, step, value in scalars], [image["step"] for image in images]


def expect(address: str, last: int) -> None:
    steps = list(range(1, last + 1))
    expected = ([(step, float(step)) for step in steps], steps)
    deadline = time.monotonic() + 60
    while (seen := shown(address)) != expected:
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)


@pytest.mark.parametrize("fast", LOADERS)
def test_started_afterwards(tmp_path: Path, fast: str) -> None:
    for _ in crash_and_resume(tmp_path / "tensorboard"):
        pass
    with tensorboard(tmp_path, fast) as address:
        expect(address, 12)


@pytest.mark.parametrize("fast", LOADERS)
def test_open_all_the_while(tmp_path: Path, fast: str) -> None:
    moments = crash_and_resume(tmp_path / "tensorboard")
    next(moments)
    with tensorboard(tmp_path, fast) as address:
        expect(address, 9)  # it has seen the ghosts
        next(moments)
        expect(address, 12)


def event_files(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_rewinding_is_exact_and_can_be_repeated(tmp_path: Path) -> None:
    witness = tracker(tmp_path)
    record(witness, range(1, 6))
    mark = witness.mark()
    before = event_files(tmp_path)
    assert len(before) == 2  # its own, and the floors'
    for _ in range(2):
        record(witness, range(6, 9))
        for folder in (tmp_path, tmp_path / "floor"):
            torn = max(path for path in folder.iterdir() if path.is_file())
            torn.write_bytes(torn.read_bytes()[:-3])  # as a power cut may leave it
        witness = tracker(tmp_path, step=5)
        witness.rewind(mark, 5)
        assert event_files(tmp_path) == before
    witness.rewind(None, 0)
    assert event_files(tmp_path) == {}


def test_a_later_session_sorts_behind_whatever_the_clock_says(tmp_path: Path) -> None:
    written = [tmp_path / "events.out.tfevents.4102444800.host.1"]  # by a clock that was in the year 2100
    written[0].touch()
    for step in (1, 2, 3):
        tracker(tmp_path).scalars({"loss": 1.0}, step)
        [new] = set(tmp_path.iterdir()) - set(written)
        written.append(new)
    assert sorted(written) == written
