"""One checkpoint's files: `state.pt`, the generator as safetensors, and what proves them whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlab.components import SampleSpec
from ganlab.descriptions import read_description
from ganlab.errors import GanlabError
from ganlab.files import explained, fsync_path
from ganlab.runs.encoding import to_json
from ganlab.runs.layout import CheckpointLayout
from ganlab.runs.state import utc_now
from ganlab.words import counted

if TYPE_CHECKING:
    import torch

__all__ = [
    "Checkpoint",
    "DamagedCheckpointError",
    "is_regular",
    "read_checkpoint",
    "write_checkpoint",
    "write_weights",
]


class DamagedCheckpointError(GanlabError):
    """A checkpoint is not what was written, and will not be again."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files were found to be as they were written.

    Attributes:
        path: its directory.
        step: the step after which this was the state.
        spec: what the generator makes; `None` where it was not recorded.
        has_ema: whether there are averaged weights.
        own_statistics: whether its generators' running statistics were re-estimated for their weights;
            in checkpoints of earlier versions of ganlab they are what training left behind.
        regular: whether it was due; otherwise it is there for being the best alone.
    """

    path: Path
    step: int
    spec: SampleSpec | None
    has_ema: bool
    own_statistics: bool = True
    regular: bool = True

    def state(self) -> dict[str, Any]:
        """Return the training state, tensors on the CPU. Nothing that it names is imported or run.

        Raises:
            GanlabError: it holds something else than tensors and plain values.
        """
        import torch

        path = CheckpointLayout(self.path).state
        try:
            with explained(f"cannot read {path}"):
                loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except GanlabError:
            raise
        except Exception as error:  # whatever strange bytes make torch's reader raise
            raise GanlabError(
                f"{path} holds more than tensors and plain values, or is not a checkpoint at all: it was "
                "not loaded, and nothing in it was run. ganlab never writes such a file"
            ) from error
        return loaded

    def generator(self, *, ema: bool | None = None) -> dict[str, torch.Tensor]:
        """Return the generator's weights, on the CPU.

        Args:
            ema: the averaged ones, or the raw ones; the averaged where there are any if `None`.

        Raises:
            GanlabError: averaged weights are asked for and there are none.
        """
        from safetensors.torch import load_file

        if ema and not self.has_ema:
            raise GanlabError(f"{self.path} has no averaged weights: the run had its [ema] turned off")
        averaged = self.has_ema if ema is None else ema
        layout = CheckpointLayout(self.path)
        return load_file(layout.averaged_generator if averaged else layout.generator)


@dataclass(frozen=True)
class _File:
    """What proves a file whole."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class _Meta:
    """What is read of `meta.json`; the defaults are those of versions that did not write a key."""

    step: int
    spec: dict[str, Any] | None
    files: dict[str, _File]
    own_statistics: bool = False
    regular: bool = True


def write_checkpoint(
    layout: CheckpointLayout,
    step: int,
    state: Mapping[str, Any],
    generator: Mapping[str, torch.Tensor],
    ema: Mapping[str, torch.Tensor] | None,
    spec: SampleSpec | None,
    regular: bool,
) -> None:
    """Write a checkpoint's files into a new directory and push them to the disk.

    Raises:
        OSError: they cannot be written.
    """
    import torch

    from ganlab import __version__

    layout.root.mkdir()
    _write_state(layout.state, state)
    write_weights(layout.generator, generator)
    if ema is not None:
        write_weights(layout.averaged_generator, ema)
    meta = {
        "step": step,
        "regular": regular,
        "time": utc_now(),
        "ganlab": __version__,
        "torch": str(torch.__version__),
        "own_statistics": True,
        "spec": None if spec is None else spec.to_json(),
        "files": {
            path.name: {"sha256": _sha256(path), "bytes": path.stat().st_size}
            for path in sorted(layout.root.iterdir())
        },
    }
    layout.meta.write_text(to_json(meta, indent=2) + "\n", encoding="utf-8")
    for path in (*layout.root.iterdir(), layout.root):
        fsync_path(path)


def read_checkpoint(layout: CheckpointLayout) -> Checkpoint:
    """Check a checkpoint's files against what was written and describe it.

    Raises:
        DamagedCheckpointError: a file is missing, truncated or changed.
        GanlabError: a file cannot be read now, which may pass.
    """
    with explained(f"cannot read the checkpoint {layout.root}"):
        return _checked(layout)


def _checked(layout: CheckpointLayout) -> Checkpoint:
    directory = layout.root
    try:
        meta = read_description(_Meta, layout.meta.read_bytes())
    except FileNotFoundError as error:
        raise DamagedCheckpointError(
            f"the checkpoint {directory} is damaged: {layout.meta.name} is missing"
        ) from error
    except ValueError as error:
        raise DamagedCheckpointError(
            f"the checkpoint {directory} is damaged: {layout.meta.name} cannot be read: {error}"
        ) from error
    try:
        spec = None if meta.spec is None else SampleSpec.from_json(meta.spec)
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedCheckpointError(
            f"the checkpoint {directory} cannot be used: it is of samples that are not known here: {error}"
        ) from error
    for name, expected in meta.files.items():
        path = directory / name
        if not path.is_file():
            raise DamagedCheckpointError(f"the checkpoint {directory} is damaged: {name} is missing")
        size = path.stat().st_size
        if size != expected.bytes:
            raise DamagedCheckpointError(
                f"the checkpoint {directory} is damaged: {name} has {counted(size, 'byte')} instead of "
                f"{expected.bytes:,}"
            )
        if _sha256(path) != expected.sha256:
            raise DamagedCheckpointError(
                f"the checkpoint {directory} is damaged: {name} is not what was written"
            )
    has_ema = layout.averaged_generator.name in meta.files
    return Checkpoint(directory, meta.step, spec, has_ema, meta.own_statistics, meta.regular)


def is_regular(layout: CheckpointLayout) -> bool:
    """Return whether a checkpoint was due, rather than saved for being the best alone.

    Nothing else about it is looked at: one that cannot say so counts as regular.
    """
    try:
        return read_description(_Meta, layout.meta.read_bytes()).regular
    except (OSError, ValueError):
        return True


def _write_state(path: Path, state: Mapping[str, Any]) -> None:
    import torch

    try:
        with path.open("wb") as file:
            torch.save(dict(state), file)
    except RuntimeError as error:
        # torch's archive writer closes itself over a failed write, and complains of that instead.
        refusal = error.__context__
        if isinstance(refusal, OSError):
            raise OSError(refusal.errno, refusal.strerror) from error
        raise


def write_weights(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Write a network's weights as safetensors.

    Raises:
        OSError: they cannot be written.
    """
    import torch
    from safetensors.torch import save

    # safetensors stores plain rows: no channels-last strides, no memory shared between names.
    rows = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }
    path.write_bytes(save(rows))


def _sha256(path: Path) -> str:
    with explained(f"cannot read {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
