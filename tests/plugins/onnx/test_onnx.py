"""Features of ONNX models, against the PyTorch networks whose weights they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ganlab_onnx
import ganlab_torch_export
from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab.testing import check_component

onnx = pytest.importorskip("onnx", reason="pip install ganlab[onnx]")
pytest.importorskip("onnxruntime", reason="pip install ganlab[onnx]")

(COMPONENT,) = ganlab_onnx.ganlab_features()
SIDE = 12
TYPES = {torch.float16: onnx.TensorProto.FLOAT16, torch.float32: onnx.TensorProto.FLOAT}
RGB: dict[str, Any] = {"size": SIDE, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


def network(channels: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(channels, 6, 3, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()
    return nn.Sequential(*layers).eval()


def write(
    path: Path,
    *,
    shape: tuple[int | str, ...] = ("batch", 3, SIDE, SIDE),
    outputs: tuple[str, ...] = ("features",),
    dtype: torch.dtype = torch.float32,
    scale: float = 1.0,
    channels: int = 3,
    beside: bool = False,
) -> Path:
    """Write `network` as ONNX: `maps` are its convolution's, `features` what it returns."""
    kind = TYPES[dtype]
    convolution = network(channels)[0]
    weights = {"weight": scale * convolution.weight, "bias": scale * convolution.bias}
    tensors = [
        onnx.numpy_helper.from_array(value.detach().to(dtype).numpy(), name)
        for name, value in weights.items()
    ]
    node = onnx.helper.make_node
    nodes = [
        node("Conv", ["images", "weight", "bias"], ["maps"], strides=[2, 2]),
        node("Relu", ["maps"], ["bent"]),
        node("AveragePool", ["bent"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["pooled"], ["features"]),
    ]
    value = onnx.helper.make_tensor_value_info
    made = [value(name, kind, None) for name in outputs]
    graph = onnx.helper.make_graph(nodes, "small", [value("images", kind, shape)], made, tensors)
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 17)])
    path.parent.mkdir(exist_ok=True)
    if beside:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=0)
    else:
        onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("program") / "small [one].onnx")


def build(program: Path, image: ImageSpec | None = None, **options: object) -> FeatureExtractor:
    options = {**RGB, "program": program, **options}
    extractor = COMPONENT.build(COMPONENT.options(**options), image or ImageSpec(3, SIDE, SIDE))
    assert isinstance(extractor, FeatureExtractor)
    return extractor


