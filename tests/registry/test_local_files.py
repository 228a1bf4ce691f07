"""Plugins that are a file beside the experiment."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from ganlab.registry import Registry, load_registry

PLUGIN = '''
from ganlab import LossComponent, hookimpl

class Product:
    """What it builds."""

def build(options):
    from product_helper import answer
    return answer()

@hookimpl
def ganlab_losses():
    yield LossComponent(name="local", summary="Local.", build=build)
'''


def write(directory: Path, name: str = "my_plugin", answer: int = 42) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "product_helper.py").write_text(f"def answer(): return {answer}\n")
    file = directory / f"{name}.py"
    file.write_text(PLUGIN)
    return file


def load(*plugins: str, relative_to: Path | None = None) -> Registry:
    return load_registry(plugins=plugins, relative_to=relative_to)


def test_the_readme_case_a_network_beside_the_plugin(tmp_path: Path) -> None:
    write(tmp_path)
    offer = load("./my_plugin.py", relative_to=tmp_path).get("loss", "local")
    assert offer.component.build(None) == 42
    assert offer.qualified_name == "my_plugin/local"


def test_sources_are_recorded_with_their_digests_helpers_included(tmp_path: Path) -> None:
    file = write(tmp_path)
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    provenance = load(str(file)).get("loss", "local").provenance
    assert [source.name for source in provenance.files] == ["my_plugin.py", "product_helper.py"]
    assert provenance.files[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert provenance.version == ""


def test_one_file_by_two_names_is_one_plugin(tmp_path: Path) -> None:
    file = write(tmp_path)
    registry = load(
        str(file), "./my_plugin.py", f"{tmp_path}/../{tmp_path.name}/my_plugin.py", relative_to=tmp_path
    )
    assert [plugin.found.id for plugin in registry.plugins].count("my_plugin.py") == 1
    assert registry.get("loss", "local")


def test_loading_twice_gives_the_same_module(tmp_path: Path) -> None:
    file = write(tmp_path)
    first, second = (load(str(file)).get("loss", "local").component for _ in range(2))
    assert first.build is second.build


def test_nothing_is_written_beside_what_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = write(tmp_path)
    file.write_text(f"import product_helper\n{PLUGIN}")
    before = {*tmp_path.rglob("*")}
    assert load(str(file)).get("loss", "local")
    assert {*tmp_path.rglob("*")} == before
    assert not sys.dont_write_bytecode


def test_changed_content_is_read_anew(tmp_path: Path) -> None:
    assert load(str(write(tmp_path, answer=1))).get("loss", "local").component.build(None) == 1
    assert load(str(write(tmp_path, answer=22))).get("loss", "local").component.build(None) == 22


def test_a_later_directory_takes_over_with_its_own_helpers(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", answer=1), write(tmp_path / "b", answer=2)
    for file, answer in ((first, 1), (second, 2), (first, 1)):
        assert load(str(file)).get("loss", "local").component.build(None) == answer


def test_two_files_of_one_name_in_one_experiment_are_refused(tmp_path: Path) -> None:
    registry = load(str(write(tmp_path / "a")), str(write(tmp_path / "b")))
    messages = [failure.message for failure in registry.failures if failure.plugin == "my_plugin.py"]
    assert len(messages) == 1
    assert "would be one module `my_plugin`; rename one of them" in messages[0]


def test_two_helpers_of_one_name_in_one_experiment_are_refused(tmp_path: Path) -> None:
    registry = load(str(write(tmp_path / "a", answer=1)), str(write(tmp_path / "b", "other", answer=2)))
    messages = [failure.message for failure in registry.failures if failure.plugin == "other.py"]
    assert len(messages) == 1
    assert "would be one module `product_helper`; rename one of them" in messages[0]
    assert registry.get("loss", "local").component.build(None) == 1


def test_a_file_may_not_take_the_name_of_another_module(tmp_path: Path) -> None:
    failures = load(str(write(tmp_path, "random"))).failures
    message = next(failure.message for failure in failures if failure.plugin == "random.py")
    assert message.endswith("another module is named `random` already; rename the file")


def test_a_package_directory_is_a_plugin(tmp_path: Path) -> None:
    package = tmp_path / "packaged"
    package.mkdir()
    (package / "__init__.py").write_text(PLUGIN.replace("product_helper", "packaged.inner"))
    (package / "inner.py").write_text("def answer(): return 7\n")
    offer = load("./packaged", relative_to=tmp_path).get("loss", "local")
    assert offer.component.build(None) == 7
    assert [file.name for file in offer.provenance.files] == ["packaged/__init__.py", "packaged/inner.py"]


def test_an_importable_module_is_a_plugin(tmp_path: Path) -> None:
    write(tmp_path, "named_module")
    sys.path.insert(0, str(tmp_path))
    offer = load("named_module").get("loss", "local")
    assert offer.qualified_name == "named_module/local"


def test_an_absent_file_is_named_with_a_guess(tmp_path: Path) -> None:
    write(tmp_path)
    failure = next(f for f in load("./my_plugins.py", relative_to=tmp_path).failures if f.requested)
    assert failure.stage == "find"
    assert failure.message == f"there is no file {tmp_path}/my_plugins.py; did you mean `my_plugin.py`?"


def test_what_it_defines_can_be_unpickled_in_a_worker_process(tmp_path: Path) -> None:
    load(str(write(tmp_path)))
    data = pickle.dumps(sys.modules["my_plugin"].Product())
    # A spawned worker is handed its parent's sys.path, and nothing else.
    code = f"import sys, pickle; sys.path[:] = {sys.path!r}; print(type(pickle.loads({data!r})).__name__)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "Product\n"


def test_what_lies_beside_it_shadows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site"
    installed.mkdir()
    (installed / "installed_thing.py").write_text("right = True\n")
    monkeypatch.syspath_prepend(installed)
    file = write(tmp_path / "mine", "careful")
    file.write_text("import tabnanny, installed_thing, product_helper\n" + file.read_text())
    for name in ("tabnanny", "installed_thing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (file.parent / f"{name}.py").write_text("raise RuntimeError('somebody else took it')\n")
    offer = load(str(file)).get("loss", "local")
    assert offer.component.build(None) == 42
    assert sys.modules["careful"].installed_thing.right
    assert [source.name for source in offer.provenance.files] == ["careful.py", "product_helper.py"]


def test_a_name_that_is_taken_is_told_where_it_was_meant(tmp_path: Path) -> None:
    file = write(tmp_path, "hopeful")
    file.write_text("from tabnanny import Network\n" + file.read_text())
    (tmp_path / "tabnanny.py").write_text("class Network: pass\n")
    (message,) = (each.message for each in load(str(file)).failures if each.plugin == "hopeful.py")
    assert message.startswith("cannot import name 'Network' from 'tabnanny'")
    assert message.endswith(
        f"`tabnanny` is the standard library's, not {tmp_path / 'tabnanny.py'}; rename that file"
    )


def test_a_file_may_not_take_the_name_of_an_installed_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site"
    installed.mkdir()
    (installed / "not_yet_imported.py").touch()
    monkeypatch.syspath_prepend(installed)
    file = write(tmp_path / "mine", "not_yet_imported")
    (message,) = (each.message for each in load(str(file)).failures if each.requested)
    assert message == f"{file}: another module is named `not_yet_imported` already; rename the file"


def test_a_file_and_a_package_of_one_name_are_one_module(tmp_path: Path) -> None:
    file = write(tmp_path / "a")
    package = tmp_path / "b" / "my_plugin"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PLUGIN)
    registry = load(str(file), str(package))
    (message,) = (each.message for each in registry.failures if each.plugin == "my_plugin")
    assert "would be one module `my_plugin`; rename one of them" in message


@pytest.mark.slow
def test_the_working_directory_shadows_nobody(tmp_path: Path) -> None:
    file = write(tmp_path)
    for name in ("profile", "random", "secrets", "torch", "typing", "click"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not the right one')\n")
    file.write_text("import torch._dynamo, random, profile\n" + file.read_text())
    command = [sys.executable, "-m", "ganlab", "describe", "loss", "local", "--plugin", "my_plugin.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
