"""Trackers are witnesses: one that fails never stops the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from ganlab import ComponentError, Tracker
from ganlab.tracking.hub import TrackerHub


class Recorder(Tracker):
    def __init__(self, broken: str = "") -> None:
        self.calls: list[str] = []
        self.broken = broken

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name == self.broken:
            raise RuntimeError("the server is gone")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._note("scalars")

    def image(self, tag: str, image: Any, step: int) -> None:
        self._note("image")

    def text(self, tag: str, markdown: str, step: int) -> None:
        self._note("text")

    def flush(self) -> None:
        self._note("flush")

    def close(self, status: str, metrics: Mapping[str, float]) -> None:
        self._note("close")


ALL = ["scalars", "image", "text", "flush", "close"]


def tell_all(hub: TrackerHub) -> None:
    hub.scalars({"a": 1.0}, 1)
    hub.image("b", np.zeros((2, 2, 3), np.uint8), 1)
    hub.text("c", "d", 1)
    hub.flush()
    hub.close("completed", {})


def test_everyone_hears_everything() -> None:
    first, second = Recorder(), Recorder()
    tell_all(TrackerHub({"first": first, "second": second}, pytest.fail))
    assert first.calls == second.calls == ALL


@pytest.mark.parametrize("broken", ALL)
def test_a_failing_tracker_is_reported_once_and_dropped(broken: str) -> None:
    reports: list[str] = []
    bad, good = Recorder(broken), Recorder()
    hub = TrackerHub({"bad": bad, "good": good}, reports.append)
    tell_all(hub)
    assert good.calls == ALL
    assert bad.calls == ALL[: ALL.index(broken) + 1]
    assert hub.labels == ["good"]
    assert reports == ["tracker 'bad' failed; the run continues without it: RuntimeError: the server is gone"]


def test_an_interrupt_is_not_swallowed() -> None:
    class Interrupted(Recorder):
        def flush(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TrackerHub({"x": Interrupted()}, pytest.fail).flush()


def test_a_tracker_that_cannot_be_built_is_reported_and_left_out() -> None:
    def broken() -> Tracker:
        raise ImportError("no module named server")

    def wrong() -> Any:
        return "not a tracker"

    reports: list[str] = []
    good = Recorder()
    hub = TrackerHub.open({"bad": broken, "wrong": wrong, "good": lambda: good}, reports.append)
    tell_all(hub)
    assert hub.labels == ["good"] and good.calls == ALL
    assert reports == [
        "tracker 'bad' cannot be built and is disabled: ImportError: no module named server",
        "tracker 'wrong' cannot be built and is disabled: "
        "TypeError: `build` returned a str, not a ganlab.Tracker",
    ]


def test_a_users_mistake_is_not_left_out_but_raised() -> None:
    def refuse() -> Tracker:
        raise ComponentError("there is no such server", option="server")

    first = Recorder()
    with pytest.raises(ComponentError, match="no such server"):
        TrackerHub.open({"first": lambda: first, "refused": refuse}, pytest.fail)
    assert first.calls == ["close"]


def test_what_a_failed_tracker_had_recorded_is_not_given_up() -> None:
    class Marked(Recorder):
        def __init__(self, broken: str = "") -> None:
            super().__init__(broken)
            self.rewound: list[Any] = []

        def mark(self) -> Mapping[str, Any]:
            return {"size": len(self.calls)}

        def rewind(self, mark: Mapping[str, Any] | None, step: int) -> None:
            self.rewound.append(mark)

    hub = TrackerHub({"bad": Marked("image"), "good": Marked()}, lambda report: None)
    hub.scalars({"a": 1.0}, 1)
    assert hub.mark() == {"bad": {"size": 1}, "good": {"size": 1}}
    hub.image("b", np.zeros((2, 2, 3), np.uint8), 2)
    marks = hub.mark()
    assert marks == {"bad": {"size": 1}, "good": {"size": 2}}
    # The next session finds it working again, fails to build it, or never marks it: it keeps its place.
    again = Marked()
    resumed = TrackerHub({"bad": again}, pytest.fail)
    resumed.rewind(marks, 2)
    assert again.rewound == [{"size": 1}]
    without = TrackerHub({}, pytest.fail)
    without.rewind(marks, 2)
    assert without.mark() == marks
