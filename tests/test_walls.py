"""The walls between the parts, and that the checks fail when one is broken."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1]


def python_files(*folders: str, project: Path = PROJECT) -> list[Path]:
    return [path for folder in folders for path in sorted((project / folder).rglob("*.py"))]


def broken_contracts(project: Path) -> list[str]:
    """Return the import walls that do not stand."""
    code = "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"PYTHONPATH": f"{project}:{project / 'plugins'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    assert bool(broken) == bool(result.returncode), result.stdout + result.stderr
    return broken


def template(node: ast.AST) -> str | None:
    """Return the text of a string, an f-string's with `{}` for each part that it fills in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def strings(tree: ast.AST) -> list[tuple[ast.AST, str]]:
    """Return the strings of a module that are no documentation, each with its text."""
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    apart |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = ((node, template(node)) for node in ast.walk(tree) if id(node) not in apart)
    return [(node, text) for node, text in found if text]


def tag_families(project: Path) -> set[str]:
    texts = [text for _, text in strings(ast.parse((project / "ganlab" / "tags.py").read_text()))]
    return {match[0] for text in texts if (match := re.match(r"[a-z_]+/", text))}


def spelled_tags(project: Path) -> list[str]:
    """Return where a tag is spelled outside the module that knows them all."""
    families = tuple(tag_families(project))
    found = []
    for path in python_files("ganlab", "plugins", project=project):
        if path == project / "ganlab" / "tags.py":
            continue
        found += [
            f"{path}:{line}: {text}" for line, text in texts(path.read_text()) if text.startswith(families)
        ]
    return found


@cache
def texts(source: str) -> list[tuple[int, str]]:
    """Return the strings of a module, each with its line, but for names of streams of random numbers.

    Those are called as tags are.
    """
    tree = ast.parse(source)
    streams = {
        id(node.slice)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("streams")
    }
    return [
        (node.lineno, text)  # type: ignore[attr-defined]
        for node, text in strings(tree)
        if id(node) not in streams
    ]


PATH_CALLS = {"Path", "PurePath", "glob", "joinpath", "open", "path.join", "rglob", "with_name"}


def path_operands(tree: ast.AST) -> set[int]:
    """Return (by `id`) what paths are put together from: operands of `/`, arguments of what takes paths."""
    named = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found += [node.left, node.right]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if any(called == name or called.endswith(f".{name}") for name in PATH_CALLS):
                found += node.args
    for node in found:  # it grows on the way
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            found += [node.left, node.right]
        elif isinstance(node, ast.Name) and node.id in named:
            found.append(named.pop(node.id))
    return {id(node) for node in found}


@cache
def path_parts(source: str) -> list[tuple[int, str]]:
    """Return the parts of all paths that a module spells, each with its line.

    A name with a suffix is a path wherever it stands, and so is what goes on from something else with
    a slash; other words mean many things, and count where paths are put together alone.
    """
    tree = ast.parse(source)
    operands = path_operands(tree)
    return [
        (node.lineno, part)  # type: ignore[attr-defined]
        for node, text in strings(tree)
        for part in text.split("/")
        if re.search(r"[\w}]\.\w", part) or id(node) in operands or text.startswith("{}/")
    ]


FILLED_IN = re.compile(r"{}|[*]")


def run_names(project: Path) -> tuple[set[str], set[str]]:
    """Return the names of files and directories in a run, and the beginnings of those that are filled in."""
    layout = (project / "ganlab" / "runs" / "layout.py").read_text()
    parts = {part for _, part in path_parts(layout)}
    heads = {FILLED_IN.split(part)[0] for part in parts if FILLED_IN.search(part) or part.endswith("-")}
    return {part for part in parts if not FILLED_IN.search(part)}, heads - {""}


