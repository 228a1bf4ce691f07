"""A directory of links in which TensorBoard finds runs under names that say something."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganlab import tags
from ganlab.errors import GanlabError
from ganlab.files import explained
from ganlab.runs.reading import Run

__all__ = ["EVENT_FILES", "RunLinks"]

EVENT_FILES = "*tfevents*"
"""Matches the files that TensorBoard reads."""


class RunLinks:
    """Runs as TensorBoard is to call them: by title and seed, and their floors once.

    A run is called `title/seed-0`; a later one of that title and seed has its id behind it. What was
    measured after training stands beside it, as `title/seed-0-evaluate-<time>`. Runs that measure the
    same on the same data have the same floors, which are shown once, as `floor/title`.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._experiments: dict[Path, dict[str, Any]] = {}
        self._names: dict[Path, str] = {}
        self._floor_keys: dict[Path, str] = {}
        self._floors: dict[str, tuple[Path, str]] = {}

    def show(self, runs: Iterable[Run]) -> None:
        """Link what runs have recorded by now, and drop links to what is gone. Names stay as they are.

        Raises:
            GanlabError: no link can be made.
        """
        for link in self.root.rglob(EVENT_FILES):
            if not link.exists():
                link.unlink()
        self._floors = {key: (path, name) for key, (path, name) in self._floors.items() if path.is_dir()}
        for run in sorted(runs, key=lambda run: (run.state.created, run.state.id)):
            try:
                trackers = self._experiment(run).get("trackers", ())
            except GanlabError:
                continue  # there is no telling what it has recorded
            for of, directory in run.tracked([str(tracker["label"]) for tracker in trackers]):
                self._link(run, of, directory)

    def _experiment(self, run: Run) -> dict[str, Any]:
        """Return a run's experiment, read once: what is looked at here never changes."""
        if run.path not in self._experiments:
            self._experiments[run.path] = run.experiment()
        return self._experiments[run.path]

    def _name(self, run: Run) -> str:
        if run.path not in self._names:
            name = f"{run.path.parent.name}/seed-{self._experiment(run).get('seed', 0)}"
            taken = name in self._names.values()
            self._names[run.path] = f"{name}-{run.state.id}" if taken else name
        return self._names[run.path]

    def _link(self, run: Run, of: str, directory: Path) -> None:
        for file in sorted(directory.rglob(EVENT_FILES)):
            inside = file.parent.relative_to(directory)
            if inside == Path(tags.FLOOR_RUN) and not of:
                place = self._floor(run)
            else:
                place = "-".join([self._name(run), *filter(None, [of.replace("/", "-")])])
                place = (Path(place) / inside).as_posix()
            if place:
                _make_link(self.root / place / file.name, file)

    def _floor(self, run: Run) -> str:
        """Return where a run's floor is shown; nowhere if another run's already is and is the same."""
        if run.path not in self._floor_keys:
            self._floor_keys[run.path] = self._floor_key(run)
        key = self._floor_keys[run.path]
        owner, name = self._floors.setdefault(key, (run.path, self._floor_name(run)))
        return name if owner == run.path else ""

    def _floor_key(self, run: Run) -> str:
        """Return what decides a run's floors: how it measures, and the floors that it began with."""
        try:
            lines = run.evaluations()
        except GanlabError:
            return str(run.path)
        first = [
            [line["evaluator"], line["metric"], line["floor"]]
            for line in lines
            if line["step"] == lines[0]["step"]
        ]
        return json.dumps([self._experiment(run).get("evaluators", []), sorted(first, key=str)], default=str)

    def _floor_name(self, run: Run) -> str:
        name = f"{tags.FLOOR_RUN}/{run.path.parent.name}"
        taken = name in {other for _, other in self._floors.values()}
        return f"{name}-{run.state.id}" if taken else name


def _make_link(link: Path, file: Path) -> None:
    with explained(f"cannot make a link to {file}"):
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(file)
