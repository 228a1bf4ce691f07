"""What several verbs do with measurements: choose evaluators, keep their pictures, print them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ganlab.commands.tables import print_table
from ganlab.metrics import error_text, features_text, floor_text, rounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganlab.evaluation.evaluation import Show
    from ganlab.evaluation.measurement import Measurement

__all__ = [
    "keep_picture",
    "measurement_options",
    "print_measurements",
    "records",
]

_Function = TypeVar("_Function", bound=Callable[..., object])


def measurement_options(function: _Function) -> _Function:
    """Add `--set`, `--device` and `--json`, as `overrides`, `device` and `as_json`."""
    override = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="EVALUATOR.KEY=VALUE",
        help='An evaluator\'s option, as in frechet.features="pixels" or mmd.samples=2000. Repeatable.',
    )
    device = click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        show_default=True,
        help="Where to compute.",
    )
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="Print a JSON array, and nothing else, on standard output."
    )
    return override(device(as_json(function)))


def records(measurements: Sequence[tuple[int | None, Measurement]]) -> list[dict[str, object]]:
    """Return measurements as JSON objects, each with its step where it has one."""
    return [
        {**({} if step is None else {"step": step}), **measurement.to_json()}
        for step, measurement in measurements
    ]


def print_measurements(measurements: Sequence[tuple[int | None, Measurement]]) -> None:
    """Print a table, and below it every note and warning once, with the evaluators that it concerns.

    Where a text does not concern all steps, the evaluator's name comes with those that it concerns.
    """
    stepped = any(step is not None for step, _ in measurements)
    header = ["EVALUATOR", "METRIC", "VALUE", "±", "FLOOR", "REAL", "FAKE", "FEATURES"]
    rows = [
        [
            *([f"{step:,}"] if stepped else []),
            each.evaluator,
            each.metric.name,
            rounded(each.value, each.standard_error),
            "" if each.standard_error is None else error_text(each.standard_error),
            "" if each.floor is None else floor_text(each.floor.value, each.floor.standard_error),
            f"{each.n_real:,}",
            f"{each.n_fake:,}",
            features_text(each.features, each.protocol),
        ]
        for step, each in measurements
    ]
    print_table(["STEP", *header] if stepped else header, rows)
    steps = {step for step, _ in measurements}
    for heading, messages in (
        ("note", [(step, each, text) for step, each in measurements for text in each.notes]),
        ("warning", [(step, each, text) for step, each in measurements for text in each.warnings]),
    ):
        concerned: dict[str, dict[str, list[int | None]]] = {}
        for step, each, text in messages:
            own = concerned.setdefault(text, {}).setdefault(each.evaluator, [])
            if step not in own:
                own.append(step)
        for text, labels in concerned.items():
            named = [
                label if len(own) == len(steps) else f"{label} at {', '.join(f'{step:,}' for step in own)}"
                for label, own in labels.items()
            ]
            click.echo(f"{heading}: {'; '.join(named) if stepped else ', '.join(named)}: {text}")


def keep_picture(directory: Path) -> Show:
    """Return what writes an evaluator's pictures into a directory, each a PNG."""
    from ganlab.drawing.pictures import write_png
    from ganlab.files import explained
    from ganlab.tags import evaluated_picture

    def keep(label: str, name: str, picture: NDArray[np.uint8]) -> None:
        with explained(f"cannot write into {directory}"):
            directory.mkdir(parents=True, exist_ok=True)
        write_png(directory / f"{evaluated_picture(label, name)}.png", picture)

    return keep
