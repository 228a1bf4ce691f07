"""The sizes of networks as docs/coming-from.md tells them, and as their papers' layers add up to."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from ganlab import ImageSpec, LatentSpec
from ganlab.registry import load_registry

TEXT = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text()


class Row(NamedTuple):
    network: str
    side: int
    latent: int
    options: str
    generator: int
    discriminator: int


def rows() -> list[Row]:
    table = TEXT.partition("## The papers' networks")[2]
    found = []
    for line in re.findall(r"^\| `.*$", table, flags=re.MULTILINE):
        name, side, latent, options, *counts = [cell.strip(" `") for cell in line.split("|")[1:7]]
        generator, discriminator = (int(count.replace(",", "")) for count in counts)
        found.append(Row(name, int(side), int(latent), options, generator, discriminator))
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.network}-{row.side}")
def test_networks_are_as_large_as_the_table_says(row: Row) -> None:
    image, latent = ImageSpec(3, row.side, row.side), LatentSpec(row.latent)
    given = tomllib.loads(f"it = {{{row.options}}}")["it"]
    for kind, expected, context in (
        ("generator", row.generator, (image, latent)),
        ("discriminator", row.discriminator, (image,)),
    ):
        component = load_registry().get(kind, row.network).component
        options = {key: value for key, value in given.items() if key in component.options.model_fields}
        with torch.device("meta"):  # sizes alone: nothing is drawn
            network = component.build(component.options(**options), *context)
        assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_style_at_64_adds_up_to_the_authors_layers() -> None:
    (row,) = (row for row in rows() if (row.network, row.side) == ("style", 64))

    def affine(outputs: int) -> int:
        return 512 * outputs + outputs

    def layer(inputs: int, outputs: int) -> int:  # with its bias, its style and the strength of its noise
        return 9 * inputs * outputs + outputs + affine(inputs) + 1

    def colours(inputs: int) -> int:
        return 3 * inputs + 3 + affine(inputs)

    up_to_32 = 16 * 512 + 7 * layer(512, 512) + 4 * colours(512)
    at_64 = layer(512, 256) + layer(256, 256) + colours(256)
    assert row.generator == 2 * affine(512) + up_to_32 + at_64
    at_64 = 4 * 256 + (9 * 256 * 256 + 256) + (9 * 256 * 512 + 512) + 256 * 512
    below = 3 * (2 * (9 * 512 * 512 + 512) + 512 * 512)
    last = 9 * 513 * 512 + 512 + (16 * 512 * 512 + 512) + 513
    assert row.discriminator == at_64 + below + last
