"""Promises of datasets."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganlab.components import DatasetComponent
from ganlab.data.source import ArraySource, ImageSource, Source
from ganlab.testing.subject import Subject
from ganlab.words import counted

__all__ = ["check"]

LOOKED_AT = 8


def check(subject: Subject[DatasetComponent]) -> None:
    """Check the source that the dataset builds, at a few samples spread over all."""
    with subject.promise("it is built, and has samples", base=True):
        subject.require(
            len(subject.component.accepts) == 1,
            "`accepts` must have one member: the kind of sample that the dataset yields",
        )
        source = _build(subject)
    with subject.promise("samples are of the kind that it yields", base=True):
        samples = _read(subject, source)
    with subject.promise("read(i) gives the same each time", base=True):
        _require_same(subject, samples, _read(subject, source), "read a second time")
    with subject.promise("labels and class names fit"):
        _check_labels(subject, source)
    with subject.promise("it has a fingerprint", base=True):
        _check_identity(subject, source)
    with subject.promise("it travels to worker processes"):
        with subject.during("pickle.loads(pickle.dumps(source)), as worker processes get it,"):
            travelled = pickle.loads(pickle.dumps(source))
        _require_same(subject, samples, _read(subject, travelled), "read by another process")
    with subject.promise("a second build is the same"):
        again = _build(subject)
        subject.require(
            again.fingerprint() == source.fingerprint(),
            "fingerprint() differs from one build to the next; compute it from content and options alone",
        )
        _require_same(
            subject, samples, _read(subject, again), "read from a second build of equal fingerprint"
        )


def _build(subject: Subject[DatasetComponent]) -> Source:
    (spec,) = subject.specs
    source = subject.build(spec if spec.sized_by_image_table else None)
    due: type[Source] = ImageSource if spec.sized_by_image_table else ArraySource
    name = "ImageSource" if spec.sized_by_image_table else "VectorSource or another ganlab.ArraySource"
    subject.require(
        isinstance(source, due), f"`build` returned a {type(source).__name__}, not a ganlab.{name}"
    )
    built: Source = source
    if isinstance(built, ArraySource):
        with subject.during("spec"):
            yielded = built.spec
        subject.require(
            isinstance(yielded, subject.component.accepts),
            f"its source yields {yielded.word}, and `accepts` has {spec.word}; both must say the same",
        )
    with subject.during("len()"):
        subject.require(len(built) > 0, "it is empty; a dataset has at least one sample")
    return built


def _read(subject: Subject[DatasetComponent], source: Source) -> dict[int, Any]:
    """Return a few samples by index, read in no particular order."""
    indices = sorted({round(index) for index in np.linspace(0, len(source) - 1, LOOKED_AT)}, reverse=True)
    return {index: _sample(subject, source, index) for index in indices}


def _sample(subject: Subject[DatasetComponent], source: Any, index: int) -> NDArray[Any]:
    with subject.during(f"read({index}) of {counted(len(source), 'sample')}"):
        sample = source.read(index)
    if isinstance(source, ImageSource):
        subject.require(
            isinstance(sample, Image.Image),
            f"read({index}) returned a {type(sample).__name__}, not a PIL image; the core converts it",
        )
        return np.asarray(sample)
    due, dtype = source.spec.row_shape, np.dtype(source.spec.row_dtype)
    subject.require(
        isinstance(sample, np.ndarray) and sample.dtype == dtype and sample.shape == due,
        f"read({index}) must return a {dtype} array of shape {due}, not "
        f"{getattr(sample, 'dtype', type(sample).__name__)} of shape {getattr(sample, 'shape', '?')}",
    )
    subject.require(bool(np.isfinite(sample).all()), f"{source.spec.kind} {index} is not finite")
    row: NDArray[Any] = sample
    return row


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
