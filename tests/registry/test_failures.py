"""What is wrong with a plugin is always said, and costs only what is wrong."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganlab.components import LossComponent
from ganlab.registry import PluginError, PluginFailure, Registry, load_registry
from ganlab.registry.classifier import record_fault

PRELUDE = """
from ganlab import GeneratorComponent, LossComponent, Options, hookimpl

def build(options): return None

@hookimpl
def ganlab_losses():
    yield LossComponent(name="sound", summary="Sound.", build=build)
"""

HOOK = "@hookimpl\ndef ganlab_generators():\n    "


def load(tmp_path: Path, source: str) -> tuple[Registry, list[PluginFailure]]:
    file = tmp_path / "patient.py"
    file.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(source))
    registry = load_registry(plugins=[str(file)])
    return registry, [failure for failure in registry.failures if failure.plugin == "patient.py"]


@pytest.mark.parametrize(
    ("source", "stage", "message"),
    [
        (
            "@hookimpl\ndef ganlab_discriminator(): return []",
            "hooks",
            "there is no hook ganlab_discriminator(); did you mean `ganlab_discriminators`?",
        ),
        (
            "def ganlab_generators(): return []",
            "hooks",
            "ganlab_generators() has no @hookimpl, so that nothing calls it; put `@ganlab.hookimpl` above it",
        ),
        (
            "@hookimpl\ndef ganlab_generators(options): return []",
            "hooks",
            "ganlab_generators() must take no arguments",
        ),
        (
            "@hookimpl(wrapper=True)\ndef ganlab_generators():\n    return (yield)",
            "hooks",
            "ganlab_generators() is a wrapper; hooks of ganlab cannot be wrapped",
        ),
        (
            "@hookimpl\ndef ganlab_generators(): pass",
            "components",
            "ganlab_generators(): must yield GeneratorComponent records, but returned nothing",
        ),
        (
            HOOK + "yield LossComponent(name='x', summary='X.', build=build)",
            "components",
            "ganlab_generators(): must yield GeneratorComponent records, but yielded LossComponent",
        ),
        (
            HOOK + "yield GeneratorComponent",
            "components",
            "ganlab_generators(): must yield GeneratorComponent records, "
            "but yielded the class GeneratorComponent itself",
        ),
        (
            HOOK + "return GeneratorComponent(name='x', summary='X.', build=build)",
            "components",
            "ganlab_generators(): returned one record; `yield` it, or return a list",
        ),
        (
            HOOK + "yield GeneratorComponent(name='My_Net', summary='X.', build=build)",
            "components",
            "ganlab_generators(): the name 'My_Net' must be lower-case words joined by hyphens, "
            "as in `patch-gan`",
        ),
        (
            HOOK + "yield GeneratorComponent(name='x', summary=' ', build=build)",
            "components",
            "ganlab_generators(): `x` needs a `summary` of one line",
        ),
        (
            HOOK + "yield GeneratorComponent(name='x', summary='X.', build=3)",
            "components",
            "ganlab_generators(): `build` of `x` must be a function, not int 3",
        ),
        (
            HOOK + "yield GeneratorComponent(name='x', summary='X.', build=build, options=dict)",
            "components",
            "ganlab_generators(): `options` of `x` must be a subclass of ganlab.Options, "
            "not the class dict itself",
        ),
        (
            HOOK + "yield GeneratorComponent(name='x', summary='X.', build=build, accepts=())",
            "components",
            "ganlab_generators(): `accepts` of `x` must be a tuple of sample specs, as in (ImageSpec,)",
        ),
        (
            "from ganlab import *\n@hookimpl\ndef ganlab_datasets():\n"
            "    yield DatasetComponent(name='x', summary='X.', build=print, accepts=(SampleSpec,))",
            "components",
            "ganlab_datasets(): `accepts` of `x` must be the kind of sample that it yields, "
            "as in (ImageSpec,)",
        ),
        (
            "class Bad(Options):\n    name: str = ''\n"
            + HOOK
            + "yield GeneratorComponent(name='x', summary='X.', build=build, options=Bad)",
            "components",
            "ganlab_generators(): `x` has an option `name`, a key that the core uses itself; rename it",
        ),
        (
            HOOK + "yield GeneratorComponent(name='x', summary='X.', build=build)\n"
            "    yield GeneratorComponent(name='x', summary='X again.', build=build)",
            "components",
            "ganlab_generators(): yields two GeneratorComponent records named `x`",
        ),
    ],
)
def test_a_fault_is_named_and_the_rest_is_kept(tmp_path: Path, source: str, stage: str, message: str) -> None:
    registry, failures = load(tmp_path, source)
    assert len(failures) == 1
    assert failures[0].stage == stage
    assert failures[0].message.startswith(message)
    assert registry.get("loss", "patient/sound").component.name == "sound"


def test_an_exception_whose_own_text_raises_is_named(tmp_path: Path) -> None:
    _, failures = load(
        tmp_path, "class Mute(Exception):\n    def __str__(self): return 1 / 0\n" + HOOK + "raise Mute"
    )
    (failure,) = failures
    assert failure.message == f"ganlab_generators(): {tmp_path}/patient.py:13: Mute"


def test_a_hook_that_raises_keeps_what_it_yielded_before(tmp_path: Path) -> None:
    registry, failures = load(
        tmp_path,
        """
        @hookimpl
        def ganlab_generators():
            yield GeneratorComponent(name='early', summary='X.', build=build)
            raise ValueError("half way")
        """,
    )
    line = PRELUDE.count("\n") + 5
    assert registry.get("generator", "early").component.name == "early"
    assert failures[0].message == f"ganlab_generators(): {tmp_path}/patient.py:{line}: ValueError: half way"
    assert "half way" in failures[0].traceback


def test_specifications_that_a_plugin_imports_are_not_forgotten_hooks(tmp_path: Path) -> None:
    _, failures = load(tmp_path, "from ganlab.hookspecs import ganlab_generators")
    assert failures == []


@pytest.mark.parametrize(
    ("source", "line", "error"),
    [
        ("x = 1\nimport nothing_like_it\n", 2, "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("x = 1\n\ndef broken(:\n", 3, "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('leaving')\n", 2, "SystemExit: leaving"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_its_line(
    tmp_path: Path, source: str, line: int, error: str
) -> None:
    file = tmp_path / "sick.py"
    file.write_text(source)
    failure = next(f for f in load_registry(plugins=[str(file)]).failures if f.plugin == "sick.py")
    assert failure.stage == "import"
    assert failure.message == f"{file}:{line}: {error}"


def test_a_plugin_without_hooks_is_said_to_offer_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    failures = load_registry(plugins=["empty.py"], relative_to=tmp_path).failures
    assert [f.message for f in failures if f.plugin == "empty.py"] == ["has no hook, and so offers nothing"]


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("0", False), ("", False)])
def test_strict_mode_raises_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, strict: bool
) -> None:
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "ganlab")  # whatever else fails here is not this test's
    monkeypatch.setenv("GANLAB_STRICT_PLUGINS", value)
    (tmp_path / "sick.py").write_text("1/0\n")
    if strict:
        with pytest.raises(PluginError, match="ZeroDivisionError"):
            load_registry(plugins=["sick.py"], relative_to=tmp_path)
    else:
        assert len(load_registry(plugins=["sick.py"], relative_to=tmp_path).failures) == 1


@pytest.mark.parametrize("needs", [frozenset({"critic"}), "discriminator", None])
def test_a_loss_can_only_need_networks_that_there_are(needs: Any) -> None:
    sound = LossComponent(name="x", summary="X.", build=print, needs=frozenset({"discriminator", "encoder"}))
    assert record_fault(sound) == ""
    assert '`needs` of `x` must be a frozenset of "discriminator"' in record_fault(
        replace(sound, needs=needs)
    )
    assert "`needs_outputs` of `x` must be a frozenset of names, not" in record_fault(
        replace(sound, needs_outputs="energy")  # type: ignore[arg-type]
    )
