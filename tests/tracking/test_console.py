"""What a person sees: plain lines in a pipe, a live line on a terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time

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
    "speed/images-per-second": 1234.5,
    "speed/data-wait": 0.01,
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
        "step 1100/2000  D loss 1.235  G loss 0.5000  D accuracy 71%  1,234 images/s  9:00 left",
        "step 1200/2000  G loss nan  4:26:40 left",
        "step 2000/2000",
    ]


def test_a_long_measurement_says_that_it_lives() -> None:
    output, clock = io.StringIO(), Clock()
    console = Console(100, output=output, clock=clock)
    for clock.now in (10, 31, 40, 62):
        console.working("generated samples", int(clock.now), 5000)
    assert output.getvalue().splitlines() == [
        "measuring: generated samples, 31 of 5,000, 1:22:49 left",
        "measuring: generated samples, 62 of 5,000, 1:22:18 left",
    ]
    live = Terminal()
    console = Console(100, output=live, clock=clock)
    console.working("generated samples", 4000, 5000)
    time.sleep(0.4)  # the live lines are drawn by a thread, four times a second
    console.close()
    assert "measuring: generated samples 4000/5000" in live.getvalue()


def test_measurements_with_their_error_and_floor() -> None:
    output = io.StringIO()
    console = Console(10, output=output)
    row = {
        "evaluator": "mmd",
        "metric": "mmd",
        "value": 0.012346,
        "standard_error": 0.00101,
        "floor": -0.000123,
        "floor_standard_error": 0.00031,
    }
    console.evaluation(5, [row, {"evaluator": "kid", "metric": "value", "value": 2.0, "floor": None}])
    assert output.getvalue().splitlines() == [
        "step 5: mmd 0.0123 ± 0.0010 (floor -0.00012)",
        "step 5: kid value 2",
    ]


def test_what_has_no_better_direction_is_shown_where_there_is_nothing_else() -> None:
    output = io.StringIO()
    p_value = {"evaluator": "mmd", "metric": "p-value", "value": 0.001, "better": None, "warnings": ["few"]}
    ratio = {"evaluator": "memorisation", "metric": "ratio", "value": 0.98, "better": None}
    Console(10, output=output).evaluation(
        5, [{**p_value, "metric": "mmd2", "value": 0.25, "better": "lower", "warnings": []}, p_value, ratio]
    )
    assert output.getvalue().splitlines() == [
        "step 5: mmd mmd2 0.25",
        "    note: few",
        "step 5: memorisation ratio 0.98",
    ]


def test_quiet_says_only_messages() -> None:
    for output in (io.StringIO(), Terminal()):
        clock = Clock()
        console = Console(10, quiet=True, output=output, clock=clock)
        clock.now = 100
        console.advance(4)
        console.working("generated samples", 10, 5000)
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
    assert "D loss 1.235 · G loss 0.5000 · D accuracy 71% · 1,234 images/s" in last


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_keeps_the_step(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    output, clock = Terminal(), Clock()
    console = Console(200_000, output=output, clock=clock)
    clock.now = 4000
    console.log(123_456, VALUES)
    console.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue())
    last = shown.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("step 123456/200000 41:20 left · D")
    assert last.endswith("…") and len(last) <= columns


def test_what_an_evaluator_warns_of_is_said_once() -> None:
    output = io.StringIO()
    console = Console(10, output=output)
    row = {"evaluator": "mmd", "metric": "mmd", "value": 1.0, "warnings": ["few samples"]}
    console.evaluation(5, [row])
    console.evaluation(10, [row, {**row, "metric": "other", "warnings": ["few samples", "no floor"]}])
    assert output.getvalue().splitlines() == [
        "step 5: mmd 1",
        "    note: few samples",
        "step 10: mmd 1",
        "step 10: mmd other 1",
        "    note: no floor",
    ]


def test_a_pipe_without_a_reader_makes_it_quiet() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as output:
        console = Console(2000, output=output)
        console.log(100, VALUES)
        os.close(reading)
        for step in (200, 300):
            console.log(step, VALUES)
            console.advance(step + 1)
            console.evaluation(step, [{"evaluator": "mmd", "metric": "mmd", "value": 1.0}])
            console.message("and on it goes")
        console.close()


@pytest.mark.filterwarnings("error")
def test_a_terminal_that_is_gone_makes_it_quiet() -> None:
    class Gone(Terminal):
        gone = False
        attempts = 0

        def write(self, text: str) -> int:
            if self.gone:
                self.attempts += 1
                raise OSError(5, "Input/output error")
            return super().write(text)

    output = Gone()
    console = Console(2000, output=output)
    output.gone = True
    console.message("lost")
    console.log(100, VALUES)
    console.advance(101)
    time.sleep(0.4)  # the live line is drawn by a thread, four times a second
    console.close()
    assert output.attempts == 1


@pytest.mark.parametrize("closed", ["head -1", "exec 1>&-"])
def test_the_process_ends_well_without_a_standard_output(closed: str) -> None:
    script = (
        "import sys, time\n"
        "from ganlab.tracking.console import Console\n"
        "console = Console(9)\n"
        "for step in range(1, 10):\n"
        "    console.log(step, {})\n"
        "    time.sleep(0.02)\n"
        "print('trained', file=sys.stderr)\n"
    )
    command = {
        "head -1": '"$0" -c "$1" | head -1; exit "${PIPESTATUS[0]}"',
        "exec 1>&-": '"$0" -c "$1" >&-',
    }[closed]
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "trained\n")
