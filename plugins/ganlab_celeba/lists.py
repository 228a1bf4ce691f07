"""The text files that come with CelebA."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from ganlab import ComponentError

_PARTITIONS = {"train": "0", "valid": "1", "test": "2"}


def read_attribute(path: Path, attribute: str) -> dict[str, int]:
    """Return file name -> 0 or 1 for one attribute of `list_attr_celeba.txt`.

    The format: the number of files; the attributes' names; then a file name and a -1 or 1
    for each attribute on every line.

    Raises:
        ComponentError: no such attribute, or a line that is not in the format.
    """
    lines = _lines(path)
    names = lines[1].split() if len(lines) > 1 else []
    if attribute not in names:
        by_lower_case = {name.lower(): name for name in names}
        close = [
            by_lower_case[match]
            for match in get_close_matches(attribute.lower().replace(" ", "_"), by_lower_case, n=3)
        ]
        hint = f"; did you mean {' or '.join(close)}?" if close else "."
        message = f"{path} has no attribute {attribute!r}{hint} There are: {', '.join(names)}"
        raise ComponentError(message, option="label")
    column = names.index(attribute) + 1
    values = {}
    for number, line in enumerate(lines[2:], start=3):
        fields = line.split()
        if len(fields) != len(names) + 1 or fields[column] not in ("-1", "1"):
            message = f"{path}:{number}: not a file name and {len(names)} times -1 or 1: {line[:60]!r}"
            raise ComponentError(message, option="root")
        values[fields[0]] = int(fields[column] == "1")
    return values


def read_names(path: Path) -> list[str]:
    """Return the file names in `list_attr_celeba.txt`."""
    return [line.split(maxsplit=1)[0] for line in _lines(path)[2:] if line.strip()]


def read_partition(path: Path, part: str) -> list[str]:
    """Return the file names of a part (`train`, `valid`, `test`, or `all`) in `list_eval_partition.txt`.

    The format: a file name and a 0, 1 or 2 on every line.

    Raises:
        ComponentError: a line that is not in the format.
    """
    names = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split()
        if len(fields) != 2 or fields[1] not in _PARTITIONS.values():
            message = f"{path}:{number}: not a file name and 0, 1 or 2: {line[:60]!r}"
            raise ComponentError(message, option="root")
        if part == "all" or fields[1] == _PARTITIONS[part]:
            names.append(fields[0])
    return names


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ComponentError(f"{path} cannot be read: {error}", option="root") from error
