from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ganlab import BadImageError, ImageSpec, open_image
from ganlab.data.images import enlarges, pixel_limit, render, to_channels


def encoded(image: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def pixels(content: bytes, spec: ImageSpec) -> np.ndarray:
    return np.frombuffer(content, np.uint8).reshape(spec.height, spec.width, spec.channels)


NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_a_lossless_file_comes_back_exactly() -> None:
    image = open_image(encoded(Image.fromarray(NOISE)))
    assert np.array_equal(np.asarray(image), NOISE)


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: rotate by 270°.
    content = encoded(Image.fromarray(NOISE), "JPEG", exif=exif, quality=95)
    plain = encoded(Image.fromarray(NOISE), "JPEG", quality=95)
    turned = np.asarray(open_image(content))
    assert np.array_equal(turned, np.rot90(np.asarray(open_image(plain)), -1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image"),
        (b"<html>404</html>", "not an image"),
        (encoded(Image.fromarray(NOISE), "JPEG")[:600], "cut off"),
        (encoded(Image.fromarray(NOISE), "PNG")[:3000], "cut off"),
        (encoded(Image.fromarray(NOISE), "PNG")[:30], "damaged from its start"),
    ],
)
def test_bad_files_are_named_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadImageError, match=reason) as caught:
        open_image(content, "photos.zip/a.jpg")
    assert str(caught.value).startswith("photos.zip/a.jpg: ")


@pytest.mark.parametrize("pixels_allowed", [1000, 2000])
def test_decompression_bombs_are_errors(pixels_allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # 2400 pixels are above one limit by less than twice (Pillow only warns) and the other by more.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels_allowed)
    with pytest.raises(BadImageError, match="far too large"):
        open_image(encoded(Image.fromarray(NOISE)))


@pytest.mark.parametrize("limit", [1000, 2000])
def test_what_is_taken_for_a_bomb_has_a_way_out(limit: int) -> None:
    with pixel_limit(limit), pytest.raises(BadImageError) as caught:
        open_image(encoded(Image.fromarray(NOISE)))
    assert caught.value.reason == (
        f"far too large: more than {limit:,} pixels, namely 2,400; if it is no decompression bomb, a "
        "max_pixels of 2400 lets it through"
    )
    with pixel_limit(2400):
        assert open_image(encoded(Image.fromarray(NOISE))).size == (60, 40)


def test_metadata_that_is_too_large_is_no_damage() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 2_000_000, zip=True)
    with pytest.raises(BadImageError, match=r"its metadata .* is larger than Pillow lets through; save it"):
        open_image(encoded(Image.fromarray(NOISE), pnginfo=texts))


@pytest.mark.parametrize(
    ("size", "crop", "pad", "stretch"),
    [
        ((60, 40), False, False, False),
        ((59, 40), True, False, True),
        ((59, 39), True, True, True),
        ((600, 39), True, False, True),
    ],
)
def test_what_counts_as_enlarged(size: tuple[int, int], crop: bool, pad: bool, stretch: bool) -> None:
    spec = ImageSpec(3, 40, 60)
    assert [enlarges(size, spec, fit) for fit in ("crop", "pad", "stretch")] == [crop, pad, stretch]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadImageError, match=r"gone\.png: cannot be read: No such file"):
        open_image(tmp_path / "gone.png")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I;16"]
)
def test_every_mode_becomes_every_number_of_channels(mode: str, channels: int) -> None:
    # Pillow makes no PA image from nothing.
    image = Image.new("P", (3, 2), 1).convert("PA") if mode == "PA" else Image.new(mode, (3, 2))
    converted = to_channels(image, channels)
    assert len(converted.getbands()) == channels
    assert converted.size == (3, 2)
    assert np.asarray(converted).dtype == np.uint8


