"""A small world of components in one local file, and experiments that use it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.config import Experiment, load_experiment
from ganlab.errors import ExperimentError, Problem

WORLD = '''
from pathlib import Path
from typing import Literal

from pydantic import Field

from ganlab_optimizers import ganlab_optimizers

from ganlab import (
    AugmentationComponent, ComponentError, DatasetComponent, DiscriminatorComponent, EncoderComponent,
    EvaluatorComponent, FeaturesComponent, GeneratorComponent, ImageSpec, LossComponent, Metric, Options,
    TrackerComponent, VectorSpec, hookimpl,
)

BOTH = (ImageSpec, VectorSpec)


class DataOptions(Options):
    root: Path = Path("data")
    """Where the files are."""
    classes: int = Field(8, ge=1, le=100)
    """How many."""
    layout: Literal["ring", "grid"] = "ring"
    """Where they lie."""
    spread: tuple[float, float] = (1.0, 2.0)
    """Least and greatest."""
    limit: int | None = None
    """At most so many."""
    words: list[str] = []
    """Some words."""


class Required(Options):
    depth: int
    """No default."""


class Choosy(Options):
    width: int = 4
    """Even."""


class Trained(Choosy):
    weights: Path | None = None
    """A file."""


def build(options, *context):
    if getattr(options, "width", 4) % 2:
        raise ComponentError("must be even", option="width")
    return (options, *context)


@hookimpl
def ganlab_datasets():
    yield DatasetComponent(
        name="pictures", summary="Images.", build=build, options=DataOptions, image=ImageSpec(3, 32, 48)
    )
    yield DatasetComponent(
        name="points", summary="Vectors.", build=build, options=DataOptions, accepts=(VectorSpec,)
    )


@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="net", summary="Any.", build=build, options=Choosy, accepts=BOTH)
    yield GeneratorComponent(name="conv", summary="Images.", build=build)
    yield GeneratorComponent(name="deep", summary="Deep.", build=build, options=Required, accepts=BOTH)


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="net", summary="Any.", build=build, accepts=BOTH)


@hookimpl
def ganlab_encoders():
    yield EncoderComponent(name="net", summary="Any.", build=build, accepts=BOTH)


@hookimpl
def ganlab_augmentations():
    yield AugmentationComponent(name="haze", summary="Any.", build=build, options=Choosy, accepts=BOTH)


@hookimpl
def ganlab_losses():
    yield LossComponent(name="duel", summary="Adversarial.", build=build, needs=frozenset({"discriminator"}))
    yield LossComponent(name="encode", summary="With an encoder.", build=build, needs=frozenset({"encoder"}))
    yield LossComponent(name="match", summary="Alone.", build=build)


@hookimpl
def ganlab_evaluators():
    metrics = (Metric("distance"), Metric("gain", "higher"), Metric("size", None))
    yield EvaluatorComponent(
        name="judge", summary="Three numbers.", build=build, metrics=metrics, features=("eyes", "hands")
    )
    yield EvaluatorComponent(
        name="insider",
        summary="Has eyes of its own.",
        build=build,
        options=Choosy,
        metrics=metrics[:1],
        features_of=lambda options: {"name": "eyes", "width": options.width},
        accepts=BOTH,
    )
    yield EvaluatorComponent(name="blind", summary="Nothing fits.", build=build, features=("none-such",))


@hookimpl
def ganlab_features():
    yield FeaturesComponent(name="eyes", summary="Of images.", build=build, options=Trained)
    yield FeaturesComponent(name="hands", summary="Of vectors.", build=build, accepts=(VectorSpec,))


@hookimpl
def ganlab_trackers():
    yield TrackerComponent(name="paper", summary="Writes.", build=build)
'''

BASE = """\
title = "a test"
plugins = ["./world.py"]
[dataset]
name = "pictures"
[generator]
name = "net"
[discriminator]
name = "net"
[[losses]]
name = "duel"
[training]
steps = 10
[[evaluators]]
name = "judge"
[[trackers]]
name = "paper"
"""

World = Callable[..., Experiment]
Refused = Callable[..., list[Problem]]


@pytest.fixture
def base() -> str:
    """An experiment without fault."""
    return BASE


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the plugin `world.py`, which has the optimizers of all the built-ins."""
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "ganlab")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world.py").write_text(WORLD)
    return tmp_path


@pytest.fixture
def load(world: Path) -> World:
    """Write an experiment into `experiment.toml` and load it."""

    def write_and_load(text: str = BASE, *overrides: str) -> Experiment:
        (world / "experiment.toml").write_text(textwrap.dedent(text))
        return load_experiment("experiment.toml", overrides=overrides)

    return write_and_load


@pytest.fixture
def refused(load: World) -> Refused:
    """Load an experiment that has problems, and return them."""

    def problems(text: str = BASE, *overrides: str) -> list[Problem]:
        with pytest.raises(ExperimentError) as caught:
            load(text, *overrides)
        return caught.value.problems

    return problems
