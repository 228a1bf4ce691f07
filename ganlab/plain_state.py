"""What components keep in checkpoints: only what these give back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ganlab.errors import ComponentError

__all__ = ["plain_state"]

_PLAIN = (bool, int, float, str, type(None))
"""Exactly these: a float of NumPy's is one of Python's, too, and is not given back."""


def plain_state(state: Any) -> dict[Any, Any]:
    """Return what a component's `state_dict` has returned, as checkpoints keep it.

    Raises:
        ComponentError: it holds what no checkpoint gives back, so that nothing could continue from one.
    """
    if not isinstance(state, Mapping):
        raise ComponentError(f"its state_dict() must return a dict, not a {type(state).__name__}")
    plain = dict(state)
    if stranger := _stranger_in(plain, ""):
        raise ComponentError(
            f"its state_dict() holds {stranger}; checkpoints give back tensors, and Python's numbers, "
            "strings, lists and dicts alone"
        )
    return plain


def _stranger_in(value: Any, place: str) -> str:
    """Say what in a value is not given back, and where it is; empty if there is nothing."""
    kind = type(value)
    if isinstance(value, torch.Tensor) or kind in _PLAIN:
        return ""
    inside: Iterable[tuple[Any, Any]]
    if kind in (dict, OrderedDict):
        inside = value.items()
    elif kind in (list, tuple):
        inside = enumerate(value)
    else:
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        return f"{module}{kind.__qualname__}" + (f" at {place}" if place else "")
    for key, part in inside:
        there = f"{place}[{key!r}]"
        if stranger := _stranger_in(key, there) or _stranger_in(part, there):
            return stranger
    return ""
