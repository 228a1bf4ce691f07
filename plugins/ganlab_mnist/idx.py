"""The IDX format: arrays of integers behind a header of big-endian numbers.

Two zero bytes, a byte for the type (8: unsigned byte, 12: 32-bit integer), a byte for the number of
dimensions, then each dimension as a 32-bit number, then the elements
(http://yann.lecun.com/exdb/mnist/).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ganlab import ComponentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TYPES = {"uint8": (0x08, "unsigned bytes"), ">i4": (0x0C, "32-bit integers")}


def read_idx(path: Path, dimensions: int, dtype: Literal["uint8", ">i4"] = "uint8") -> NDArray[Any]:
    """Return the array in an IDX file, gzipped or not, whatever its name says.

    Args:
        path: the file.
        dimensions: how many it must have.
        dtype: what its elements must be.

    Raises:
        ComponentError: it cannot be read, is not an IDX file of that type with that
            many dimensions, or is not of the size that its header says.
    """
    content = _content(path)
    head = 4 + 4 * dimensions
    if len(content) < head or content[:2] != b"\0\0":
        raise _refusal(path, "it does not begin with the magic number of an IDX file")
    code, elements = _TYPES[dtype]
    if content[2] != code or content[3] != dimensions:
        found = f"type {content[2]:#04x} with {content[3]} dimensions"
        wanted = f"{elements} ({code:#04x}) with {dimensions}"
        raise _refusal(path, f"it holds {found}, where {wanted} are wanted")
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    itemsize = np.dtype(dtype).itemsize
    if len(content) - head != prod(shape) * itemsize:
        sizes = "×".join(map(str, shape if itemsize == 1 else (*shape, itemsize)))
        raise _refusal(path, f"it should hold {sizes} bytes, but {len(content) - head:,} are there")
    return np.frombuffer(content, dtype=dtype, offset=head).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(path, f"it is damaged or cut off ({error})") from error
    except OSError as error:
        raise _refusal(path, f"it cannot be read: {error.strerror}") from error


def _refusal(path: Path, reason: str) -> ComponentError:
    return ComponentError(f"{path} is not usable: {reason}", option="root")
