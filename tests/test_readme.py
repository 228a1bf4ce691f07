"""What the README promises, run as a reader would paste it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_process import ganlab

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text()

SHORT = [
    *("--set", "training.steps=2", "--set", "dataset.count=100", "--set", "training.batch_size=8"),
    *("--set", "evaluators.0.samples=16", "--set", "samples.count=4"),
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def only(language: str, *contents: str) -> str:
    (block,) = [block for block in blocks(language) if all(content in block for content in contents)]
    return block


def ganlab_with(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganlab", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_experiment_file_explained_is_valid(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text(only("toml", "Faces with a gradient penalty"))
    result = ganlab("validate", "experiment.toml", "--set", "dataset.count=200", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("warning") == 0


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    (tmp_path / "patch_gan.py").write_text(only("python", "ganlab_discriminators"))
    (tmp_path / "experiment.toml").write_text(only("toml", "patch_gan.py"))
    return tmp_path


def test_the_one_file_discriminator_trains(pasted: Path) -> None:
    result = ganlab("run", "experiment.toml", *SHORT, cwd=pasted)
    assert result.returncode == 0, result.stdout + result.stderr
    (run,) = (pasted / "runs").glob("*/*/")
    assert (run / "plugins" / "patch_gan.py").read_text() == only("python", "ganlab_discriminators")
    described = ganlab("describe", "discriminator", "patch", "--plugin", "./patch_gan.py", cwd=pasted)
    assert "width" in described.stdout


def install(site: Path, distribution: str, module: str, content: str, entry_points: str) -> None:
    """Lay out an installed distribution, as pip would."""
    (site / f"{module}.py").write_text(content)
    information = site / f"{distribution}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(entry_points)


def test_the_same_file_as_a_package_and_a_broken_neighbour(pasted: Path) -> None:
    site = pasted / "site"
    site.mkdir()
    registration = only("toml", "[project.entry-points.ganlab]")
    entry_points = registration.replace("project.entry-points.", "").replace('"', "")
    install(site, "patch_gan", "patch_gan", (pasted / "patch_gan.py").read_text(), entry_points)
    install(site, "broken", "broken", "import no_such_module_at_all\n", "[ganlab]\nbroken = broken\n")
    (pasted / "patch_gan.py").unlink()
    experiment = pasted / "experiment.toml"
    experiment.write_text(experiment.read_text().replace('plugins = ["./patch_gan.py"]\n', ""))
    result = ganlab_with(site, "run", "experiment.toml", *SHORT, cwd=pasted)
    assert result.returncode == 0, result.stdout + result.stderr
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "broken" in warnings[0]
    assert "no_such_module_at_all" in warnings[0]
    assert "Traceback" in ganlab_with(site, "plugins", "--errors", cwd=pasted).stdout


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_links_lead_somewhere(path: str) -> None:
    assert (PROJECT / path.partition("#")[0]).exists()


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"^\| `ganlab ([\w-]+)", README, flags=re.MULTILINE))))
def test_every_verb_in_the_table_exists(verb: str, tmp_path: Path) -> None:
    assert ganlab(verb, "--help", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "experiment", sorted(path.name for path in (PROJECT / "docs/experiments").glob("*.toml"))
)
def test_the_ready_experiments_are_valid(experiment: str) -> None:
    from ganlab.config import load_experiment

    assert load_experiment(PROJECT / "docs" / "experiments" / experiment).settings.title


@pytest.mark.parametrize(
    "experiment",
    sorted(
        path.name
        for word in ("gaussians", "spirals", "two-moons", "checkerboard")
        for path in (PROJECT / "docs/experiments").glob(f"{word}*.toml")
    ),
)
def test_the_toy_experiments_train(experiment: str) -> None:
    from ganlab.config import load_experiment
    from ganlab.data.preparation import prepare
    from ganlab.engine.engine import Engine

    small = ("dataset.count=500", "training.batch_size=16")
    toy = load_experiment(PROJECT / "docs" / "experiments" / experiment, overrides=small)
    engine = Engine.build(toy, prepare(toy))
    for _ in range(2):
        engine.advance()
    losses = {tag: value for tag, value in engine.meter.read().items() if tag.startswith("loss/")}
    assert {term.label for term in engine.terms} <= {part for tag in losses for part in tag.split("/")}
