"""What a person sees: plain lines in a pipe, a live line on a terminal."""

from __future__ import annotations

import io
import re

import pytest

from ganlab.tracking.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


VALUES = {
    "loss/discriminator/total": 1.23456,
    "loss/discriminator/hinge": 1.2,
    "loss/generator/total": 0.5,
    "balance/accuracy": 0.714,
    "speed/images_per_second": 1234.5,
    "speed/data_wait": 0.01,
}


def test_a_line_for_each_log_point() -> None:
    output, clock = io.StringIO(), Clock()
    console = Console(2000, start_step=1000, output=output, clock=clock)
    console.message("run directory: here")
    clock.now = 60
    console.log(1100, VALUES)
    clock.now = 4000
    console.advance(1150)
    console.log(1200, {"loss/generator/total": float("nan")})
    console.log(2000, {})
    console.close()
    assert output.getvalue().splitlines() == [
        "run directory: here",
        "step 1100/2000  D loss 1.235  G loss 0.5  D accuracy 71%  1,234 images/s  9:00 left",
        "step 1200/2000  G loss nan  4:26:40 left",
        "step 2000/2000",
    ]


def test_measurements_with_their_error_and_floor() -> None:
    output = io.StringIO()
    console = Console(10, output=output)
    row = {
        "evaluator": "mmd",
        "metric": "mmd",
        "value": 0.012346,
        "standard_error": 0.00101,
        "floor": -0.0001,
    }
    console.evaluation(5, [row, {"evaluator": "kid", "metric": "value", "value": 2.0, "floor": None}])
    assert output.getvalue().splitlines() == [
        "step 5: mmd 0.01235 ± 0.001 (floor -0.0001)",
        "step 5: kid value 2",
    ]


def test_quiet_says_only_messages() -> None:
    for output in (io.StringIO(), Terminal()):
        console = Console(10, quiet=True, output=output)
        console.log(5, VALUES)
        console.evaluation(5, [{"evaluator": "mmd", "metric": "mmd", "value": 1.0}])
        console.message("finished [in words]")
        console.close()
        assert output.getvalue() == "finished [in words]\n"


def test_a_live_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    output = Terminal()
    console = Console(2000, output=output)
    console.log(500, VALUES)
    console.message("tracker 'x' failed: [red]markup[/red] stays as it is")
    console.advance(510)
    console.close()
    console.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue())
    assert "tracker 'x' failed: [red]markup[/red] stays as it is" in shown
    last = shown.replace("\r", "\n").strip().splitlines()[-1]
    assert "510/2000" in last
    assert "D loss 1.235 · G loss 0.5 · D accuracy 71% · 1,234 images/s" in last
