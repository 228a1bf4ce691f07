"""The component keeps the promises of its kind, and the experiment beside it can be read."""

from pathlib import Path

import pytest
from scaffold_module import scaffold_hook

from ganlab.config import load_experiment
from ganlab.testing import check_component

COMPONENTS = {component.name: component for component in scaffold_hook()}
EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_it_keeps_the_promises_of_its_kind(name):
    check_component(COMPONENTS[name])


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda file: file.name)
def test_the_experiment_can_be_read(file):
    load_experiment(file)
