"""The `classifier` extractor: what a network that was trained on the data's labels sees."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_features.classifier_network import ClassifierNetwork
from ganlab_features.identity import digest

__all__ = ["Classifier", "ClassifierFeatures", "ClassifierProbabilities"]

FORMAT = "ganlab features 1"
HOW = "write one with `ganlab train-features X.toml --out FILE`"


class Classifier(FeatureExtractor):
    """A trained classifier; subclasses say which of its outputs are the features.

    Args:
        image: what an image is; it must be what the classifier was trained on.
        weights: the file that `ganlab train-features` wrote.

    Raises:
        ComponentError: the file is missing, damaged, another component's, or for other images.
    """

    def __init__(self, image: ImageSpec, weights: Path) -> None:
        content = _read(weights)
        note = _note(content, weights)
        spec = ImageSpec(**note["spec"])
        if spec.shape != image.shape:
            raise _refusal(weights, f"it was trained on {spec}, and these are {image}; {HOW} for these")
        self._digest = hashlib.sha256(content).hexdigest()
        self.classes: Sequence[str] = note["class_names"]
        self.network = ClassifierNetwork(spec)
        try:
            self.network.load_state_dict(load(content))
        except RuntimeError as error:
            raise _refusal(weights, f"its network differs from this version's; {HOW}") from error
        self.network.eval()

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, d)`."""
        self.network.to(samples.device)
        return self._describe(samples.float() / 127.5 - 1)

    def fingerprint(self) -> str:
        """Return a digest of the file and of which output is taken."""
        return digest("classifier", 1, type(self).__name__, self._digest)

    @abstractmethod
    def _describe(self, images: torch.Tensor) -> torch.Tensor:
        """Map images in [-1, 1] to features."""


class ClassifierFeatures(Classifier):
    """What the classifier's last layer decides by."""

    standardise = True

    def _describe(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.features(images)

    def names(self) -> Sequence[str]:
        """Return the units' numbers."""
        return [f"unit {index}" for index in range(self.network.width)]


class ClassifierProbabilities(Classifier):
    """The probability of each class, in [0, 1]."""

    def _describe(self, images: torch.Tensor) -> torch.Tensor:
        probabilities: torch.Tensor = self.network(images).softmax(1)
        return probabilities

    def names(self) -> Sequence[str]:
        """Return the classes."""
        return [f"probability of {name}" for name in self.classes]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refusal(path, f"it cannot be read ({error.strerror}); {HOW}") from error


def _note(content: bytes, path: Path) -> Mapping[str, Any]:
    """Return what the file says of itself, in its header: the header's size in 8 bytes, then JSON."""
    try:
        load(content)
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        note: Mapping[str, Any] = json.loads(header.get("__metadata__", {}).get("ganlab", "{}"))
    except (SafetensorError, ValueError) as error:
        raise _refusal(path, f"it is not a complete safetensors file ({error}); {HOW}") from error
    if note.get("format") != FORMAT or note.get("features") != "classifier":
        raise _refusal(path, f"ganlab did not write it for features `classifier`; {HOW}")
    return note


def _refusal(path: Path, reason: str) -> ComponentError:
    return ComponentError(f"{path} is not usable: {reason}", option="weights")
