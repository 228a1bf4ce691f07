"""The walls between the parts, and that the checks fail when one is broken."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=project,
        env={"PYTHONPATH": f"{project}:{project / 'plugins'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


VIOLATIONS = {
    "the core imports a built-in plugin": ("ganlab/engine/engine.py", "import ganlab_dcgan"),
    "the engine imports runs": ("ganlab/engine/engine.py", "import ganlab.runs.layout"),
    "imports run backwards": ("ganlab/config/settings.py", "import ganlab.engine.streams"),
    "a circle between parts": ("ganlab/registry/__init__.py", "import ganlab.config.settings"),
    "a hook module's surroundings import torch": ("ganlab/components.py", "import torch"),
}


@pytest.fixture(scope="module")
def copy_of_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("walls")
    for folder in ("ganlab", "plugins"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


def test_walls_stand(copy_of_project: Path) -> None:
    result = lint_imports(copy_of_project)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_a_planted_violation_fails(copy_of_project: Path, name: str) -> None:
    file, line = VIOLATIONS[name]
    path = copy_of_project / file
    original = path.read_text()
    try:
        path.write_text(f"{original}\n{line}\n")
        result = lint_imports(copy_of_project)
    finally:
        path.write_text(original)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", sorted(path.name for path in (PROJECT / "plugins").glob("ganlab_*")))
def test_built_in_plugins_use_only_what_third_parties_may(package: str) -> None:
    for path in python_files(f"plugins/{package}"):
        for name in imports(path):
            if name.split(".")[0].startswith("ganlab"):
                # Another plugin may be built upon, by anybody; the core has one door.
                assert not name.startswith("ganlab."), f"{path}: {name}"


FORBIDDEN_IN_LOSSES = ("requires_grad_", "backward", "manual_seed", "optim", "autocast", "all_reduce")


def test_only_the_engine_touches_gradients_and_randomness() -> None:
    for path in python_files("plugins", "ganlab/evaluation", "ganlab/data", "ganlab/runs"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else ""
            allowed = name == "manual_seed" and "Generator" in ast.unparse(node)
            allowed |= name == "autocast" and "evaluation" in str(path)  # where it is turned off
            assert name not in FORBIDDEN_IN_LOSSES or allowed, f"{path}:{node.lineno}: {name}"


RUN_FILES = (
    "run.json",
    "metrics.jsonl",
    "evaluations.jsonl",
    "resolved.toml",
    "environment.json",
    "meta.json",
)


def test_only_runs_knows_file_names_of_a_run() -> None:
    for path in python_files("ganlab", "plugins"):
        if (PROJECT / "ganlab" / "runs") in path.parents:
            continue
        tree = ast.parse(path.read_text())
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                assert node.value not in RUN_FILES, f"{path}:{node.lineno}: {node.value}"


@pytest.mark.parametrize(
    "arguments", ["--help", "plugins", "validate --help", "schema", "describe loss hinge"]
)
def test_light_commands_import_no_torch(arguments: str) -> None:
    code = (
        "import sys\nfrom ganlab.__main__ import main\n"
        f"sys.argv = ['ganlab', *{arguments.split()!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'scipy', 'tensorboard'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_hook_modules_import_no_torch() -> None:
    names = sorted(path.name for path in (PROJECT / "plugins").glob("ganlab_*"))
    code = f"import sys, {', '.join(names)}\nassert not {{'torch', 'numpy', 'PIL'}} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
