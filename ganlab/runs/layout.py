"""Names of files inside a run directory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RunLayout", "slug", "tracker_directory"]


@dataclass(frozen=True)
class RunLayout:
    """Where things are inside the run directory `root`."""

    root: Path

    @property
    def experiment(self) -> Path:
        """The user's experiment file, as it was."""
        return self.root / "experiment.toml"

    @property
    def resolved(self) -> Path:
        """The experiment with every default filled in; running it repeats the run."""
        return self.root / "resolved.toml"

    @property
    def state(self) -> Path:
        """What the run is, how far it got and how it ended."""
        return self.root / "run.json"

    @property
    def environment(self) -> Path:
        """The machine and the versions."""
        return self.root / "environment.json"

    @property
    def metrics(self) -> Path:
        """Scalars, one line per log point."""
        return self.root / "metrics.jsonl"

    @property
    def evaluations(self) -> Path:
        """Measurements, one line each."""
        return self.root / "evaluations.jsonl"

    @property
    def plugins(self) -> Path:
        """Copies of local plugin files."""
        return self.root / "plugins"

    @property
    def samples(self) -> Path:
        """Pictures."""
        return self.root / "samples"

    @property
    def checkpoints(self) -> Path:
        """One directory per checkpoint; the pointers LAST and BEST stand beside it."""
        return self.root / "checkpoints"

    @property
    def logs(self) -> Path:
        """Diagnostics: health warnings, bundles of a divergence."""
        return self.root / "logs"

    @property
    def later(self) -> Path:
        """Measurements that were made after training, one directory each time."""
        return self.root / "evaluate"

    @property
    def lock(self) -> Path:
        """Locked by whoever writes the run."""
        return self.root / ".lock"

    def tracker(self, label: str) -> Path:
        """Return the directory that belongs to a tracker, by its label."""
        ours = {entry.name for entry in (self.plugins, self.samples, self.checkpoints, self.logs, self.later)}
        return tracker_directory(self.root, label, ours | {"last", "best"})


def tracker_directory(root: Path, label: str, taken: Collection[str]) -> Path:
    """Return a tracker's directory: one named by its label, or one in `trackers/` where that could be taken.

    Args:
        root: the directory that it is to be in.
        label: the tracker's.
        taken: names of other things there, in lower case, without those that have a dot.
    """
    free = label.lower() not in {*taken, "trackers"} and "." not in label
    return root / label if free else root / "trackers" / label


def slug(title: str) -> str:
    """Return a title as a directory name: ASCII letters, digits and hyphens, at most 60 of them.

    Several titles may share one: what a run is called stands in its `run.json`.
    """
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")
    return words[:60].rstrip("-") or "run"