def spelled_run_names(project: Path) -> list[str]:
    """Return where a file or directory of a run is named outside the module that knows them all."""
    names, heads = run_names(project)
    return [
        f"{path}:{line}: {part}"
        for path in python_files("ganlab", "plugins", project=project)
        if path != project / "ganlab" / "runs" / "layout.py"
        for line, part in path_parts(path.read_text())
        if part in names or part.startswith(tuple(heads))
    ]


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def imported_plugins(project: Path) -> list[str]:
    """Return where the core imports a built-in plugin."""
    plugins = {path.name for path in (project / "plugins").iterdir()}
    return [
        f"{path}: {name}"
        for path in python_files("ganlab", project=project)
        for name in imports(path)
        if name.split(".")[0] in plugins
    ]


def kinds_of_sample(project: Path) -> tuple[set[str], set[str], set[str]]:
    """Return the classes of all kinds of sample, what files call the kinds, and the fields they have."""
    classes, words, fields = set(), set(), set()
    for node in ast.walk(ast.parse((project / "ganlab" / "samples.py").read_text())):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "SampleSpec" for base in node.bases):
            classes.add(node.name)
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "kind":
                    words.add(ast.literal_eval(ast.unparse(field.value or field)))
                elif isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field.annotation):
                    fields.add(ast.unparse(field.target))
    return classes, words, fields - {"classes"}


ARRAYS_OF_FILES = ("ganlab/data/image_set.py", "ganlab/tracking/pictures.py")
"""They read and write files of pictures, where the shape of an array is the file's own affair."""

RANK = re.compile(r"(?<!\bfeatures)\.(ndim|dim\(\))$|^len\(.*(?<!\bfeatures\.)shape\)$")
"""The number of dimensions of something that may be samples."""


def branches_on_samples(project: Path) -> list[str]:
    """Return where the core tells kinds of sample apart by itself, instead of asking the spec.

    A branch on the class of a spec, on the kind that a file gives, on a field that one kind has, on the
    rank or type of an array of samples, or a list of the kinds, which lacks the next one.
    """
    classes, words, fields = kinds_of_sample(project)

    def named(node: ast.AST) -> set[str]:
        return {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node)} & classes

    def on_class(node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            return bool(named(node.args[1]))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr":
            return ast.unparse(node.args[1])[1:-1] in fields
        if isinstance(node, ast.Compare):
            return any(map(named, sides(node))) or (
                any(isinstance(side, ast.Constant) and side.value in words for side in sides(node))
                and any(re.search(r"\bkind\W*$", ast.unparse(side)) for side in sides(node))
            )
        if isinstance(node, ast.MatchClass):
            return bool(named(node.cls))
        listing = (ast.BinOp, ast.Dict, ast.IfExp, ast.List, ast.Set, ast.Tuple)
        return isinstance(node, listing) and len(named(node)) > 1

    def on_array(node: ast.AST) -> bool:
        if not isinstance(node, ast.Compare):
            return False
        numbers = [side.value for side in sides(node) if isinstance(side, ast.Constant)]
        ranked = any(RANK.search(ast.unparse(side)) for side in sides(node))
        return (ranked and numbers != [0]) or any("uint8" in ast.unparse(side) for side in sides(node))

    found: dict[str, str] = {}
    for path in python_files("ganlab", project=project):
        place = path.relative_to(project).as_posix()
        if place == "ganlab/samples.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if on_class(node) or (place not in ARRAYS_OF_FILES and on_array(node)):
                found.setdefault(f"{path}:{node.lineno}", ast.unparse(node))  # type: ignore[attr-defined]
    return [f"{where}: {branch}" for where, branch in found.items()]


def sides(node: ast.Compare) -> list[ast.expr]:
    return [node.left, *node.comparators]


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


def test_hook_modules_import_no_torch() -> None:
    names = sorted(path.name for path in (PROJECT / "plugins").glob("ganlab_*"))
    code = f"import sys, {', '.join(names)}\nassert not {{'torch', 'numpy', 'PIL'}} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
