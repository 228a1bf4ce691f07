"""The documentation against the program: commands, experiment files, settings, links and the site itself."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from fresh_process import ganlab

from ganlab.commands.cli import cli, run
from ganlab.config import load_experiment
from ganlab.config.document import EXTENDS
from ganlab.config.sections import loose_keys, sections
from ganlab.kinds import KINDS
from ganlab.registry import load_registry

PROJECT = Path(__file__).resolve().parents[1]
DOCS = PROJECT / "docs"
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]

BASE = """
title = "What the pages' pieces are added to"
[image]
size = 32
[dataset]
name = "faces"
[generator]
name = "dcgan"
[discriminator]
name = "dcgan"
[[losses]]
name = "non-saturating"
[[evaluators]]
name = "mmd"
[training]
steps = 10
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[str]:
    """Yield every `ganlab …` of a page's consoles, and of its sentences where arguments follow."""
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if found := re.search(r"(?<![\w/-])ganlab (?!-)[a-z].*", line.partition(" #")[0]):
                yield found[0]
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`(ganlab [a-z][^`…]*)`", prose)


COMMANDS = sorted({(page.name, command) for page in PAGES for command in commands(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda text: text)
def test_every_command_and_option_exists(page: str, command: str) -> None:
    name, *arguments = shlex.split(command.replace("\n", " ").partition(" > ")[0])[1:]
    context = click.Context(cli, info_name="ganlab")
    found = cli.get_command(context, name)
    assert found is not None, f"{page}: there is no `ganlab {name}`"
    inner = click.Context(found, info_name=name, parent=context)
    try:
        found.make_parser(inner).parse_args(arguments)
    except click.BadOptionUsage as error:
        if isinstance(error, click.NoSuchOption):
            raise
        assert "requires" in error.message  # It is only spoken of, and exists.


PIECES = [
    (page, index, block)
    for page in PAGES
    for index, block in enumerate(blocks(page, "toml"))
    if "[project" not in block
]


@pytest.mark.parametrize(
    ("page", "index", "block"), PIECES, ids=[f"{page.name}-{index}" for page, index, _ in PIECES]
)
def test_every_piece_of_an_experiment_is_valid(page: Path, index: int, block: str, tmp_path: Path) -> None:
    for content in blocks(page, "python"):
        named = re.match(r"# (\w+\.py)\n", content)
        if named or "@hookimpl" in content:
            (tmp_path / (named[1] if named else "patch_gan.py")).write_text(content)
    overrides = []
    if 'name = "my-critic"' in block:
        assert ganlab("new", "discriminator", "my-critic", cwd=tmp_path).returncode == 0
        overrides = [f'plugins=["{tmp_path}/my_critic.py"]']
    (tmp_path / "base.toml").write_text(BASE)
    table = tomllib.loads(block)
    if isinstance(table.get("evaluators"), dict):  # A table inside one of an evaluator.
        block = f'[[evaluators]]\nname = "mmd"\n{block}'
    if "name" in table:
        block = f"[[evaluators]]\n{block}"
    if "dataset" not in table or "title" not in table:
        block = f'extends = "base.toml"\n{block}'
    experiment = tmp_path / "experiment.toml"
    experiment.write_text(block)
    assert load_experiment(experiment, overrides=overrides).settings.title


def known_keys() -> dict[str, set[str]]:
    """Return the keys that a table may have: the core's, and those of all components that it can choose."""
    known = {section.header: set(section.model.model_fields) for section in sections().values()}
    known |= {kind.header: set(kind.core_keys) for kind in KINDS.values()}
    for offer in load_registry().offers:
        known[KINDS[offer.component.kind].header].update(offer.component.options.model_fields)
    return known | {"[optimizer.discriminator]": known["[optimizer.generator]"]}


def test_the_settings_that_newcomers_are_led_to_exist() -> None:
    lines = (DOCS / "coming-from.md").read_text().splitlines()
    ours = " ".join(line.rpartition(" | ")[2] for line in lines if line.startswith("| "))
    told = [(f"[{section}]", key) for section, key in re.findall(r"`(\w+)\.(\w+)", ours)]
    told += [(header, keys) for header, keys in re.findall(r"`(\[[\w.]+\]) (\w+)", ours)]
    known = known_keys()
    assert len(told) > 15
    assert [(header, key) for header, key in told if key not in known[header]] == []


