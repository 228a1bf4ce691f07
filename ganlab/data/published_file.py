"""Published files that a plugin needs, such as the weights of a network that metrics are defined on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganlab.data.cache_directory import cache_directory
from ganlab.data.download import download as fetch
from ganlab.errors import ComponentError

__all__ = ["PublishedFile", "ReadFile"]


@dataclass(frozen=True)
class ReadFile:
    """A file that was read once: what was checked is what is used.

    Attributes:
        path: where it is.
        content: its bytes.
        sha256: hex digest of them.
        published: whether it is the published file.
    """

    path: Path
    content: bytes
    sha256: str
    published: bool


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights that is known by its digest.

    Whose component needs it has the options `weights` (a path), `weights_sha256` and `download`.

    Attributes:
        title: of the network whose weights it holds.
        addresses: where it is published, each under the same file name.
        sha256: hex digest of its content.
        megabytes: its size.
    """

    title: str
    addresses: tuple[str, ...]
    sha256: str
    megabytes: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.addresses[0].rpartition("/")[2]

    def read(
        self,
        path: Path | None,
        sha256: str | None,
        *,
        download: bool,
        others: Mapping[str, str] | None = None,
    ) -> ReadFile:
        """Return a user's file, or else the one in the cache.

        Args:
            path: the user's file; the cache's where it is left out.
            sha256: hex digest of that file, where it is not the published one.
            download: fetch the published file into the cache if it is not there.
            others: what to say of a file that is another one, by its digest.

        Raises:
            ComponentError: there is no such file, or it is not the one that was meant.
        """
        if path is not None:
            return self._read(path, sha256 or self.sha256, others or {})
        if sha256 is not None:
            raise ComponentError(
                "says which file `weights` is, and `weights` is not set", option="weights_sha256"
            )
        cached = cache_directory() / "weights" / self.name
        if download:
            fetch(self.addresses, cached, self.sha256, option="download")
        if not cached.exists():
            raise ComponentError(
                f"the published weights of {self.title} are not on this machine; put {self.name} (SHA-256 "
                f"{self.sha256[:8]}…) at {cached}, or set `weights` to where it is, or `download = true` to "
                f"have it fetched ({self.megabytes:,} MB); it is published at {' and '.join(self.addresses)}",
                option="weights",
            )
        return self._read(cached, self.sha256, others or {})

    def _read(self, path: Path, expected: str, others: Mapping[str, str]) -> ReadFile:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ComponentError(
                f"cannot read {path}: {error.strerror or error}", option="weights"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        published = found == self.sha256
        if found != expected:
            asked = expected == self.sha256
            meant = f"the published {self.name} of {self.title}" if asked else "the file of `weights_sha256`"
            unknown = f'if it is the file that you mean, say weights_sha256 = "{found}"' if asked else ""
            remedy = others.get(found, unknown)
            raise ComponentError(
                f"{path} is not {meant}: its SHA-256 is {found}, not {expected}"
                + (f"; {remedy}" if remedy else ""),
                option="weights",
            )
        return ReadFile(path, content, found, published)
