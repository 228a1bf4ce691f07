"""Event files as TensorBoard itself reads them."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import metadata as layout_metadata
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata

from ganlab import Metric, RunInfo, Tracker
from ganlab_tensorboard import TensorBoardOptions, ganlab_trackers
from ganlab_tensorboard.hparams import flatten
from ganlab_tensorboard.lines import divide

EXPERIMENT = {
    "title": "Faces",
    "seed": 3,
    "plugins": ["./x.py"],
    "training": {
        "steps": 2000,
        "log_every": 25,
        "batch_size": 50,
        "discriminator_steps": 2,
        "reuse_fakes": True,
    },
    "optimizer": {"generator": {"learning_rate": 2e-4, "betas": [0.5, 0.999]}},
    "losses": [{"name": "hinge", "weight": 1.0}, {"name": "r1", "label": "penalty", "weight": 10.0}],
}


WITHOUT_A_HAND_IN_LEARNING = {
    "samples": {"every": 5},
    "checkpoint": {"keep": 2},
    "trackers": [{"name": "tensorboard"}],
    "provenance": {"ganlab": "1.0"},
}


def build(directory: Path, *, step: int = 0, **options: Any) -> Tracker:
    (component,) = ganlab_trackers()
    mmd = (Metric("p-value"), Metric("mmd2", title="MMD²"))
    run = RunInfo(
        "20260101-000000-abcd",
        "Faces",
        directory,
        EXPERIMENT | WITHOUT_A_HAND_IN_LEARNING,
        step,
        {"mmd": mmd[::-1], "mmd-pixels": mmd},
    )
    tracker = component.build(TensorBoardOptions(**options), run)
    assert isinstance(tracker, Tracker)
    return tracker


def read(directory: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(directory), size_guidance={"images": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def hparams(directory: Path, tag: str) -> Any:
    return read(directory).SummaryMetadata(tag).plugin_data.content


def test_scalars_are_readable_as_soon_as_they_are_recorded(tmp_path: Path) -> None:
    tracker = build(tmp_path)
    tracker.scalars({"loss/generator/total": 0.5, "speed/data-wait": math.nan}, 50)
    tracker.scalars({"loss/generator/total": -math.inf}, 100)
    seen = read(tmp_path)
    assert [(event.step, event.value) for event in seen.Scalars("loss/generator/total")] == [
        (50, 0.5),
        (100, -math.inf),
    ]
    assert math.isnan(seen.Scalars("speed/data-wait")[0].value)


def test_a_torn_tail_costs_only_itself(tmp_path: Path) -> None:
    tracker = build(tmp_path)
    for step in (50, 100):
        tracker.scalars({"a": float(step)}, step)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    assert [event.value for event in read(tmp_path).Scalars("a")] == [50.0]


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_keep_every_pixel(tmp_path: Path, channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 9, channels), dtype=np.uint8)
    build(tmp_path).image("samples/fixed", picture, 10)
    (event,) = read(tmp_path).Images("samples/fixed")
    assert (event.step, event.width, event.height) == (10, 9, 6)
    with Image.open(io.BytesIO(event.encoded_image_string)) as image:
        assert np.array_equal(np.asarray(image).reshape(picture.shape), picture)


def test_pictures_and_settings_can_be_left_out(tmp_path: Path) -> None:
    tracker = build(tmp_path, images=False, hparams=False)
    tracker.image("samples/fixed", np.zeros((2, 2, 3), np.uint8), 1)
    tracker.close("completed", {})
    tags = read(tmp_path).Tags()
    assert tags["images"] == tags["tensors"] == []


def test_text(tmp_path: Path) -> None:
    build(tmp_path).text("experiment", "```toml\ntitle = 'Größe'\n```", 0)
    seen = read(tmp_path)
    assert seen.SummaryMetadata("experiment").plugin_data.plugin_name == "text"
    (event,) = seen.Tensors("experiment")
    assert event.tensor_proto.string_val[0].decode() == "```toml\ntitle = 'Größe'\n```"


def test_settings_are_flat_and_independent_of_an_entrys_place() -> None:
    assert flatten(EXPERIMENT) == {
        "title": "Faces",
        "seed": 3,
        "plugins": "['./x.py']",
        "training.steps": 2000,
        "training.batch_size": 50,
        "training.log_every": 25,
        "training.discriminator_steps": 2,
        "training.reuse_fakes": True,
        "optimizer.generator.learning_rate": 2e-4,
        "optimizer.generator.betas": "[0.5, 0.999]",
        "losses.hinge.name": "hinge",
        "losses.hinge.weight": 1.0,
        "losses.penalty.name": "r1",
        "losses.penalty.weight": 10.0,
    }
    backwards = {"losses": EXPERIMENT["losses"][::-1]}  # type: ignore[index]
    assert flatten(backwards) == flatten({"losses": EXPERIMENT["losses"]})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", api_pb2.STATUS_SUCCESS),
        ("diverged", api_pb2.STATUS_FAILURE),
        ("interrupted", api_pb2.STATUS_UNKNOWN),
    ],
)
def test_hyper_parameters_open_and_close_the_run(tmp_path: Path, status: str, expected: int) -> None:
    tracker = build(tmp_path)
    tracker.text("experiment", "faces", 0)
    start = hparams_metadata.parse_session_start_info_plugin_data(
        hparams(tmp_path, hparams_metadata.SESSION_START_INFO_TAG)
    )
    assert start.group_name == "Faces: 20260101-000000-abcd"
    assert start.hparams["training.batch_size"].number_value == 50
    assert start.hparams["training.reuse_fakes"].bool_value is True
    assert {name.partition(".")[0] for name in start.hparams} == {"seed", "training", "optimizer", "losses"}
    tracker.close(status, {"evaluation/mmd/mmd": 0.1})
    end = hparams_metadata.parse_session_end_info_plugin_data(
        hparams(tmp_path, hparams_metadata.SESSION_END_INFO_TAG)
    )
    assert end.status == expected


def layouts(directory: Path) -> list[dict[str, list[str]]]:
    events = read(directory).Tensors(layout_metadata.CONFIG_SUMMARY_TAG)
    parsed = (Layout.FromString(event.tensor_proto.string_val[0]) for event in events)
    return [
        {entry.title: [chart.title for chart in entry.chart] for entry in layout.category}
        for layout in parsed
    ]


def test_the_layout_grows_with_what_there_is_to_see(tmp_path: Path) -> None:
    tracker = build(tmp_path)
    values = {"loss/generator/total": 1.0, "balance/accuracy": 0.6, "speed/images-per-second": 9.0}
    tracker.scalars(values, 50)
    tracker.scalars(values, 100)
    tracker.scalars(
        {
            "evaluation/unknown/distance-pixels": 3.0,
            "evaluation/mmd-pixels/mmd2-wavelet": 3.0,
            "evaluation/mmd/p-value-wavelet": 0.5,
            "evaluation/mmd/mmd2-wavelet": 0.1,
            "evaluation/mmd/mmd2-wavelet-floor": 0.01,
            "evaluation/mmd/mmd2-wavelet-standard-error": 0.01,
        },
        100,
    )
    first, second = layouts(tmp_path)
    accuracy = "Accuracy, and the 95 % band of as many coin flips"
    assert first == {"Losses": ["The generator's"], "Balance": [accuracy], "Speed": ["Images per second"]}
    assert second == {
        "Metrics, ± 2 standard errors": ["MMD² on wavelet features"],
        "Metrics without standard errors": [
            "p-value on wavelet features (mmd)",
            "MMD² on wavelet features (mmd-pixels)",
            "unknown: distance-pixels",
        ],
        **first,
    }
    assert list(second)[:2] == ["Metrics, ± 2 standard errors", "Metrics without standard errors"]


def test_accuracy_stands_in_the_band_of_a_coin(tmp_path: Path) -> None:
    tracker = build(tmp_path, step=1010)
    # Two batches of 50 real and 50 fake samples in a step: 25 steps are 5,000 flips, 2 are 400.
    tracker.scalars({"balance/accuracy": 0.6}, 1025)
    tracker.scalars({"evaluation/mmd/mmd": 0.1}, 1026)
    tracker.scalars({"balance/accuracy": 0.6}, 1027)
    seen = read(tmp_path)
    lows = [event.value for event in seen.Scalars("margin/balance/accuracy/low")]
    highs = [event.value for event in seen.Scalars("margin/balance/accuracy/high")]
    assert lows == pytest.approx([0.5 - 1.96 * 0.5 / math.sqrt(5000), 0.5 - 1.96 * 0.025])
    assert highs == pytest.approx([0.5 + 1.96 * 0.5 / math.sqrt(5000), 0.5 + 1.96 * 0.025])


def values(directory: Path, tag: str) -> list[float]:
    return [event.value for event in read(directory).Scalars(tag)]


def test_a_floor_is_a_line_of_its_metrics_chart_and_nothing_stands_beside(tmp_path: Path) -> None:
    tag = "evaluation/mmd/mmd2-wavelet"
    numbers = {tag: 0.5, f"{tag}-standard-error": 0.125, f"{tag}-floor": 0.25}
    numbers[f"{tag}-floor-standard-error"] = 0.0625
    build(tmp_path).scalars(numbers, 100)
    margin = [f"margin/{tag}/{part}" for part in ("high", "low", "middle")]
    assert sorted(read(tmp_path).Tags()["scalars"]) == [tag, *margin]
    assert sorted(read(tmp_path / "floor").Tags()["scalars"]) == [tag, *margin]
    assert [values(tmp_path, each) for each in (tag, *margin)] == [[0.5], [0.75], [0.25], [0.5]]
    assert [values(tmp_path / "floor", each) for each in (tag, *margin)] == [[0.25], [0.375], [0.125], [0.25]]


@given(st.floats(-1, 1, width=32), st.floats(2**-10, 1, width=32))
def test_a_logarithmic_axis_can_show_every_margin(value: float, error: float) -> None:
    shown, _ = divide({"evaluation/a/b-c": value, "evaluation/a/b-c-standard-error": error})
    low, middle, high = (shown[f"margin/evaluation/a/b-c/{part}"] for part in ("low", "middle", "high"))
    assert low <= middle <= high
    if value < -2 * error:  # far below 0: no estimate of what cannot be
        assert (low, middle, high) == (value - 2 * error, value, value + 2 * error)
    else:
        assert low > 0
        assert middle == value or value < error / 2 == middle
    assert shown["evaluation/a/b-c"] == value


def test_learning_rates_are_shown_where_they_move(tmp_path: Path) -> None:
    moving, warm = {"schedule": "cosine"}, {"schedule": "constant", "warmup_steps": 5}
    still = {"schedule": "constant", "warmup_steps": 0}
    for name, settings, expected in (("a", moving, True), ("b", warm, True), ("c", still, False)):
        run = RunInfo("r", "R", tmp_path / name, {"optimizer": {"generator": settings}})
        tracker = next(iter(ganlab_trackers())).build(TensorBoardOptions(), run)
        tracker.scalars({"learning-rate/generator": 0.5, "loss/generator/total": 1.0}, 1)
        assert ("learning-rate/generator" in read(tmp_path / name).Tags()["scalars"]) is expected


def test_two_sessions_share_a_directory(tmp_path: Path) -> None:
    for step in (50, 100):
        tracker = build(tmp_path, step=step - 50)
        tracker.scalars({"a": float(step)}, step)
        tracker.close("interrupted", {})
    assert len(list(tmp_path.iterdir())) == 2
    assert [event.value for event in read(tmp_path).Scalars("a")] == [50.0, 100.0]
