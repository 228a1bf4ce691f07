"""`ganlab export`: a trained generator on its own, for whoever has no run, and even no ganlab."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from ganlab.after_training.exported import ExportLayout, write_exported
from ganlab.after_training.model_card import model_card
from ganlab.after_training.trained_generator import TrainedGenerator
from ganlab.drawing.pictures import write_png
from ganlab.engine.streams import isolated_randomness
from ganlab.errors import summarised

__all__ = ["export_generator"]

_TRACED = 3
"""Samples that a network is traced with: no number that it might have built in."""

_TRIED = (1, 2, 5)
"""Batches that a program has to take as the network does."""

_APART = 1e-3
"""How far a sample may be from the network's, where all are about 1 in size: an eighth of a grey level."""

_CONSTANT_BATCH = "your code specialized it to be a constant"
"""What torch says in a longer text."""

_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class _UnfaithfulError(Exception):
    """A program does not do what the network does."""


def export_generator(
    trained: TrainedGenerator, directory: Path, *, programs: bool = True, place: str = ""
) -> dict[str, str]:
    """Write a generator into an empty directory.

    It holds the weights (safetensors), a description (JSON), the source of the local plugin that the
    generator is of, if it is of one, a picture, and for people a README; and where the network allows
    it, the whole network as programs for torch alone and for ONNX. Each program is run, and compared
    with the network, before it is kept.

    Args:
        trained: the generator, on the CPU.
        directory: where to.
        programs: whether to write those too.
        place: what the README calls the directory; its name if left out.

    Returns:
        What there is no program for (`torch.export`, `ONNX`), with the reason, in words.

    Raises:
        OSError: something cannot be written.
    """
    layout = ExportLayout(directory)
    described = write_exported(trained, layout)
    left_out: dict[str, str] = {}
    if programs:
        for name, path, write in (
            ("torch.export", layout.program, _write_program),
            ("ONNX", layout.onnx, _write_onnx),
        ):
            if reason := _why_not(write, trained, path):
                left_out[name] = reason
    write_png(layout.picture, trained.overview(64 if trained.spec.is_picture else 1024))
    layout.card.write_text(model_card(described, layout, place or directory.name), encoding="utf-8")
    return left_out


def _why_not(write: Callable[[TrainedGenerator, Path], None], trained: TrainedGenerator, path: Path) -> str:
    """Write a program; return why there is none, or nothing where there is one."""
    try:
        with _silence(), isolated_randomness(0):
            write(trained, path)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    except _UnfaithfulError as error:
        path.unlink(missing_ok=True)
        return str(error)
    except Exception as error:  # a tracer meets arbitrary code, and raises whatever it likes
        path.unlink(missing_ok=True)
        if _CONSTANT_BATCH in str(error):
            return (
                "the network's code turns the number of samples into a constant, as `len(latents)` does; "
                "`latents.shape[0]` does not"
            )
        return f"the network cannot be traced: {summarised(error)}"
    return ""


def _write_program(trained: TrainedGenerator, path: Path) -> None:
    torch.export.save(_traced(trained), path)
    program = torch.export.load(path).module()
    _compare(trained, lambda *inputs: program(*inputs))


def _write_onnx(trained: TrainedGenerator, path: Path) -> None:
    missing = [name for name in _ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise _UnfaithfulError(f"it needs {', '.join(missing)}: pip install 'ganlab[onnx]'")
    import onnxruntime

    inputs = _inputs(trained, _TRACED)
    names = ["latents", "labels"][: len(inputs)]
    exported = torch.onnx.export(
        _traced(trained),
        inputs,
        input_names=names,
        output_names=["samples"],
        dynamic_shapes=_any_batch(trained),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    assert exported is not None
    exported.save(path)
    session = onnxruntime.InferenceSession(path)

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        fed = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, fed)[0])

    _compare(trained, run)


def _traced(trained: TrainedGenerator) -> torch.export.ExportedProgram:
    return torch.export.export(
        trained.generator, _inputs(trained, _TRACED), dynamic_shapes=_any_batch(trained)
    )


def _any_batch(trained: TrainedGenerator) -> tuple[dict[int, torch.export.Dim], ...]:
    batch = torch.export.Dim("batch", min=1, max=2**31 - 1)
    return ({0: batch},) * (2 if trained.takes_labels else 1)


def _inputs(trained: TrainedGenerator, count: int) -> tuple[torch.Tensor, ...]:
    latents = trained.latents(count)
    if not trained.takes_labels:
        return (latents,)
    classes = torch.tensor(trained.trained_classes)
    return latents, classes[torch.arange(count) % len(classes)]


def _compare(trained: TrainedGenerator, program: Callable[..., torch.Tensor]) -> None:
    """Make sure that a program makes the network's samples, for batches of several sizes.

    A network that draws noise of its own may be met as closely as it meets itself with other noise.

    Raises:
        _UnfaithfulError: it does not.
    """
    for count in _TRIED:
        inputs = _inputs(trained, count)
        network, otherwise = (_called(trained.generator, inputs, seed) for seed in (0, 1))
        apart = _distance(_called(program, inputs, 0), network)
        allowed = _APART * max(1.0, float(network.abs().max())) + 2 * _distance(otherwise, network)
        if not apart <= allowed:
            raise _UnfaithfulError(f"the program's samples are up to {apart:.2g} away from the network's")


def _called(
    network: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...], seed: int
) -> torch.Tensor:
    with torch.no_grad(), isolated_randomness(seed):
        return network(*inputs)


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


@contextmanager
def _silence() -> Iterator[None]:
    """Keep quiet what the tracers say of their own inner life."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
