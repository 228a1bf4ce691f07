"""`ganlab compare` on runs whose numbers are known."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))
from simulated import Values, measure_later, measurement, simulate

from ganlab.commands.cli import run

LOSSES = ("non-saturating", "hinge")
FIRST, SECOND = (0.2, 0.25, 0.21), (0.3, 0.36, 0.33)

Compare = Callable[..., str]
"""Runs `ganlab compare` on the simulated runs, and returns what it printed."""


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Compare:
    def invoke(*arguments: str, status: int = 0) -> str:
        capsys.readouterr()
        assert run(["compare", *arguments, "--runs", str(tmp_path / "runs")]) == status
        out, err = capsys.readouterr()
        return err if status else out

    return invoke


def pair(
    directory: Path, first: Sequence[Any] = FIRST, second: Sequence[Any] = SECOND, **of_all: Any
) -> None:
    """Simulate two experiments of one title, which differ in their loss."""
    for loss, of_loss in zip(LOSSES, (first, second), strict=True):
        for seed, values in enumerate(of_loss):
            simulate(directory, seed, values, loss=loss, **of_all)


def record(printed: str) -> Any:
    return json.loads(printed)


def test_runs_of_one_title_become_experiments_over_seeds(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    told = record(compare("Rings", "--json"))
    assert [list(each["runs"]) for each in told["experiments"]] == [["0", "1", "2"], ["0", "1", "2"]]
    assert told["differences"] == {
        "losses.non-saturating": {"A": "non-saturating: weight = 1.0, every = 1", "B": None},
        "losses.hinge": {"A": None, "B": "hinge: weight = 1.0, every = 1"},
    }
    (metric,) = told["metrics"]
    (verdict,) = metric["verdicts"]
    expected = stats.ttest_rel(FIRST, SECOND)
    assert (verdict["how"], verdict["seeds"]) == ("paired", [3])
    assert (verdict["p"], verdict["adjusted_p"]) == pytest.approx((expected.pvalue, expected.pvalue))
    assert all(finding["equal"] for finding in told["fairness"])
    printed = compare("Rings")
    assert re.search(
        r"mmd.mmd2: A below B by 0.1100 ± 0.0058 over 3 paired seeds \(95 %: 0.0852 to 0.135\), p = 0.0027: "
        "A is better",
        printed,
    )
    assert "unequal" not in printed
    assert "A  Rings (losses.non-saturating)  0, 1, 2" in printed


def test_what_is_higher_may_be_better_and_several_tests_are_adjusted(
    tmp_path: Path, compare: Compare
) -> None:
    def both(values: Sequence[float]) -> list[Values]:
        return [
            {
                "precision-recall.precision": [(100, value, 0.001)],
                "precision-recall.recall": [(100, 0.5, 0.1)],
            }
            for value in values
        ]

    pair(tmp_path, both(FIRST), both(SECOND), better="higher")
    printed = compare("Rings")
    assert re.search(r"precision: A below B .* p = 0.0027 \[0.0055\]: A is worse", printed)
    assert re.search(r"recall: A equal to B ± 0.082 .* p = 1 \[1\]: not told apart", printed)
    assert "adjusted for 2 tests (Holm)" in printed
    alone = compare("Rings", "--metric", "precision-recall.precision")
    assert "recall:" not in alone and "p = 0.0027: A is worse" in alone
    assert "did you mean" in compare("Rings", "--metric", "precision-recall.recal", status=2)


def test_a_metric_without_a_direction_is_shown_and_not_judged(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path, better=None)
    (metric,) = record(compare("Rings", "--json"))["metrics"]
    assert metric["measured"]["A"]["mean"] == pytest.approx(0.22)
    assert metric["verdicts"] == []


def test_with_one_seed_only_the_estimators_error_is_known(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path, [{"mmd.mmd2": [(100, 0.2, 0.03)]}], [{"mmd.mmd2": [(100, 0.4, 0.04)]}])
    printed = compare("Rings")
    assert "A below B by 0.200 ± 0.050 over one seed each: ± is the estimator's error alone" in printed
    assert "another seed may well give another order" in printed
    assert "p = " not in printed


def test_the_first_is_what_others_are_tested_against(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    for seed, value in enumerate(FIRST):
        simulate(tmp_path, seed, value, title="Others")
    told = record(compare("Others", "Rings", "--json"))
    assert [each["name"] for each in told["experiments"]] == [
        "Others",
        "Rings (losses.non-saturating)",
        "Rings (losses.hinge)",
    ]
    pairs = [(each["first"], each["second"]) for each in told["metrics"][0]["verdicts"]]
    assert pairs == [("A", "B"), ("A", "C")]
    told = record(compare("Others", "Rings", "--json", "--all-pairs"))
    assert len(told["metrics"][0]["verdicts"]) == told["tests"] + 1 == 3  # A and B have no spread


def test_one_experiment_is_a_table(tmp_path: Path, compare: Compare) -> None:
    simulated = simulate(tmp_path, 3, 0.5)
    printed = compare(simulated.state.id)
    assert "0.5" in printed
    assert "below" not in printed


def test_an_experiment_file_means_its_runs(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    simulate(tmp_path, 0, 9.0, overrides=["generator.width=3"])
    told = record(compare(*(str(tmp_path / f"Rings-{loss}.toml") for loss in LOSSES), "--json"))
    assert [len(each["runs"]) for each in told["experiments"]] == [3, 3]
    one = record(compare(str(tmp_path / "Rings-hinge.toml"), "--json"))
    assert [each["name"] for each in one["experiments"]] == ["Rings"]
    file = str(tmp_path / "Rings-non-saturating.toml")
    narrow = record(compare(file, "--set", "generator.width=3", "--json"))
    assert narrow["metrics"][0]["measured"]["A"]["mean"] == 9.0
    refused = compare(file, "--set", "generator.width=4", status=2)
    assert "there is no run of" in refused and "generator.width: 3 -> 4" in refused


def test_weights_to_begin_with_go_by_their_content(tmp_path: Path, compare: Compare) -> None:
    def begin(seed: int, run: str, digest: str | None, step: int = 100, **more: str) -> None:
        pin = [f"start.pinned.run=/runs/{run}", f"start.pinned.step={step}", f"start.pinned.digest={digest}"]
        asked = [f"start.run={run}", f"start.checkpoint={step}"]
        simulate(tmp_path, seed, 0.5, overrides=[*asked, *(pin if digest else ())], **more)

    begin(0, "parent", "a" * 64)
    begin(1, "copy-of-it", "a" * 64, step=50)
    assert record(compare("Rings", "--json"))["experiments"][0]["runs"].keys() == {"0", "1"}
    begin(0, "parent", "b" * 64)
    told = record(compare("Rings", "--json"))
    assert [list(each["runs"]) for each in told["experiments"]] == [["0", "1"], ["0"]]
    begun = "runs/parent at step 100, weights "
    assert told["differences"] == {"start": {"A": f'"{begun}aaaaaaaa"', "B": f'"{begun}bbbbbbbb"'}}
    for parent, digest, step in (("parent", "a", 1000), ("parent", "c", 2000), ("other", "d", 2000)):
        begin(0, parent, digest * 64, step=step, title="Later")
    simulate(tmp_path, 0, 0.5, title="Later")
    told = record(compare("Later", "--json"))
    words = ["runs/parent at step 1,000", "runs/parent at step 2,000", "runs/other at step 2,000"]
    assert told["differences"]["start"] == {
        **dict(zip("ABC", (f'"{each}"' for each in words), strict=True)),
        "D": None,
    }
    names = [each["name"] for each in told["experiments"]]
    assert names[1] == 'Later (start.networks, start = "runs/parent at step 2,000")'
    assert names[3] == "Later (without start.networks, start)"

    # Earlier versions did not write down what the weights were: they go by their run.
    for parent in ("first", "second"):
        begin(0, parent, None, title="Earlier")
    told = record(compare("Earlier", "--json"))
    assert told["differences"] == {"start.run": {"A": '"first"', "B": '"second"'}}


def test_runs_that_have_left_their_experiment_are_named(tmp_path: Path, compare: Compare) -> None:
    for seed, overrides in enumerate([(), (), (), ["generator.width=3"], ["generator.width=3"]]):
        run_of_seed = simulate(tmp_path, seed, 0.1, overrides=overrides)
        if seed == 2:  # as `ganlab resume RUN --set training.steps=150` leaves it
            state = run_of_seed.path / "run.json"
            state.write_text(state.read_text().replace('"steps": 100', '"steps": 150'))
    file = str(tmp_path / "Rings-non-saturating.toml")
    printed = compare(file)
    assert (
        "note: Rings: another run of this title has training.steps = 150, and is not part of it\n" in printed
    )
    assert (
        "note: Rings: 2 other runs of this title have generator.width = 3, and are not part of it\n"
        in printed
    )
    assert "of this title" not in (titled := compare("Rings"))
    assert "Rings (generator.width = 128, training.steps = 150)  2" in titled


def test_few_seeds_are_a_caution_where_nothing_was_found_alone(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    assert "is better" in (printed := compare("Rings")) and "few seeds" not in printed
    for seed, value in enumerate((0.2, 0.3, 0.1)):
        simulate(tmp_path, seed, value, title="Others")
    printed = compare("Rings", "Others", "--metric", "mmd")
    assert "not told apart" in printed
    assert "p < 0.05, so that what is not told apart may differ all the same" in printed


def test_unequal_conditions_are_named(tmp_path: Path, compare: Compare) -> None:
    for seed in (0, 1):
        simulate(tmp_path, seed, 0.2)
        simulate(tmp_path, seed + 1, 0.3, loss="hinge", parameters={"generator": 99}, images_per_step=16)
    printed = compare("Rings")
    assert "unequal:  seeds: A: 0, 1; B: 1, 2" in printed
    assert "unequal:  images seen: A: 800; B: 1,600" in printed
    assert "unequal:  parameters of the generator: A: 10; B: 99" in printed
    equal = re.search("^equal: (.*)", printed, flags=re.MULTILINE)
    assert equal and "data, split" in equal[1] and "parameters of the discriminator" in equal[1]


def test_runs_of_earlier_versions_say_what_they_do_not_know(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    for path in (tmp_path / "runs").glob("*/*/run.json"):
        state = json.loads(path.read_text())
        del state["data"], state["parameters"]
        path.write_text(json.dumps(state))
    assert "data: A: not recorded; B: not recorded" in compare("Rings")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": "pixels", "fingerprint": "e" * 64}, "64 generated against 64 real samples by pixels"),
        ({"fingerprint": "e" * 64}, "the features have other weights, options or version"),
        ({"n_fake": 32}, "32 generated against 64"),
        ({"overrides": ["evaluators.0.permutations=50"]}, "evaluators.mmd.permutations: 1000, 50"),
        ({"data": "e" * 64}, "different data"),
        ({"data": "", "overrides": ["dataset.count=999"]}, "dataset.count: 20000, 999"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, compare: Compare, changes: dict[str, Any], told: str
) -> None:
    simulate(tmp_path, 0, 0.2)
    simulate(tmp_path, 0, 0.3, loss="hinge", **changes)
    assert told in compare("Rings", status=2)


def test_a_key_that_makes_no_difference_can_be_passed_over(tmp_path: Path, compare: Compare) -> None:
    simulate(tmp_path, 0, 0.2, data="")
    simulate(tmp_path, 1, 0.3, data="", overrides=["dataset.count=999"])
    told = record(compare("Rings", "--json", "--ignore", "dataset.count"))
    assert list(told["experiments"][0]["runs"]) == ["0", "1"]


def test_runs_that_did_not_end_well_are_left_out_and_named(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    simulate(tmp_path, 7, 0.01, status="diverged")
    old = simulate(tmp_path, 8, 0.9)
    simulate(tmp_path, 8, 0.22)
    printed = compare("Rings")
    assert "seed 7 is left out, since it is diverged at step 60 of 100" in printed
    assert f"{old.state.id} is left out, since a newer run has the same seed" in printed
    assert "A  Rings (losses.non-saturating)  0, 1, 2, 8" in printed


def test_which_measurement_counts(tmp_path: Path, compare: Compare) -> None:
    curve = {"mmd.mmd2": [(0, 0.9, 0.1), (50, 0.1, 0.1), (100, 0.3, 0.1)]}
    simulate(tmp_path, 0, curve)
    simulate(tmp_path, 1, curve, status="interrupted")

    def seen(*arguments: str) -> tuple[float, list[int], int]:
        (metric,) = record(compare("Rings", "--json", *arguments))["metrics"]
        measured = metric["measured"]["A"]
        return measured["mean"], measured["steps"], measured["count"]

    assert seen() == (0.3, [100], 1)
    assert seen("--at", "best") == (0.1, [50], 1)
    assert seen("--at", "50") == (0.1, [50], 2)  # an interrupted run has been there, too
    assert "flatter" in compare("Rings", "--at", "best")
    assert "no metric was measured of all of the experiments at step 51" in compare(
        "Rings", "--at", "51", status=2
    )
    assert "it takes best, last, or" in compare("Rings", "--at", "x", status=2)


def test_what_was_measured_otherwise_before_a_change_is_left_out(tmp_path: Path, compare: Compare) -> None:
    """A run that was resumed with another kernel has numbers of two kinds under one name."""
    curve = {"mmd.mmd2": [(0, 0.9, 0.1), (50, 0.1, 0.1)]}
    changed, other = simulate(tmp_path, 0, curve, procedure="a"), simulate(tmp_path, 1, curve)
    unknown = simulate(tmp_path, 0, curve, loss="hinge", procedure="b")
    for each in (changed, other, unknown):
        with (each.path / "evaluations.jsonl").open("a") as file:
            line = {"step": 100, "time": 0, **measurement("mmd.mmd2", 5.0, 0.1, procedure="b")}
            file.write(json.dumps(line) + "\n")
    first, _ = record(compare("Rings", "--json"))["metrics"][0]["measured"].values()
    assert [point["step"] for point in first["curves"]["0"]] == [100]
    assert [point["step"] for point in first["curves"]["1"]] == [0, 50, 100], "what is not known counts"
    assert "its options were others" in compare("Rings", "--at", "50", status=2)


FRECHET = {
    "name": "frechet",
    "label": "frechet",
    "every": 1000,
    "samples": 64,
    "features": {"name": "pixels"},
}


def test_what_was_forgotten_can_be_measured_later(tmp_path: Path, compare: Compare) -> None:
    for loss, values in zip(LOSSES, (FIRST, SECOND), strict=True):
        for seed, value in enumerate(values):
            measure_later(simulate(tmp_path, seed, 0.5, loss=loss), "frechet.frechet", 100, value, FRECHET)
    told = record(compare("Rings", "--json", "--metric", "frechet"))
    (metric,) = told["metrics"]
    assert metric["verdicts"][0]["p"] == pytest.approx(stats.ttest_rel(FIRST, SECOND).pvalue)
    assert "frechet.frechet was measured after training, by `ganlab evaluate`" in told["notes"]
    hours = [point["hours"] for point in metric["measured"]["A"]["curves"]["0"]]
    assert len(hours) == 1 and hours[0] < 1 / 60  # when the step was trained, however late it was measured
    assert "mmd.mmd2: A equal to B" in compare("Rings")


@pytest.mark.parametrize(
    ("content", "damaged"),
    [('{"other_data": false, ', True), ("[]", True), ('{"other_data": false}', True), (None, False)],
)
def test_what_a_later_version_adds_to_a_description_is_no_damage(
    tmp_path: Path, compare: Compare, content: str | None, damaged: bool
) -> None:
    for loss in LOSSES:
        measure_later(simulate(tmp_path, 0, 0.5, loss=loss), "frechet.frechet", 100, 0.2, FRECHET)
    for file in tmp_path.glob("runs/*/*/evaluate/*/evaluation.json"):
        known = json.loads(file.read_text())
        file.write_text(content or json.dumps({**known, "truncation": 0.7, "lines": [{"step": 3}]}))
    told = compare("Rings", "--metric", "frechet", status=2 if damaged else 0)
    assert ("evaluation.json is damaged" in told) == damaged


def test_one_may_have_measured_it_while_training(tmp_path: Path, compare: Compare) -> None:
    simulate(tmp_path, 0, 0.2)
    other = simulate(tmp_path, 0, {"precision-recall.recall": [(100, 0.4, None)]}, loss="hinge")
    measure_later(other, "mmd.mmd2", 100, 0.3)
    printed = compare("Rings")
    assert "mmd.mmd2: A below B by 0.1 over one seed each" in printed
    assert "mmd.mmd2 was measured after training of Rings (losses.hinge), by `ganlab evaluate`" in printed


def test_what_was_measured_while_training_goes_first(tmp_path: Path, compare: Compare) -> None:
    measure_later(simulate(tmp_path, 0, 0.2), "mmd.mmd2", 100, 0.9)
    told = record(compare("Rings", "--json"))
    assert told["metrics"][0]["measured"]["A"]["mean"] == 0.2
    assert not told["notes"]


@pytest.mark.parametrize(
    ("table", "changes", "told"),
    [
        ({}, {"n_fake": 32}, "64 generated against 64 real samples by coordinates"),
        ({}, {"fingerprint": "e" * 64}, "the features have other weights, options or version"),
        ({"features": {"name": "pixels", "size": 8}}, {}, "evaluators.frechet.features.size: not set, 8"),
        ({}, {"files": {"mine.py": "e" * 64}}, "plugin file mine.py: not set, "),
    ],
)
def test_what_was_measured_later_has_to_be_measured_alike(
    tmp_path: Path, compare: Compare, table: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    measure_later(simulate(tmp_path, 0, 0.5), "frechet.frechet", 100, 0.2, FRECHET)
    other = simulate(tmp_path, 0, 0.5, loss="hinge")
    measure_later(other, "frechet.frechet", 100, 0.3, FRECHET | {"every": 5} | table, **changes)
    refused = compare("Rings", status=2)
    assert told in refused and "every" not in refused


def test_what_does_not_count_of_what_was_measured_later_is_said(tmp_path: Path, compare: Compare) -> None:
    curve = {"mmd.mmd2": [(50, 0.1, None), (100, 0.3, None)]}
    for loss in LOSSES:
        trained = simulate(tmp_path, 0, curve, loss=loss)
        measure_later(trained, "frechet.frechet", 50, 0.2, FRECHET)
        measure_later(trained, "other.other", 100, 0.2, FRECHET, other_data=True)
    printed = compare("Rings")
    assert "frechet.frechet was measured after training of step 50, and not of the last, 100: " in printed
    assert "other.other was measured after training on other data than the run's" in printed
    assert "frechet.frechet: A equal to B" in compare("Rings", "--at", "best")
    refused = compare("Rings", "--metric", "frechet", status=2)
    assert "`ganlab evaluate RUN --checkpoint last --evaluator frechet`" in refused


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_beside_it(tmp_path: Path, compare: Compare) -> None:
    curve = {"mmd.mmd2": [(0, 0.9, None), (50, 0.5, None), (100, 0.3, None)]}
    pair(tmp_path, [curve, curve], [curve, curve], picture=True, title="Rings <b> & all")
    file = tmp_path / "new" / "x.html"
    assert f"written: {file}" in compare("Rings <b> & all", "--out", str(file))
    text = file.read_text()
    page = _Page()
    page.feed(text)
    assert {values["src"] for _, values in page.tags if "src" in values} and all(
        str(values[name]).startswith("data:image/png;base64,")
        for _, values in page.tags
        for name in ("src", "href")
        if name in values
    )
    assert not {"link", "script", "b"} & {tag for tag, _ in page.tags}
    assert "url(http" not in text and "@import" not in text and "prefers-color-scheme: dark" in text
    assert sum(tag == "img" for tag, _ in page.tags) == 4
    drawn = [values["class"] for tag, values in page.tags if tag == "svg"]
    assert drawn == ["steps", "images", "hours"]
    means = [values["d"] for tag, values in page.tags if values.get("class") == "mean"]
    assert all(str(path).count("L") == 2 for path in means) and len(means) == 6
    assert "The same latents in every picture of a seed." in text


def test_markdown(tmp_path: Path, compare: Compare) -> None:
    pair(tmp_path)
    file = tmp_path / "x.md"
    compare("Rings", "--out", str(file))
    text = file.read_text()
    assert "- `mmd.mmd2`: A below B by 0.1100 ± 0.0058 over 3 paired seeds" in text
    assert "| mmd.mmd2 | coordinates | lower | A | 0.220 | 0.015 | – | 0.001 | 3 |" in text
    assert "it takes a name that ends in .md or .html" in compare("Rings", "--out", "x.txt", status=2)
