"""Several trackers as one: what a run reports goes to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ganlab.errors import ComponentCrashError, GanlabError
from ganlab.tracking.tracker import Tracker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TrackerHub"]


class TrackerHub:
    """Passes everything on to every tracker; one that fails is reported once and left out from then on.

    A tracker is a witness: training never stops on its account.

    Args:
        trackers: by the label that reports call them.
        report: is told of a tracker's failure, in words.
    """

    def __init__(self, trackers: Mapping[str, Tracker], report: Callable[[str], None]) -> None:
        self._trackers = dict(trackers)
        self._marks: dict[str, Any] = {}
        self._report = report

    @classmethod
    def open(cls, builders: Mapping[str, Callable[[], Tracker]], report: Callable[[str], None]) -> TrackerHub:
        """Build the trackers; one that cannot be built is reported and left out.

        Args:
            builders: what builds each tracker, by its label.
            report: is told of failures, in words, now and later.

        Raises:
            GanlabError: a tracker refused its options, which is for the user to put right.
        """
        hub = cls({}, report)
        for label, build in builders.items():
            try:
                hub._trackers[label] = _checked(build())
            except Exception as error:  # third-party code, as below
                if isinstance(error, GanlabError) and not isinstance(error, ComponentCrashError):
                    hub.close("failed", {})
                    raise
                report(f"tracker {label!r} cannot be built and is disabled: {type(error).__name__}: {error}")
        return hub

    @property
    def labels(self) -> list[str]:
        """Labels of the trackers that still work."""
        return list(self._trackers)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Record values by tag."""
        self._each(lambda tracker: tracker.scalars(values, step))

    def image(self, tag: str, image: NDArray[np.uint8], step: int) -> None:
        """Record one picture, `(H, W, 1 or 3)` uint8."""
        self._each(lambda tracker: tracker.image(tag, image, step))

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Record a text."""
        self._each(lambda tracker: tracker.text(tag, markdown, step))

    def flush(self) -> None:
        """Make everything recorded so far visible to readers."""
        self._each(lambda tracker: tracker.flush())

    def mark(self) -> dict[str, Any]:
        """Return where each tracker's record stands, by its label.

        Of one that was left out, it is where it last stood: all before that is worth keeping.
        """

        def take(label: str, tracker: Tracker) -> None:
            self._marks[label] = dict(tracker.mark())

        self._each_labelled(take)
        return dict(self._marks)

    def rewind(self, marks: Mapping[str, Any] | None, step: int) -> None:
        """Drop what was recorded after the marks were taken; `None` is the very beginning."""
        self._marks = dict(marks or {})
        self._each_labelled(lambda label, tracker: tracker.rewind(self._marks.get(label), step))

    def close(self, status: str, metrics: Mapping[str, float]) -> None:
        """End: `status` is the run's, `metrics` its last evaluation."""
        self._each(lambda tracker: tracker.close(status, metrics))

    def _each(self, action: Callable[[Tracker], None]) -> None:
        self._each_labelled(lambda label, tracker: action(tracker))

    def _each_labelled(self, action: Callable[[str, Tracker], None]) -> None:
        for label, tracker in list(self._trackers.items()):
            try:
                action(label, tracker)
            except Exception as error:  # third-party code: whatever it raises, the run continues
                del self._trackers[label]
                self._report(
                    f"tracker {label!r} failed; the run continues without it: {type(error).__name__}: {error}"
                )


def _checked(built: object) -> Tracker:
    if not isinstance(built, Tracker):
        raise TypeError(f"`build` returned a {type(built).__name__}, not a ganlab.Tracker")
    return built
