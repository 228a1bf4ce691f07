"""Evaluation from generated batches to measurements, through the components' records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import ganlab_features
import ganlab_frechet
import ganlab_mmd
import ganlab_neighbours
from ganlab import (
    ComponentError,
    Estimate,
    Evaluator,
    EvaluatorComponent,
    FeatureBank,
    FeatureExtractor,
    FeaturesComponent,
    ImageSpec,
    Metric,
    Options,
    SampleSpec,
    Shown,
    VectorSpec,
)
from ganlab.component_settings import ComponentSettings, EvaluatorSettings
from ganlab.config import EvaluatorSelection, Origin, Selection
from ganlab.errors import ExperimentError, GanlabError
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.reference import ReferenceData

IMAGE = ImageSpec(channels=3, height=8, width=8)
NO_CACHE = Path("/dev/null/cache")
ORIGIN = Origin({"evaluators.0": (Path("experiment.toml"), 7)})
MMD = next(iter(ganlab_mmd.ganlab_evaluators()))
FRECHET = next(iter(ganlab_frechet.ganlab_evaluators()))
PRECISION_RECALL = next(iter(ganlab_neighbours.ganlab_evaluators()))
NEIGHBOURS = {component.name: component for component in ganlab_neighbours.ganlab_evaluators()}
FEATURES = {component.name: component for component in ganlab_features.ganlab_features()}
WAVELET, PIXELS, COORDINATES = (FEATURES[name] for name in ("wavelet", "pixels", "coordinates"))


def images(n: int, seed: int = 0, brightness: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, brightness, (n, *IMAGE.shape), dtype=torch.uint8, generator=generator)


class Data:
    """Real samples in memory, which counts its readings."""

    def __init__(self, samples: torch.Tensor, held_out: int = 40, fingerprint: str = "data") -> None:
        self.samples = samples
        self.read = 0
        indices = np.arange(len(samples))
        self.reference = ReferenceData(
            fingerprint, indices[: len(samples) - held_out], indices[len(samples) - held_out :], self._read
        )

    def _read(self, indices: NDArray[np.int64]) -> torch.Tensor:
        self.read += len(indices)
        return self.samples[torch.from_numpy(indices)]


class Fakes:
    """A generator of fixed samples, in batches of 13, which counts what it made."""

    def __init__(self, samples: torch.Tensor) -> None:
        self.samples = samples
        self.made = 0

    def __call__(self, rows: slice) -> Iterator[torch.Tensor]:
        self.made += rows.stop - rows.start
        yield from self.samples[rows].split(13)


def choice(
    evaluator: EvaluatorComponent = MMD,
    features: FeaturesComponent = PIXELS,
    *,
    label: str | None = None,
    samples: int = 100,
    options: Options | None = None,
    feature_options: Options | None = None,
) -> EvaluatorSelection:
    table = ComponentSettings(name=features.name)
    return EvaluatorSelection(
        evaluator,
        options or evaluator.options(),
        EvaluatorSettings(name=evaluator.name, label=label, samples=samples),
        "evaluators.0",
        ORIGIN,
        features=Selection(features, feature_options or features.options(), table, "features", ORIGIN),
    )


def evaluation(
    *choices: EvaluatorSelection, data: Data | None = None, spec: SampleSpec = IMAGE, **options: Any
) -> Evaluation:
    options.setdefault("cache", NO_CACHE)
    return Evaluation(
        choices, spec, (data or Data(images(240))).reference, device="cpu", batch_size=32, **options
    )


@pytest.fixture
def fakes() -> Fakes:
    return Fakes(IMAGE.dequantise(images(300, seed=1, brightness=200)))


def test_a_measurement_carries_all_that_belongs_beside_it(fakes: Fakes) -> None:
    measured, _ = evaluation(choice(samples=100)).run(fakes)
    assert measured.value > 0.01
    assert measured.floor is not None and abs(measured.floor.value) < measured.value / 3
    assert measured.to_json() == {
        "evaluator": "mmd",
        "metric": "mmd2",
        "better": "lower",
        "value": measured.estimate.value,
        "standard_error": measured.estimate.standard_error,
        "floor": measured.floor.value,
        "floor_standard_error": measured.floor.standard_error,
        "n_real": 100,
        "n_fake": 100,
        "n_heldout": 40,
        "features": "pixels",
        "protocol": "",
        "fingerprint": PIXELS.build(PIXELS.options(), IMAGE).fingerprint(),
        "procedure": measured.procedure,
        "data": measured.data,
        "batch_size": 32,
        "warnings": ["the floor is of 40 held-out samples, the value of 100 generated ones"],
        "notes": [],
    }
    assert json.loads(json.dumps(measured.to_json())) == measured.to_json()
    assert measured.metric.better == "lower" and measured.n_heldout == 40


def test_the_greediest_evaluator_sets_the_count(fakes: Fakes) -> None:
    judged = evaluation(choice(samples=20), choice(label="many", samples=150))
    assert judged.most_samples == 150
    judged.run(fakes)
    assert fakes.made == 150
    assert evaluation().most_samples == 0


def test_what_is_no_evaluator_is_refused_by_name() -> None:
    wrong = replace(MMD, build=lambda options, spec: "a number")
    with pytest.raises(
        GanlabError, match=r"evaluator `mmd`: `build` returned a str, not a ganlab\.Evaluator"
    ):
        evaluation(choice(wrong))


def test_real_samples_as_fakes_measure_as_none_apart(fakes: Fakes) -> None:
    data = Data(images(140), held_out=40)
    same = Fakes(IMAGE.dequantise(data.samples[torch.from_numpy(data.reference.reference(100))]))
    many = choice(FRECHET, WAVELET), choice(FRECHET, label="pixels")
    biased = choice(options=ganlab_mmd.MmdEvaluatorOptions(estimator="biased"), label="biased")
    *distances, discrepancy, p = evaluation(*many, biased, data=data).run(same)
    assert discrepancy.value == pytest.approx(0, abs=1e-7)
    assert p.value > 0.9
    for measured in distances:
        assert measured.value == pytest.approx(0, abs=1e-10)


def test_metrics_see_what_a_png_would_hold(fakes: Fakes) -> None:
    quantised, disturbed = fakes, Fakes(fakes.samples + 0.4 / 127.5)
    one = evaluation(choice()).run(quantised)
    assert evaluation(choice()).run(disturbed)[0].value == one[0].value
    beyond = Fakes(IMAGE.dequantise(images(100)) * 9)
    clamped = Fakes(beyond.samples.clamp(-1, 1))
    assert evaluation(choice()).run(beyond)[0].value == evaluation(choice()).run(clamped)[0].value


def test_one_pass_serves_all_evaluators(fakes: Fakes) -> None:
    data = Data(images(240))
    progress: list[tuple[str, int, int]] = []
    many = evaluation(
        choice(samples=100),
        choice(FRECHET, samples=150),
        choice(label="few", samples=20),
        choice(label="wavelet", features=WAVELET, samples=60),
        data=data,
        progress=lambda *call: progress.append(call),
    )
    measured = many.run(fakes)
    assert fakes.made == 150
    assert data.read == (150 + 40) + (60 + 40)
    counts = {each.evaluator: (each.n_real, each.n_fake) for each in measured}
    assert list(counts.items()) == [
        ("mmd", (100, 100)),
        ("frechet", (150, 150)),
        ("few", (20, 20)),
        ("wavelet", (60, 60)),
    ]
    whats = list(dict.fromkeys(what for what, _, _ in progress))
    assert whats == [
        "real samples (pixels)",
        "held-out samples (pixels)",
        "real samples (wavelet)",
        "held-out samples (wavelet)",
        "generated samples",
    ]
    assert progress[-1] == ("generated samples", 150, 150)
    many.run(fakes)
    assert data.read == 290


def test_results_do_not_depend_on_who_shares_the_pass(fakes: Fakes) -> None:
    entries = [
        choice(samples=100, features=WAVELET),
        choice(FRECHET, samples=150, features=WAVELET),
        choice(label="few", samples=20, features=WAVELET),
    ]
    together = evaluation(*entries).run(fakes)
    alone = [each for entry in entries for each in evaluation(entry).run(fakes)]
    assert [each.to_json() for each in together] == [each.to_json() for each in alone]


def test_extractors_with_other_options_are_other_extractors(fakes: Fakes) -> None:
    coarse = ganlab_features.PixelsOptions(size=2)
    one, _, other, _ = evaluation(choice(), choice(label="coarse", feature_options=coarse)).run(fakes)
    assert one.value != other.value


def test_only_what_is_due_is_measured(fakes: Fakes) -> None:
    both = evaluation(choice(samples=50), choice(FRECHET, samples=200))
    assert [each.evaluator for each in both.run(fakes, due={"mmd"})] == ["mmd", "mmd"]
    assert fakes.made == 50
    assert both.run(fakes, due=()) == []
    assert fakes.made == 50


def test_the_reference_is_a_seeded_choice_of_training_samples() -> None:
    indices = np.arange(1000)
    data = ReferenceData("x", indices[:900], indices[900:], lambda i: torch.zeros(len(i)))
    chosen = data.reference(100)
    assert set(chosen) <= set(range(900)) and len(set(chosen)) == 100
    assert chosen.tolist() != sorted(chosen)
    assert data.reference(300)[:100].tolist() == chosen.tolist()
    assert replace(data, training=indices[:900][::-1]).reference(100).tolist() == chosen.tolist()
    assert len(data.floor(500)) == 100 and set(data.floor(500)) == set(range(900, 1000))


def test_without_held_out_samples_there_is_no_floor(fakes: Fakes) -> None:
    measured, _ = evaluation(choice(), data=Data(images(200), held_out=0)).run(fakes)
    assert measured.floor is None and measured.to_json()["floor"] is None
    assert any("no floor" in warning for warning in measured.warnings)


def test_fewer_real_samples_than_wished_are_counted(fakes: Fakes) -> None:
    measured, _ = evaluation(choice(samples=300), data=Data(images(90), held_out=30)).run(fakes)
    assert (measured.n_real, measured.n_fake, measured.n_heldout) == (60, 300, 30)


def test_real_statistics_are_kept_between_runs(tmp_path: Path, fakes: Fakes) -> None:
    entries = choice(samples=100, features=WAVELET), choice(FRECHET, samples=150, features=WAVELET)
    first, second = Data(images(240)), Data(images(240))
    cold = evaluation(*entries, data=first, cache=tmp_path).run(fakes)
    warm = evaluation(*entries, data=second, cache=tmp_path).run(fakes)
    assert (first.read, second.read) == (190, 0)
    assert [each.to_json() for each in cold] == [each.to_json() for each in warm]


def test_other_content_is_computed_afresh(tmp_path: Path, fakes: Fakes) -> None:
    evaluation(choice(), cache=tmp_path).run(fakes)
    for data, entry in [
        (Data(images(240, seed=5), fingerprint="other data"), choice()),
        (Data(images(240), held_out=39), choice()),
        (Data(images(240)), choice(samples=99)),
        (Data(images(240)), choice(feature_options=ganlab_features.PixelsOptions(size=4))),
    ]:
        evaluation(entry, data=data, cache=tmp_path).run(fakes)
        assert data.read > 0


def test_damaged_statistics_are_computed_again(tmp_path: Path, fakes: Fakes) -> None:
    before, _ = evaluation(choice(), cache=tmp_path).run(fakes)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-5])
    data = Data(images(240))
    after, _ = evaluation(choice(), data=data, cache=tmp_path).run(fakes)
    assert data.read == 140 and after == before


def test_what_is_frozen_survives_in_the_state(fakes: Fakes, tmp_path: Path) -> None:
    entries = choice(features=WAVELET), choice(FRECHET, features=WAVELET)
    first = evaluation(*entries)
    assert first.state_dict() == {}
    before = first.run(fakes)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state.keys() == {"mmd", "frechet"}

    same = evaluation(*entries)
    same.load_state_dict(state)
    assert same.state_dict().keys() == state.keys()
    assert same.run(fakes) == before

    # Other real samples: the kernel's width and the standardisation stay what they were.
    other = evaluation(*entries, data=Data(images(240, seed=9, brightness=100)))
    other.load_state_dict(state)
    other.prepare()
    frozen = other.state_dict()["mmd"]
    assert frozen["evaluator"] == state["mmd"]["evaluator"]
    assert torch.equal(frozen["standardiser"]["scale"], state["mmd"]["standardiser"]["scale"])


@pytest.mark.parametrize("other", ["content", "division"])
def test_what_was_frozen_of_other_real_samples_is_forgotten(fakes: Fakes, other: str) -> None:
    """A yardstick of held-out samples says nothing of others, nor where others are held out."""
    entries = choice(), choice(NEIGHBOURS["memorisation"]), choice(features=WAVELET, label="standardised")
    before = evaluation(*entries, data=Data(images(240)))
    before.run(fakes)

    def changed() -> Evaluation:
        if other == "content":
            return evaluation(*entries, data=Data(images(240, seed=9, brightness=100), fingerprint="other"))
        return evaluation(*entries, data=Data(images(240), held_out=60))

    resumed = changed()
    resumed.load_state_dict(before.state_dict())
    assert resumed.run(fakes) == changed().run(fakes)


def test_what_decides_a_number_beside_its_features_is_in_the_record(fakes: Fakes) -> None:
    def kept(entry: EvaluatorSelection, **data: Any) -> tuple[str, str]:
        measured, *_ = evaluation(entry, data=Data(images(240), **data)).run(fakes)
        return measured.procedure, measured.data

    def by(kernel: str) -> EvaluatorSelection:
        return choice(samples=100, options=MMD.options.model_validate({"kernel": kernel}))

    procedure, data = kept(choice(samples=100))
    assert kept(by("rbf")) == (procedure, data), "the default, said or not"
    assert kept(by("energy"))[0] != procedure
    assert kept(choice(samples=99))[0] != procedure
    assert kept(choice(samples=100), fingerprint="other")[1] != data
    assert kept(choice(samples=100), held_out=41)[1] != data


@pytest.mark.parametrize("component", [MMD, FRECHET], ids=["features", "moments"])
def test_samples_that_are_all_alike_are_told_of_by_every_evaluator(component: EvaluatorComponent) -> None:
    collapsed = Fakes(torch.zeros(150, *IMAGE.shape))
    for features in WAVELET, PIXELS:
        for measured in evaluation(choice(component, features)).run(collapsed):
            assert "the features of all 100 generated samples are equal" in measured.warnings
            assert not any("real samples are equal" in warning for warning in measured.warnings)
    gray = Data(torch.full((240, *IMAGE.shape), 7, dtype=torch.uint8))
    (measured,) = evaluation(choice(FRECHET, WAVELET), data=gray).run(collapsed)
    assert "the features of all 100 real samples are equal" in measured.warnings


def test_a_floor_that_cannot_be_measured_is_refused_as_one(fakes: Fakes) -> None:
    with pytest.raises(ExperimentError, match=r"k = 3 needs .*the floor is of 3 held-out samples"):
        evaluation(choice(PRECISION_RECALL), data=Data(images(240), held_out=3)).run(fakes)


class Reserved(FeatureExtractor):
    """Mean colours, by a definition that has versions."""

    warnings = ("these features are on trial",)

    def __init__(self, version: str) -> None:
        self._version = version

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.float().mean((2, 3))

    def fingerprint(self) -> str:
        return self._version


def reserved(version: str) -> FeaturesComponent:
    return FeaturesComponent(name="reserved", summary="", build=lambda options, image: Reserved(version))


def test_what_is_to_be_known_of_features_stands_beside_every_number(fakes: Fakes) -> None:
    for measured in evaluation(choice(features=reserved("a"))).run(fakes):
        assert "these features are on trial" in measured.warnings
        assert measured.to_json()["fingerprint"] == "a"


def test_what_was_frozen_on_other_features_is_refused(fakes: Fakes) -> None:
    before = evaluation(choice(features=reserved("a")))
    before.run(fakes)
    same, other = evaluation(choice(features=reserved("a"))), evaluation(choice(features=reserved("b")))
    same.load_state_dict(before.state_dict())
    assert same.run(fakes)
    with pytest.raises(GanlabError, match="evaluator `mmd`: the features `reserved` are not those"):
        other.load_state_dict(before.state_dict())


def test_vectors_pass_as_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(300, 2, generator=generator) * 3
    near, far = Fakes(torch.randn(100, 2, generator=generator) * 3), Fakes(torch.zeros(100, 2) + 0.001)
    vector = VectorSpec(2)
    for component in MMD, FRECHET:
        judged = evaluation(choice(component, COORDINATES), data=Data(points), spec=vector)
        assert judged.run(near)[0].value < judged.run(far)[0].value / 10


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(100, 3, 8, 9), r"shape \(3, 8, 9\); the experiment's are \(3, 8, 8\)"),
        (torch.full((100, 3, 8, 8), torch.nan), "not finite"),
    ],
)
def test_bad_fakes_are_explained(samples: torch.Tensor, message: str) -> None:
    with pytest.raises(GanlabError, match=message):
        evaluation(choice()).run(Fakes(samples))


def test_too_few_real_samples_are_explained(fakes: Fakes) -> None:
    with pytest.raises(GanlabError, match="fewer than 2 training samples"):
        evaluation(choice(), data=Data(images(5), held_out=4)).run(fakes)


class Broken(FeatureExtractor):
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        return torch.full((len(samples), 2), torch.inf)

    def fingerprint(self) -> str:
        return "broken"


def test_broken_features_name_extractor_and_evaluators(fakes: Fakes) -> None:
    broken = FeaturesComponent(name="broken", summary="", build=lambda options, image: Broken())
    with pytest.raises(
        GanlabError, match=r"features `broken` for evaluator `mmd`, `two`: features are not finite"
    ):
        evaluation(choice(features=broken), choice(features=broken, label="two")).run(fakes)


def test_what_is_not_an_extractor_is_named() -> None:
    wrong = FeaturesComponent(name="wrong", summary="", build=lambda options, image: 3)
    with pytest.raises(GanlabError, match="features `wrong`: `build` returned a int"):
        evaluation(choice(features=wrong))


class Misnamed(Evaluator):
    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        return {"other": Estimate(1.0)}


class Refusing(Misnamed):
    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:
        raise ComponentError("these features are no good")


def component(evaluator: Evaluator) -> EvaluatorComponent:
    return EvaluatorComponent(
        name="custom", summary="", build=lambda options, image: evaluator, metrics=(Metric("declared"),)
    )


def test_metrics_that_were_not_declared_are_named(fakes: Fakes) -> None:
    with pytest.raises(GanlabError, match=r"declares the metrics \['declared'\] and yields \['other'\]"):
        evaluation(choice(component(Misnamed()))).run(fakes)


def test_a_refusal_says_where(fakes: Fakes) -> None:
    with pytest.raises(ExperimentError, match=r"experiment.toml:7: evaluators.0: these features are no good"):
        evaluation(choice(component(Refusing()))).run(fakes)


def test_evaluation_can_be_stopped_between_batches(fakes: Fakes) -> None:
    class StopError(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what == "generated samples":
            raise StopError

    with pytest.raises(StopError):
        evaluation(choice(), progress=stop).run(fakes)


class Attentive(Evaluator):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.seen: dict[str, FeatureBank | None] = {}

    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:
        self.seen |= {"real": real, "held_out": held_out}

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        self.seen["fake"] = fake
        return {"declared": Estimate(1.0, notes=("because",))}

    def pictures(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Sequence[Sequence[Shown]]]:
        return {"pairs": [[Shown("fake", 5), Shown("real", 7)], [Shown("fake", 0)]]}


class NamedPixels(FeatureExtractor):
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        return samples[:, :, 0, 0].float()

    def names(self) -> Sequence[str]:
        return ("red", "green", "blue")

    def fingerprint(self) -> str:
        return "corner"


def test_evaluators_are_handed_labels_names_and_held_out_samples(fakes: Fakes) -> None:
    seeing = Attentive()
    data = Data(images(240))
    labels = np.arange(240) % 7
    features = FeaturesComponent(name="corner", summary="", build=lambda options, image: NamedPixels())
    asked = choice(component(seeing), features, samples=30)
    reference = replace(data.reference, labels=labels)
    measured = Evaluation([asked], IMAGE, reference, device="cpu", cache=NO_CACHE).run(fakes)
    real, held_out, fake = (seeing.seen[name] for name in ("real", "held_out", "fake"))
    assert real is not None and held_out is not None and fake is not None
    assert real.names == held_out.names == fake.names == ("red", "green", "blue")
    assert fake.labels is None
    for bank, indices in ((real, reference.reference(30)), (held_out, reference.floor(30))):
        assert bank.labels is not None and bank.features is not None
        assert bank.labels.tolist() == labels[indices].tolist()
        assert torch.equal(bank.features, data.samples[indices][:, :, 0, 0].float())
    assert [each.notes for each in measured] == [("because",)]


@pytest.mark.parametrize("name", ["", "../pairs", "a/b", "-pairs", "two words"])
def test_a_picture_whose_name_could_be_no_files_is_refused(fakes: Fakes, name: str) -> None:
    class Showing(Attentive):
        def pictures(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Sequence[Sequence[Shown]]]:
            return {name: [[Shown("fake", 0)]]}

    with pytest.raises(GanlabError, match=rf"calls a picture {re.escape(repr(name))}; a name is a word"):
        evaluation(choice(component(Showing()), samples=30)).run(fakes, show=lambda *_: None)


def test_an_evaluator_may_ask_for_every_training_sample(fakes: Fakes) -> None:
    seeing, usual = Attentive(), Attentive()
    everything = replace(component(seeing), reference="all")
    evaluation(choice(everything, samples=30), choice(component(usual), label="usual", samples=20)).run(fakes)
    counts = [[bank.n for bank in each.seen.values() if bank] for each in (seeing, usual)]
    assert counts == [[200, 30, 30], [20, 20, 20]]


def test_pictures_show_the_samples_that_an_evaluator_names(fakes: Fakes) -> None:
    shown: dict[tuple[str, str], NDArray[np.uint8]] = {}
    data = Data(images(240))
    evaluation(choice(component(Attentive()), samples=30), data=data).run(
        fakes, show=lambda label, name, picture: shown.update({(label, name): picture})
    )
    ((where, picture),) = shown.items()
    assert where == ("custom", "pairs")
    assert picture.shape == (2 * 8 + 3 * 2, 2 * 8 + 3 * 2, 3)
    tiles = [picture[top : top + 8, left : left + 8] for top in (2, 12) for left in (2, 12)]
    expected = [
        images(300, seed=1, brightness=200)[5],
        data.samples[data.reference.reference(30)[7]],
        images(300, seed=1, brightness=200)[0],
        torch.full((3, 8, 8), 255, dtype=torch.uint8),
    ]
    for tile, image in zip(tiles, expected, strict=True):
        assert torch.equal(torch.from_numpy(tile).permute(2, 0, 1), image)


class Batchwise(FeatureExtractor):
    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        features = samples.float().flatten(1)
        return features - features.mean(0)

    def fingerprint(self) -> str:
        return "batchwise"


def test_features_that_depend_on_the_batch_are_refused(fakes: Fakes) -> None:
    features = FeaturesComponent(name="batchwise", summary="", build=lambda options, image: Batchwise())
    with pytest.raises(GanlabError, match="`batchwise` for evaluator `mmd`: a sample's features depend on"):
        evaluation(choice(features=features)).run(fakes)
