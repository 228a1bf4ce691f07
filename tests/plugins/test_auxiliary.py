"""The auxiliary classifier against closed forms."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from playing import play

from ganlab import ComponentError, Verdict
from ganlab_auxiliary.losses import AuxiliaryClassifier

REAL = torch.tensor([[1.0, 2.0, -1.0], [3.0, -1.0, 0.0], [0.5, 0.0, 0.75]])
FAKE = torch.tensor([[0.0, 1.0, 3.0], [-2.0, 2.0, 0.5], [1.0, 0.5, 1.5]])
LABELS = torch.tensor([0, 1, 2])

Form = Literal["cross-entropy", "hinge"]


def naming(samples: torch.Tensor) -> Verdict:
    """Read class logits `(N, 3)` off the samples."""
    return Verdict(samples.sum(dim=1), class_logits=samples)


def one(form: Form, logits: list[float], label: int) -> float:
    if form == "cross-entropy":
        return math.log(sum(map(math.exp, logits))) - logits[label]
    others = [logit for index, logit in enumerate(logits) if index != label]
    return max(0.0, 1 - logits[label] + max(others))


def mean(form: Form, samples: torch.Tensor) -> float:
    rows = zip(samples.tolist(), LABELS.tolist(), strict=True)
    return sum(one(form, logits, label) for logits, label in rows) / 3


@pytest.mark.parametrize("fakes", [True, False])
@pytest.mark.parametrize("form", ["cross-entropy", "hinge"])
def test_it_is_the_mean_over_samples(form: Form, fakes: bool) -> None:
    loss = AuxiliaryClassifier(form, fakes=fakes)
    table: dict[str, Any] = {"real": REAL, "fake": FAKE, "judge": naming, "labels": LABELS}
    assert play("generator", loss, **table).item() == pytest.approx(mean(form, FAKE))
    expected = mean(form, REAL) + (mean(form, FAKE) if fakes else 0)
    assert play("discriminator", loss, **table).item() == pytest.approx(expected)
    assert not loss.couples_samples


@pytest.mark.parametrize(
    ("labels", "judge", "message"),
    [
        (None, naming, "the data has none"),
        (LABELS, lambda samples: samples.sum(dim=1), 'labels = "classifier"'),
    ],
)
def test_what_it_lacks_is_named(labels: torch.Tensor | None, judge: Any, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        play("generator", AuxiliaryClassifier(), real=REAL, fake=FAKE, judge=judge, labels=labels)
