"""What the registry passes along: plugins found, components offered, failures met."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple, TypeAlias

from ganlab.components import Component
from ganlab.errors import GanlabError

__all__ = [
    "FoundPlugin",
    "LoadedPlugin",
    "LocalFile",
    "Offer",
    "PluginError",
    "PluginFailure",
    "Provenance",
    "Stage",
    "UnknownComponentError",
]

Stage: TypeAlias = Literal["find", "import", "hooks", "components"]


@dataclass(frozen=True)
class PluginFailure:
    """Something that kept a plugin, or a part of it, from being used.

    Attributes:
        plugin: the plugin's id.
        stage: where it happened: `find` (no such file), `import`, `hooks` (their
            declaration) or `components` (what they yield).
        message: what is wrong, in one line.
        traceback: the whole of it where an exception was the cause; else empty.
        requested: the plugin as the experiment or the command line names it; empty for
            installed plugins.
    """

    plugin: str
    stage: Stage
    message: str
    traceback: str = field(default="", repr=False)
    requested: str = ""

    def __str__(self) -> str:
        return f"plugin {self.plugin}: {self.message}"


class PluginError(GanlabError):
    """A plugin failed while `GANLAB_STRICT_PLUGINS=1` asks to stop at the first failure."""

    def __init__(self, failure: PluginFailure) -> None:
        self.failure = failure
        super().__init__(str(failure))


class UnknownComponentError(GanlabError):
    """A component name that means nothing, or more than one thing.

    Attributes:
        message: what is wrong.
        hint: what would be right, one thought a line.
    """

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint
        super().__init__("\n".join([message, *(f"    {line}" for line in hint.splitlines())]))


@dataclass(frozen=True)
class FoundPlugin:
    """A plugin that exists, not yet imported.

    Attributes:
        id: `distribution:entry-point`, a local file's name, or a module's name.
        distribution: what `distribution/name` says; a file's stem for local files.
        name: the entry point's name, the file's stem or the module's name.
        version: of the distribution; empty for local plugins.
        requested: as the experiment or the command line names it; empty if installed.
        entry_point: how an installed plugin is imported.
        file: the source of a local plugin: a `.py` file or a package directory.
    """

    id: str
    distribution: str
    name: str
    version: str = ""
    requested: str = ""
    entry_point: EntryPoint | None = None
    file: Path | None = None

    def failure(self, stage: Stage, message: str, traceback: str = "") -> PluginFailure:
        """Return a failure of this plugin."""
        return PluginFailure(self.id, stage, message, traceback, self.requested)


@dataclass(frozen=True)
class LocalFile:
    """A source file that a local plugin runs.

    Attributes:
        name: relative to the directory that it is imported from, as in `patch_gan.py`.
        path: absolute.
        sha256: hex digest of its content when it was loaded.
    """

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class LoadedPlugin:
    """An imported plugin; `files` are its sources where it is a local one, its own first."""

    found: FoundPlugin
    module: ModuleType
    files: tuple[LocalFile, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Where a component comes from.

    Attributes:
        distribution: the installed distribution, or the stem of a local file.
        version: its version; empty for local plugins.
        plugin: the plugin's id.
        module: the module that declares it.
        files: the sources of a local plugin, its own first; empty for installed ones.
    """

    distribution: str
    version: str
    plugin: str
    module: str
    files: tuple[LocalFile, ...] = ()

    def __str__(self) -> str:
        if self.files:
            return str(self.files[0].path)
        return f"{self.distribution} {self.version}".strip()


class Offer(NamedTuple):
    """A component and the plugin that offers it."""

    component: Component
    provenance: Provenance

    @property
    def qualified_name(self) -> str:
        """`distribution/name`, which tells components of equal names apart."""
        return f"{self.provenance.distribution}/{self.component.name}"
