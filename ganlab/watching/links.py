"""A directory of links in which TensorBoard finds runs under names that say something."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

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
        self._names: dict[Path, str] = {}
        self._floors: dict[str, tuple[Path, str]] = {}

    def show(self, runs: Iterable[Run]) -> None:
        """Link what runs have recorded by now, and drop links to what is gone. Names stay as they are.

        Raises:
            GanlabError: no link can be made.
        """
        for run in sorted(runs, key=lambda run: (run.state.created, run.state.id)):
            try:
                tracked = run.tracked()
            except GanlabError:
                continue  # there is no telling what it has recorded
            for of, directory in tracked:
                self._link(run, of, directory)
        for link in self.root.rglob(EVENT_FILES):
            if not link.exists():
                link.unlink()

    def name(self, run: Run) -> str:
        """Return what a run is called.

        Raises:
            GanlabError: its experiment cannot be read.
        """
        if run.path not in self._names:
            name = f"{run.path.parent.name}/seed-{run.experiment().get('seed', 0)}"
            taken = name in self._names.values()
            self._names[run.path] = f"{name}-{run.state.id}" if taken else name
        return self._names[run.path]

    def _link(self, run: Run, of: str, directory: Path) -> None:
        for file in sorted(directory.rglob(EVENT_FILES)):
            inside = file.parent.relative_to(directory)
            if inside == Path(tags.FLOOR_RUN) and not of:
                place = self._floor(run)
            else:
                place = "-".join([self.name(run), *filter(None, [of.replace("/", "-")])])
                place = (Path(place) / inside).as_posix()
            if place:
                _make_link(self.root / place / file.name, file)

    def _floor(self, run: Run) -> str:
        """Return where a run's floor is shown; nowhere if another run's already is and is the same."""
        key = _floor_key(run)
        owner, name = self._floors.setdefault(key, (run.path, self._floor_name(run)))
        return name if owner == run.path else ""

    def _floor_name(self, run: Run) -> str:
        name = f"{tags.FLOOR_RUN}/{run.path.parent.name}"
        taken = name in {other for _, other in self._floors.values()}
        return f"{name}-{run.state.id}" if taken else name


def _floor_key(run: Run) -> str:
    """Return what decides a run's floors: how it measures, and the floors that it began with."""
    lines = run.evaluations()
    first = [
        [line["evaluator"], line["metric"], line["floor"]]
        for line in lines
        if line["step"] == lines[0]["step"]
    ]
    return json.dumps([run.experiment().get("evaluators", []), sorted(first, key=str)], default=str)


def _make_link(link: Path, file: Path) -> None:
    with explained(f"cannot make a link to {file}"):
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(file)
