"""Plugins and distributions made on the spot."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., None]

LOSS = """
from ganlab import LossComponent, hookimpl

@hookimpl
def ganlab_losses():
    yield LossComponent(name="NAME", summary="A loss.", build=lambda options: "NAME of FILE")
"""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith(("ganlab", "torch", "numpy")):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one plugin module, by name and source."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def add(
        distribution: str, module: str, source: str | None, *, name: str = "", version: str = "1.0"
    ) -> None:
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        entries = info / "entry_points.txt"
        known = entries.read_text() if entries.exists() else "[ganlab]\n"
        entries.write_text(f"{known}{name or module} = {module}\n")
        if source is not None:
            (site / f"{module}.py").write_text(textwrap.dedent(source))

    return add


@pytest.fixture
def loss() -> Callable[[str], str]:
    """Source of a plugin with one loss of the given name."""
    return lambda name: LOSS.replace("NAME", name)
