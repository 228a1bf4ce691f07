"""Features that are learned: a classifier trained on a dataset's labels, and the file it is kept in.

The network is a plugin's (`FeaturesComponent.network`), and so is what becomes of the file. The
core trains it, since only the core has optimizers and seeds. The file is safetensors: the
network's state, and under `ganlab` in its metadata (one key alone: several would come in any
order, and equal networks in unequal files) these facts as JSON:

- `format`: `ganlab features 1`
- `features`: name of the component
- `spec`: the fields of the sample spec, classes included; `class_names`, in order of the labels
- `accuracy` on `held_out` samples that were not trained on
- `data`: fingerprint of the prepared data; `holdout` and `split_seed`, with which it was split
- `seed`, with which the network was trained
- `epochs`, and the versions of `ganlab` and `torch`
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

import ganlab
from ganlab.components import FeaturesComponent, SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.data.feed import Feed
from ganlab.data.preparation import Data
from ganlab.engine.running_statistics import fresh_statistics
from ganlab.engine.streams import derive_seed, isolated_randomness
from ganlab.errors import GanlabError, UsageError
from ganlab.files import explained, write_atomically
from ganlab.progress import counting
from ganlab.samples import accepted_kinds

__all__ = ["FORMAT", "TrainedFeatures", "train_features"]

FORMAT = "ganlab features 1"
BATCH = 128
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
STATISTICS_BATCHES = 64
"""Batches at most that the final network's running statistics are taken from."""


@dataclass(frozen=True)
class TrainedFeatures:
    """A trained network.

    Attributes:
        network: on the CPU, in evaluation mode.
        accuracy: share of the held-out samples that it classifies rightly.
        held_out: how many those are.
        guessing: the share that always naming their commonest class would get right.
        facts: what its file says of it.
    """

    network: nn.Module
    accuracy: float
    held_out: int
    guessing: float
    facts: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the network with its facts; a reader sees the whole file, or what was there before.

        Raises:
            GanlabError: it cannot be written.
        """
        state = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        facts = {"ganlab": json.dumps(self.facts, sort_keys=True)}
        with explained(f"cannot write {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, save(state, metadata=facts))


def train_features(
    component: FeaturesComponent,
    experiment: Experiment,
    data: Data,
    *,
    epochs: int,
    device: torch.device,
    progress: bool = True,
) -> TrainedFeatures:
    """Train a component's network to tell the labels of an experiment's training samples.

    AdamW with a learning rate that rises over the first third and falls to zero
    (Smith & Topin, 2017), in float32; seeded by the experiment. Running statistics are those of the
    final weights.

    Args:
        component: one that has a `network`.
        experiment: gives the seed, and whether samples are mirrored.
        data: the experiment's samples; its held-out ones tell the accuracy.
        epochs: passes over the training samples.
        device: where to train.
        progress: as in `ganlab.progress.counting`.

    Raises:
        UsageError: the data has no labels, one class only, samples that the component does not
            accept, or nothing held out.
        GanlabError: the loss is not finite.
    """
    spec, labels = _checked(component, data, experiment)
    assert component.network is not None
    settings = experiment.settings
    with isolated_randomness(derive_seed(settings.seed, "train-features")):
        network: nn.Module = component.network(spec).to(device)
        _learn(network, experiment, data, epochs, device, progress)
    network.eval()
    truth = torch.from_numpy(labels[data.split.holdout])
    right = torch.cat([logits.argmax(1).cpu() for logits in _logits(network, data, device)]) == truth
    accuracy = float(right.double().mean())
    facts = {
        "format": FORMAT,
        "features": component.name,
        "spec": asdict(spec),
        "class_names": list(data.store.class_names),
        "accuracy": accuracy,
        "held_out": len(truth),
        "data": data.store.fingerprint,
        "holdout": settings.dataset.holdout,
        "split_seed": settings.dataset.split_seed,
        "seed": settings.seed,
        "epochs": epochs,
        "ganlab": ganlab.__version__,
        "torch": torch.__version__,
    }
    guessing = float(truth.bincount().max()) / len(truth)
    return TrainedFeatures(network.cpu(), accuracy, len(truth), guessing, facts)


def _checked(
    component: FeaturesComponent, data: Data, experiment: Experiment
) -> tuple[SampleSpec, NDArray[np.int64]]:
    """Return what samples are, and all labels."""
    store, name = data.store, experiment.dataset.component.name
    if not isinstance(store.spec, component.accepts):
        words = " or ".join(kind.word for kind in accepted_kinds(component.accepts))
        raise UsageError(
            f"the features {component.name!r} are learned from {words}; the dataset {name!r} has {store.spec}"
        )
    if store.labels is None:
        raise UsageError(
            f"the dataset {name!r} has no labels as this experiment asks for it, and features are learned "
            f"from labels; `ganlab describe dataset {name}` shows whether it has an option for them"
        )
    if store.spec.classes < 2:
        raise UsageError(f"the dataset {name!r} has one class only; there is nothing to learn from it")
    if not len(data.split.holdout):
        raise UsageError(
            "dataset.holdout is 0: no sample is left to tell how well the features were learned; use 0.1"
        )
    return store.spec, store.labels


def _learn(
    network: nn.Module,
    experiment: Experiment,
    data: Data,
    epochs: int,
    device: torch.device,
    progress: bool,
) -> None:
    count = len(data.split.training)
    batch = min(BATCH, count)
    steps = math.ceil(count / batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps)
    feed = Feed(
        data.store,
        data.split.training,
        batch_size=batch,
        seed=experiment.settings.seed,
        device=device,
        mirror=experiment.settings.dataset.mirror,
    )
    network.train()
    try:
        with counting(f"training on {data.store.spec.word}", epochs * steps * batch, progress) as advance:
            for _ in range(epochs * steps):
                shown = feed.next()
                assert shown.labels is not None
                loss = nn.functional.cross_entropy(network(shown.samples), shown.labels)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                advance(batch)
        if not math.isfinite(loss.item()):
            raise GanlabError(f"the loss ended at {loss.item()}: nothing was learned")
        with torch.no_grad(), fresh_statistics(network):
            for _ in range(min(steps, STATISTICS_BATCHES)):
                network(feed.next().samples)
    finally:
        feed.close()


@torch.no_grad()
def _logits(network: nn.Module, data: Data, device: torch.device) -> Iterator[torch.Tensor]:
    """Yield the logits of the held-out samples, batch by batch."""
    indices = data.split.holdout
    for start in range(0, len(indices), BATCH):
        samples = data.store.gather(indices[start : start + BATCH]).to(device)
        yield network(data.store.spec.dequantise(samples))
