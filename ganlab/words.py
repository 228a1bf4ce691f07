"""Numbers and the words that go with them."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with what it counts, as in `1 sample` and `1,200 samples`.

    Args:
        number: of things.
        one: what one of them is called.
        many: what several are called; `one` with an s if left out.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
