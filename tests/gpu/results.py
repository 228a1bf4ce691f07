"""A plugin for pytest that writes each test's result down as soon as it is there.

A test that hangs, and with it its process, so costs no other test's result. The file is named by
GANLAB_GPU_RESULTS, a JSON object in each line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a line for a test that passed, was skipped, or failed anywhere."""
    if report.when != "call" and report.outcome == "passed":
        return
    reason = ""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    elif report.failed:
        reason = report.longreprtext[-3000:]
    line = {
        "test": report.nodeid,
        "outcome": report.outcome,
        "seconds": report.duration,
        "reason": reason,
        "found": dict(report.user_properties),
    }
    with Path(os.environ["GANLAB_GPU_RESULTS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=str) + "\n")
