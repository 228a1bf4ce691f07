"""The lists that come with CelebA: as published, or as comma-separated tables (Kaggle's)."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from ganlab import ComponentError

_PARTITIONS = {"train": "0", "valid": "1", "test": "2"}
_VALUES = {"-1": 0, "0": 0, "1": 1}
_TO_BLANKS = str.maketrans(',;"', "   ")


class AttributeList:
    """`list_attr_celeba.txt` or `.csv`: a file name and a -1 or 1 for each attribute on every line.

    Above them stand the attributes' names; as published, the number of files comes first, in a
    comma-separated table a heading of the files' column. Which it is shows in the content.

    Args:
        path: the list.

    Attributes:
        path: the list.
        attributes: their names.
        announced: how many files there should be lines for; `None` where that is not said.

    Raises:
        ComponentError: it cannot be read, or does not begin like such a list.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = _lines(path)
        first = _fields(lines[0][1]) if lines else []
        self.announced = int(first[0]) if len(first) == 1 and first[0].isdecimal() else None
        if self.announced is not None:
            del lines[0]
        if not lines or _is_file(_fields(lines[0][1])[0]):
            number = lines[0][0] if lines else 1
            message = f"{path}:{number}: the names of the attributes should stand here, above the files"
            raise ComponentError(message, option="root")
        headings = _fields(lines[0][1])
        self._lines = lines[1:]
        # A comma-separated table has a heading for the files too, and counts nothing.
        full = self.announced is None and len(headings) == len(_fields(lines[-1][1]))
        self.attributes = headings[1:] if full else headings

    @property
    def names(self) -> list[str]:
        """The names of the files, in order."""
        return [line.translate(_TO_BLANKS).split(maxsplit=1)[0] for _, line in self._lines]

    def values(self, attribute: str) -> dict[str, int]:
        """Return file name -> 0 or 1 for one attribute.

        Raises:
            ComponentError: no such attribute, or a line that is not in the format.
        """
        if attribute not in self.attributes:
            raise ComponentError(self._unknown(attribute), option="label")
        column = self.attributes.index(attribute) + 1
        values = {}
        for number, line in self._lines:
            fields = _fields(line)
            if len(fields) != len(self.attributes) + 1 or fields[column] not in _VALUES:
                wanted = f"a file name and {len(self.attributes)} times -1 or 1"
                message = f"{self.path}:{number}: not {wanted}: {line[:60]!r}"
                raise ComponentError(message, option="root")
            values[fields[0]] = _VALUES[fields[column]]
        return values

    def _unknown(self, attribute: str) -> str:
        by_lower_case = {name.lower(): name for name in self.attributes}
        close = [
            by_lower_case[match]
            for match in get_close_matches(attribute.lower().replace(" ", "_"), by_lower_case, n=3)
        ]
        hint = f"; did you mean {' or '.join(close)}?" if close else "."
        return f"{self.path} has no attribute {attribute!r}{hint} There are: {', '.join(self.attributes)}"


def read_partition(path: Path, part: str) -> list[str]:
    """Return the file names of a part (`train`, `valid`, `test`, or `all`) in `list_eval_partition`.

    The format: a file name and a 0, 1 or 2 on every line; a comma-separated table has a heading.

    Raises:
        ComponentError: a line that is not in the format.
    """
    names = []
    for place, (number, line) in enumerate(_lines(path)):
        fields = _fields(line)
        if place == 0 and not _is_file(fields[0]) and not fields[-1].isdecimal():
            continue
        if len(fields) != 2 or fields[1] not in _PARTITIONS.values():
            message = f"{path}:{number}: not a file name and 0, 1 or 2: {line[:60]!r}"
            raise ComponentError(message, option="root")
        if part == "all" or fields[1] == _PARTITIONS[part]:
            names.append(fields[0])
    return names


def _is_file(field: str) -> bool:
    return Path(field).suffix.lower() in (".jpg", ".jpeg", ".png")


def _fields(line: str) -> list[str]:
    """Return what stands between blanks, commas, semicolons and quotes: no field of these lists has any."""
    return line.translate(_TO_BLANKS).split()


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the number and the content of each line that has any."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ComponentError(f"{path} cannot be read: {error.strerror}", option="root") from error
    except UnicodeDecodeError as error:
        raise ComponentError(f"{path} is not UTF-8 text; save it as UTF-8", option="root") from error
    return [(number, line) for number, line in enumerate(lines, start=1) if _fields(line)]
