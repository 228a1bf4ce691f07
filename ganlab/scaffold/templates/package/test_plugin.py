"""The components keep the promises of their kinds, and the experiment beside them can be read."""

from pathlib import Path

import pytest
import scaffold_module

from ganlab.config import load_experiment
from ganlab.testing import check_component, components_of

COMPONENTS = {f"{each.kind} {each.name}": each for each in components_of(scaffold_module)}
EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_it_keeps_the_promises_of_its_kind(name):
    check_component(COMPONENTS[name])


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda file: file.name)
def test_the_experiment_can_be_read(file):
    load_experiment(file)
