"""Scalars that gather on the training device and cross to the host only when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ganlab.data.transfer import to_device

__all__ = ["Meter", "Scalars"]


@dataclass(frozen=True)
class Scalars:
    """Scalars in one vector, so that what is done with all of them is done at once.

    Attributes:
        names: theirs, each once.
        values: `(n,)`, without a graph.
    """

    names: tuple[str, ...]
    values: torch.Tensor

    @classmethod
    def of(cls, named: Mapping[str, torch.Tensor]) -> Scalars:
        """Return scalar tensors as one vector; there must be one at least."""
        return cls(tuple(named), torch.stack([value.detach() for value in named.values()]))

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __add__(self, other: Scalars) -> Scalars:
        """Return the sums by name; what only one has is as it is there."""
        if self.names == other.names:
            return Scalars(self.names, self.values + other.values)
        named = dict(zip(self.names, self.values.unbind(), strict=True))
        for name, value in zip(other.names, other.values.unbind(), strict=True):
            named[name] = named[name] + value if name in named else value
        return Scalars.of(named)

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return one of the scalars."""
        return self.values[self.names.index(name)]


class Meter:
    """Running means by name, since they were last read."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._sums: torch.Tensor | None = None
        self._known: dict[tuple[str, ...], torch.Tensor] = {}

    def add(self, scalars: Scalars) -> None:
        """Add one observation of each scalar, without waiting for the device."""
        places = self._known.get(scalars.names)
        if places is None or self._sums is None:
            places, self._sums = self._make_room(scalars)
        self._sums.index_add_(0, places, scalars.values.float())
        for name in scalars.names:
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """Return the means and start again; the one place where the host waits for the device."""
        if self._sums is None or not self._counts:
            return {}
        sums = self._sums.tolist()
        means = {name: sums[self._places[name]] / count for name, count in self._counts.items()}
        self._counts.clear()
        self._sums.zero_()
        return means

    def state_dict(self) -> dict[str, Any]:
        """Return what has gathered since the last reading."""
        sums = {} if self._sums is None else {name: self._sums[self._places[name]] for name in self._counts}
        return {"sums": {name: total.clone() for name, total in sums.items()}, "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Restore what `state_dict` returned, on the training device."""
        self.read()
        if state["sums"]:
            self.add(Scalars.of({name: total.to(device) for name, total in state["sums"].items()}))
        self._counts = dict(state["counts"])

    def _make_room(self, scalars: Scalars) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the places of scalars not seen together before, and sums that have room for them."""
        for name in scalars.names:
            self._places.setdefault(name, len(self._places))
        device = scalars.values.device
        places = to_device(torch.tensor([self._places[name] for name in scalars.names]), device)
        sums = torch.zeros(len(self._places), device=device)
        if self._sums is not None:
            sums[: len(self._sums)] = self._sums
        self._known[scalars.names] = places
        return places, sums
