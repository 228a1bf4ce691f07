"""The dataset `faces`, as the core sees it."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from ganlab import ImageSource, ImageSpec
from ganlab.data.images import to_channels
from ganlab_faces import FacesOptions, build, ganlab_datasets
from ganlab_faces.attributes import ATTRIBUTES
from ganlab_faces.sampling import sample_face

SQUARE = ImageSpec(channels=3, height=32, width=32)


def _source(image: ImageSpec = SQUARE, **options: object) -> ImageSource:
    return build(FacesOptions.model_validate(options), image)


def test_the_hook_offers_faces_without_options() -> None:
    (record,) = ganlab_datasets()
    assert record.name == "faces"
    assert len(record.build(record.options(), record.image)) == 20_000


def test_reading_is_pure_in_any_order_and_in_other_processes() -> None:
    source = _source(count=50, seed=7)
    forwards = [source.read(index).tobytes() for index in range(50)]
    copy = pickle.loads(pickle.dumps(source))
    backwards = [copy.read(index).tobytes() for index in reversed(range(50))]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 50


def test_fewer_faces_are_the_first_of_more() -> None:
    few, many = _source(count=3), _source(count=3_000)
    assert [few.read(i).tobytes() for i in range(3)] == [many.read(i).tobytes() for i in range(3)]


def test_an_index_outside_is_an_error() -> None:
    source = _source(count=3)
    for index in (-1, 3):
        with pytest.raises(IndexError, match="of 3"):
            source.read(index)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (72, 40), (33, 95), (218, 178)])
def test_images_come_in_the_size_of_the_experiment(height: int, width: int) -> None:
    image = _source(ImageSpec(channels=3, height=height, width=width)).read(5)
    assert image.mode == "RGB"
    assert image.size == (width, height)


def test_grayscale_comes_from_the_cores_conversion() -> None:
    gray = to_channels(_source(ImageSpec(channels=1, height=48, width=32)).read(1), 1)
    assert gray.mode == "L"
    assert np.asarray(gray).std() > 20


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_labels_tell_the_attribute(name: str) -> None:
    source = _source(count=300, seed=2, labels=name)
    labels = source.labels()
    assert labels is not None
    assert labels.shape == (300,)
    assert labels.dtype == np.int64
    told = [source.class_names[label] for label in labels]
    assert told == [ATTRIBUTES[name].of(sample_face(2, index)) for index in range(300)]


def test_there_are_no_labels_unless_asked_for() -> None:
    source = _source(count=3)
    assert source.labels() is None
    assert source.class_names == ()


def test_labels_do_not_change_the_faces() -> None:
    assert _source(labels="hair").read(9).tobytes() == _source().read(9).tobytes()


def test_the_fingerprint_follows_everything_that_matters() -> None:
    prints = [
        source.fingerprint()
        for source in (
            _source(),
            _source(seed=1),
            _source(count=19_999),
            _source(labels="glasses"),
            _source(ImageSpec(channels=3, height=32, width=48)),
            _source(ImageSpec(channels=3, height=48, width=32)),
        )
    ]
    assert len(set(prints)) == len(prints)
    assert _source().fingerprint() == prints[0]
    assert _source(ImageSpec(channels=1, height=32, width=32)).fingerprint() == prints[0]


@pytest.mark.parametrize("options", [{"count": 0}, {"seed": -1}, {"labels": "moustache"}, {"size": 64}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FacesOptions.model_validate(options)


def test_the_hook_module_imports_nothing_heavy() -> None:
    code = "import sys, ganlab_faces; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
