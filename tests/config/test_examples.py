"""Tables to paste."""

from __future__ import annotations

import tomllib
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from ganlab.components import GeneratorComponent, Options
from ganlab.config.example import example_table
from ganlab.config.options import option_descriptions, options_schema
from ganlab.config.types import describe_field


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Everything(Options):
    count: int = Field(ge=100)
    ratio: float = Field(gt=0, lt=1)
    title: str
    place: Path
    kind: Literal["a", "b"]
    colour: Colour
    pair: tuple[float, float]
    switch: bool
    names: list[str]
    table: dict[str, int]
    maybe: int | None = None
    either: int | str = 3
    nested: dict[str, list[float]] = Field({"a b": [1.0]})
    example: str = Field(pattern="^x+$", examples=["xx"])
    impossible: str = Field(pattern="^[0-9]{7}$")
    endless: float = float("inf")


WORDS = {
    "count": "a whole number ≥ 100",
    "ratio": "a number > 0 and < 1",
    "title": "text",
    "place": "a path",
    "kind": '"a" or "b"',
    "colour": '"red" or "blue"',
    "pair": "an array of 2 numbers",
    "switch": "true or false",
    "names": "an array of texts",
    "table": "a table",
    "maybe": "a whole number",
    "either": "a whole number or text",
    "nested": "a table",
}


@pytest.mark.parametrize(("name", "words"), WORDS.items())
def test_types_in_words(name: str, words: str) -> None:
    assert describe_field(Everything.model_fields[name]) == words


def test_every_kind_of_option_gets_a_value_that_it_takes() -> None:
    component = GeneratorComponent(name="net", summary="Any.", build=lambda: None, options=Everything)
    text = example_table(component, "net")
    table: dict[str, Any] = tomllib.loads(text)["generator"]
    assert table.pop("name") == "net"
    assert set(table) == set(Everything.model_fields) - {"maybe", "impossible", "count"}
    assert "# maybe = 1\n" in text
    assert "# impossible = …  (required: text)\n" in text
    assert 'place = "path/to/place"  # required\n' in text
    assert "endless = inf\n" in text
    assert 'nested = { "a b" = [1.0] }\n' in text


class Base(Options):
    plain: int = 1
    described: int = Field(2, description="By its field.")
    """Not this."""
    inherited: int = 3
    """From the base,
    on two lines."""


class Derived(Base):
    own: int = 4
    """Its own."""
    plain: int = 5
    """Said anew."""


def test_descriptions_are_read_from_fields_and_from_literals_under_them() -> None:
    assert option_descriptions(Derived) == {
        "plain": "Said anew.",
        "described": "By its field.",
        "inherited": "From the base, on two lines.",
        "own": "Its own.",
    }
    assert option_descriptions(Base).get("plain") is None


def test_an_options_schema_carries_the_descriptions() -> None:
    schema = options_schema(Derived)
    assert schema["properties"]["own"]["description"] == "Its own."
    assert "description" not in schema
