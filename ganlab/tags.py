"""Tags: what scalars, pictures and texts are called in TensorBoard, `metrics.jsonl` and `run.json`.

A tag's family stands before its first slash, and its words are joined by hyphens. Only this module
spells tags; whoever reports a number, or looks for one, takes its tag from here.
"""

from __future__ import annotations

__all__ = [
    "ACCURACY",
    "AUGMENTATIONS",
    "DATA_WAIT",
    "DEVICE_MEMORY_PEAK",
    "ENVIRONMENT",
    "EXPERIMENT",
    "FLOOR",
    "FLOOR_RUN",
    "GRADIENT_NORMS",
    "IMAGES",
    "IMAGES_PER_SECOND",
    "LEARNING_RATES",
    "LOSSES",
    "MEMORY",
    "NETWORKS",
    "PAIR_SIGN",
    "PROCESS_MEMORY_PEAK",
    "REAL_SIGN",
    "STANDARD_ERROR",
    "TOTAL",
    "augmentation",
    "evaluated_picture",
    "evaluation",
    "evaluator_and_metric",
    "gradient_norm",
    "health",
    "learning_rate",
    "logits",
    "loss",
    "losses",
    "margin",
    "player_of",
    "probability",
    "samples",
    "total_loss",
    "up_to_date",
    "updates",
]

LOSSES = "loss/"
"""What the tags of all losses begin with."""

TOTAL = "total"
"""What the sum of a player's losses is called; no loss may be."""

GRADIENT_NORMS = "gradient-norm/"
"""What the tags of all gradient norms begin with."""

LEARNING_RATES = "learning-rate/"
"""What the tags of all learning rates begin with."""

MEMORY = "memory/"
"""What the tags of all peaks of memory begin with."""

ACCURACY = "balance/accuracy"
"""Share of real and fake samples that the discriminator is right about, in [0, 1]; ½ at the equilibrium.

A mean over its turns since the log point before, as all that is logged of losses and logits.
"""

REAL_SIGN = "balance/real-sign"
"""Mean sign of the logits of real samples, in [-1, 1]; near 1, the discriminator knows them by heart.

The heuristic r_t of Karras et al. (2020), the sign taken from where a loss is undecided
(`ganlab.Loss.undecided`); logged where an experiment has augmentations.
"""

PAIR_SIGN = "balance/pair-sign"
"""Mean sign of a real sample's logit minus a fake's, pair by pair, in [-1, 1].

In the place of `REAL_SIGN` where no loss gives logits a place to be undecided at.
"""

AUGMENTATIONS = "augmentation/"
"""What the tags of all that augmentations report begin with."""

IMAGES = "progress/images"
"""Images of all completed steps, at least 0."""

IMAGES_PER_SECOND = "speed/images-per-second"
"""Images of the steps since the log point before, per second spent on them; at least 0."""

DATA_WAIT = "speed/data-wait"
"""Share of that time that was spent waiting for data, in [0, 1]."""

PROCESS_MEMORY_PEAK = "memory/process-peak-mib"
"""The most memory that the process has held at once, in MiB."""

DEVICE_MEMORY_PEAK = "memory/device-peak-mib"
"""The most memory that tensors have taken on the accelerator at once, in MiB; absent on a CPU."""

STANDARD_ERROR = "-standard-error"
"""What the tag of a metric's standard error ends with, after the metric's own."""

FLOOR = "-floor"
"""What the tag of a metric's floor ends with: the same metric, held-out real samples against real.

Its standard error has both endings, the floor's first.
"""

FLOOR_RUN = "floor"
"""What a run's floors are called where they are lines of their own, each under its metric's tag."""

EXPERIMENT = "experiment"
"""The resolved experiment, a text."""

ENVIRONMENT = "environment"
"""The machine and the versions, a text."""

NETWORKS = "networks"
"""The networks' layers and sizes, a text."""


