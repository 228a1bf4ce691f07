"""Names of files and directories of a run: nothing else knows them."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = [
    "BEING_WRITTEN",
    "REPLACED",
    "CheckpointLayout",
    "EvaluationLayout",
    "RunLayout",
    "checkpoint_step",
    "dated_name",
    "slug",
]

BEING_WRITTEN = ".writing-"
"""What stands before the name of a checkpoint until it is whole."""

REPLACED = ".replaced-"
"""What stands before the name of a checkpoint while another takes its place."""

_CHECKPOINT = re.compile(r"step-(\d+)")


@dataclass(frozen=True)
class RunLayout:
    """Where things are inside the run directory `root`."""

    root: Path

    @classmethod
    def new(cls, runs: Path, title: str) -> RunLayout:
        """Return the place of a new run among all runs: `<title as a slug>/<UTC time>-<4 hex>`."""
        return cls(runs.resolve() / slug(title) / dated_name())

    @property
    def being_made(self) -> RunLayout:
        """Where the run is put together before it appears."""
        return RunLayout(self.root.with_name(f".creating-{self.root.name}"))

    @property
    def others_being_made(self) -> Iterator[RunLayout]:
        """Runs of the title that are being put together, or died while they were."""
        return map(RunLayout, self.root.parent.glob(".creating-*"))

    @property
    def runs(self) -> Path:
        """The directory of all runs."""
        return self.root.parent.parent

    @property
    def name(self) -> str:
        """Title and id as the directories have them, `celeba-64/20260102-030405-0a1b`."""
        return _last_two(self.root)

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
    def timelapse(self) -> Path:
        """A film of the pictures, where somebody has made one."""
        return self.root / "timelapse.webp"

    @property
    def checkpoints(self) -> Path:
        """One directory per checkpoint."""
        return self.root / "checkpoints"

    @property
    def last(self) -> Path:
        """The name of the checkpoint at which the run stands."""
        return self.root / "LAST"

    @property
    def best(self) -> Path:
        """The name of the best checkpoint."""
        return self.root / "BEST"

    @property
    def logs(self) -> Path:
        """Diagnostics: what a divergence leaves, and what the run was before it was changed."""
        return self.root / "logs"

    @property
    def divergence(self) -> Path:
        """Every number at a divergence."""
        return self.logs / "divergence.json"

    @property
    def later_evaluations(self) -> Path:
        """Measurements that were made after training, one directory each time."""
        return self.root / "evaluate"

    @property
    def lock(self) -> Path:
        """Locked by whoever writes the run."""
        return self.root / ".lock"

    def divergence_picture(self, name: str) -> Path:
        """Return where a picture is that the weights drew at a divergence."""
        return self.logs / f"divergence-{name}.png"

    def before_session(self, number: int) -> RunLayout:
        """Return where files are kept that a session, counted from 1, has replaced: named as in the run."""
        return RunLayout(self.logs / f"before-session-{number}")

    def sample(self, name: str, step: int) -> Path:
        """Return where a picture is: `samples/<name>-00001000.png`."""
        return self.samples / f"{name}-{step:08d}.png"

    def pictures(self, name: str) -> dict[int, Path]:
        """Return the pictures of a name by their step, the earliest first."""
        found = ((path.stem.rpartition("-"), path) for path in self.samples.glob("*-*.png"))
        steps = {int(step): path for (called, _, step), path in found if called == name and step.isdecimal()}
        return dict(sorted(steps.items()))

    def picture_names(self) -> list[str]:
        """Return what its pictures are called, each name once, in the order of the alphabet."""
        found = (path.stem.rpartition("-") for path in self.samples.glob("*-*.png"))
        return sorted({name for name, _, step in found if step.isdecimal()})

    def samples_after(self, step: int) -> Iterator[Path]:
        """Yield the pictures of later steps."""
        for picture in self.samples.glob("*-*.*"):
            number = picture.stem.rpartition("-")[2]
            if number.isdecimal() and int(number) > step:
                yield picture

    def checkpoint(self, step: int) -> CheckpointLayout:
        """Return where the checkpoint of a step is, or is to be: `checkpoints/step-00001000/`."""
        for entry in self.checkpoints.glob(f"step-*{step}"):
            if checkpoint_step(entry.name) == step:
                return CheckpointLayout(entry)
        return CheckpointLayout(self.checkpoints / f"step-{step:08d}")

    def evaluation(self, name: str) -> EvaluationLayout:
        """Return where measurements are that were made after training."""
        return EvaluationLayout(self.later_evaluations / name)

    @property
    def evaluations_later(self) -> list[EvaluationLayout]:
        """Measurements that were made after training, the earliest first."""
        return [EvaluationLayout(path) for path in sorted(self.later_evaluations.glob("*")) if path.is_dir()]

    def tracker(self, label: str) -> Path:
        """Return the directory that belongs to a tracker, by its label."""
        ours = (self.plugins, self.samples, self.checkpoints, self.last, self.best, self.logs)
        return _tracker(self.root, label, (*ours, self.later_evaluations))


@dataclass(frozen=True)
class CheckpointLayout:
    """Where things are inside the directory `root` of a checkpoint."""

    root: Path

    @property
    def being_written(self) -> CheckpointLayout:
        """Where the checkpoint is written before it appears."""
        return CheckpointLayout(self.root.with_name(BEING_WRITTEN + self.root.name))

    @property
    def replaced(self) -> CheckpointLayout:
        """Where an earlier checkpoint of the same step waits until this one has taken its place."""
        return CheckpointLayout(self.root.with_name(REPLACED + self.root.name))

    @property
    def state(self) -> Path:
        """All that a resume needs."""
        return self.root / "state.pt"

    @property
    def generator(self) -> Path:
        """The generator's own weights."""
        return self.root / "generator.safetensors"

    @property
    def averaged_generator(self) -> Path:
        """The generator's averaged weights, where there are any."""
        return self.root / "generator-ema.safetensors"

    @property
    def meta(self) -> Path:
        """What the checkpoint is, and what proves the other files whole."""
        return self.root / "meta.json"


