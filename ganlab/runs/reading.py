"""Finding runs, and saying how they fare."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Collection
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from ganlab.config.earlier_versions import up_to_date
from ganlab.config.toml import parse_toml
from ganlab.errors import GanlabError, UsageError
from ganlab.files import exists
from ganlab.registry.suggest import closest
from ganlab.runs.checkpoints import Checkpoints
from ganlab.runs.evaluation_directory import LaterEvaluation, later_evaluations
from ganlab.runs.jsonl import last_line, read_lines
from ganlab.runs.layout import RunLayout
from ganlab.runs.lock import is_locked
from ganlab.runs.reporting import print_warning
from ganlab.runs.state import RunState, read_state
from ganlab.tags import up_to_date as tag_up_to_date

__all__ = ["Run", "find_run", "list_runs", "read_run", "run_resolved_in"]

_LISTED = 8


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as a reader sees it.

    Attributes:
        path: its directory.
        state: the content of `run.json`; `interrupted` where the process that wrote it is gone.
    """

    path: Path
    state: RunState

    @property
    def name(self) -> str:
        """Title and id as the directories have them, `celeba-64/20260102-030405-0a1b`."""
        return RunLayout(self.path).name

    @property
    def runs(self) -> Path:
        """The directory of all runs."""
        return RunLayout(self.path).runs

    @property
    def samples(self) -> Path:
        """The directory of its pictures."""
        return RunLayout(self.path).samples

    @property
    def timelapse(self) -> Path:
        """Where a film of its pictures is, if somebody has made one."""
        return RunLayout(self.path).timelapse

    @property
    def resolved(self) -> Path:
        """The experiment with every default filled in."""
        return RunLayout(self.path).resolved

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints, to load from."""
        return Checkpoints(self.path)

    def experiment(self) -> dict[str, Any]:
        """Return the content of `resolved`, with what an earlier version left unsaid.

        Raises:
            GanlabError: the file is not there, or damaged.
        """
        return up_to_date(_read_tables(self.resolved, parse_toml))

    def environment(self) -> dict[str, Any]:
        """Return the machine and the versions that the run goes by.

        Raises:
            GanlabError: the file is not there, or damaged.
        """
        return _read_tables(RunLayout(self.path).environment, json.loads)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the scalars of every log point by tag, each with `step` and `time`."""
        return [_with_tags_of_now(line) for line in read_lines(RunLayout(self.path).metrics)]

    def evaluations(self) -> list[dict[str, Any]]:
        """Return every measurement while training, each with `step` and `time`."""
        return read_lines(RunLayout(self.path).evaluations)

    def later_evaluations(self) -> list[LaterEvaluation]:
        """Return what was measured after training, the earliest first.

        Raises:
            GanlabError: a file of one is damaged.
        """
        return later_evaluations(self.path)

    def pictures(self, name: str) -> dict[int, Path]:
        """Return the pictures of a name by their step, the earliest first."""
        return RunLayout(self.path).pictures(name)

    def picture_names(self) -> list[str]:
        """Return what its pictures are called, each name once, in the order of the alphabet."""
        return RunLayout(self.path).picture_names()

    def tracked(self, labels: Collection[str]) -> list[tuple[str, Path]]:
        """Return the directories that trackers have, each with what it is of.

        That is empty for the training, and `evaluate/<UTC time>-<4 hex>` for what was measured later.

        Args:
            labels: of the trackers.
        """
        layout = RunLayout(self.path)
        return [("", layout.tracker(label)) for label in labels] + [
            (later.name, later.tracker(label)) for later in layout.evaluations_later for label in labels
        ]

    def seconds_worked(self, until: float | None = None) -> float:
        """Return how long its sessions took together, pauses between them left out.

        A session that was killed counts up to the last that it recorded.

        Args:
            until: a moment in seconds since the epoch; all that there is if `None`.
        """
        sessions = self.state.sessions
        starts = [_seconds(session.started) for session in sessions]
        worked = 0.0
        for session, (start, following) in zip(sessions, pairwise([*starts, math.inf]), strict=True):
            if session.ended is not None:
                end = _seconds(session.ended)
            elif following == math.inf and self.state.status == "running":
                end = time.time()
            else:
                end = max((at for at in self._recorded_at() if start <= at < following), default=start)
            worked += max(0.0, (end if until is None else min(end, until)) - start)
        return worked

    def _recorded_at(self) -> list[float]:
        return [float(line["time"]) for line in (*self.metrics(), *self.evaluations()) if "time" in line]

    def last_metrics(self) -> dict[str, Any] | None:
        """Return the scalars of the last log point, with `step` and `time`; `None` before the first."""
        line = last_line(RunLayout(self.path).metrics)
        return None if line is None else _with_tags_of_now(line)


def read_run(path: Path) -> Run:
    """Return the run in a directory.

    Raises:
        GanlabError: there is none, or its `run.json` is damaged.
    """
    layout = RunLayout(path.resolve())
    if not layout.state.is_file():
        raise UsageError(f"{path} is not a run: it has no {layout.state.name}")
    # The lock comes first: a run that ends in between is then read as what it ended as.
    alive = is_locked(layout.lock)
    state = read_state(layout.state)
    if state.status == "running" and not alive:
        state = dataclasses.replace(state, status="interrupted", reason="the process that ran it is gone")
    return Run(layout.root, state)


