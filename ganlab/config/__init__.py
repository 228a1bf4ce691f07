"""From TOML to a validated, fully resolved experiment, with line numbers in every error."""

from ganlab.config.experiment import BestMetric, Experiment
from ganlab.config.loader import load_experiment
from ganlab.config.origin import Origin
from ganlab.config.resolve import dump_resolved, relocate_plugins, with_pinned_start
from ganlab.config.selection import EvaluatorSelection, LossSelection, Selection

__all__ = [
    "BestMetric",
    "EvaluatorSelection",
    "Experiment",
    "LossSelection",
    "Origin",
    "Selection",
    "dump_resolved",
    "load_experiment",
    "relocate_plugins",
    "with_pinned_start",
]
