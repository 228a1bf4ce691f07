"""Features of a program that torch.export wrote, against the network that it was written from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ganlab_torch_export
from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab.testing import check_component

pytestmark = pytest.mark.slow  # what torch.export imports takes seconds

(COMPONENT,) = ganlab_torch_export.ganlab_features()
SIDE = 12
RGB: dict[str, Any] = {"size": SIDE, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


def network(channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(channels, 6, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    return nn.Sequential(*layers).eval()


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.network(images), images


def export(module: nn.Module, path: Path, *, batch: int | None = None, channels: int = 3) -> Path:
    shapes = None if batch else ({0: torch.export.Dim("batch")},)
    example = torch.zeros(batch or 2, channels, SIDE, SIDE)
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=shapes), path)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(network(), tmp_path_factory.mktemp("program") / "small [one].pt2")


def build(program: Path, image: ImageSpec | None = None, **options: object) -> FeatureExtractor:
    options = {**RGB, "program": program, **options}
    extractor = COMPONENT.build(COMPONENT.options(**options), image or ImageSpec(3, SIDE, SIDE))
    assert isinstance(extractor, FeatureExtractor)
    return extractor


def noise(count: int, height: int = SIDE, width: int = SIDE, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def normalised(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(RGB[each]).view(3, 1, 1) for each in ("mean", "std"))
    return (images.float() / 255 - mean) / std


def test_features_are_the_networks(program: Path) -> None:
    images = noise(5)
    extractor = build(program)
    assert extractor.protocol == "small-one"
    assert torch.allclose(extractor.extract(images), network()(normalised(images)), atol=1e-6)


def test_a_program_of_a_fixed_batch_takes_any_number(program: Path, tmp_path: Path) -> None:
    fixed = export(network(), tmp_path / "fixed.pt2", batch=3)
    images = noise(7)
    assert torch.allclose(build(fixed).extract(images), build(program).extract(images), atol=1e-6)


def test_images_are_brought_to_it_as_declared(program: Path) -> None:
    wide = ImageSpec(3, SIDE, 20)
    images = noise(2, SIDE, 20)
    cropped = build(program, wide, fit="crop").extract(images)
    assert torch.allclose(cropped, network()(normalised(images[..., 4:16])), atol=1e-6)
    stretched = {name: build(program, wide, resample=name).extract(images) for name in ("box", "bicubic")}
    assert not torch.allclose(stretched["box"], stretched["bicubic"], atol=1e-3)
    assert (
        len(
            {build(program, wide, **each).fingerprint() for each in ({}, {"fit": "crop"}, {"finish": "none"})}
        )
        == 3
    )


def test_gray_is_repeated_for_a_network_of_three_channels(program: Path, tmp_path: Path) -> None:
    gray = noise(2, channels=1)
    image = ImageSpec(1, SIDE, SIDE)
    repeated = build(program).extract(gray.expand(-1, 3, -1, -1))
    assert torch.equal(build(program, image).extract(gray), repeated)
    one = export(network(1), tmp_path / "gray.pt2", channels=1)
    assert build(one, image, mean=[0.5], std=[0.5]).extract(gray).shape == (2, 24)
    with pytest.raises(ComponentError, match="has 1 number") as caught:
        build(one, mean=[0.5], std=[0.5])
    assert caught.value.option == "mean"


def test_it_keeps_what_features_promise(program: Path) -> None:
    check_component(COMPONENT, options={**RGB, "program": program}, spec=ImageSpec(3, 16, 24))


def test_what_does_not_fit_is_told(program: Path, tmp_path: Path) -> None:
    def problem(path: Path, **options: object) -> str:
        with pytest.raises(ComponentError) as caught:
            build(path, **options).extract(noise(2))
        return f"{caught.value.option}: {caught.value}"

    page = tmp_path / "page.pt2"
    page.write_bytes(b"<html>Sign in</html>")
    assert "program: cannot read" in problem(tmp_path / "nothing.pt2")
    assert "is not a program that torch.export.save wrote" in problem(page)
    assert "std: has 1 numbers and `mean` 3" in problem(program, std=[0.5])
    assert f"size: is 13, and {program} reads (?, 3, 12, 12)" in problem(program, size=13)
    assert "mean: has 1 number, one for each channel" in problem(program, mean=[0.5], std=[0.5])
    maps = export(nn.Conv2d(3, 4, 3), tmp_path / "maps.pt2")
    assert "returns (?, 4, 10, 10); export a network that returns one tensor" in problem(maps)
    pair = export(Pair(), tmp_path / "pair.pt2")
    assert "returns (?, 24), (?, 3, 12, 12); export a network that returns one tensor" in problem(pair)
    for layer in (nn.BatchNorm1d(24), nn.Dropout()):
        training = export(nn.Sequential(network(), layer).train(), tmp_path / "training.pt2")
        assert "was exported in training mode" in problem(training)


def test_other_files_of_pytorch_are_told_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state, script = tmp_path / "state.pt2", tmp_path / "script.pt2"
    torch.save(network().state_dict(), state)
    torch.jit.trace(network(), torch.zeros(2, 3, SIDE, SIDE)).save(script)
    capfd.readouterr()
    with pytest.raises(ComponentError, match=r"is what torch\.save wrote, weights without their network"):
        build(state)
    with pytest.raises(ComponentError, match="is TorchScript"):
        build(script)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("batch", [torch.export.Dim("batch", max=5), torch.export.Dim.AUTO])
def test_a_program_gets_no_more_and_no_fewer_images_than_it_takes(
    program: Path, tmp_path: Path, batch: Any
) -> None:
    path = tmp_path / "some.pt2"
    exported = torch.export.export(network(), (torch.zeros(2, 3, SIDE, SIDE),), dynamic_shapes=({0: batch},))
    torch.export.save(exported, path)
    images = noise(11)
    assert torch.allclose(build(path).extract(images), build(program).extract(images), atol=1e-6)
    assert torch.allclose(build(path).extract(images[:1]), build(program).extract(images[:1]), atol=1e-6)
