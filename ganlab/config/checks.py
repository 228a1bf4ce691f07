"""What can only be judged by looking at several tables at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ganlab import tags
from ganlab.components import DiscriminatorComponent, EvaluatorComponent, FeaturesComponent, LossComponent
from ganlab.config.draft import Draft
from ganlab.config.experiment import BestMetric
from ganlab.config.settings import TrainingSettings
from ganlab.errors import Problem, UsageError
from ganlab.kinds import KINDS
from ganlab.processes.identity import identity_from_environment
from ganlab.registry import Offer, Registry
from ganlab.registry.suggest import did_you_mean, listing
from ganlab.samples import accepted_kinds

__all__ = ["best_metric", "check_together", "showing"]

_DIVISORS_TRIED = 100_000


def check_together(draft: Draft) -> list[Problem]:
    """Return every problem between tables."""
    checks: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
        _labels_differ,
        _no_loss_is_the_total,
        _samples_fit,
        _image_has_images,
        _losses_have_what_they_need,
        _discriminators_show_what_losses_need,
        _losses_have_augmentations_of_their_own,
        _losses_learn_through_their_features,
        _networks_have_their_losses,
        _best_is_measured,
        _microbatches_fill_a_batch,
    )
    return [problem for check in checks for problem in check(draft)]


def _labels_differ(draft: Draft) -> Iterator[Problem]:
    for section in (kind.section for kind in KINDS.values() if "label" in kind.core_keys):
        seen: dict[str, tuple[str, str]] = {}
        for path, label in _labels(draft, section).items():
            # Files are named by labels, and to some file systems `A` and `a` are one name.
            other, its_label = seen.setdefault(label.lower(), (path, label))
            if other != path:
                case = "" if its_label == label else f", but for the case of `{its_label}`"
                message = f"is called `{label}`, as {other} is{case}"
                hint = 'tell them apart: add `label = "…"` to one of them'
                yield draft.origin.problem(path, message, hint)


def _no_loss_is_the_total(draft: Draft) -> Iterator[Problem]:
    for path, label in _labels(draft, "losses").items():
        if label == tags.TOTAL:
            message = f"is called `{label}`, as the sum of all losses is where they are logged"
            yield draft.origin.problem(path, message, 'add another `label = "…"`')


def _labels(draft: Draft, section: str) -> dict[str, str]:
    """Return what the entries of a section will be called, by their paths."""
    return {path: draft.label(path, offer) for path, offer in draft.of(section).items() if offer}


def _samples_fit(draft: Draft) -> Iterator[Problem]:
    spec, dataset = draft.samples, draft.offers.get("dataset")
    if spec is None or dataset is None:
        return
    for path, offer in draft.offers.items():
        if offer is None or path == "dataset" or issubclass(spec, offer.component.accepts):
            continue
        component = offer.component
        takes = " or ".join(kind.word for kind in accepted_kinds(component.accepts))
        message = (
            f"`{component.name}` works on {takes}, "
            f"but the dataset `{dataset.component.name}` yields {spec.word}"
        )
        fitting = [
            offer.component.name
            for offer in draft.registry.components(component.kind)
            if issubclass(spec, offer.component.accepts)
        ]
        yield draft.origin.problem(f"{path}.name", message, f"for {spec.word}: {listing(fitting)}")


def _image_has_images(draft: Draft) -> Iterator[Problem]:
    spec, dataset = draft.samples, draft.offers.get("dataset")
    if spec and not spec.sized_by_image_table and dataset and "image" in draft.values:
        message = f"the dataset `{dataset.component.name}` yields {spec.word}, not images"
        yield draft.origin.problem("image", message, "remove the table")


def _losses_have_what_they_need(draft: Draft) -> Iterator[Problem]:
    for path, offer in draft.of("losses").items():
        if offer is None or not isinstance(offer.component, LossComponent):
            continue
        component = offer.component
        for need in sorted(component.needs):
            kind = KINDS[need]
            if draft.values.get(kind.section) in (None, []):
                article = "a" if need == "discriminator" else "an"
                names = listing(offer.component.name for offer in draft.registry.components(need))
                yield draft.origin.problem(
                    path,
                    f"the loss `{component.name}` needs {article} {need}",
                    f"add {article} {kind.header} table; {kind.plural}: {names}",
                )


def _discriminators_show_what_losses_need(draft: Draft) -> Iterator[Problem]:
    judge = draft.offers.get("discriminator")
    if judge is None or not isinstance(judge.component, DiscriminatorComponent):
        return
    for path, offer in draft.of("losses").items():
        if offer is None or not isinstance(offer.component, LossComponent):
            continue
        for output in sorted(offer.component.needs_outputs - judge.component.outputs):
            yield draft.origin.problem(
                path,
                f"the loss `{offer.component.name}` needs a discriminator that shows `{output}`, "
                f"and `{judge.component.name}` does not",
                f"discriminators that do: {listing(showing(output, draft.registry))}",
            )


def showing(output: str, registry: Registry) -> list[str]:
    """Return the names of the discriminators that show an output."""
    return [
        offer.component.name
        for offer in registry.components("discriminator")
        if isinstance(offer.component, DiscriminatorComponent) and output in offer.component.outputs
    ]


def _losses_have_augmentations_of_their_own(draft: Draft) -> Iterator[Problem]:
    shown = [draft.selections.get(path) for path in draft.of("augmentations")]
    if not shown or any(selection is None or not selection.settings.always for selection in shown):
        return
    for path, offer in draft.of("losses").items():
        if offer is not None and _needs(offer, "augmentation"):
            yield draft.origin.problem(
                path,
                f"the loss `{offer.component.name}` compares samples with augmented ones, and the "
                "discriminator sees every sample through all augmentations",
                "set `always = false` in the [[augmentations]] that are for this loss",
            )


def _losses_learn_through_their_features(draft: Draft) -> Iterator[Problem]:
    for path, offer in draft.offers.items():
        if offer is None or not path.startswith("losses.") or _differentiable(offer) is not False:
            continue
        names = listing(
            other.component.name
            for other in draft.registry.components("features")
            if _differentiable(other)
            and (draft.samples is None or issubclass(draft.samples, other.component.accepts))
        )
        yield draft.origin.problem(
            path,
            f"no gradient flows through the features `{offer.component.name}`: no loss could learn by them",
            f"features that losses can learn by: {names or 'none'}",
        )


def _differentiable(offer: Offer) -> bool | None:
    """Return whether gradients flow through features; `None` for other kinds of component."""
    component = offer.component
    return component.differentiable if isinstance(component, FeaturesComponent) else None


def _networks_have_their_losses(draft: Draft) -> Iterator[Problem]:
    losses = draft.of("losses").values()
    if not losses or None in losses:
        return
    for network in ("discriminator", "encoder"):
        if network in draft.values and not any(_needs(offer, network) for offer in losses):
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


def _needs(offer: Offer | None, what: str) -> bool:
    component = offer.component if offer else None
    return isinstance(component, LossComponent) and what in component.needs


def _best_is_measured(draft: Draft) -> Iterator[Problem]:
    best = draft.section("checkpoint").get("best")
    evaluators = draft.of("evaluators")
    if not isinstance(best, str) or None in evaluators.values():
        return
    if not evaluators:
        hint = "add an `[[evaluators]]` table, or remove `best`"
        yield draft.origin.problem("checkpoint.best", "nothing is evaluated", hint)
        return
    options = _possible(draft)
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


def best_metric(best: str | None, draft: Draft) -> BestMetric | None:
    """Return the metric that chooses the best checkpoint; `None` if none does.

    Args:
        best: as the experiment says it, checked; `None` asks for the first metric that can choose unasked.
        draft: whose evaluators.
    """
    options = _possible(draft)
    exact = [option for option in options if best == f"{option.label}.{option.metric.name}"]
    labelled = [option for option in options if best == option.label]
    directed = [
        option for option in options if best is None and option.metric.better and option.metric.chooses
    ]
    return next(iter((*exact, *labelled, *directed)), None)


def _possible(draft: Draft) -> list[BestMetric]:
    """Return every metric that is measured, in the experiment's order."""
    return [
        BestMetric(draft.label(path, offer), metric)
        for path, offer in draft.of("evaluators").items()
        if offer and isinstance(offer.component, EvaluatorComponent)
        for metric in offer.component.metrics
    ]


def _microbatches_fill_a_batch(draft: Draft) -> Iterator[Problem]:
    training = draft.section("training")
    batch = training.get("batch_size", TrainingSettings.model_fields["batch_size"].default)
    micro = training.get("microbatch_size")
    if not (isinstance(micro, int) and isinstance(batch, int)) or micro < 1 or batch < 1:
        return
    world = _processes()
    # What passes the networks at once is cut from a process's own rows.
    for own in sorted({batch // world, -(-batch // world)}):
        if micro > batch or (own > micro and own % micro):
            # Not all of them: the numbers may be absurd.
            sizes = range(min(micro, own), 0, -1)[:_DIVISORS_TRIED]
            near = next((size for size in sizes if own % size == 0), 1)
            whole = (
                f"the batch size, {batch},"
                if world == 1
                else f"a process's share of a batch, {own} of {batch},"
            )
            message = f"must divide {whole} but {micro} does not"
            yield draft.origin.problem("training.microbatch_size", message, f"for example {near}")
            return


def _processes() -> int:
    """Return how many processes share a run; 1 where the environment does not say so properly."""
    try:
        return identity_from_environment()[1]
    except UsageError:
        return 1
