"""What can only be judged by looking at several tables at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ganlab.components import (
    EvaluatorComponent,
    ImageSpec,
    LossComponent,
    Metric,
    VectorSpec,
)
from ganlab.config.experiment import BestMetric, Origin
from ganlab.config.selection import Choices, Chosen
from ganlab.config.settings import TrainingSettings
from ganlab.errors import Problem
from ganlab.registry import Registry
from ganlab.registry.suggest import did_you_mean, listing

__all__ = ["Draft", "best_metric", "check_together"]

_DIVISORS_TRIED = 100_000


@dataclass(frozen=True)
class Draft:
    """An experiment that may still have problems: its values and whatever could be chosen from them."""

    values: dict[str, Any]
    choices: Choices
    registry: Registry
    origin: Origin

    def table(self, name: str) -> dict[str, Any]:
        """Return a top-level table as given, empty where there is none."""
        table = self.values.get(name)
        return table if isinstance(table, dict) else {}


def check_together(draft: Draft) -> list[Problem]:
    """Return every problem between tables."""
    checks: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
        _labels_differ,
        _samples_fit,
        _image_has_images,
        _losses_have_their_networks,
        _networks_have_their_losses,
        _best_is_measured,
        _microbatches_fill_a_batch,
    )
    return [problem for check in checks for problem in check(draft)]


def _labels_differ(draft: Draft) -> Iterator[Problem]:
    sections = {
        "losses": draft.choices.losses,
        "evaluators": draft.choices.evaluators,
        "trackers": draft.choices.trackers,
    }
    for entries in sections.values():
        seen: dict[str, Chosen] = {}
        for chosen in filter(None, entries):
            # Files are named by labels, and to some file systems `A` and `a` are one name.
            other = seen.setdefault(chosen.label.lower(), chosen)
            if other is not chosen:
                case = "" if other.label == chosen.label else f", but for the case of `{other.label}`"
                message = f"is called `{chosen.label}`, as {other.path} is{case}"
                hint = 'tell them apart: add `label = "…"` to one of them'
                yield draft.origin.problem(chosen.path, message, hint)


def _samples_fit(draft: Draft) -> Iterator[Problem]:
    spec, dataset = draft.choices.spec, draft.choices.dataset
    if spec is None or dataset is None:
        return
    for chosen in draft.choices.all():
        component = chosen.offer.component
        if chosen is dataset or spec in component.accepts:
            continue
        takes = " or ".join(_samples(accepted) for accepted in component.accepts)
        message = (
            f"`{component.name}` works on {takes}, "
            f"but the dataset `{dataset.offer.component.name}` yields {_samples(spec)}"
        )
        fitting = [
            offer.component.name
            for offer in draft.registry.components(component.kind)
            if spec in offer.component.accepts
        ]
        yield draft.origin.problem(
            f"{chosen.path}.name", message, f"for {_samples(spec)}: {listing(fitting)}"
        )


def _samples(spec: type[ImageSpec] | type[VectorSpec]) -> str:
    return "images" if spec is ImageSpec else "vectors"


def _image_has_images(draft: Draft) -> Iterator[Problem]:
    dataset = draft.choices.dataset
    if draft.choices.spec is VectorSpec and dataset and "image" in draft.values:
        message = f"the dataset `{dataset.offer.component.name}` yields vectors, not images"
        yield draft.origin.problem("image", message, "remove the table")


def _losses_have_their_networks(draft: Draft) -> Iterator[Problem]:
    for chosen in filter(None, draft.choices.losses):
        component = chosen.offer.component
        assert isinstance(component, LossComponent)
        for network in sorted(component.needs):
            if network not in draft.values:
                article = "an" if network == "encoder" else "a"
                names = listing(offer.component.name for offer in draft.registry.components(network))
                yield draft.origin.problem(
                    chosen.path,
                    f"the loss `{component.name}` needs {article} {network}",
                    f"add {article} [{network}] table; {network}s: {names}",
                )


def _networks_have_their_losses(draft: Draft) -> Iterator[Problem]:
    losses = draft.choices.losses
    if not losses or None in losses:
        return
    for network in ("discriminator", "encoder"):
        if network in draft.values and not any(_needs(chosen, network) for chosen in losses):
            names = listing(
                offer.component.name
                for offer in draft.registry.components("loss")
                if isinstance(offer.component, LossComponent) and network in offer.component.needs
            )
            yield draft.origin.problem(
                network,
                f"no loss asks for the {network}: it would never learn",
                f"remove the table, or add a loss that needs it: {names}\n"
                f'a loss of your own says so in its record: needs=frozenset({{"{network}"}})',
            )


def _needs(chosen: Chosen | None, network: str) -> bool:
    component = chosen.offer.component if chosen else None
    return isinstance(component, LossComponent) and network in component.needs


def _best_is_measured(draft: Draft) -> Iterator[Problem]:
    best = draft.table("checkpoint").get("best")
    evaluators = draft.choices.evaluators
    if not isinstance(best, str) or None in evaluators:
        return
    if not evaluators:
        hint = "add an `[[evaluators]]` table, or remove `best`"
        yield draft.origin.problem("checkpoint.best", "nothing is evaluated", hint)
        return
    options = _possible(evaluators)
    found = [option for option in options if best == f"{option.label}.{option.metric.name}"]
    found = found or [option for option in options if best == option.label][:1]
    directed = [option for option in options if option.metric.better]
    hint = f"possible: {listing(f'{option.label}.{option.metric.name}' for option in directed)}"
    if not found:
        guess = did_you_mean(best, [option.label for option in options])
        yield draft.origin.problem(
            "checkpoint.best", f"no evaluator yields `{best}`", "\n".join(filter(None, (guess, hint)))
        )
    elif not found[0].metric.better:
        message = f"`{found[0].label}.{found[0].metric.name}` is neither better when lower nor when higher"
        yield draft.origin.problem("checkpoint.best", message, hint)


def best_metric(best: str | None, evaluators: Sequence[Chosen | None]) -> BestMetric | None:
    """Return the metric that chooses the best checkpoint; `None` if no metric has a direction.

    Args:
        best: as the experiment says it, checked; `None` asks for the first metric that can choose.
        evaluators: in the experiment's order.
    """
    options = _possible(evaluators)
    exact = [option for option in options if best == f"{option.label}.{option.metric.name}"]
    labelled = [option for option in options if best == option.label]
    directed = [option for option in options if best is None and option.metric.better]
    return next(iter((*exact, *labelled, *directed)), None)


def _possible(evaluators: Sequence[Chosen | None]) -> list[BestMetric]:
    result = []
    for chosen in filter(None, evaluators):
        component = chosen.offer.component
        assert isinstance(component, EvaluatorComponent)
        metrics: tuple[Metric, ...] = component.metrics
        result += [BestMetric(chosen.label, metric) for metric in metrics]
    return result


def _microbatches_fill_a_batch(draft: Draft) -> Iterator[Problem]:
    training = draft.table("training")
    batch = training.get("batch_size", TrainingSettings.model_fields["batch_size"].default)
    micro = training.get("microbatch_size")
    if not (isinstance(micro, int) and isinstance(batch, int)) or micro < 1 or batch < 1:
        return
    if batch % micro:
        # Not all of them: the numbers may be absurd.
        sizes = range(min(micro, batch), 0, -1)[:_DIVISORS_TRIED]
        near = next((size for size in sizes if batch % size == 0), 1)
        message = f"must divide the batch size, {batch}, but {micro} does not"
        yield draft.origin.problem("training.microbatch_size", message, f"for example {near}")
