"""What `ganlab export` writes: one directory that holds a trained generator, and needs no run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlab.components import LatentSpec, SampleSpec
from ganlab.config.options import option_values
from ganlab.errors import GanlabError
from ganlab.files import explained
from ganlab.runs.checkpoint_files import write_weights
from ganlab.runs.encoding import to_json

if TYPE_CHECKING:
    import torch

    from ganlab.after_training.trained_generator import TrainedGenerator

__all__ = ["ExportLayout", "Exported", "is_exported", "read_exported", "write_exported"]

_FORMAT = 1
"""Raised whenever what the description means changes."""


@dataclass(frozen=True)
class ExportLayout:
    """Where things are inside the directory `root` of an exported generator."""

    root: Path

    @property
    def description(self) -> Path:
        """What the generator is, what made it, and what proves the weights whole."""
        return self.root / "generator.json"

    @property
    def weights(self) -> Path:
        """Its weights."""
        return self.root / "weights.safetensors"

    @property
    def sources(self) -> Path:
        """The local plugin that it is built by, if it is not an installed one."""
        return self.root / "source"

    @property
    def program(self) -> Path:
        """The whole network for torch alone (`torch.export`)."""
        return self.root / "generator.pt2"

    @property
    def onnx(self) -> Path:
        """The whole network as ONNX."""
        return self.root / "generator.onnx"

    @property
    def card(self) -> Path:
        """For people: what is in the directory, and how it is loaded."""
        return self.root / "README.md"

    @property
    def picture(self) -> Path:
        """Some samples."""
        return self.root / "samples.png"


@dataclass(frozen=True)
class Exported:
    """A description that was read, and whose weights are as they were written.

    Attributes:
        layout: where everything is.
        values: the content of the description.
        spec: what the generator makes.
    """

    layout: ExportLayout
    values: Mapping[str, Any]

    @property
    def spec(self) -> SampleSpec:
        """What the generator makes; the plugins that it needs have to be imported first.

        Raises:
            GanlabError: nobody has defined samples of this kind.
        """
        try:
            return SampleSpec.from_json(self.values["spec"])
        except (ValueError, TypeError, KeyError) as error:
            raise GanlabError(
                f"{self.layout.description} is of samples that are not known here: {error}"
            ) from error

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the weights, on the CPU.

        Raises:
            GanlabError: they are not what was written.
        """
        from safetensors.torch import load

        path = self.layout.weights
        with explained(f"cannot read {path}"):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.values["sha256"]:
            raise GanlabError(f"{path} is damaged: it is not what was written; copy it again")
        return load(content)


def is_exported(path: Path) -> bool:
    """Return whether a directory holds an exported generator."""
    return ExportLayout(path).description.is_file()


def read_exported(path: Path) -> Exported:
    """Return the description in a directory.

    Raises:
        GanlabError: it cannot be read, or is of a later ganlab.
    """
    layout = ExportLayout(path.resolve())
    with explained(f"cannot read {layout.description}"):
        content = layout.description.read_bytes()
    try:
        values = json.loads(content)
        found = values["format"]
        missing = {*_KEYS} - {*values}
    except (ValueError, TypeError, KeyError) as error:
        raise GanlabError(f"{layout.description} is damaged: it does not describe a generator") from error
    if found != _FORMAT:
        raise GanlabError(
            f"{layout.description} is of format {found}, and this ganlab reads {_FORMAT}: "
            f"it was written by ganlab {values.get('ganlab')}"
        )
    if missing:
        raise GanlabError(f"{layout.description} is damaged: it does not say {', '.join(sorted(missing))}")
    return Exported(layout, values)


def write_exported(trained: TrainedGenerator, layout: ExportLayout) -> dict[str, Any]:
    """Write a generator's weights, its plugin's source and its description; return the description.

    Raises:
        OSError: something cannot be written.
    """
    import torch

    import ganlab

    write_weights(layout.weights, trained.generator.state_dict())
    plugins = trained.chosen.local_plugins(trained.spec)
    for file in (file for plugin in plugins for file in plugin.files):
        target = layout.sources / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.path.read_bytes())
    offer, selection = trained.chosen.offer, trained.chosen.selection
    values = {
        "format": _FORMAT,
        "ganlab": ganlab.__version__,
        "torch": str(torch.__version__),
        "title": trained.title,
        "run": trained.source,
        "step": trained.step,
        "averaged": trained.averaged,
        "measurements": list(trained.measurements),
        "spec": trained.spec.to_json(),
        "range": [-1, 1] if trained.spec.bounded else None,
        "latent": _latent(trained.latent),
        "takes_labels": trained.takes_labels,
        "class_names": list(trained.class_names),
        "trained_classes": list(trained.trained_classes),
        "generator": {"name": selection.component.name, **option_values(selection.options)},
        "plugins": [
            f"./{layout.sources.name}/{plugin.files[0].name.partition('/')[0]}"
            if plugin.files
            else plugin.found.name
            for plugin in plugins
        ],
        "provenance": {
            "components": [
                {
                    "path": "generator",
                    "component": offer.qualified_name,
                    "plugin": offer.provenance.plugin,
                    "version": offer.provenance.version,
                }
            ]
        },
        "sha256": hashlib.sha256(layout.weights.read_bytes()).hexdigest(),
    }
    layout.description.write_text(to_json(values, indent=2) + "\n", encoding="utf-8")
    return values


def _latent(latent: LatentSpec) -> dict[str, Any]:
    return {
        "dim": latent.dim,
        "distribution": latent.distribution,
        "categories": list(latent.categories),
    }


_KEYS = (
    *("title", "run", "step", "averaged", "measurements", "spec", "latent", "takes_labels", "class_names"),
    *("trained_classes", "generator", "plugins", "sha256"),
)
"""What a description has to say to be read."""
