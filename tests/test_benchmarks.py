"""Benchmarks say how they are used, before they need anything that may not be there."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_benchmark_says_how_it_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr()
    assert not ended.value.code and printed.err == ""
    assert printed.out.startswith(f"usage: {path.name}")


def test_a_benchmark_of_no_experiment_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["step_profile.py", "nothere.toml"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / "step_profile.py"), run_name="__main__")
    assert "error: " in capsys.readouterr().err.splitlines()[-1]
