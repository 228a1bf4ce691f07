"""What an experiment file may say, as its own models say it: sections, keys, and kinds of component."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic import BaseModel

from ganlab.config.document import EXTENDS
from ganlab.config.example import default_text
from ganlab.config.options import option_descriptions
from ganlab.config.settings import Settings
from ganlab.config.types import alternatives, describe_field
from ganlab.kinds import ENTRY, KINDS, Kind, kind_at

__all__ = ["Key", "Section", "core_keys", "keys_of", "loose_keys", "meaning", "sections"]


@dataclass(frozen=True)
class Key:
    """A key of a table.

    Attributes:
        name: as the file has it.
        type: what it takes, in words.
        required: whether it has to be there.
        default: as TOML; empty where there is none.
        description: what it does.
    """

    name: str
    type: str
    required: bool
    default: str
    description: str


@dataclass(frozen=True)
class Section:
    """A table of the core's own.

    Attributes:
        name: the key that it stands under, as in `training`.
        description: what it is for, in a few words.
        model: its keys.
    """

    name: str
    description: str
    model: type[BaseModel]

    @property
    def header(self) -> str:
        """What the file has above it, as in `[training]`."""
        return f"[{self.name}]"

    @property
    def text(self) -> str:
        """What it is for, in full."""
        text = " ".join((self.model.__doc__ or "").split()).partition(": ")[2] or self.description
        return text[:1].upper() + text[1:]


def keys_of(model: type[BaseModel], without: Collection[str] = ()) -> list[Key]:
    """Return the keys of a table, or of a component's options, in their order."""
    descriptions = option_descriptions(model)
    return [
        Key(
            name=name,
            type=describe_field(field).removeprefix("a ").removeprefix("an "),
            required=field.is_required(),
            default="" if field.is_required() else default_text(field),
            description=descriptions.get(name, ""),
        )
        for name, field in model.model_fields.items()
        if name not in without
    ]


def core_keys(kind: Kind, without: Collection[str] = ()) -> list[Key]:
    """Return the keys that every table of a kind has beside its component's options."""
    return keys_of(kind.settings, {"name", *without})


def sections() -> dict[str, Section]:
    """Return the tables that choose no component, by their names."""
    descriptions = option_descriptions(Settings)
    return {name: Section(name, descriptions[name], model) for name, model in _tables() if _is_plain(name)}


def loose_keys() -> list[Key]:
    """Return the keys that stand in no table, at the top of the file."""
    tables = {name for name, _ in _tables()}
    own = [key for key in keys_of(Settings) if key.name not in tables]
    return [*own, Key("extends", "text", required=False, default="", description=EXTENDS)]


def meaning(kind: Kind) -> str:
    """Return what a kind of component is for, as the key says that chooses it."""
    holder, inside, key = kind.places[0].rpartition(f".{ENTRY}.")
    outer = kind_at(f"{holder}.{ENTRY}") if inside else None
    if outer is not None:
        return option_descriptions(outer.settings)[key]
    return option_descriptions(Settings)[kind.section]


def _is_plain(name: str) -> bool:
    return all(kind.section != name for kind in KINDS.values())


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield name and model of every table, and of every array of tables."""
    for name, field in Settings.model_fields.items():
        for choice in alternatives(field.annotation):
            entry = get_args(choice)[0] if get_origin(choice) is list else choice
            if isinstance(entry, type) and issubclass(entry, BaseModel):
                yield name, entry
