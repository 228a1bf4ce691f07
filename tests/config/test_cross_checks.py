"""What only several tables together can get wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ganlab.components import ImageSpec, Metric
from ganlab.config import BestMetric, Experiment
from ganlab.errors import ExperimentError, Problem

World = Callable[..., Experiment]
Refused = Callable[..., list[Problem]]


def only(problems: list[Problem]) -> str:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return str(problems[0])


@pytest.mark.parametrize(
    ("section", "name"), [("losses", "duel"), ("evaluators", "judge"), ("trackers", "paper")]
)
def test_one_component_twice_needs_labels(
    load: World, refused: Refused, base: str, section: str, name: str
) -> None:
    twice = f'{base}[[{section}]]\nname = "{name}"\n'
    assert only(refused(twice)) == (
        f"experiment.toml:17: {section}.1: is called `{name}`, as {section}.0 is\n"
        '    tell them apart: add `label = "…"` to one of them'
    )
    assert load(f'{twice}label = "other"\n')


def test_labels_that_differ_in_case_alone_would_be_one_file(refused: Refused, base: str) -> None:
    assert only(refused(f'{base}[[evaluators]]\nname = "judge"\nlabel = "Judge"\n')) == (
        "experiment.toml:17: evaluators.1: is called `Judge`, as evaluators.0 is, but for the case of "
        "`judge`\n"
        '    tell them apart: add `label = "…"` to one of them'
    )


def test_components_must_accept_what_the_dataset_yields(refused: Refused, base: str) -> None:
    text = base.replace('"pictures"', '"points"').replace(
        '[generator]\nname = "net"', '[generator]\nname = "conv"'
    )
    assert only(refused(text)) == (
        "experiment.toml:6: generator.name: `conv` works on images, but the dataset `points` yields vectors\n"
        "    for vectors: deep, net"
    )


def test_named_features_must_fit_too(refused: Refused, base: str) -> None:
    text = base.replace('name = "judge"', 'name = "judge"\nfeatures = "hands"')
    assert only(refused(text)).startswith(
        "experiment.toml:15: evaluators.0.features.name: `hands` works on vectors, but the dataset `pictures`"
    )


@pytest.mark.parametrize(("dataset", "features"), [("pictures", "eyes"), ("points", "hands")])
def test_features_default_to_the_first_that_fits(load: World, base: str, dataset: str, features: str) -> None:
    experiment = load(base.replace("pictures", dataset))
    assert experiment.evaluators[0].features.component.name == features
    assert experiment.resolved["evaluators"][0]["features"]["name"] == features


def test_an_evaluator_whose_features_are_missing_says_which_would_do(refused: Refused, base: str) -> None:
    assert only(refused(base.replace('"judge"', '"blind"'))) == (
        "experiment.toml:13: evaluators.0.features: the evaluator `blind` finds no feature extractor "
        "for this dataset among: none-such\n"
        "    name one with `features = …`; those that fit the dataset: eyes"
    )


def test_an_evaluator_may_bring_its_features(load: World, refused: Refused, base: str) -> None:
    text = base.replace('name = "judge"', 'name = "insider"\nwidth = 5')
    experiment = load(text)
    (chosen,) = experiment.evaluators
    assert chosen.features.component.name == "eyes"
    assert chosen.features.options.model_dump() == {"width": 5, "weights": None}
    assert "features" not in experiment.resolved["evaluators"][0]
    with pytest.raises(ExperimentError, match=r"experiment.toml:15: evaluators.0.width: must be even"):
        chosen.features.build(experiment.image)
    assert only(refused(text.replace("width = 5", 'features = "hands"'))) == (
        "experiment.toml:15: evaluators.0.features: cannot be chosen: `insider` is defined on its own "
        "features\n    remove the key"
    )


def test_vectors_have_no_image_table(refused: Refused, load: World, base: str) -> None:
    points = base.replace("pictures", "points")
    assert only(refused(f"{points}[image]\nsize = 8\n")) == (
        "experiment.toml:17: image: the dataset `points` yields vectors, not images\n    remove the table"
    )
    assert load(points).image is None
    assert "image" not in load(points).resolved


def test_a_loss_must_have_its_network(refused: Refused, base: str) -> None:
    text = base.replace('[discriminator]\nname = "net"\n', "")
    assert only(refused(text)) == (
        "experiment.toml:7: losses.0: the loss `duel` needs a discriminator\n"
        "    add a [discriminator] table; discriminators: net"
    )
    without_encoder = only(refused(f'{base}[[losses]]\nname = "encode"\n'))
    assert "needs an encoder" in without_encoder and "add an [encoder] table" in without_encoder


@pytest.mark.parametrize(("network", "loss"), [("discriminator", "duel"), ("encoder", "encode")])
def test_a_network_must_have_its_loss(refused: Refused, base: str, network: str, loss: str) -> None:
    text = base.replace('"duel"', '"match"').replace("[discriminator]", f"[{network}]")
    assert only(refused(text)) == (
        f"experiment.toml:7: {network}: no loss asks for the {network}: it would never learn\n"
        f"    remove the table, or add a loss that needs it: {loss}\n"
        f'    a loss of your own says so in its record: needs=frozenset({{"{network}"}})'
    )


def test_the_right_networks_are_accepted(load: World, base: str) -> None:
    alone = load(base.replace('"duel"', '"match"').replace('[discriminator]\nname = "net"\n', ""))
    assert alone.discriminator is None
    assert "discriminator" not in alone.resolved
    assert load(f'{base}[[losses]]\nname = "encode"\n[encoder]\nname = "net"\n').encoder is not None


@pytest.mark.parametrize(
    ("best", "metric"),
    [
        ("judge", Metric("distance")),
        ("judge.distance", Metric("distance")),
        ("judge.gain", Metric("gain", "higher")),
        (None, Metric("distance")),
    ],
)
def test_best_names_a_metric_with_a_direction(
    load: World, base: str, best: str | None, metric: Metric
) -> None:
    experiment = load(base + (f'[checkpoint]\nbest = "{best}"\n' if best else ""))
    assert experiment.best == BestMetric("judge", metric)
    assert experiment.resolved["checkpoint"]["best"] == f"judge.{metric.name}"


def test_a_label_with_a_dot_is_still_found(load: World, base: str) -> None:
    text = base.replace('name = "judge"', 'name = "judge"\nlabel = "judge.v2"') + "[checkpoint]\nbest = "
    assert load(text + '"judge.v2"\n').best == BestMetric("judge.v2", Metric("distance"))
    assert load(text + '"judge.v2.gain"\n').best == BestMetric("judge.v2", Metric("gain", "higher"))


@pytest.mark.parametrize(
    ("best", "message"),
    [
        ("juge", "no evaluator yields `juge`\n    did you mean `judge`?"),
        ("judge.none", "no evaluator yields `judge.none`"),
        ("judge.size", "`judge.size` is neither better when lower nor when higher"),
    ],
)
def test_any_other_best_is_answered_with_the_possible(
    refused: Refused, base: str, best: str, message: str
) -> None:
    told = only(refused(f'{base}[checkpoint]\nbest = "{best}"\n'))
    assert told.startswith(f"experiment.toml:18: checkpoint.best: {message}")
    assert told.endswith("    possible: judge.distance, judge.gain")


def test_without_evaluators_there_is_no_best(refused: Refused, load: World, base: str) -> None:
    text = base.replace('[[evaluators]]\nname = "judge"\n', "")
    assert load(text).best is None
    assert only(refused(f'{text}[checkpoint]\nbest = "judge"\n')) == (
        "experiment.toml:16: checkpoint.best: nothing is evaluated\n"
        "    add an `[[evaluators]]` table, or remove `best`"
    )


@pytest.mark.parametrize(("batch", "micro", "near"), [(64, 48, 32), (60, 7, 6), (8, 9, 8)])
def test_microbatches_fill_a_batch(refused: Refused, base: str, batch: int, micro: int, near: int) -> None:
    text = base.replace("steps = 10", f"steps = 10\nbatch_size = {batch}\nmicrobatch_size = {micro}")
    assert only(refused(text)) == (
        "experiment.toml:14: training.microbatch_size: "
        f"must divide the batch size, {batch}, but {micro} does not\n    for example {near}"
    )


@pytest.mark.parametrize(
    ("batch", "micro", "processes", "near"),
    [(64, 16, 4, 0), (64, 32, 8, 0), (63, 21, 3, 0), (24, 8, 2, 6), (64, 8, 3, 7), (64, 128, 2, 32)],
)
def test_microbatches_fill_what_a_process_has_of_a_batch(
    load: World,
    refused: Refused,
    base: str,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    micro: int,
    processes: int,
    near: int,
) -> None:
    meeting = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }
    for name, value in meeting.items():
        monkeypatch.setenv(name, value)
    text = base.replace("steps = 10", f"steps = 10\nbatch_size = {batch}\nmicrobatch_size = {micro}")
    if near:
        told = only(refused(text))
        assert (
            f"must divide a process's share of a batch, {batch // processes} of {batch}, but {micro} does not"
            in told
        )
        assert told.endswith(f"for example {near}")
    else:
        assert load(text).settings.training.microbatch_size == micro


def test_absurd_batches_are_not_searched_for_all_their_divisors(refused: Refused, base: str) -> None:
    text = base.replace("steps = 10", f"steps = 10\nbatch_size = {2**61 - 1}\nmicrobatch_size = {2**60}")
    assert any("for example 1" in problem.hint for problem in refused(text))


@pytest.mark.parametrize(
    ("table", "spec"),
    [
        ("", ImageSpec(3, 32, 48)),
        ("size = 16", ImageSpec(3, 16, 16)),
        ("channels = 1", ImageSpec(1, 32, 48)),
        ("height = 8\nwidth = 10\nchannels = 4", ImageSpec(4, 8, 10)),
    ],
)
def test_the_dataset_suggests_what_image_leaves_out(
    load: World, base: str, table: str, spec: ImageSpec
) -> None:
    experiment = load(f"{base}[image]\n{table}\n" if table else base)
    assert experiment.image == spec
    settings = experiment.settings.image
    assert (settings.channels, settings.height, settings.width, settings.size) == (*spec.shape, None)
