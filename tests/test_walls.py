"""The walls between the parts, and that the checks fail when one is broken."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from walls import (
    PROJECT,
    branches_on_samples,
    broken_contracts,
    imported_plugins,
    imports,
    python_files,
    spelled_run_names,
    spelled_tags,
)

pytestmark = pytest.mark.slow

Check = Callable[[Path], list[str]]

CHECKS: list[Check] = [
    broken_contracts,
    imported_plugins,
    spelled_tags,
    spelled_run_names,
    branches_on_samples,
]

VIOLATIONS: dict[str, tuple[Check, str, str]] = {
    "the core imports a built-in plugin": (
        imported_plugins,
        "ganlab/engine/engine.py",
        "def build():\n    import ganlab_dcgan.networks",
    ),
    "the engine imports runs": (broken_contracts, "ganlab/engine/engine.py", "import ganlab.runs.layout"),
    "imports run backwards": (
        broken_contracts,
        "ganlab/config/settings.py",
        "import ganlab.engine.streams",
    ),
    "a circle between parts": (
        broken_contracts,
        "ganlab/registry/__init__.py",
        "import ganlab.config.settings",
    ),
    "a hook module's surroundings import torch": (
        broken_contracts,
        "ganlab/components.py",
        "import torch",
    ),
    "a tag": (spelled_tags, "ganlab/engine/meter.py", 'read = {"balance/accuracy": 0.5}'),
    "a tag that is filled in": (
        spelled_tags,
        "plugins/ganlab_tensorboard/layout.py",
        'tag = f"loss/{player}/total"',
    ),
    "a family of tags": (spelled_tags, "ganlab/commands/validate.py", 'name.startswith("loss/")'),
    "a command names a directory of a run": (
        spelled_run_names,
        "ganlab/commands/run.py",
        "pictures = lambda run: run.path / 'samples'",
    ),
    "a command names a file of a run": (
        spelled_run_names,
        "ganlab/commands/runs.py",
        "count = lambda run: len(open(f'{run.path}/metrics.jsonl').readlines())",
    ),
    "a recorder names a file of a run": (
        spelled_run_names,
        "ganlab/training/recorder.py",
        'DIVERGENCE = "divergence.json"',
    ),
    "a recorder fills in the name of a file": (
        spelled_run_names,
        "ganlab/training/recorder.py",
        'picture = lambda name: f"divergence-{name}.png"',
    ),
    "a name for a directory": (
        spelled_run_names,
        "ganlab/runs/checkpoints.py",
        "POINTER = 'LAST'\npointer = lambda run: run / POINTER",
    ),
    "a path in one string": (
        spelled_run_names,
        "ganlab/tracking/console.py",
        "weights = Path('checkpoints/x')",
    ),
    "a path by os.path": (
        spelled_run_names,
        "plugins/ganlab_tensorboard/events.py",
        "checkpoint = lambda run: os.path.join(run, f'step-{1:08d}')",
    ),
    "a name before a name": (
        spelled_run_names,
        "ganlab/runs/directory.py",
        "unfinished = lambda path: path.with_name('.writing-' + path.name)",
    ),
    "a path that goes on from another": (
        spelled_run_names,
        "ganlab/commands/evaluate.py",
        'later = lambda run: f"{run}/evaluate/x"',
    ),
    "a branch on the class of a spec": (
        branches_on_samples,
        "ganlab/engine/networks.py",
        "bounded = lambda spec: isinstance(spec, ImageSpec)",
    ),
    "a branch on one of two classes": (
        branches_on_samples,
        "ganlab/data/feed.py",
        "kept = lambda spec: isinstance(spec, (int, components.VectorSpec))",
    ),
    "a class that is compared": (
        branches_on_samples,
        "ganlab/commands/describe.py",
        "word = lambda kind: 'images' if kind is ImageSpec else 'vectors'",
    ),
    "a class among those that are accepted": (
        branches_on_samples,
        "ganlab/config/checks.py",
        "drawn = lambda component: ImageSpec in component.accepts",
    ),
    "a table of the classes": (
        branches_on_samples,
        "ganlab/testing/subject.py",
        "small = lambda spec: {ImageSpec: 32, VectorSpec: 2}[type(spec)]",
    ),
    "a choice between the classes": (
        branches_on_samples,
        "ganlab/commands/evaluate.py",
        "samples = lambda experiment: VectorSpec if experiment.image is None else ImageSpec",
    ),
    "a type that knows two kinds": (
        branches_on_samples,
        "ganlab/config/draft.py",
        "Kinds = type[ImageSpec] | type[VectorSpec]",
    ),
    "a match of the classes": (
        branches_on_samples,
        "ganlab/evaluation/extraction.py",
        "match 1:\n    case VectorSpec(dimension=2):\n        pass",
    ),
    "a kind in a file": (
        branches_on_samples,
        "ganlab/data/store.py",
        "spec = lambda note: dict if note['kind'] == 'image' else list",
    ),
    "a field that one kind has": (
        branches_on_samples,
        "ganlab/engine/memory_estimate.py",
        "pixels = lambda spec: hasattr(spec, 'height')",
    ),
    "the rank of a batch": (
        branches_on_samples,
        "ganlab/engine/sampling.py",
        "drawn = lambda samples: samples.ndim == 4",
    ),
    "the rank of a batch by another name": (
        branches_on_samples,
        "ganlab/training/pictures.py",
        "drawn = lambda samples: 2 < samples.dim()",
    ),
    "the length of a shape": (
        branches_on_samples,
        "ganlab/commands/sample.py",
        "drawn = lambda spec: len(spec.shape) == 3",
    ),
    "the type of a batch": (
        branches_on_samples,
        "ganlab/evaluation/extraction.py",
        "drawn = lambda samples: samples.dtype == torch.uint8",
    ),
}

ORDINARY: dict[str, tuple[Check, str]] = {
    "a stream of random numbers": (spelled_tags, 'streams["evaluation/labels"]'),
    "a tag that is spoken of": (spelled_tags, '"""It writes `loss/generator/total`."""'),
    "a path": (spelled_tags, 'file = "data/loss/x.txt"'),
    "a key": (spelled_run_names, 'table = {"samples": 1, "plugins": ["logs"]}["checkpoints"]'),
    "a word": (spelled_run_names, 'print(", ".join(["samples", "BEST"]), "look at samples/")'),
    "a file that is spoken of": (spelled_run_names, '"""It writes `run.json`."""'),
    "a suffix": (spelled_run_names, 'locks = [".lock"]'),
    "a number": (spelled_run_names, "samples = 1\nhalf = samples / 2"),
    "what is said of one kind": (
        branches_on_samples,
        "small = ImageSpec(3, 8, 8) or isinstance(1, SampleSpec)",
    ),
    "a kind of component": (branches_on_samples, 'fed = lambda component: component.kind == "dataset"'),
    "a table of an experiment": (branches_on_samples, 'sized = lambda path: path == "image"'),
    "a scalar": (branches_on_samples, "scalar = lambda part: part.ndim == 0 or part.dim() > 0"),
    "a table of features": (branches_on_samples, "table = lambda features: features.ndim == 2"),
}


@pytest.fixture(scope="module")
def copy_of_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("walls")
    for folder in ("ganlab", "plugins"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


@contextmanager
def planted(project: Path, file: str, line: str) -> Iterator[None]:
    path = project / file
    original = path.read_text()
    path.write_text(f"{original}\n{line}\n")
    yield
    path.write_text(original)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_walls_stand(copy_of_project: Path, check: Check) -> None:
    assert check(copy_of_project) == []


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_violation_fails(copy_of_project: Path, name: str) -> None:
    check, file, line = VIOLATIONS[name]
    with planted(copy_of_project, file, line):
        found = check(copy_of_project)
    assert len(found) == 1, found


@pytest.mark.parametrize("name", ORDINARY)
def test_what_only_looks_like_a_violation_does_not(copy_of_project: Path, name: str) -> None:
    check, line = ORDINARY[name]
    with planted(copy_of_project, "ganlab/engine/meter.py", line):
        assert check(copy_of_project) == []


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


def test_mistakes_are_told_without_torch(tmp_path: Path) -> None:
    text = (PROJECT / "docs/experiments/quickstart.toml").read_text()
    (tmp_path / "x.toml").write_text(text.replace("width = 32", "wdith = 32"))
    code = textwrap.dedent("""
        import sys
        from ganlab.commands.cli import run
        for line in ("validate x.toml", "run x.toml", "run x.toml --seeds 0..1", "run x.toml --fork",
                     "resume latest", "evaluate latest"):
            heavy = {"torch", "numpy", "PIL", "scipy"}
            assert run(line.split()) == 2 and not heavy & set(sys.modules), (line, heavy & set(sys.modules))
    """)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("did you mean `width`?") >= 3


def test_hook_modules_import_no_torch() -> None:
    names = sorted(path.name for path in (PROJECT / "plugins").glob("ganlab_*"))
    code = f"import sys, {', '.join(names)}\nassert not {{'torch', 'numpy', 'PIL'}} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
