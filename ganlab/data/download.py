"""Fetching a published file, such as weights: from one of several mirrors, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from ganlab.data.cache_directory import locked, remove_leftovers
from ganlab.errors import ComponentError
from ganlab.files import explained, fsync_path
from ganlab.progress import counting, say
from ganlab.words import counted

__all__ = ["download"]

TIMEOUT_SECONDS = 30
"""How long a server may be silent."""
PIECE = 1 << 20


def download(mirrors: Sequence[str], target: Path, sha256: str, *, option: str | None = None) -> None:
    """Download a file unless it is there, from the first mirror that has it.

    Only ever called where the user asked for it: ganlab downloads nothing by itself.

    Other processes that want the same file wait. A file that is there but damaged is replaced.
    What is broken off leaves nothing behind.

    Args:
        mirrors: addresses to try, in order.
        target: where it is to be, such as `ganlab.cache_directory() / "weights" / name`.
        sha256: hex digest of its content.
        option: the option that a refusal blames.

    Raises:
        ComponentError: no mirror gave a file of that digest; says why for each.
        GanlabError: the file cannot be written.
    """
    if _is_whole(target, sha256):
        return
    directory, key = target.parent, target.name.replace(".", "-")
    with explained(f"cannot write {target}"):
        directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(directory)
        with locked(
            directory, key, lambda: say(f"another process downloads {target.name}; waiting")
        ) as partial:
            if _is_whole(target, sha256):
                return
            partial.mkdir()
            file = partial / target.name
            _from_any(mirrors, file, sha256, target, option)
            fsync_path(file)
            file.replace(target)
            fsync_path(directory)


def _is_whole(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with explained(f"cannot read {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _from_any(mirrors: Sequence[str], file: Path, sha256: str, target: Path, option: str | None) -> None:
    failures = []
    for url in mirrors:
        problem = _try(url, file, sha256)
        if problem is None:
            return
        failures.append(f"{url}: {problem}")
        say(f"{url}: {problem}")
    raise ComponentError(
        f"{target.name} could not be downloaded; fetch it another way and put it at {target}: "
        f"{'; '.join(failures)}",
        option=option,
    )


def _try(url: str, file: Path, sha256: str) -> str | None:
    """Download into `file`, and return what went wrong, if anything did."""
    try:
        response = urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    with response, file.open("wb") as out:
        size = int(response.headers.get("Content-Length") or 0)
        digest, done = hashlib.sha256(), 0
        with counting(f"downloading {url}, bytes", size) as advance:
            while True:
                try:
                    piece = response.read(PIECE)
                except (OSError, http.client.HTTPException) as error:
                    return f"broke off after {counted(done, 'byte')}: {error or type(error).__name__}"
                if not piece:
                    break
                out.write(piece)
                digest.update(piece)
                done += len(piece)
                advance(len(piece))
    if done < size:
        return f"broke off after {done:,} of {size:,} bytes"
    if digest.hexdigest() != sha256:
        return f"is a different file: its SHA-256 is {digest.hexdigest()}, not {sha256}"
    return None
