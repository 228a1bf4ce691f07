"""The two forms of CIFAR's files: rows of bytes, and pickled dictionaries of arrays.

Both are described at https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ganlab import ComponentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 32
PIXELS = 3 * SIDE * SIDE

Batch = tuple["NDArray[np.uint8]", Mapping[str, "NDArray[np.int64]"]]
"""Images `(N, 3, 32, 32)`, and each sort of labels, `(N,)`."""


def read_rows(place: str, content: bytes, labels: Sequence[str]) -> Batch:
    """Return what the binary version holds.

    A row has a byte for each sort of labels, then the red, the green and the blue plane.

    Args:
        place: what errors call the file.
        content: its bytes.
        labels: the sorts of labels, in their order.

    Raises:
        ComponentError: it is empty or does not consist of whole rows.
    """
    row = len(labels) + PIXELS
    if not content or len(content) % row:
        wanted = f"rows of {len(labels)} + {PIXELS} bytes"
        raise refusal(
            place, f"it should hold {wanted}, but {len(content):,} bytes are no whole number of them"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, row)
    images = rows[:, len(labels) :].reshape(-1, 3, SIDE, SIDE)
    return images, {name: rows[:, column].astype(np.int64) for column, name in enumerate(labels)}


def read_pickle(place: str, content: bytes, labels: Sequence[str]) -> Batch:
    """Return what a batch of the Python version holds: rows of pixels, and lists of labels.

    Args:
        place: what errors call the file.
        content: its bytes.
        labels: the keys of the sorts of labels.

    Raises:
        ComponentError: it is no such pickle, or asks for anything but arrays.
    """
    batch = _unpickle(place, content)
    pixels = batch.get("data")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        found = f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else "none"
        raise refusal(
            place, f"its 'data' should be a uint8 array of rows of {PIXELS} bytes; there is {found}"
        )
    return pixels.reshape(-1, 3, SIDE, SIDE), {
        name: _label_list(place, batch, name, len(pixels)) for name in labels
    }


def read_names(content: bytes) -> Sequence[str]:
    """Return the class names of a text file, a line each."""
    return [name for line in content.decode("utf-8", "replace").splitlines() if (name := line.strip())]


def read_pickled_names(place: str, content: bytes, key: str) -> Sequence[str]:
    """Return the class names under a key of a pickled dictionary.

    Raises:
        ComponentError: there are none, or it asks for anything but arrays.
    """
    names = _unpickle(place, content).get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise refusal(place, f"it has no list {key!r} of class names")
    return names


def refusal(place: str, reason: str) -> ComponentError:
    """Return the error that a file is not usable."""
    return ComponentError(f"{place} is not usable: {reason}", option="root")


def _label_list(place: str, batch: Mapping[str, Any], name: str, count: int) -> NDArray[np.int64]:
    labels = batch.get(name)
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise refusal(place, f"it has no list {name!r} of whole numbers")
    if len(labels) != count:
        raise refusal(place, f"it has {len(labels):,} {name} for {count:,} images")
    return np.array(labels, np.int64)


class _ForbiddenError(Exception):
    """A pickle asks for what is no part of an array."""


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, numbers, texts and arrays, and nothing that could run.

    A pickle may name any function to be called. The only ones here are those that every array's pickle
    names; where numpy keeps them has changed, and old files have the old place.
    """

    _ALLOWED: ClassVar[Mapping[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the parts of an array."""
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise _ForbiddenError(f"{module}.{name}") from None


def _unpickle(place: str, content: bytes) -> Mapping[str, Any]:
    try:
        # Python 2 wrote them, whose strings are bytes; latin-1 keeps the arrays' as they are.
        found = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    except _ForbiddenError as error:
        raise refusal(place, f"it asks for {error}, which no file of CIFAR's does; it was not run") from error
    except Exception as error:
        # Whatever an instruction meets in a damaged pickle.
        raise refusal(place, f"it is damaged or cut off, or is no pickle ({error})") from error
    if not isinstance(found, dict):
        raise refusal(place, f"it holds a {type(found).__name__}, where a dictionary is wanted")
    return found
