"""The image files of a folder tree or of a zip archive, under one interface."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ganlab.data.archive import Archive
from ganlab.data.cache_directory import cache_directory
from ganlab.data.source import BadImageError
from ganlab.errors import ComponentError
from ganlab.files import reason, write_atomically
from ganlab.progress import counting

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["IMAGE_EXTENSIONS", "ImageFiles"]

IMAGE_EXTENSIONS: tuple[str, ...] = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""What counts as an image file, in lower case; upper case does too."""

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_BLOCK = 1024
_NO_ARRAYS = "NumPy arrays are not read: save each image as a .png"
_UNREADABLE = "\0unreadable"
_QUICK = 2000
"""Files that are read before anybody wonders."""


class ImageFiles:
    """The image files below a folder, or in a zip archive that is read in place.

    Hidden files and folders (`.name`) and `__MACOSX` are left out. It can be pickled,
    forked and used by threads.

    Args:
        root: a folder or a `.zip` file.
        extensions: which files count, each with its dot, in any case.
        option: the option that a refusal blames.

    Attributes:
        root: as given.
        names: paths relative to `root` with `/`, in sorted order.
        left_out: suffix, in lower case -> how many files that are not hidden have it, and do not count.

    Raises:
        ComponentError: `root` is neither, cannot be read, or is an archive with a member
            whose name leads out of it.
    """

    def __init__(
        self, root: Path, *, extensions: Iterable[str] = IMAGE_EXTENSIONS, option: str | None = "root"
    ) -> None:
        self.root = root
        self._archive: Archive | None = None
        try:
            mode = root.stat().st_mode
        except FileNotFoundError:
            raise ComponentError(f"{root} does not exist", option=option) from None
        except OSError as error:
            raise ComponentError(f"{root} cannot be read: {reason(error)}", option=option) from error
        found: Iterable[str]
        if stat.S_ISDIR(mode):
            found = _walk(root, option)
        elif stat.S_ISREG(mode) and root.suffix.lower() != ".zip" and not zipfile.is_zipfile(root):
            raise ComponentError(
                f"{root} is neither a folder of images nor a .zip archive of them"
                + (f"; {_NO_ARRAYS}" if root.suffix == ".npy" else ""),
                option=option,
            )
        elif stat.S_ISREG(mode):
            self._archive = found = Archive(root, option=option)
        else:
            raise ComponentError(f"{root} is neither a folder nor a file", option=option)
        suffixes = tuple(extension.lower() for extension in extensions)
        names, left_out = [], Counter[str]()
        for name in found:
            if _is_hidden(name):
                continue
            if name.lower().endswith(suffixes):
                names.append(name)
            else:
                left_out[PurePosixPath(name).suffix.lower()] += 1
        self.names: tuple[str, ...] = tuple(sorted(names))
        self.left_out: Mapping[str, int] = left_out

    def __len__(self) -> int:
        """Return the number of image files."""
        return len(self.names)

    def describe_left_out(self) -> str:
        """Return how many files were left out, as in `3 .txt, 1 .jfif`; empty where none was."""
        return ", ".join(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in self._by_count())

    def advice(self) -> str:
        """Return what would be right where there are no images; empty where nothing can be told."""
        found = [suffix for suffix, _ in self._by_count()]
        if {".npy", ".npz"} & {*found, self.root.suffix.lower()}:
            return _NO_ARRAYS
        if packed := next((suffix for suffix in found if suffix in _ARCHIVES), ""):
            how = "give its own path" if packed == ".zip" else "unpack it"
            return f"there is a {packed} archive in it: {how}"
        return f"what is in it: {self.describe_left_out()}" if found else ""

    def pictures_left_out(self) -> list[str]:
        """Return the suffixes in `left_out` whose files Pillow takes for images, the commonest first."""
        return [suffix for suffix, _ in self._by_count() if _is_picture(suffix)]

    def _by_count(self) -> list[tuple[str, int]]:
        return sorted(self.left_out.items(), key=lambda each: (-each[1], each[0]))

    def place(self, name: str) -> str:
        """Return what errors call a file: its whole path, or `archive.zip/member`."""
        return str(self.root / name)

    def read_bytes(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            BadImageError: it cannot be read.
        """
        if self._archive is not None:
            return self._archive.read(name)
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise BadImageError(self.place(name), f"cannot be read: {reason(error)}", passing=True) from error

    def open(self, name: str) -> Image:
        """Decode a file (`ganlab.open_image`).

        Raises:
            BadImageError: it cannot be read or decoded.
        """
        from ganlab.data.images import open_image

        content = self.read_bytes(name)
        return open_image(content, self.place(name))

    def fingerprint(self, names: Sequence[str] | None = None) -> str:
        """Return a hex digest of the names, sizes and CRC-32s of files (all if left out), in order.

        An archive lists them. In a folder every file is read once; the digest is then
        remembered in the cache directory under the files' sizes and modification times,
        and later calls only look at those. The same files in a folder and in an archive
        have the same fingerprint.
        """
        names = self.names if names is None else names
        if self._archive is not None:
            members = self._archive.members
            return _digest(f"{name}\0{members[name].size}\0{members[name].crc}" for name in names)
        return _remembered(self.root, names)

    def revisions(self, names: Sequence[str] | None = None) -> list[str]:
        """Return for each file (all if left out) a text that changes whenever its content does.

        It is the size and the times of a file, or the size and the CRC-32 of a member of an archive, with
        its place; empty for a file of which the system tells neither.
        """
        names = self.names if names is None else names
        root = self.root.resolve()
        if self._archive is not None:
            members = self._archive.members
            return [f"{root}\0{name}\0{members[name].size}\0{members[name].crc}" for name in names]
        states = (_state(root, name) for name in names)
        return ["" if state.endswith(_UNREADABLE) else f"{root}\0{state}" for state in states]


def _walk(root: Path, option: str | None) -> Iterator[str]:
    """Yield all files below a folder, following links to folders, but never in a circle."""

    def refuse(error: OSError) -> None:
        message = f"the folder {error.filename} cannot be read: {error.strerror}"
        raise ComponentError(message, option=option) from error

    seen = set()
    for directory, folders, files in os.walk(root, followlinks=True, onerror=refuse):
        place = Path(directory)
        identity = place.stat()
        if (identity.st_dev, identity.st_ino) in seen:
            folders.clear()
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders.sort()
        relative = "" if place == root else place.relative_to(root).as_posix() + "/"
        yield from (relative + file for file in files)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _is_picture(suffix: str) -> bool:
    """Return whether files with a suffix are images to Pillow."""
    from PIL import Image

    return Image.registered_extensions().get(suffix) in Image.OPEN


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()


def _remembered(root: Path, names: Sequence[str]) -> str:
    signature = _digest([str(root.resolve()), *(_state(root, name) for name in names)])
    memory = cache_directory() / "fingerprints" / signature
    try:
        value = memory.read_text(errors="replace")
    except OSError:
        value = ""
    if len(value) == len(signature):
        return value
    # Of a reading that was killed, the blocks that were read whole.
    begun = memory.with_suffix(".part")
    lines = _kept(begun)
    blocks = [names[start : start + _BLOCK] for start in range(len(lines), len(names), _BLOCK)]
    shown = len(names) > _QUICK
    with ThreadPoolExecutor() as pool, counting("reading files", len(names) - len(lines), shown) as advance:
        for block in pool.map(partial(_contents, root), blocks):
            _keep(begun, len(lines), block)
            lines += block
            advance(len(block))
    with suppress(OSError):
        begun.unlink()
    value = _digest(lines)
    # What cannot be read by this user, or just now, may be readable for the next one who asks.
    if not any(line.endswith(_UNREADABLE) for line in lines):
        _remember(memory, value)
    return value


def _kept(begun: Path) -> list[str]:
    lines: list[str] = []
    with suppress(OSError, ValueError):
        for entry in begun.read_text(encoding="ascii").splitlines():
            start, block = json.loads(entry)
            # Several processes may have written it, and one not to the end.
            lines += block if start == len(lines) else []
    return lines


def _keep(begun: Path, start: int, block: Sequence[str]) -> None:
    if any(line.endswith(_UNREADABLE) for line in block):
        return
    with suppress(OSError):
        begun.parent.mkdir(parents=True, exist_ok=True)
        with begun.open("a", encoding="ascii") as file:
            file.write(json.dumps([start, block]) + "\n")


def _remember(memory: Path, value: str) -> None:
    # Only a convenience: a cache that cannot be written is the packer's to complain about.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, value, durable=False)


def _state(root: Path, name: str) -> str:
    try:
        state = (root / name).stat()
    except OSError:
        return name + _UNREADABLE
    return f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}"


def _contents(root: Path, names: Sequence[str]) -> list[str]:
    return [_content(root, name) for name in names]


def _content(root: Path, name: str) -> str:
    # An unreadable file is one more bad image; what becomes of it is decided when it is read.
    try:
        content = (root / name).read_bytes()
    except OSError:
        return name + _UNREADABLE
    return f"{name}\0{len(content)}\0{zlib.crc32(content)}"
