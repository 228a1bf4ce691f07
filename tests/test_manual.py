"""The plugin manual's examples, pasted as a reader would: each a whole file, checked and run together."""

from __future__ import annotations

import csv
import re
import runpy
from pathlib import Path

import pytest
from fresh_process import ganlab

from ganlab.__main__ import main
from ganlab.kinds import KINDS
from ganlab.registry import Offer, load_registry
from ganlab.testing import check_component

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1]
MANUAL = (PROJECT / "docs" / "plugins.md").read_text()

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", MANUAL, flags=re.MULTILINE | re.DOTALL)
FILES = {
    content.splitlines()[0].removeprefix("# "): content
    for language, content in BLOCKS
    if language == "python"
}
PLUGINS = sorted(name for name in FILES if not name.startswith("test_"))

SHORT = [
    *("--set", "training.steps=2", "--set", "training.batch_size=8", "--set", "dataset.count=60"),
    *("--set", "evaluators.0.samples=16", "--set", "evaluators.0.every=2", "--set", "samples.count=4"),
]


@pytest.fixture(scope="module")
def pasted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pasted")
    for name, content in FILES.items():
        (directory / name).write_text(content)
    (experiment,) = [content for language, content in BLOCKS if language == "toml" and "title" in content]
    (directory / "experiment.toml").write_text(experiment)
    return directory


def offers(directory: Path, name: str) -> list[Offer]:
    registry = load_registry(plugins=[f"./{name}"], relative_to=directory)
    assert not registry.failures
    return [offer for offer in registry.offers if offer.provenance.plugin == name]


@pytest.mark.parametrize("name", PLUGINS)
def test_every_example_keeps_its_promises(pasted: Path, name: str) -> None:
    found = offers(pasted, name)
    assert found
    for offer in found:
        check_component(offer.component)


def test_every_kind_but_the_encoder_has_an_example(pasted: Path) -> None:
    kinds = {offer.component.kind for name in PLUGINS for offer in offers(pasted, name)}
    assert kinds == {*KINDS} - {"encoder"}


def test_the_tests_that_authors_write_pass(pasted: Path) -> None:
    for name in PLUGINS:
        offers(pasted, name)  # as `pytest` does, this puts the directory on `sys.path`
    tests = runpy.run_path(str(pasted / "test_plugins.py"))
    functions = [member for name, member in tests.items() if name.startswith("test_")]
    assert len(functions) == 3
    for function in functions:
        function()


def test_all_of_them_in_one_run(pasted: Path) -> None:
    result = ganlab("run", "experiment.toml", *SHORT, cwd=pasted)
    assert result.returncode == 0, result.stdout + result.stderr
    (table,) = (pasted / "runs").rglob("scalars.csv")
    with table.open() as file:
        tags = {row["tag"] for row in csv.DictReader(file)}
    assert {"loss/discriminator/fake-gradient", "loss/generator/pairwise"} <= tags
    assert any(tag.startswith("evaluation/sliced-wasserstein/") for tag in tags)


def test_the_error_that_is_shown_is_the_error(
    pasted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = (pasted / "experiment.toml").read_text().replace("filters = 64", "kernel = 99")
    (pasted / "broken.toml").write_text(broken)
    monkeypatch.chdir(pasted)
    with pytest.raises(SystemExit) as end:
        main(["validate", "broken.toml", "--set", "dataset.count=60"])
    assert end.value.code == 2
    (shown,) = re.findall(r"^experiment\.toml:\d+: (.*)$", MANUAL, flags=re.MULTILINE)
    assert f"broken.toml:{line_of(broken, 'kernel')}: {shown}" in capsys.readouterr().err


def line_of(text: str, word: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if word in line)


def test_the_conformance_error_that_is_shown_is_the_error(pasted: Path) -> None:
    source = FILES["pairwise.py"].replace("game.real_logits).mean()", "game.real_logits).sum()", 1)
    (pasted / "summing").mkdir()
    (pasted / "summing" / "summing_losses.py").write_text(source)
    found = offers(pasted / "summing", "summing_losses.py")
    (pairwise,) = [offer for offer in found if offer.component.name == "pairwise"]
    (shown,) = [content for _, content in BLOCKS if content.startswith("ConformanceError: ")]
    with pytest.raises(AssertionError) as caught:
        check_component(pairwise.component)
    assert " ".join(shown.split()) == f"ConformanceError: {caught.value}"


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table that begins with a header."""
    (table,) = re.findall(rf"^\| {header} .*\n\| ---.*\n((?:\|.*\n)+)", MANUAL, flags=re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def test_the_table_of_kinds_is_the_core_s_own() -> None:
    derived = []
    for word, kind in KINDS.items():
        given = ", ".join(("options", *kind.build_gets))
        derived.append([word, f"`{kind.hook}`", f"`{kind.record.__name__}`", f"`({given})`", kind.makes])
    assert rows("kind") == derived


def test_the_keys_that_no_option_can_have_are_all_named() -> None:
    taken = {key for kind in KINDS.values() for key in kind.core_keys}
    (sentence,) = re.findall(r"The keys that the core reads.*?cannot be options", MANUAL, flags=re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == taken