@dataclass(frozen=True)
class EvaluationLayout:
    """Where things are inside the directory `root` of measurements that were made after training."""

    root: Path

    @property
    def name(self) -> str:
        """The directory as the run has it, `evaluate/20260102-030405-0a1b`."""
        return _last_two(self.root)

    @property
    def evaluations(self) -> Path:
        """Measurements, one line each."""
        return self.root / "evaluations.jsonl"

    @property
    def description(self) -> Path:
        """What was measured, with every option, and on which data."""
        return self.root / "evaluation.json"

    @property
    def curves(self) -> Path:
        """Every metric over the checkpoints."""
        return self.root / "curves.png"

    @property
    def pictures(self) -> Path:
        """What the evaluators have to show of the last checkpoint."""
        return self.root / "pictures"

    def tracker(self, label: str) -> Path:
        """Return the directory that belongs to a tracker, by its label."""
        return _tracker(self.root, label, (self.pictures,))


def checkpoint_step(name: str) -> int | None:
    """Return the step of a checkpoint by its directory's name; `None` if the name is no checkpoint's."""
    match = _CHECKPOINT.fullmatch(name)
    return int(match[1]) if match else None


def dated_name() -> str:
    """Return a new name, `<UTC time>-<4 hex>`; later ones sort behind it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def slug(title: str) -> str:
    """Return a title as a directory name: ASCII letters, digits and hyphens, at most 60 of them.

    Several titles may share one: what a run is called stands in its `run.json`.
    """
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")
    return words[:60].rstrip("-") or "run"


def _tracker(root: Path, label: str, others: Collection[Path]) -> Path:
    """Return a tracker's directory: one named by its label, or one in `trackers/` where that could be taken.

    Args:
        root: the directory that it is to be in.
        label: the label of the tracker.
        others: what else is there, without what has a dot in its name.
    """
    together = root / "trackers"
    taken = {path.name.lower() for path in (*others, together)}
    return root / label if label.lower() not in taken and "." not in label else together / label


def _last_two(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
