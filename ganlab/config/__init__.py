"""From TOML to a validated, fully resolved experiment, with line numbers in every error."""

from ganlab.config.experiment import (
    BestMetric,
    EvaluatorChoice,
    Experiment,
    LossChoice,
    Origin,
    Selection,
)
from ganlab.config.loader import load_experiment
from ganlab.config.resolve import dump_resolved, relocate_plugins

__all__ = [
    "BestMetric",
    "EvaluatorChoice",
    "Experiment",
    "LossChoice",
    "Origin",
    "Selection",
    "dump_resolved",
    "load_experiment",
    "relocate_plugins",
]
