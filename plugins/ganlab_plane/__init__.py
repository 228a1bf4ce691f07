"""The plane: 2-D distributions that generators find hard in different ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import DatasetComponent, ImageSpec, Options, VectorSpec, hookimpl

if TYPE_CHECKING:
    from ganlab import VectorSource


class PlaneOptions(Options):
    """Options of every distribution in the plane."""

    count: int = Field(20_000, ge=1, le=2**26)
    """Number of points; every class has the same share of them, give or take one."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Which points: the same ones for every `seed` of training."""
    labels: bool = False
    """Whether each point is labelled with the part that it belongs to."""


class RingsOptions(PlaneOptions):
    """Options of `rings`."""

    rings: int = Field(3, ge=1, le=100)
    """Number of rings; the k-th has k times the radius of the first."""
    radius: float = Field(1.0, gt=0)
    """Radius of the first ring."""
    noise: float = Field(0.05, ge=0)
    """Standard deviation across the ring."""


class SpiralsOptions(PlaneOptions):
    """Options of `spirals`."""

    arms: int = Field(2, ge=1, le=100)
    """Number of arms."""
    turns: float = Field(1.5, gt=0, le=20)
    """How often an arm winds around the centre."""
    radius: float = Field(2.0, gt=0)
    """Where an arm ends."""
    noise: float = Field(0.05, ge=0)
    """Standard deviation of each point, along both axes."""


class MoonsOptions(PlaneOptions):
    """Options of `two-moons`."""

    noise: float = Field(0.05, ge=0)
    """Standard deviation of each point, along both axes."""


class CheckerboardOptions(PlaneOptions):
    """Options of `checkerboard`."""

    squares: int = Field(4, ge=2, le=100)
    """Squares along a side; every other one is filled."""
    side: float = Field(4.0, gt=0)
    """Length of the board's side."""


def build_rings(options: RingsOptions, image: ImageSpec) -> VectorSource:
    """Return the points; `image` does not matter to vectors."""
    from ganlab_plane.shapes import PlaneSource, rings

    return PlaneSource(rings(options.rings, options.radius, options.noise), options.rings, options)


def build_spirals(options: SpiralsOptions, image: ImageSpec) -> VectorSource:
    """Return the points; `image` does not matter to vectors."""
    from ganlab_plane.shapes import PlaneSource, spirals

    shape = spirals(options.arms, options.turns, options.radius, options.noise)
    return PlaneSource(shape, options.arms, options)


def build_moons(options: MoonsOptions, image: ImageSpec) -> VectorSource:
    """Return the points; `image` does not matter to vectors."""
    from ganlab_plane.shapes import PlaneSource, two_moons

    return PlaneSource(two_moons(options.noise), 2, options)


def build_checkerboard(options: CheckerboardOptions, image: ImageSpec) -> VectorSource:
    """Return the points; `image` does not matter to vectors."""
    from ganlab_plane.shapes import PlaneSource, checkerboard, filled_squares

    shape = checkerboard(options.squares, options.side)
    return PlaneSource(shape, len(filled_squares(options.squares)), options)


@hookimpl
def ganlab_datasets() -> Iterator[DatasetComponent]:
    """Yield the distributions."""
    for name, summary, options, build in (
        ("rings", "Concentric rings: thin, closed, one inside the other", RingsOptions, build_rings),
        ("spirals", "Arms of a spiral: long, thin and wound up", SpiralsOptions, build_spirals),
        ("two-moons", "Two half circles that clasp each other", MoonsOptions, build_moons),
        (
            "checkerboard",
            "Filled squares that touch at corners: sharp edges",
            CheckerboardOptions,
            build_checkerboard,
        ),
    ):
        yield DatasetComponent(
            name=name, summary=summary, options=options, build=build, accepts=(VectorSpec,)
        )