def run_resolved_in(file: Path) -> Run | None:
    """Return the run whose `resolved.toml` a file is; `None` where it is no run's.

    Raises:
        GanlabError: the run's `run.json` is damaged.
    """
    layout = RunLayout(file.resolve().parent)
    return read_run(layout.root) if file.resolve() == layout.resolved and layout.state.is_file() else None


def list_runs(
    root: Path, report: Callable[[str], None] = print_warning, *, title: str | None = None
) -> list[Run]:
    """Return the runs under a directory, the newest first; none where there is no such directory.

    Args:
        root: the directory of all runs, or of the runs of one title.
        report: is told of runs that cannot be read, which are left out.
        title: of the runs that are looked for: others are left out, and not told of.
    """
    runs = []
    for pattern in ("*", "*/*"):
        for directory in root.glob(pattern):
            if directory.name.startswith(".") or not RunLayout(directory).state.is_file():
                continue
            try:
                run = read_run(directory)
            except GanlabError as error:
                if title is None or _resolved_title(directory) in (title, None):
                    report(str(error))
            else:
                if title in (run.state.title, None):
                    runs.append(run)
    return sorted(runs, key=lambda run: (run.state.created, run.state.id), reverse=True)


def find_run(wanted: str, root: Path = Path("runs")) -> Run:
    """Return one run.

    Runs that cannot be read are told of on standard error: one of them may be what was meant.

    Args:
        wanted: a run directory's path; `latest`; an id, or `title/id` as directories have it; the title
            of one run, as written or as its directory is called; or the unique beginning of one of
            these. A whole one comes before a beginning, and what else fails may be a directory with one run.
        root: the directory of all runs.

    Raises:
        UsageError: no run is meant, or several are.
    """
    for path in (Path(wanted), root / wanted):
        if RunLayout(path).state.is_file():
            return read_run(path)
    given, path = wanted, Path(wanted)
    wanted = path.name if path.parent.resolve() == root.resolve() else wanted.rstrip("/")
    runs = list_runs(root)
    if not runs:
        if inside := _only_run_in(given):
            return inside
        raise UsageError(
            f"there is no run {given!r}: there are no runs in {root}{_no_directory(given)}; `ganlab run` "
            "makes one, `--runs` names another place"
        )
    if wanted == "latest":
        return runs[0]
    for means in (_is_named, _is_titled, _is_below, _begins):
        found = [run for run in runs if means(run, wanted)]
        if len(found) == 1:
            return found[0]
        if found and means is _begins:
            raise UsageError(f"{wanted!r} is the beginning of several runs:\n{_listing(found)}")
        if found:
            raise UsageError(
                f"{wanted!r} means several runs; give the id of one, or `latest` for the newest of all:\n"
                f"{_listing(found, seeds=True)}"
            )
    if inside := _only_run_in(given):
        return inside
    names = [name for run in runs for name in (run.state.id, run.name, run.state.title, run.path.parent.name)]
    near = closest(wanted, names)
    hint = f"did you mean {near}?" if near else f"the newest are:\n{_listing(runs)}"
    raise UsageError(f"there is no run {wanted!r} in {root}{_no_directory(given)}; {hint}")


def _only_run_in(wanted: str) -> Run | None:
    """Return the run in a directory elsewhere, such as that of a title; `None` where there is none.

    Raises:
        UsageError: it holds several.
    """
    if not Path(wanted).is_dir():
        return None
    found = list_runs(Path(wanted))
    if len(found) > 1:
        raise UsageError(
            f"{wanted} holds several runs; give the directory of one:\n{_listing(found, seeds=True)}"
        )
    return found[0] if found else None


def _is_named(run: Run, wanted: str) -> bool:
    return wanted in (run.state.id, run.name)


def _is_titled(run: Run, wanted: str) -> bool:
    return wanted == run.state.title


def _is_below(run: Run, wanted: str) -> bool:
    return wanted == run.path.parent.name


def _begins(run: Run, wanted: str) -> bool:
    return any(name.startswith(wanted) for name in (run.state.id, run.name, run.state.title))


def _no_directory(wanted: str) -> str:
    """Return what to say of a text that may also have been meant as a path."""
    return f", and {wanted} is no run's directory" if exists(Path(wanted)) else ", and no such directory"


def _resolved_title(directory: Path) -> str | None:
    """Return the title of a run whose state cannot be read; `None` if that cannot be read either."""
    try:
        title = _read_tables(RunLayout(directory).resolved, parse_toml).get("title")
    except GanlabError:
        return None
    return title if isinstance(title, str) else None


def _read_tables(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GanlabError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise GanlabError(f"{path} is damaged: it is not a table of names and values")
    return content


def _with_tags_of_now(line: dict[str, Any]) -> dict[str, Any]:
    return {tag_up_to_date(key): value for key, value in line.items()}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _listing(runs: list[Run], *, seeds: bool = False) -> str:
    lines = [f"    {run.name}  {run.state.title}{_seed(run) * seeds}" for run in runs[:_LISTED]]
    if len(runs) > _LISTED:
        lines.append(f"    … and {len(runs) - _LISTED} more")
    return "\n".join(lines)


def _seed(run: Run) -> str:
    """Return the seed of a run as words to add, nothing where its experiment cannot be read."""
    try:
        return f", seed {run.experiment().get('seed', 0)}"
    except GanlabError:
        return ""
