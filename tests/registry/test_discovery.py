"""Finding plugins: installed, disabled, doubled."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ganlab.errors import UsageError
from ganlab.registry import UnknownComponentError, load_registry

Install = Callable[..., None]
Source = Callable[[str], str]


def names(kind: str = "loss") -> set[str]:
    return {offer.qualified_name for offer in load_registry().components(kind)}


def test_an_installed_distribution_is_found_by_its_entry_point(install: Install, loss: Source) -> None:
    install("my-losses", "my_losses_plugin", loss("cubic"), version="2.3")
    offer = load_registry().get("loss", "cubic")
    assert offer.provenance.distribution == "my-losses"
    assert offer.provenance.version == "2.3"
    assert offer.provenance.plugin == "my-losses:my_losses_plugin"
    assert offer.component.build(None) == "cubic of FILE"


def test_built_ins_come_by_the_same_door() -> None:
    offer = load_registry().get("loss", "hinge")
    assert offer.provenance.plugin == "ganlab:adversarial"
    assert offer.qualified_name == "ganlab/hinge"


def test_two_distributions_may_use_one_entry_point_name(install: Install, loss: Source) -> None:
    install("one", "plugin_one", loss("first"), name="plugin")
    install("two", "plugin_two", loss("second"), name="plugin")
    assert {"one/first", "two/second"} <= names()


def test_a_name_that_two_plugins_offer_must_be_qualified(install: Install, loss: Source) -> None:
    install("one", "plugin_one", loss("twin"))
    install("two", "plugin_two", loss("twin"))
    registry = load_registry()
    with pytest.raises(UnknownComponentError, match="more than one plugin") as caught:
        registry.get("loss", "twin")
    assert caught.value.hint == "say which: one/twin, two/twin"
    for distribution in ("one", "two"):
        assert registry.get("loss", f"{distribution}/twin").provenance.distribution == distribution
    assert registry.get("loss", "twin", prefer="two").provenance.distribution == "two"


def test_within_one_distribution_the_plugin_tells_names_apart(install: Install, loss: Source) -> None:
    install("one", "plugin_a", loss("twin"))
    install("one", "plugin_b", loss("twin"))
    registry = load_registry()
    with pytest.raises(UnknownComponentError) as caught:
        registry.get("loss", "one/twin")
    assert caught.value.hint == "say which: one:plugin_a/twin, one:plugin_b/twin"
    assert registry.get("loss", "one:plugin_b/twin").provenance.plugin == "one:plugin_b"


@pytest.mark.parametrize("name", ["explosive", "Boom-Losses", "boom_losses:explosive", "boom-losses"])
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_disabled_plugin_is_not_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch, name: str, by_environment: bool
) -> None:
    install("boom-losses", "explosive_module", "raise RuntimeError('imported')", name="explosive")
    assert [failure.plugin for failure in load_registry().failures].count("boom-losses:explosive") == 1
    if by_environment:
        monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", f"nothing, {name}")
    registry = load_registry(disabled=[] if by_environment else [name])
    assert "boom-losses:explosive" not in {failure.plugin for failure in registry.failures}
    assert "explosive_module" not in sys.modules


def test_built_ins_can_be_disabled() -> None:
    registry = load_registry(disabled=["adversarial"])
    assert "hinge" not in {offer.component.name for offer in registry.components("loss")}


def test_disabling_what_is_not_there_is_an_error_with_a_guess() -> None:
    with pytest.raises(UsageError, match="did you mean `adversarial`"):
        load_registry(disabled=["adverserial"])


def test_an_unknown_name_is_answered_with_a_guess_the_installed_and_the_failed(install: Install) -> None:
    install("broken", "broken_module", "import not_there")
    with pytest.raises(UnknownComponentError) as caught:
        load_registry().get("loss", "hing")
    assert caught.value.message == "there is no loss `hing`"
    assert "did you mean `hinge`?" in caught.value.hint
    assert "installed: " in caught.value.hint
    assert "not loaded: plugin broken:broken_module: " in caught.value.hint


def test_an_unknown_kind_is_answered_with_the_kinds() -> None:
    with pytest.raises(UnknownComponentError, match="did you mean `evaluator`"):
        load_registry().get("evaluators", "mmd")


def test_order_of_discovery_is_by_distribution_and_name(install: Install, loss: Source) -> None:
    install("b-dist", "plugin_z", loss("z"))
    install("a-dist", "plugin_y", loss("y"))
    install("a-dist", "plugin_x", loss("x"))
    ids = [plugin.found.id for plugin in load_registry().plugins if "-dist" in plugin.found.id]
    assert ids == ["a-dist:plugin_x", "a-dist:plugin_y", "b-dist:plugin_z"]


def test_an_entry_point_in_a_missing_module_stops_nothing(install: Install, loss: Source) -> None:
    install("gone", "gone_module", None)
    install("here", "here_module", loss("here"))
    registry = load_registry()
    assert "here/here" in {offer.qualified_name for offer in registry.components("loss")}
    failure = next(failure for failure in registry.failures if failure.plugin == "gone:gone_module")
    assert failure.stage == "import"
    assert failure.message == "ModuleNotFoundError: No module named 'gone_module'"
    assert "Traceback" in failure.traceback
