"""Zip archives read in place, by many processes at once."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ganlab.data.source import BadImageError
from ganlab.errors import ComponentError
from ganlab.files import reason

__all__ = ["Archive", "Member"]

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LARGEST = 1 << 30
_EXTRA_GUESS = 64


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, as its central directory describes it."""

    offset: int
    name_length: int
    packed: int
    size: int
    crc: int
    deflated: bool


class Archive:
    """The files of a zip archive.

    The directory is parsed once, and a member is then one read at a known offset, which
    moves no file position: an archive may be forked, pickled and used by threads at will
    (`zipfile` has one position, and would parse the directory again in every process).

    Args:
        path: the archive.
        option: the option that a refusal blames.

    Raises:
        ComponentError: not a zip, encrypted, compressed by a method other than deflate, or
            with a member whose name leads out of it (`../`, an absolute name).
    """

    def __init__(self, path: Path, *, option: str | None = None) -> None:
        self.path = path
        self._file: FileIO | None = None
        self.members: dict[str, Member] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    _refuse_escape(path, info.orig_filename, option)
                    if not info.is_dir():
                        self.members[info.filename] = _member(path, info, option)
        except zipfile.BadZipFile as error:
            raise ComponentError(f"{path} is not a whole zip archive: {error}", option=option) from error
        except UnicodeDecodeError as error:
            message = f"{path} has a member whose name is marked as UTF-8 and is not: {error.object!r}"
            raise ComponentError(message, option=option) from error
        except OSError as error:
            raise ComponentError(f"{path} cannot be read: {error.strerror}", option=option) from error

    def __iter__(self) -> Iterator[str]:
        """Iterate over the members' names."""
        return iter(self.members)

    def __del__(self) -> None:
        if file := getattr(self, "_file", None):
            file.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def read(self, name: str) -> bytes:
        """Return a member's content.

        Raises:
            BadImageError: the archive is damaged there.
        """
        member = self.members[name]
        if member.size > _LARGEST:
            raise BadImageError(
                f"{self.path}/{name}", f"far too large: {member.size:,} bytes; unpacked, it can be read"
            )
        try:
            content = self._packed(member)
            if member.deflated:
                # One byte more than announced is enough to notice a lie, and a bomb goes no further.
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, member.size + 1)
        except OSError as error:
            message = f"cannot be read: {reason(error)}"
            raise BadImageError(f"{self.path}/{name}", message, passing=True) from error
        except (struct.error, zlib.error) as error:
            raise BadImageError(f"{self.path}/{name}", f"the archive is damaged here ({error})") from error
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise BadImageError(f"{self.path}/{name}", "the archive is damaged here (wrong checksum)")
        return content

    def _packed(self, member: Member) -> bytes:
        # The local header repeats the name, and has an extra field whose length stands only there.
        guess = _LOCAL_HEADER.size + member.name_length + _EXTRA_GUESS
        content = self._read_at(member.offset, guess + member.packed)
        header = _LOCAL_HEADER.unpack_from(content)
        if header[0] != b"PK\3\4":
            raise zlib.error("no member at this place")
        start = _LOCAL_HEADER.size + header[9] + header[10]
        if start > guess:
            return self._read_at(member.offset + start, member.packed)
        return content[start : start + member.packed]

    def _read_at(self, offset: int, size: int) -> bytes:
        if not hasattr(os, "pread"):
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(size)
        if self._file is None:
            self._file = self.path.open("rb", buffering=0)
        return os.pread(self._file.fileno(), size, offset)


def _member(path: Path, info: zipfile.ZipInfo, option: str | None) -> Member:
    advice = "unpack it, and point to the folder"
    if info.flag_bits & 1:
        raise ComponentError(f"{path} is encrypted; {advice}", option=option)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        message = f"{path}: {info.filename!r} is compressed by a method other than deflate; {advice}"
        raise ComponentError(message, option=option)
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    name_length = len(info.orig_filename.encode(errors="replace"))
    return Member(info.header_offset, name_length, info.compress_size, info.file_size, info.CRC, deflated)


def _refuse_escape(path: Path, name: str, option: str | None) -> None:
    """Refuse names that would leave the folder they are unpacked in.

    Nothing is unpacked here, but such an archive was made to do harm, or is broken.
    """
    if not (".." in name or ":" in name or name.startswith(("/", "\\"))):
        return  # Nothing suspicious: spares hundreds of thousands of members the path arithmetic.
    windows = PureWindowsPath(name)
    if ".." in (*PurePosixPath(name).parts, *windows.parts) or name.startswith(("/", "\\")) or windows.drive:
        message = f"{path} has a member named {name!r}, which leads out of the archive; it is not used"
        raise ComponentError(message, option=option)
