"""Promises of datasets."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganlab.components import DatasetComponent, VectorSpec
from ganlab.data.source import ImageSource, Source, VectorSource
from ganlab.testing.subject import Subject

__all__ = ["check"]

LOOKED_AT = 8


def check(subject: Subject[DatasetComponent]) -> None:
    """Check the source that the dataset builds, at a few samples spread over all."""
    subject.require(
        len(subject.component.accepts) == 1,
        "`accepts` must have one member: the kind of sample that the dataset yields",
    )
    source = _build(subject)
    samples = _read(subject, source)
    _require_same(subject, samples, _read(subject, source), "read a second time")
    _check_labels(subject, source)
    _check_identity(subject, source)
    with subject.during("pickle.loads(pickle.dumps(source)), as worker processes get it,"):
        travelled = pickle.loads(pickle.dumps(source))
    _require_same(subject, samples, _read(subject, travelled), "read by another process")
    again = _build(subject)
    subject.require(
        again.fingerprint() == source.fingerprint(),
        "fingerprint() differs from one build to the next; compute it from content and options alone",
    )
    _require_same(subject, samples, _read(subject, again), "read from a second build of equal fingerprint")


def _build(subject: Subject[DatasetComponent]) -> Source:
    (spec,) = subject.specs
    vectors = isinstance(spec, VectorSpec)
    source = subject.build(None if vectors else spec)
    due = VectorSource if vectors else ImageSource
    subject.require(
        isinstance(source, due), f"`build` returned a {type(source).__name__}, not a ganlab.{due.__name__}"
    )
    built: Source = source
    with subject.during("len()"):
        subject.require(len(built) > 0, "it is empty; a dataset has at least one sample")
    return built


def _read(subject: Subject[DatasetComponent], source: Source) -> dict[int, Any]:
    """Return a few samples by index, read in no particular order."""
    indices = sorted({round(index) for index in np.linspace(0, len(source) - 1, LOOKED_AT)}, reverse=True)
    return {index: _sample(subject, source, index) for index in indices}


def _sample(subject: Subject[DatasetComponent], source: Any, index: int) -> NDArray[Any]:
    with subject.during(f"read({index}) of {len(source)} samples"):
        sample = source.read(index)
    if isinstance(source, ImageSource):
        subject.require(
            isinstance(sample, Image.Image),
            f"read({index}) returned a {type(sample).__name__}, not a PIL image; the core converts it",
        )
        return np.asarray(sample)
    due = (source.dimension,)
    subject.require(
        isinstance(sample, np.ndarray) and sample.dtype == np.float32 and sample.shape == due,
        f"read({index}) must return a float32 array of shape {due}, not "
        f"{getattr(sample, 'dtype', type(sample).__name__)} of shape {getattr(sample, 'shape', '?')}",
    )
    subject.require(bool(np.isfinite(sample).all()), f"vector {index} is not finite")
    vector: NDArray[Any] = sample
    return vector


def _require_same(
    subject: Subject[DatasetComponent], first: dict[int, Any], second: dict[int, Any], how: str
) -> None:
    for index, sample in first.items():
        subject.require(
            index in second and np.array_equal(sample, second[index]),
            f"sample {index} is another one when {how}; read(i) must depend on i and the options alone",
        )


def _check_labels(subject: Subject[DatasetComponent], source: Source) -> None:
    with subject.during("labels()"):
        labels = source.labels()
    if labels is None:
        subject.require(not source.class_names, "it has class_names, but labels() returns None; return both")
        return
    count, classes = len(source), len(source.class_names)
    subject.require(
        isinstance(labels, np.ndarray) and labels.dtype == np.int64 and labels.shape == (count,),
        f"labels() must return an int64 array of shape ({count},), one for each sample, or None",
    )
    subject.require(
        min(labels) >= 0 and max(labels) < classes,
        f"labels run from {labels.min()} to {labels.max()}, but there are {classes} class_names; every "
        "label must be in range(len(class_names))",
    )


def _check_identity(subject: Subject[DatasetComponent], source: Source) -> None:
    with subject.during("fingerprint()"):
        fingerprint = source.fingerprint()
    subject.require(
        isinstance(fingerprint, str) and bool(fingerprint), "fingerprint() must return a hex digest, a string"
    )
    subject.require(
        source.fingerprint() == fingerprint,
        "fingerprint() differs from one call to the next; compute it from content and options alone",
    )
