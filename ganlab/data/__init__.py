"""From a dataset component to batches: pack once, then feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganlab.data.preparation import Data, prepare

__all__ = ["Data", "prepare"]


def __getattr__(name: str) -> Any:
    # Lazy, so that hook modules reach `ganlab.data.source` without NumPy or Pillow.
    if name not in __all__:
        raise AttributeError(f"module 'ganlab.data' has no attribute {name!r}")
    from ganlab.data import preparation

    return getattr(preparation, name)
