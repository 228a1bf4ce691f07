"""Where an experiment's keys stand, for errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganlab.errors import Problem, printable

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """Where an experiment's keys stand.

    Attributes:
        places: dotted path -> (file, 1-based line); paths inside arrays carry indices.
        overrides: what `--set` gave: the origin of keys that stand in no file.
    """

    places: Mapping[str, tuple[Path | None, int | None]]
    overrides: Sequence[str] = ()

    def find(self, path: str) -> tuple[Path | None, int | None]:
        """Return the place of a key, or of the nearest table around it."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.places.get("", (None, None))

    def problem(self, path: str, message: str, hint: str = "") -> Problem:
        """Return a problem at a key, with its file and line, or the words of the `--set` that gave it."""
        file, line = self.find(path)
        if file is None:
            hint = "\n".join(filter(None, (hint, self._override(path))))
        return Problem(path=path, message=message, hint=hint, file=file, line=line)

    def _override(self, path: str) -> str:
        """Return the words of the `--set` that gave a key, or else the nearest table around it."""
        while path:
            for override in reversed(self.overrides):
                key = override.partition("=")[0].strip()
                if f"{path}.".startswith(f"{key}.") or key.startswith(f"{path}."):
                    return f"from --set {printable(override)}"
            path = path.rpartition(".")[0]
        return ""
