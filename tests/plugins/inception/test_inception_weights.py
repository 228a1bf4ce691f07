"""Where weights come from, and what is said when they do not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from random_network import RandomWeights

from ganlab import ComponentError
from ganlab_inception.network import parameter_shapes
from ganlab_inception.weights import PUBLISHED, read_weights


def refused(path: Path | None, sha256: str | None = None) -> ComponentError:
    with pytest.raises(ComponentError) as caught:
        read_weights(path, sha256, download=False)
    return caught.value


def test_weights_that_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    error = refused(None)
    assert error.option == "weights"
    for part in (
        f"put {PUBLISHED.name}",
        str(tmp_path / "weights" / PUBLISHED.name),
        "`download = true`",
        "6726825d",
    ):
        assert part in str(error)
    assert "cannot read" in str(refused(tmp_path / "nothing.pth"))
    assert refused(None, "0" * 64).option == "weights_sha256"


def test_another_file_is_taken_only_by_its_digest(random_weights: RandomWeights) -> None:
    error = refused(random_weights.path)
    assert f'weights_sha256 = "{random_weights.sha256}"' in str(error) and PUBLISHED.sha256 in str(error)
    assert "file of `weights_sha256`" in str(refused(random_weights.path, "0" * 64))
    weights = read_weights(random_weights.path, random_weights.sha256, download=False)
    assert weights.sha256 == random_weights.sha256
    assert list(weights.state) == list(parameter_shapes())


def test_a_file_in_the_cache_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    cached = tmp_path / "weights" / PUBLISHED.name
    cached.parent.mkdir()
    cached.write_bytes(b"half of it")
    assert f"is not the published {PUBLISHED.name}" in str(refused(None))


def test_files_that_hold_another_network(tmp_path: Path) -> None:
    def problem(content: object) -> str:
        path = tmp_path / "weights.pth"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        return str(refused(path, hashlib.sha256(path.read_bytes()).hexdigest()))

    # Zeros that take no room in the file.
    state = {name: torch.zeros(1).expand(shape) for name, shape in parameter_shapes().items()}
    assert "is not a file of tensors" in problem(b"<html>Sign in</html>")
    assert "is not a file of tensors" in problem(b'title = "small"\nseed = 0\n')
    assert "is not a file of tensors" in problem(print)
    assert "it holds no state dict" in problem([1, 2])
    classes = {**state, "fc.weight": torch.zeros(1).expand(1000, 2048)}
    assert "fc.weight has shape (1000, 2048), not (1008, 2048)" in problem(classes)
    assert "fc.bias is missing" in problem({key: value for key, value in state.items() if key != "fc.bias"})
    assert "AuxLogits.fc.bias is not part of it" in problem({**state, "AuxLogits.fc.bias": torch.zeros(1)})
    assert "fc.bias is not finite" in problem({**state, "fc.bias": torch.full((1008,), float("nan"))})
    assert "(and 470 more)" in problem({"some": torch.zeros(1)})


def test_the_network_has_the_published_tensors() -> None:
    shapes = parameter_shapes()
    # 566 with a count of batches for each of the 94 convolutions.
    assert len(shapes) == 566 - 94
    assert shapes["Mixed_6c.branch7x7_2.conv.weight"] == (160, 160, 1, 7)
    assert shapes["Mixed_7c.branch_pool.conv.weight"] == (192, 2048, 1, 1)
