"""An experiment that may still have problems: its values, and whatever could be chosen from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganlab.components import SampleSpec
from ganlab.config.origin import Origin
from ganlab.config.selection import Selection
from ganlab.registry import Offer, Registry

__all__ = ["Draft"]


@dataclass(frozen=True)
class Draft:
    """An experiment that may still have problems.

    Attributes:
        values: its nested tables.
        registry: the components that there are to choose from.
        origin: where keys stand.
        samples: what a sample is; `None` where that is not known.
        offers: the component that each table names, by the table's dotted path, in the order of the
            sections; `None` where it names none that there is.
        selections: of those, the ones whose tables are sound.
    """

    values: Mapping[str, Any]
    registry: Registry
    origin: Origin
    samples: type[SampleSpec] | None
    offers: Mapping[str, Offer | None]
    selections: Mapping[str, Selection[Any, Any]]

    def section(self, name: str) -> dict[str, Any]:
        """Return a top-level table as given, empty where there is none."""
        table = self.values.get(name)
        return table if isinstance(table, dict) else {}

    def of(self, section: str) -> dict[str, Offer | None]:
        """Return what the entries of a section name, by their paths."""
        inside = f"{section}."
        return {
            path: offer
            for path, offer in self.offers.items()
            if path.startswith(inside) and path.removeprefix(inside).isdecimal()
        }

    def label(self, path: str, offer: Offer) -> str:
        """Return what the entry at a path will be called: its `label`, or its component's name."""
        section, _, index = path.partition(".")
        given = self.values[section][int(index)].get("label")
        return given if isinstance(given, str) else offer.component.name
