"""The templates, which are files of this package, and how names are put into them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ganlab.errors import UsageError
from ganlab.files import exists, explained, write_atomically

__all__ = ["filled", "template", "write_all"]

_DIRECTORY = Path(__file__).with_name("templates")


def template(name: str) -> str:
    """Return the text of a template by its path below `templates/`."""
    return (_DIRECTORY / name).read_text(encoding="utf-8")


def filled(text: str, words: Mapping[str, str]) -> str:
    """Return a template with words in the places of others, the longer ones first."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, words[word])
    return text


def write_all(files: Mapping[Path, str], *, force: bool) -> None:
    """Write files, and the directories that they need: all, or none where one is there already.

    Args:
        files: path -> content.
        force: whether to write over files that are there.

    Raises:
        UsageError: one is there, and `force` is not.
        GanlabError: the operating system refuses.
    """
    present = [path for path in files if exists(path)]
    if present and not force:
        verb = "is" if len(present) == 1 else "are"
        names = ", ".join(map(str, present))
        raise UsageError(f"{names} {verb} there already; --force writes over what is there")
    for path, content in files.items():
        with explained(f"cannot write {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
