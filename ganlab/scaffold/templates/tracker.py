"""The tracker `scaffold-name`: scalars as a table that any spreadsheet reads."""

import csv
import os

from ganlab import Options, Tracker, TrackerComponent, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [[trackers]]; each string is shown by `ganlab describe`."""

    delimiter: str = ","
    """What stands between columns."""


class ScaffoldTracker(Tracker):
    """It hears of numbers, pictures and texts; its directory is its own."""

    def __init__(self, directory, delimiter):
        self.file = (directory / "scalars.csv").open("a", newline="")
        self.rows = csv.writer(self.file, delimiter=delimiter)
        if not self.file.tell():
            self.rewind(None, 0)

    def scalars(self, values, step):
        """Record numbers by their tags."""
        self.rows.writerows([step, tag, value] for tag, value in values.items())

    def image(self, tag, image, step):
        """Record a picture, `(H, W, 1 or 3)` uint8; a table has no room for it."""

    def text(self, tag, markdown, step):
        """Record a text; a table has no room for it."""

    def flush(self):
        """Bring all records to the file."""
        self.file.flush()

    def mark(self):
        """Return where the records end, on the disk: a checkpoint keeps it."""
        self.file.flush()
        os.fsync(self.file.fileno())
        return {"bytes": self.file.seek(0, os.SEEK_END)}

    def rewind(self, mark, step):
        """Drop the records after a mark: a resumed run makes them again."""
        self.file.truncate(mark["bytes"] if mark else 0)
        if not mark:
            self.rows.writerow(["step", "tag", "value"])

    def close(self, status, metrics):
        """End; a resumed run opens the tracker again."""
        self.file.close()


def build(options: ScaffoldOptions, run):
    """Return the tracker of a run."""
    return ScaffoldTracker(run.directory, options.delimiter)


@hookimpl
def ganlab_trackers():
    """Offer the tracker."""
    yield TrackerComponent(
        name="scaffold-name",
        summary="Scalars as step, tag and value in one table",
        options=ScaffoldOptions,
        build=build,
    )
