"""What losses and evaluators keep from one session of a run to the next."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch

from ganlab.components import Component
from ganlab.errors import ComponentError
from ganlab.plain_state import plain_state
from ganlab.testing.subject import Subject

__all__ = ["same_state", "saved"]


def saved(subject: Subject[Component], state: Any) -> Mapping[str, Any]:
    """Return a `state_dict()` as a checkpoint gives it back."""
    try:
        state = plain_state(state)
    except ComponentError as error:
        subject.fail(str(error), error)
    file = io.BytesIO()
    with subject.during("saving its state_dict()"):
        torch.save(state, file)
        file.seek(0)
        loaded: Mapping[str, Any] = torch.load(file, weights_only=True)
    return loaded


def same_state(one: Any, other: Any) -> bool:
    """Return whether two states hold the same."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_state(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_state, one, other))
    return bool(one == other)
