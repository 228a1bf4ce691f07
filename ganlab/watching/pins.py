"""What TensorBoard opens on: the cards at the top of its page of time series."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from ganlab import tags
from ganlab.errors import GanlabError
from ganlab.runs.reading import Run

__all__ = ["address", "headline_metrics", "pinned_tags"]

_MOST_METRICS = 6


def address(server: str, pinned: Sequence[str]) -> str:
    """Return the address of a page on which cards are pinned and nothing is smoothed.

    Args:
        server: where TensorBoard serves, `http://localhost:6006/`.
        pinned: tags of scalars.
    """
    cards = json.dumps([{"plugin": "scalars", "tag": tag} for tag in pinned], separators=(",", ":"))
    # The second is for the older pages, which have a smoothing of their own.
    return f"{server}?pinnedCards={quote(cards, safe='/:,')}&smoothing=0#timeseries&_smoothingWeight=0"


def pinned_tags(runs: Sequence[Run]) -> list[str]:
    """Return the tags of what matters: the metrics, the discriminator's balance, and both losses.

    Where logits are no log-odds, there is no accuracy, and their means tell of the balance.
    """
    last = [run.last_metrics() or {} for run in runs]
    balanced = any(tags.ACCURACY in values for values in last)
    unbalanced = any(tags.ACCURACY not in values and tags.logits("real") in values for values in last)
    return [
        *headline_metrics(runs)[:_MOST_METRICS],
        *([tags.ACCURACY] if balanced or not unbalanced else []),
        *(tags.total_loss(player) for player in ("generator", "discriminator")),
        *([tags.logits("real"), tags.logits("fake")] if unbalanced else []),
    ]


def headline_metrics(runs: Sequence[Run]) -> list[str]:
    """Return the tag of each evaluator's first metric, those by which runs are judged before the others.

    The newest run counts before it has measured anything, too: that one is what is watched.
    """
    judged: dict[str, bool] = {}
    newest = max(runs, key=lambda run: (run.state.created, run.state.id), default=None)
    for run in runs:
        try:
            best = str(run.experiment().get("checkpoint", {}).get("best", ""))
            found = _measured(run) or (_to_be_measured(run) if run is newest else {})
        except GanlabError:
            continue
        for label, tag in found.items():
            judged[tag] = judged.get(tag, False) or best.partition(".")[0] == label
    return sorted(judged, key=lambda tag: not judged[tag])


def _measured(run: Run) -> dict[str, str]:
    """Return the tag of the first metric of each evaluator by its label, as far as a run has measured."""
    found: dict[str, str] = {}
    for line in run.evaluations():
        tag = tags.evaluation(line["evaluator"], line["metric"], line["features"], line["protocol"])
        found.setdefault(line["evaluator"], tag)
    return found


def _to_be_measured(run: Run) -> dict[str, str]:
    """Return the same of a run that has measured nothing yet, by its experiment."""
    from ganlab.config import load_experiment

    evaluators = load_experiment(run.resolved).evaluators
    return {
        each.label: tags.evaluation(each.label, each.component.metrics[0].name, each.features.component.name)
        for each in evaluators
    }
