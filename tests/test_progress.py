"""How work shows itself: live lines on a terminal, plain lines in a pipe, nothing where it is quiet."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from ganlab.progress import Display, Phases, counting, say

Terminal = Callable[..., tuple[int, str]]

PACKING = """
import time
from ganlab.progress import counting
with counting("packing", 300) as advance:
    for _ in range(10):
        time.sleep(0.06)
        advance(30)
"""


def drawn(text: str) -> list[str]:
    """Return the states of the lines that were drawn, without colours."""
    return [part.rstrip() for part in re.split(r"\x1b\[[0-9;?]*[A-Za-ln-z]|[\r\n]", uncoloured(text)) if part]


def uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_a_bar_moves_and_gives_way_to_one_line(terminal: Terminal) -> None:
    code, text = terminal("-c", PACKING)
    states = drawn(text)
    assert code == 0
    assert re.fullmatch(r"packing: 300 in \d\.\d s \([\d,]+ a second\)", states[-1])
    moving = [
        state for state in states[:-1] if re.fullmatch(r"packing \d+/300 [━╸╺]{24} \d:\d\d left", state)
    ]
    assert len(moving) >= 2
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back
    assert "\x1b[1A\x1b[2K" in text.rpartition("packing: 300")[0][-20:]  # where the bar was


@pytest.mark.parametrize(("columns", "bar"), [(20, False), (40, False), (60, True)])
def test_a_line_never_wraps(terminal: Terminal, columns: int, bar: bool) -> None:
    _, text = terminal("-c", PACKING, columns=columns)
    states = drawn(text)[:-1]
    assert max(map(len, states)) <= columns
    assert any(state.startswith("packing ") for state in states)
    assert any("━" in state for state in states) is bar


def test_a_terminal_that_cannot_go_back_gets_plain_lines(terminal: Terminal) -> None:
    code, text = terminal("-c", PACKING, term="dumb")
    begin, end = text.splitlines()
    assert (code, begin) == (0, "packing: 300 …")
    assert end.startswith("packing: 300 in ") and "\x1b" not in text


def test_what_is_said_meanwhile_scrolls_by_above(terminal: Terminal) -> None:
    script = PACKING.replace("advance(30)", "advance(30); print('said', _)")
    code, text = terminal("-c", script)
    lines = [line for line in drawn(text) if line.startswith("said")]
    assert (code, lines) == (0, [f"said {number}" for number in range(10)])


@pytest.mark.parametrize("ending", ["raise KeyboardInterrupt", "raise ValueError"])
def test_work_that_breaks_off_leaves_the_terminal_as_it_was(terminal: Terminal, ending: str) -> None:
    code, text = terminal("-c", PACKING.replace("advance(30)", f"advance(30); {ending}"))
    assert code != 0
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "packing: " not in text


def test_in_a_pipe_there_is_a_line_at_each_end(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("packing", 1200) as advance:
        advance(1200)
    begin, end = capsys.readouterr().err.splitlines()
    assert begin == "packing: 1,200 …"
    assert re.fullmatch(r"packing: 1,200 in 0\.\d s \([\d,]+ a second\)", end)


def test_what_nobody_can_count_before_is_counted_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("downloading, bytes", 0) as advance:
        advance(5)
        advance(7)
    begin, end = capsys.readouterr().err.splitlines()
    assert begin == "downloading, bytes …"
    assert end.startswith("downloading, bytes: 12 in 0.")


def test_no_progress_is_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("packing", 1200, progress=False) as advance:
        advance(1200)
    say("a note", progress=False)
    assert capsys.readouterr() == ("", "")


def test_no_progress_is_silence_on_a_terminal(terminal: Terminal) -> None:
    assert terminal("-c", PACKING.replace("300)", "300, progress=False)")) == (0, "")


def test_long_work_says_in_a_pipe_that_it_lives() -> None:
    output, clock = io.StringIO(), Clock()
    with Display(output, clock=clock) as display:
        work = display.begin("sampling", 1000, done=100)
        for clock.now in (10, 31, 40, 62):
            work.update(100 + 10 * int(clock.now))
        display.say("half of it")
        clock.now = 91
        work.advance(1)
        unknown = display.begin("downloading", 0)
        clock.now = 93
        unknown.update(2500)
    assert output.getvalue().splitlines() == [
        "sampling, 410 of 1,000, 0:59 left",
        "sampling, 720 of 1,000, 0:28 left",
        "half of it",
        "downloading, 2,500",
    ]


def test_quiet_work_says_nothing_however_long() -> None:
    output, clock = io.StringIO(), Clock()
    with Display(output, quiet=True, clock=clock) as display:
        work = display.begin("sampling", 1000)
        clock.now = 100
        work.update(10)
        display.say("finished")
    assert output.getvalue() == "finished\n"


def test_each_phase_begins_anew() -> None:
    output, clock = io.StringIO(), Clock()
    with Display(output, clock=clock) as display:
        phases = Phases(display, "measuring")
        for clock.now, phase, done in [(0, "real", 1), (31, "real", 2), (40, "fake", 1), (62, "fake", 2)]:
            phases(phase, done, 4)
        for clock.now, done in [(70, 1), (93, 2)]:  # of the next checkpoint
            phases("fake", done, 4)
    assert output.getvalue().splitlines() == [
        "measuring: real, 2 of 4, 1:02 left",
        "measuring: fake, 2 of 4, 0:44 left",
        "measuring: fake, 2 of 4, 0:46 left",
    ]


@pytest.mark.parametrize("streams", ["2> /dev/full", "2>&-", "2> >(head -c 1 >&2)"])
def test_work_goes_on_where_nothing_can_be_shown(streams: str) -> None:
    script = PACKING.replace("advance(30)", "advance(30); say('on it goes')").replace(
        "counting", "counting, say", 1
    )
    command = f'"$0" -c "$1" {streams} && echo worked'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "worked\n")