def test_transparency_is_laid_over_white_or_kept() -> None:
    image = Image.fromarray(np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8))
    flat = np.asarray(to_channels(image, 3))
    assert flat.tolist() == [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]
    assert np.array_equal(np.asarray(to_channels(image, 4)), np.asarray(image))
    opaque = np.asarray(to_channels(Image.fromarray(NOISE), 4))
    assert (opaque[..., 3] == 255).all() and np.array_equal(opaque[..., :3], NOISE)


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.info["transparency"] = 1
    assert np.asarray(to_channels(image, 3)).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    image = open_image(encoded(Image.fromarray(values)))
    assert np.asarray(to_channels(image, 1)).tolist() == [[0, 1, 128, 255]]


@pytest.mark.parametrize(("mode", "what"), [("F", "floats"), ("I", "32-bit or signed integers")])
def test_pixels_without_a_range_are_refused(mode: str, what: str) -> None:
    content = encoded(Image.new(mode, (2, 2), 200), "TIFF")
    with pytest.raises(
        BadImageError, match=f"{what}, which have no defined range; save it with 8 or 16 bits"
    ):
        to_channels(open_image(content), 3)


@pytest.mark.parametrize("largest", [65535, 4095, 1000])
def test_a_netpbm_file_says_its_largest_value(largest: int) -> None:
    values = np.array([0, largest // 5, largest], ">u2")
    content = b"P5 3 1 %d\n" % largest + values.tobytes()
    assert np.asarray(to_channels(open_image(content), 1)).tolist() == [[0, 51, 255]]
    cropped = open_image(content).crop((1, 0, 3, 1))
    assert np.asarray(to_channels(cropped, 1)).tolist() == [[51, 255]]


def test_a_tiff_file_says_its_bits() -> None:
    """Two rows of two values of 12 bits, 0 and 2048 over 4095 and 1, packed without gaps."""
    rows = bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x01])
    tags = [(256, 4, 2), (257, 4, 2), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, 2), (279, 4, len(rows))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<2H2I", t, k, 1, v) for t, k, v in tags)
    content = b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + directory + bytes(4)
    assert np.asarray(to_channels(open_image(content), 1)).tolist() == [[0, 128], [255, 0]]


def test_an_image_of_the_right_size_is_untouched() -> None:
    spec = ImageSpec(3, 40, 60)
    for fit in ("crop", "pad", "stretch"):
        assert np.array_equal(pixels(render(Image.fromarray(NOISE), spec, fit, "lanczos", ""), spec), NOISE)


def test_crop_cuts_both_sides_equally() -> None:
    spec = ImageSpec(3, 40, 40)
    cropped = pixels(render(Image.fromarray(NOISE), spec, "crop", "lanczos", ""), spec)
    assert np.array_equal(cropped, NOISE[:, 10:50])
    spec = ImageSpec(3, 20, 60)
    cropped = pixels(render(Image.fromarray(NOISE), spec, "crop", "nearest", ""), spec)
    assert np.array_equal(cropped, NOISE[10:30])


def test_crop_then_resize_is_one_pass() -> None:
    spec = ImageSpec(3, 16, 16)
    cropped = pixels(render(Image.fromarray(NOISE), spec, "crop", "box", ""), spec)
    by_hand = Image.fromarray(NOISE[:, 10:50]).resize((16, 16), Image.Resampling.BOX)
    assert np.abs(cropped.astype(int) - np.asarray(by_hand)).max() <= 1


def test_pad_centres_between_black_borders() -> None:
    spec = ImageSpec(3, 60, 60)
    padded = pixels(render(Image.fromarray(NOISE), spec, "pad", "lanczos", ""), spec)
    assert np.array_equal(padded[10:50], NOISE)
    assert not padded[:10].any() and not padded[50:].any()


def test_stretch_keeps_the_whole_image() -> None:
    spec = ImageSpec(1, 2, 2)
    quarters = np.kron(np.array([[0, 100], [200, 255]], np.uint8), np.ones((10, 30), np.uint8))
    stretched = pixels(render(Image.fromarray(quarters), spec, "stretch", "box", ""), spec)
    assert stretched[..., 0].tolist() == [[0, 100], [200, 255]]