def noise(count: int, height: int = SIDE, width: int = SIDE, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


@torch.no_grad()
def seen(images: torch.Tensor) -> torch.Tensor:
    """Return what the network makes of images, normalised as `RGB` says."""
    mean, std = (torch.tensor(RGB[each]).view(3, 1, 1) for each in ("mean", "std"))
    made = network()((images.float() / 255 - mean) / std)
    assert isinstance(made, torch.Tensor)
    return made


def test_features_are_the_networks(program: Path) -> None:
    images = noise(37)
    extractor = build(program)
    assert extractor.protocol == "small-one"
    torch.testing.assert_close(extractor.extract(images), seen(images), rtol=0, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_features_of_images_on_a_gpu_lie_there(program: Path) -> None:
    extractor = build(program)
    features = extractor.extract(noise(5).cuda())
    assert features.is_cuda
    torch.testing.assert_close(features.cpu(), extractor.extract(noise(5)), rtol=0, atol=1e-5)


@pytest.mark.slow  # what torch.export imports takes seconds
def test_they_are_those_of_torch_export(program: Path, tmp_path: Path) -> None:
    exported = torch.export.export(
        network(), (torch.zeros(2, 3, SIDE, SIDE),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    torch.export.save(exported, tmp_path / "small.pt2")
    (component,) = ganlab_torch_export.ganlab_features()
    image, preprocessing = ImageSpec(3, 15, 20), {**RGB, "fit": "resize", "resample": "lanczos"}
    options = component.options(**preprocessing, program=tmp_path / "small.pt2")
    other = component.build(options, image)
    assert isinstance(other, FeatureExtractor)
    images = noise(5, 15, 20)
    ours = build(program, image, **preprocessing).extract(images)
    torch.testing.assert_close(ours, other.extract(images), rtol=0, atol=1e-5)


def test_a_model_of_a_fixed_batch_takes_any_number(program: Path, tmp_path: Path) -> None:
    fixed = write(tmp_path / "fixed.onnx", shape=(3, 3, SIDE, SIDE))
    images = noise(7)
    torch.testing.assert_close(build(fixed).extract(images), build(program).extract(images))


def test_a_model_of_half_precision_reads_halves(program: Path, tmp_path: Path) -> None:
    half = build(write(tmp_path / "half.onnx", dtype=torch.float16)).extract(noise(4))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, build(program).extract(noise(4)), rtol=0, atol=5e-3)


def test_a_model_says_nothing_of_sizes_that_it_leaves_open(program: Path, tmp_path: Path) -> None:
    free = write(tmp_path / "free.onnx", shape=("batch", "channels", "height", "width"))
    torch.testing.assert_close(build(free).extract(noise(4)), build(program).extract(noise(4)))
    assert build(free, size=24).extract(noise(4)).shape == (4, 150)


def test_gray_is_repeated_for_a_network_of_three_channels(program: Path, tmp_path: Path) -> None:
    gray, image = noise(2, channels=1), ImageSpec(1, SIDE, SIDE)
    repeated = build(program).extract(gray.expand(-1, 3, -1, -1))
    assert torch.equal(build(program, image).extract(gray), repeated)
    one = write(tmp_path / "gray.onnx", channels=1, shape=("batch", 1, SIDE, SIDE))
    assert build(one, image, mean=[0.5], std=[0.5]).extract(gray).shape == (2, 24)


def test_one_of_several_outputs_is_chosen(program: Path, tmp_path: Path) -> None:
    several = write(tmp_path / "several.onnx", outputs=("maps", "features"))
    torch.testing.assert_close(build(several, output="features").extract(noise(2)), seen(noise(2)))
    with pytest.raises(ComponentError, match=r'one of the 2 outputs of .*: "maps", "features"') as caught:
        build(several)
    assert caught.value.option == "output"
    with pytest.raises(ComponentError, match=r'names no output of .*: "features"'):
        build(program, output="logits")


def test_the_fingerprint_is_that_of_all_files(tmp_path: Path) -> None:
    written = [
        write(tmp_path / name / "small.onnx", beside=True, scale=scale)
        for name, scale in (("a", 1.0), ("same", 1.0), ("other", 2.0))
    ]
    assert len({path.read_bytes() for path in written}) == 1
    first, same, other = (build(path) for path in written)
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()
    assert first.fingerprint() != build(written[0], fit="crop").fingerprint()
    torch.testing.assert_close(first.extract(noise(2)), seen(noise(2)))
    torch.testing.assert_close(other.extract(noise(2)), 2 * first.extract(noise(2)))


def test_it_keeps_what_features_promise(program: Path) -> None:
    check_component(COMPONENT, options={**RGB, "program": program}, spec=ImageSpec(3, 16, 24))


def test_what_does_not_fit_is_told(program: Path, tmp_path: Path) -> None:
    def problem(path: Path, **options: object) -> str:
        with pytest.raises(ComponentError) as caught:
            build(path, **options).extract(noise(2))
        return f"{caught.value.option}: {caught.value}"

    page = tmp_path / "page.onnx"
    page.write_bytes(b"<html>Sign in</html>")
    assert f"program: cannot read {tmp_path / 'nothing.onnx'}: No such file" in problem(
        tmp_path / "nothing.onnx"
    )
    assert f"program: {page} is not an ONNX model" in problem(page)
    page.write_bytes(b"")
    assert f"program: {page} is not an ONNX model" in problem(page)
    torn = write(tmp_path / "torn.onnx", beside=True)
    (tmp_path / "torn.onnx.data").unlink()
    assert "torn.onnx.data" in problem(torn)
    assert "std: has 1 numbers and `mean` 3" in problem(program, std=[0.5])
    gray = {"mean": [0.5], "std": [0.5]}
    assert "mean: has 1 number, one for each channel, and" in problem(program, **gray)
    assert f"size: is 13, and {program} reads (batch, 3, 12, 12)" in problem(program, size=13)
    last = write(tmp_path / "last.onnx", shape=("batch", SIDE, SIDE, 3), channels=SIDE)
    assert "reads (batch, 12, 12, 3), where the second is the number of channels" in problem(last)
    maps = write(tmp_path / "maps.onnx", outputs=("maps",))
    assert "makes (2, 6, 5, 5) of images of (2, 3, 12, 12); export a network that returns" in problem(maps)
    free = write(tmp_path / "free.onnx", shape=("batch", 3, "height", "width"))
    assert "does not take images of (2, 3, 2, 2)" in problem(free, size=2)


@pytest.mark.parametrize(
    ("kind", "shapes", "problem"),
    [
        (
            "FLOAT",
            {"x": ("N", 3, 12, 12), "z": ("N", 432)},
            r"reads x \(N, 3, 12, 12\), z \(N, 432\); features need",
        ),
        ("FLOAT", {"x": ("N", 432)}, r"reads x \(N, 432\); features need one input"),
        ("DOUBLE", {"x": (None, 3, 12, 12)}, r"as tensor\(double\), and they are tensor\(float\) or"),
    ],
)
def test_what_reads_something_else_is_refused(
    kind: str, shapes: dict[str, tuple[Any, ...]], problem: str, tmp_path: Path
) -> None:
    number, helper = getattr(onnx.TensorProto, kind), onnx.helper
    given = [helper.make_tensor_value_info(name, number, shape) for name, shape in shapes.items()]
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Sum", ["flat", *[*shapes][1:]], ["y"]),
    ]
    made = [helper.make_tensor_value_info("y", number, None)]
    graph = helper.make_graph(nodes, "flat", given, made)
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "flat.onnx")
    with pytest.raises(ComponentError, match=problem):
        build(tmp_path / "flat.onnx")


def test_without_the_packages_the_message_says_what_to_install(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlab_onnx.model.find_spec", lambda name: None)
    with pytest.raises(ComponentError, match=r"needs onnx and onnxruntime: pip install 'ganlab\[onnx\]'"):
        build(program)
