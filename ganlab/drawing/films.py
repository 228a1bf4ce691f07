"""Films: animated WebP and GIF, and MP4 where something is installed that writes it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import numpy as np
from numpy.typing import NDArray

from ganlab.drawing.pictures import to_pillow
from ganlab.errors import GanlabError, UsageError
from ganlab.files import explained

__all__ = ["captioned", "enlargement", "framed", "require_writer", "scaled", "write_film"]

_PAPER, _TRACK, _INK = 255, 225, 70

_COMFORTABLE = 600
"""Pixels that small pictures are brought near to in whole steps, where no size is asked for."""


def require_writer(suffix: str) -> None:
    """Refuse a film that nothing here can write, before any work is done for it.

    Raises:
        UsageError: it is an MP4, and neither `imageio-ffmpeg` nor an `ffmpeg` is installed.
    """
    if suffix.lower() == ".mp4":
        _ffmpeg()


def write_film(
    path: Path, frames: Iterable[NDArray[np.uint8]], *, fps: float, hold: float = 0.0, lossless: bool = True
) -> None:
    """Write a film that is either whole or not there; GIF and WebP repeat for ever.

    Args:
        path: its suffix is the format: `.gif`, `.webp` or `.mp4` (H.264).
        frames: uint8 `(H, W, 1 or 3)`, all of one size.
        fps: frames a second. A GIF counts in hundredths of a second, and viewers slow down above 50.
        hold: seconds for which the last frame is shown beyond its turn.
        lossless: whether a WebP keeps every pixel as it is, which takes about five times the space.

    Raises:
        UsageError: nothing is installed that writes it.
        GanlabError: it cannot be written.
    """
    shown = list(frames)
    with explained(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        explained(f"cannot write {path}"),
        TemporaryDirectory(prefix=".writing-", dir=path.resolve().parent) as directory,
    ):
        temporary = Path(directory) / f"film{path.suffix.lower()}"
        if temporary.suffix == ".mp4":
            _write_video(temporary, shown + round(hold * fps) * shown[-1:], fps)
        else:
            durations = [round(1000 / fps)] * len(shown)
            durations[-1] += round(1000 * hold)
            first, *others = map(to_pillow, shown)
            # What is said of losses is for WebP: a GIF has 256 colours in any case.
            quality = {"lossless": True} if lossless else {"quality": 90}
            first.save(temporary, save_all=True, append_images=others, duration=durations, loop=0, **quality)
        temporary.replace(path)


def enlargement(frame: NDArray[np.uint8], size: int | None) -> float:
    """Return what the sides of a film's pictures are multiplied by.

    Args:
        frame: `(H, W, C)`.
        size: pixels that the longer side becomes; if `None`, pictures stay as they are, or small ones
            have their pixels doubled, tripled, …
    """
    longest: int = max(frame.shape[:2])
    return max(1, round(_COMFORTABLE / longest)) if size is None else size / longest


def scaled(frame: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return `(H, W, 1 or 3)` with its sides times a factor; enlarged pixels stay squares."""
    from PIL.Image import Resampling

    if factor == 1:
        return frame
    height, width, channels = frame.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    resized = to_pillow(frame).resize(size, Resampling.BOX if factor > 1 else Resampling.LANCZOS)
    return np.asarray(resized).reshape(size[1], size[0], channels)


def framed(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return `(h, w, c)` in the upper left of a white `(height, width, c)`."""
    missing = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
    return np.pad(frame, missing, constant_values=_PAPER)


def captioned(frame: NDArray[np.uint8], text: str, share: float) -> NDArray[np.uint8]:
    """Return `(H, W, 1 or 3)` above a narrow strip with a text, and a line that grows with a share.

    Args:
        frame: the picture.
        text: what is written.
        share: how much of the line is drawn, in [0, 1].
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width, channels = frame.shape
    size = max(11, min(height, width) // 36)
    strip = Image.new("L", (width, size * 2), _PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((size // 2, 3 * size // 4), text, fill=_INK, font=ImageFont.load_default(size), anchor="lm")
    line = max(2, size // 6)
    draw.rectangle((0, strip.height - line, width, strip.height), fill=_TRACK)
    if share > 0:
        draw.rectangle((0, strip.height - line, round(share * width), strip.height), fill=_INK)
    below = np.repeat(np.asarray(strip)[..., None], channels, axis=2)
    return np.concatenate([frame, below])


def _ffmpeg() -> str:
    """Return the program that writes MP4: of the package first, since that is known to have H.264."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        pass
    if found := shutil.which("ffmpeg"):
        return found
    raise UsageError(
        "an .mp4 is written by the package imageio-ffmpeg (pip install 'ganlab[film]') or by an `ffmpeg` on "
        "the PATH, and neither is here; .webp and .gif need nothing more"
    )


def _write_video(path: Path, frames: list[NDArray[np.uint8]], fps: float) -> None:
    height, width, channels = frames[0].shape
    pixels = "gray" if channels == 1 else "rgb24"
    command = [
        *(_ffmpeg(), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", pixels),
        *("-video_size", f"{width}x{height}", "-framerate", f"{fps:g}", "-i", "-"),
        # What every player can show has halved colours, and so even sides.
        *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
        *("-crf", "16", "-movflags", "+faststart", str(path)),
    ]
    with TemporaryFile() as said:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said) as process:
            assert process.stdin is not None
            try:
                for frame in frames:
                    process.stdin.write(frame.tobytes())
            except BrokenPipeError:
                pass  # It says itself why it has ended.
            process.communicate()
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["it did not say why"]
            raise GanlabError(f"{command[0]} wrote no film: {lines[0]}")
