"""Errors meant for people, and the exit codes they end in.

Everything a user can cause is a `GanlabError`: the command line prints its
message without a traceback (`--traceback` shows the rest). Any other exception
is a bug.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "ComponentCrashError",
    "ComponentError",
    "DivergedError",
    "ExperimentError",
    "GanlabError",
    "InterruptedRunError",
    "LostProcessError",
    "OutOfMemoryError",
    "Problem",
    "UsageError",
    "located",
    "mending",
    "printable",
    "summarised",
]


def printable(text: str, longest: int = 120) -> str:
    """Return text on one line and as any terminal can show it, to be quoted in a message.

    Control characters, line ends among them, are escaped. The bytes of file names that are not
    text (PEP 383) stay as they are.

    Args:
        text: whatever a user has written.
        longest: characters from which on the middle is left out.
    """
    if len(text) > longest:
        text = f"{text[: longest * 2 // 3]} … {text[-longest // 3 :]}"
    return "".join(
        character
        if character.isprintable() or "\udc80" <= character <= "\udcff"
        else character.encode("unicode_escape").decode()
        for character in text
    )


class GanlabError(Exception):
    """Base of all errors that are explained rather than traced."""

    exit_code = 2


class UsageError(GanlabError):
    """The command was used wrongly, or points at something that is not there."""


class ComponentError(GanlabError):
    """A component cannot work as asked: raised by a plugin for a user's mistake.

    Args:
        message: what is wrong, where, and what would be right.
        option: the component's option at fault, so that the core can name its
            file and line; `None` blames the component as a whole.
    """

    def __init__(self, message: str, *, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an experiment.

    Attributes:
        path: dotted path of the key, as in `losses.0.weight`; empty for the file as a whole.
        message: what is wrong.
        hint: what would be right; empty if there is nothing to add.
        file: the file that the key stands in; `None` for `--set` and defaults.
        line: 1-based line in `file`.
        column: 1-based column, where the file is not even TOML.
    """

    path: str
    message: str
    hint: str = ""
    file: Path | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = str(self.file) if self.file else ""
        if self.file and self.line:
            place += f":{self.line}" + (f":{self.column}" if self.column else "")
        head = ": ".join(part for part in (place, printable(self.path), self.message) if part)
        return head + "".join(f"\n    {line}" for line in self.hint.splitlines())


class ExperimentError(GanlabError):
    """An experiment that cannot be run, with every problem found at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ComponentCrashError(GanlabError):
    """A component raised something that it does not explain: a bug, and the plugin's own."""

    exit_code = 1


class DivergedError(GanlabError):
    """A loss or gradient stopped being finite; the turn that it happened in moved no weight.

    Args:
        message: which terms, and at which step.
        step: the step that was not completed, counted from 1.
        values: losses and gradient norms by tag, as they were then.
    """

    exit_code = 3

    def __init__(self, message: str, *, step: int, values: Mapping[str, float]) -> None:
        super().__init__(message)
        self.step = step
        self.values = dict(values)


class InterruptedRunError(GanlabError):
    """The run was asked to stop, saved its state, and can be taken up again."""

    exit_code = 75


class OutOfMemoryError(GanlabError):
    """Memory could not be allocated, on the CPU or an accelerator: a matter of sizes, not a bug."""


class LostProcessError(GanlabError):
    """Another process of the run is dead or stuck: those that are left cannot continue without it."""

    exit_code = 1


def summarised(error: BaseException) -> str:
    """Return an exception's type and first line; torch adds the stack of its C++ code to that."""
    lines = str(error).splitlines()
    text = lines[0].strip() if lines else ""
    # A line that only announces the next says nothing by itself.
    if text.endswith(":") and len(lines) > 1:
        text = f"{text} {lines[1].strip()}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_NOT_A_COMPONENT = frozenset(
    {"ganlab", "numpy", "PIL", "pluggy", "pydantic", "pydantic_core", "scipy", "sklearn", "torch"}
)
"""Top-level modules whose lines do not tell an author where to look."""


def located(error: BaseException) -> str:
    """Return an exception's type and first line, and the innermost line of a component's own code.

    That is none of ganlab's, torch's and the like; there is none where a component is called in a way that it
    does not know.
    """
    lines = [
        f"{frame.f_code.co_filename}:{number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if (module := frame.f_globals.get("__name__", "").partition(".")[0]) not in _NOT_A_COMPONENT
        and module not in sys.stdlib_module_names
    ]
    return f"{summarised(error)} (at {lines[-1]})" if lines else summarised(error)


_NAMES_A_DEVICE = ("CUDA enabled", "NVIDIA driver", "No CUDA GPUs", "on the same device", "torch.cuda.")
"""Parts of what torch says where code names a device that is not there, or not its input's."""


def mending(error: BaseException) -> str:
    """Return what would help against an exception that many components raise; empty for any other."""
    if any(part in str(error) for part in _NAMES_A_DEVICE):
        return "name no device: the engine moves networks, and new tensors take theirs from `samples.device`"
    if "Expected more than 1 value per channel" in str(error):
        return "batch normalisation takes 2 samples at once: raise training.batch_size or its microbatch_size"
    if "a leaf Variable that requires grad" in str(error):
        return "change nothing in place of what is given: copy it first"
    return ""