def test_what_is_set_from_the_command_line_exists() -> None:
    known = known_keys()
    text = "\n".join(page.read_text() for page in PAGES)
    told = [(path, path.split(".")) for path in re.findall(r"--set '?([a-z_]+(?:\.[a-z_0-9]+)+)", text)]
    of_sections = [(path, keys) for path, keys in told if {f"[{keys[0]}]", f"[[{keys[0]}]]"} & known.keys()]
    assert len(of_sections) > 6
    for path, (table, *_, key) in of_sections:
        assert key in known.get(f"[{table}]", set()) | known.get(f"[[{table}]]", set()), path
    labels = {path for path, _ in told} - {
        path for path, _ in of_sections
    }  # a metric's, as `evaluate` takes them
    assert labels <= {"cmmd.weights", "fid.weights", "frechet.features"}


def test_the_keys_at_the_top_are_told() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert all(f"{key.name} = " in readme for key in loose_keys())


def test_the_house_has_a_word_for_every_kind() -> None:
    house = " ".join((DOCS / "architecture.md").read_text().split())
    assert f"is a sort of component: {', '.join(KINDS)}." in house


@pytest.fixture
def site_hooks() -> ModuleType:
    pytest.importorskip("mkdocs", reason="pip install ganlab[docs]")
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_shows_alternatives_as_they_are_written(site_hooks: ModuleType) -> None:
    import markdown

    page = markdown.markdown(site_hooks.commands_reference(), extensions=["tables"])
    rows = [
        re.findall("<td>(.*?)</td>", row, re.DOTALL) for row in re.findall("<tr>(.*?)</tr>", page, re.DOTALL)
    ]
    options = dict(row for row in rows if row)
    assert options["<code>--plugin PATH|MODULE</code>"] == "Load this local plugin too. Repeatable."
    assert all(option.startswith("<code>-") and meaning for option, meaning in options.items())
    assert "\\|" not in page


def test_what_extends_means_is_told_wherever_keys_are(
    site_hooks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["describe"]) == 0
    for told in (site_hooks.experiment_reference(), capsys.readouterr().out):
        assert EXTENDS in " ".join(told.split())


def build_site(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does; quietly, mkdocs would overlook all warnings."""
    pytest.importorskip("mkdocs", reason="pip install ganlab[docs]")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=project,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_site_builds_and_no_link_of_it_is_broken(tmp_path: Path) -> None:
    result = build_site(PROJECT, tmp_path / "site")
    assert result.returncode == 0, result.stdout + result.stderr
    reference = (tmp_path / "site" / "reference" / "components.html").read_text()
    assert 'id="loss-r1"' in reference
    assert "half_life_images" in (tmp_path / "site" / "reference" / "experiment.html").read_text()
    assert (
        'href="plugins.html#testing-with-the-kit"' in (tmp_path / "site" / "idea-to-package.html").read_text()
    )
    assert "mkdocs build --strict\n" in (PROJECT / "Makefile").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "right", "wrong"),
    [
        ("plugins.md", "(#a-file-or-a-package)", "(#a-file-or-a-parcel)"),
        ("idea-to-package.md", "(plugins.md#testing-with-the-kit)", "(plugins.md#testing-with-the-kid)"),
        ("ideas.md", "(comparing.md)", "(compering.md)"),
        ("ideas.md", "(images/ideas-gan.png)", "(images/ideas-gam.png)"),
    ],
)
def test_a_broken_link_stops_the_site(tmp_path: Path, page: str, right: str, wrong: str) -> None:
    for name in ("README.md", "mkdocs.yml"):
        shutil.copy(PROJECT / name, tmp_path)
    shutil.copytree(PROJECT / "docs", tmp_path / "docs")
    text = (tmp_path / "docs" / page).read_text()
    assert right in text
    (tmp_path / "docs" / page).write_text(text.replace(right, wrong))
    result = build_site(tmp_path, tmp_path / "site")
    assert result.returncode == 1 and wrong[1:-1] in result.stdout + result.stderr
