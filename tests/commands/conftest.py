"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.commands.cli import run

PLUGIN = '''
from pathlib import Path
from typing import Literal
from ganlab import ComponentError, DatasetComponent, LossComponent, Options, hookimpl

class DataOptions(Options):
    root: Path
    """Where the files are."""
    layout: Literal["ring", "grid"] = "ring"
    """Where they lie."""
    limit: int | None = None
    """At most so many."""

@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="mine", summary="My data.", build=print, options=DataOptions)

@hookimpl
def ganlab_losses():
    yield LossComponent(name="plain", summary="Has no options.", build=print)

def ganlab_trackers():
    return []
'''

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run a command line in a directory with the plugin `mine.py`; no built-in is loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "ganlab")
    (tmp_path / "mine.py").write_text(PLUGIN)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
