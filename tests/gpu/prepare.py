"""Make ganlab importable beside a machine's own torch: fill a folder with what is missing.

    python tests/gpu/prepare.py FOLDER

Missing packages come from `tests/gpu/wheels`, and from nowhere else; what is installed already is left
alone, torch above all. A folder on PYTHONPATH, and no virtual environment, since those need parts of
Python that not every machine has. Nothing but the standard library and pip is used.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

try:
    from packaging.requirements import Requirement
except ImportError:  # pip has one of its own
    from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
WHEELS = HERE / "wheels"
TESTS_NEED = ("pytest>=8", "hypothesis>=6.100")


def main() -> None:
    """Fill the folder, and tell what was done."""
    site = Path(sys.argv[1])
    site.mkdir(parents=True)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [Requirement(text) for text in (*project["dependencies"], *TESTS_NEED)]
    torch = next(each for each in required if each.name == "torch")
    if not satisfied(torch):
        raise SystemExit(f"this machine has no {torch}: {installed('torch') or 'none'} for {sys.executable}")
    lacking = missing([each for each in required if each is not torch])
    for name in lacking:
        print(f"{name}: {install(name, site)}")
    print(f"{len(required) - 1} packages are needed, {len(lacking)} were missing")
    register(project, site)


def installed(name: str) -> str | None:
    """Return the version of a distribution, if there is one."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def satisfied(requirement: Requirement) -> bool:
    """Return whether a requirement is met by what is installed."""
    version = installed(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def missing(required: list[Requirement]) -> list[str]:
    """Return the names that are to be installed, with what they need in turn, as far as wheels tell."""
    names: list[str] = []
    waiting = [each for each in required if not satisfied(each)]
    while waiting:
        name = waiting.pop().name
        if name not in names:
            names.append(name)
            waiting += [each for each in needs_of(name) if not satisfied(each)]
    return names


def needs_of(name: str) -> Iterator[Requirement]:
    """Yield what a wheel in the folder requires."""
    stem = name.lower().replace("-", "_")
    for wheel in sorted(WHEELS.glob("*.whl")):
        if wheel.name.partition("-")[0].lower() == stem:
            with ZipFile(wheel) as content:
                (note,) = (entry for entry in content.namelist() if entry.endswith(".dist-info/METADATA"))
                yield from requirements(content.read(note).decode())
            return


def requirements(note: str) -> Iterator[Requirement]:
    """Yield what a distribution's METADATA requires here, without its extras."""
    for line in note.partition("\n\n")[0].splitlines():
        if line.startswith("Requires-Dist: "):
            requirement = Requirement(line.removeprefix("Requires-Dist: "))
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                yield requirement


def install(name: str, site: Path) -> str:
    """Install one distribution from the wheels into the folder; return how that went."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-index", "--find-links", str(WHEELS), "--no-compile", "--target", str(site), name],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return "installed from the wheels"
    return f"could not be installed: {(done.stderr.strip().splitlines() or ['pip says nothing'])[-1]}"


def register(project: dict[str, object], site: Path) -> None:
    """Write what an installed ganlab would tell of itself: its version, and its plugins' entry points."""
    note = site / f"ganlab-{project['version']}.dist-info"
    note.mkdir()
    (note / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ganlab\nVersion: {project['version']}\n")
    groups = project["entry-points"]
    assert isinstance(groups, dict)
    text = "".join(
        f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in entries.items())
        for group, entries in groups.items()
    )
    (note / "entry_points.txt").write_text(text)


if __name__ == "__main__":
    main()