def losses(player: str) -> str:
    """Return what the tags of a player's losses begin with."""
    return f"loss/{player}/"


def loss(player: str, label: str, part: str = "") -> str:
    """Return the tag of a loss in a player's turn: its weighted value, any number.

    Args:
        player: `discriminator` or `generator`.
        label: the loss's, as the experiment has it.
        part: which of its named tensors, where it returns several.
    """
    return losses(player) + (f"{label}/{part}" if part else label)


def total_loss(player: str) -> str:
    """Return the tag of what a player minimises: the sum of its losses, any number."""
    return losses(player) + TOTAL


def gradient_norm(player: str) -> str:
    """Return the tag of the Euclidean norm of a player's gradient before it is clipped; at least 0."""
    return f"{GRADIENT_NORMS}{player}"


def learning_rate(player: str) -> str:
    """Return the tag of a player's learning rate as its schedule has it; at least 0."""
    return f"{LEARNING_RATES}{player}"


def updates(player: str) -> str:
    """Return the tag of how often a player's weights have been updated; at least 0."""
    return f"progress/{player}-updates"


def logits(kind: str) -> str:
    """Return the tag of the mean logit of `real` or `fake` samples, any number; higher is more real."""
    return f"logits/{kind}"


def probability(kind: str) -> str:
    """Return the tag of the mean probability of being real, of `real` or `fake` samples; in [0, 1]."""
    return f"balance/p-{kind}"


def augmentation(label: str, name: str) -> str:
    """Return the tag of a scalar that an augmentation reports, by its label and the scalar's name."""
    return f"{AUGMENTATIONS}{label}/{name}"


def samples(name: str) -> str:
    """Return the tag of a picture."""
    return f"samples/{name}"


def evaluated_picture(evaluator: str, picture: str) -> str:
    """Return the name of a picture that an evaluator shows, another for each pair of label and picture."""
    # A hyphen of the label is doubled, so that the first single one, or the odd one, is what joins the two.
    return f"{evaluator.replace('-', '--')}-{picture}"


def health(name: str) -> str:
    """Return the tag of a warning about the run's health, a text."""
    return f"health/{name}"


def evaluation(evaluator: str, metric: str, features: str, protocol: str = "") -> str:
    """Return the tag of a metric, in the metric's own unit.

    The features are part of it: a number on other features is another number.

    Args:
        evaluator: the evaluator's label.
        metric: which of its numbers.
        features: the extractor's name.
        protocol: its preprocessing, where it has several.
    """
    on = f"{features}-{protocol}" if protocol else features
    return f"evaluation/{evaluator}/{metric}-{on}"


def evaluator_and_metric(tag: str) -> tuple[str, str] | None:
    """Return the evaluator's label, and the metric on its features; `None` if the tag is no metric's."""
    family, _, rest = tag.partition("/")
    label, _, metric = rest.partition("/")
    return (label, metric) if family == "evaluation" else None


def margin(tag: str, part: str) -> str:
    """Return the tag of what a chart draws around a number.

    Args:
        tag: the tag of the number.
        part: `low` or `high`, the ends of the margin; or `middle`, where the number itself cannot be it.
    """
    return f"margin/{tag}/{part}"


def player_of(tag: str) -> str:
    """Return the player in whose turn something is observed; empty if a tag is of no turn."""
    if tag.startswith((LOSSES, GRADIENT_NORMS)):
        return tag.split("/")[1]
    return "discriminator" if tag.startswith(("logits/", "balance/", AUGMENTATIONS)) else ""


def up_to_date(tag: str) -> str:
    """Return a tag as it is spelled now: earlier versions joined the words of some by underscores."""
    return tag.replace("_", "-") if tag.startswith(_ONCE_WITH_UNDERSCORES) else tag


_ONCE_WITH_UNDERSCORES = ("balance/", "gradient_norm/", "learning_rate/", "memory/", "progress/", "speed/")
