"""ONNX models, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganlab import ComponentError

__all__ = ["OnnxModel"]

PACKAGES = ("onnx", "onnxruntime")
CUDA = "CUDAExecutionProvider"
FLOATS = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16}
"""What images may be, by ONNX Runtime's names."""
FATAL = 4
"""ONNX Runtime's level of what it logs; what is an error, it raises, too."""


class OnnxModel:
    """A model, on a CUDA device where the images and ONNX Runtime's CUDA provider are, else on the CPU.

    Args:
        path: an ONNX file; tensors may lie in others beside it.
        channels: that images have.
        side: that images have.
        output: name of the output to return; `None` for the only one.

    Raises:
        ComponentError: ONNX Runtime is not installed, the file cannot be read or is no ONNX model, or it
            reads other images or has no such output.
    """

    identity = "onnx, version 1"

    def __init__(self, path: Path, channels: int, side: int, output: str | None) -> None:
        if missing := [name for name in PACKAGES if find_spec(name) is None]:
            raise ComponentError(f"needs {' and '.join(missing)}: pip install 'ganlab[onnx]'")
        self._path = path
        self._device = torch.device("cpu")
        try:
            content = path.read_bytes()
            self._session = _session(path, self._device)
            self.digest = _digest(content, path.parent)
        except OSError as error:
            raise ComponentError(
                f"cannot read {error.filename or path}: {error.strerror or error}", option="program"
            ) from error
        except Exception as error:  # ONNX Runtime and what reads the file stumble in many ways.
            raise ComponentError(
                f"{path} is not an ONNX model that ONNX Runtime reads here: {str(error).strip()}",
                option="program",
            ) from error
        self._input, self._dtype, self.most = _images_read(self._session, path, channels, side)
        self.fewest = self.most or 1
        self._output = _chosen(output, [each.name for each in self._session.get_outputs()], path)

    def __call__(self, images: torch.Tensor) -> object:
        """Return what the model makes of float32 images `(N, channels, side, side)`, on their device."""
        if images.device != self._device:
            self._session = _session(self._path, images.device)
            self._device = images.device
        fed = {self._input: images.to(self._dtype).cpu().numpy()}
        (made,) = self._session.run([self._output], fed)
        return torch.from_numpy(made).to(images.device) if isinstance(made, np.ndarray) else made


def _session(path: Path, device: torch.device) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    options.intra_op_num_threads = torch.get_num_threads()
    # Its threads would keep the cores busy while training goes on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and CUDA in onnxruntime.get_available_providers():
        # In full float32, as on the CPU.
        providers.insert(0, (CUDA, {"device_id": device.index or 0, "use_tf32": "0"}))
    return onnxruntime.InferenceSession(str(path), options, providers)


def _images_read(session: Any, path: Path, channels: int, side: int) -> tuple[str, torch.dtype, int | None]:
    """Return name, type and number of the images that the model reads, if it reads such images."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        found = ", ".join(f"{each.name} {_shape(each.shape)}" for each in inputs)
        raise ComponentError(
            f"{path} reads {found or 'nothing'}; features need one input, (N, channels, height, width)",
            option="program",
        )
    (images,) = inputs
    if images.type not in FLOATS:
        raise ComponentError(
            f"{path} reads images as {images.type}, and they are {' or '.join(FLOATS)}", option="program"
        )
    batch, *read = (size if isinstance(size, int) else None for size in images.shape)
    if read[0] not in (None, channels):
        raise ComponentError(
            f"has {channels} number{'s' * (channels > 1)}, one for each channel, and {path} reads "
            f"{_shape(images.shape)}, where the second is the number of channels",
            option="mean",
        )
    if any(size not in (None, side) for size in read[1:]):
        raise ComponentError(f"is {side}, and {path} reads {_shape(images.shape)}", option="size")
    return images.name, FLOATS[images.type], batch


def _shape(shape: list[int | str | None]) -> str:
    return f"({', '.join(str(size or '?') for size in shape)})"


def _chosen(output: str | None, names: list[str], path: Path) -> str:
    if output is None and len(names) == 1:
        return names[0]
    if output not in names:
        listed = ", ".join(f'"{name}"' for name in names)
        told = f"has to name one of the {len(names)} outputs" if output is None else "names no output"
        raise ComponentError(f"{told} of {path}: {listed}", option="output")
    return output


def _digest(content: bytes, folder: Path) -> str:
    """Return the SHA-256 of a model and of each file that it keeps tensors in."""
    import onnx

    digests = [hashlib.sha256(content).hexdigest()]
    for name in sorted(set(_tensor_files(onnx.load_model_from_string(content)))):
        with (folder / name).open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return " ".join(digests)


def _tensor_files(message: Any) -> Iterator[str]:
    """Find the files that tensors anywhere in a protocol buffer lie in."""
    import onnx

    if isinstance(message, onnx.TensorProto):
        yield from (entry.value for entry in message.external_data if entry.key == "location")
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if isinstance(value, Iterable) else [value]:
                yield from _tensor_files(part)
