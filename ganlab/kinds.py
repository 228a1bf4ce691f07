"""The kinds of component: all that is known of each, once.

Whatever else depends on a kind (its hook, the keys that no option may bear, its tables in an experiment,
in the JSON Schema and in a resolved file, what `describe` says of it) is derived from this table. A new
kind needs a record (`ganlab.components`), a row here, and a place in the experiment
(`ganlab.config.settings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ganlab.component_settings import (
    AugmentationSettings,
    ComponentSettings,
    DatasetSettings,
    EvaluatorSettings,
    LossSettings,
    OptimizerSettings,
    TrackerSettings,
)
from ganlab.components import (
    AugmentationComponent,
    Component,
    DatasetComponent,
    DiscriminatorComponent,
    EncoderComponent,
    EvaluatorComponent,
    FeaturesComponent,
    GeneratorComponent,
    LossComponent,
    OptimizerComponent,
    TrackerComponent,
)
from ganlab.memory import SMALLER_BATCH

__all__ = ["ENTRY", "KINDS", "Kind", "kind_at"]

ENTRY = "*"
"""Stands for an index in the places of a kind."""


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    Attributes:
        record: what plugins yield for it; its `kind` is the name that experiments and commands use.
        plural: the word for several.
        places: dotted paths of the tables that choose such a component, `*` for the entries of an array.
        settings: what the core reads from such a table; where its `name` has a default, the table may be
            left out.
        build_gets: what the record's `build` is given after the options, in order.
        makes: what `build` returns.
        singular_in_sentences: what sentences call one, where the name will not do.
        less_memory: what helps where one runs out of memory at work.
    """

    record: type[Component]
    _: KW_ONLY
    plural: str
    places: tuple[str, ...]
    settings: type[ComponentSettings] = ComponentSettings
    build_gets: tuple[str, ...] = ()
    makes: str
    singular_in_sentences: str = ""
    less_memory: str = ""

    @property
    def name(self) -> str:
        """What experiments and commands call it, as in `loss`."""
        return self.record.kind

    @property
    def singular(self) -> str:
        """What sentences call one such component."""
        return self.singular_in_sentences or self.name

    @property
    def hook(self) -> str:
        """Name of the hook that yields such components."""
        return f"ganlab_{self.plural}"

    @property
    def core_keys(self) -> frozenset[str]:
        """The keys of its table that are the core's own, so that no option can bear their names."""
        return frozenset(self.settings.model_fields)

    @property
    def default(self) -> str | None:
        """Which component is meant where a table does not say; `None` where it must."""
        name = self.settings.model_fields["name"]
        return None if name.is_required() else str(name.default)

    @property
    def section(self) -> str:
        """The experiment's key that it stands under."""
        return self.places[0].partition(".")[0]

    @property
    def header(self) -> str:
        """A header of its table, as in `[[losses]]`."""
        return self.headers[0]

    @property
    def headers(self) -> list[str]:
        """The headers of all its tables."""
        return [_header(place) for place in self.places]

    def tables(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the dotted path of each of its tables in an experiment, and what stands there.

        Whatever stands there may be no table at all; an empty one is yielded where the experiment has
        none and the kind has a default.

        Args:
            values: an experiment's nested tables, valid or not.
        """
        for place in self.places:
            for path, table in _at(values, place):
                if table is not None:
                    yield path, table
                elif self.default is not None:
                    yield path, {}


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            DatasetComponent,
            plural="datasets",
            places=("dataset",),
            settings=DatasetSettings,
            build_gets=("image",),
            makes="`ImageSource`, `VectorSource` or another `ArraySource`",
        ),
        Kind(
            GeneratorComponent,
            plural="generators",
            places=("generator",),
            build_gets=("image", "latent"),
            makes="`nn.Module`",
            less_memory=SMALLER_BATCH,
        ),
        Kind(
            DiscriminatorComponent,
            plural="discriminators",
            places=("discriminator",),
            build_gets=("image",),
            makes="`nn.Module`",
            less_memory=SMALLER_BATCH,
        ),
        Kind(
            EncoderComponent,
            plural="encoders",
            places=("encoder",),
            build_gets=("image", "latent"),
            makes="`nn.Module`",
            less_memory=SMALLER_BATCH,
        ),
        Kind(
            AugmentationComponent,
            plural="augmentations",
            places=("augmentations.*",),
            settings=AugmentationSettings,
            build_gets=("image",),
            makes="`Augmentation`",
            less_memory=SMALLER_BATCH,
        ),
        Kind(
            LossComponent,
            plural="losses",
            places=("losses.*",),
            settings=LossSettings,
            makes="`Loss`",
            less_memory=SMALLER_BATCH,
        ),
        Kind(
            OptimizerComponent,
            plural="optimizers",
            places=("optimizer.generator", "optimizer.discriminator"),
            settings=OptimizerSettings,
            build_gets=("parameters",),
            makes="`torch.optim.Optimizer`",
            less_memory="take smaller networks, or an optimizer that remembers less for each weight",
        ),
        Kind(
            EvaluatorComponent,
            plural="evaluators",
            places=("evaluators.*",),
            settings=EvaluatorSettings,
            build_gets=("image",),
            makes="`Evaluator`",
            less_memory="lower the evaluator's `samples`",
        ),
        Kind(
            FeaturesComponent,
            plural="features",
            places=("evaluators.*.features", "losses.*.features"),
            build_gets=("image",),
            makes="`FeatureExtractor`",
            singular_in_sentences="feature extractor",
            less_memory="lower the `samples` of the evaluators that look at them",
        ),
        Kind(
            TrackerComponent,
            plural="trackers",
            places=("trackers.*",),
            settings=TrackerSettings,
            build_gets=("run",),
            makes="`Tracker`",
        ),
    )
}
"""Every kind by its name, in the order of an experiment's sections."""


def kind_at(path: str) -> Kind | None:
    """Return the kind of component that the table at a dotted path chooses; `None` where it chooses none."""
    place = ".".join(ENTRY if part.isdecimal() else part for part in path.split("."))
    return next((kind for kind in KINDS.values() if place in kind.places), None)


def _header(path: str) -> str:
    bare = path.removesuffix(f".{ENTRY}").replace(f".{ENTRY}.", ".")
    return f"[[{bare}]]" if path.endswith(ENTRY) else f"[{bare}]"


def _at(values: Any, place: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of what stands at a place; `None` where a table lacks the last key."""
    if not place:
        yield path, values
        return
    key, _, rest = place.partition(".")
    if key == ENTRY:
        for index, entry in enumerate(values if isinstance(values, list) else ()):
            yield from _at(entry, rest, f"{path}.{index}")
    elif isinstance(values, Mapping):
        yield from _at(values.get(key, None if not rest else {}), rest, f"{path}.{key}" if path else key)
