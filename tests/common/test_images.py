"""Images of every mode, format and fault: the right pixels, upright and of 8 bits, or a reason."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageSequence

from captionlab.common.images import UnreadableImage, decode, identify, read_image, to_8_bits, to_gray_or_rgb

COLORS = np.array([[255, 0, 0], [0, 160, 40], [20, 30, 250], [240, 240, 240], [9, 9, 9], [200, 120, 60]], np.uint8)
RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
QUICK = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def color_pixels(seed: int, width: int, height: int) -> np.ndarray:
    """Few colors, so that palettes hold them all."""
    return COLORS[np.random.default_rng(seed).integers(0, len(COLORS), (height, width))]


def gray_pixels(seed: int, width: int, height: int) -> np.ndarray:
    """Gray levels; black and white among them, so that their range is known."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    pixels.flat[0] = 255
    return pixels


def to_lab(pixels: np.ndarray) -> Image.Image:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.applyTransform(Image.fromarray(pixels), ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))


def with_alpha(pixels: np.ndarray, mode: str) -> Image.Image:
    """With random transparency."""
    image = Image.fromarray(pixels)
    image.putalpha(Image.fromarray(np.random.default_rng(9).integers(0, 256, pixels.shape[:2], np.uint8)))
    assert image.mode == mode
    return image


def with_transparent_color(image: Image.Image) -> Image.Image:
    image.info["transparency"] = 0
    return image


# How to make an image of each mode, and by how many levels rounding may change it.
OF_COLORS = {
    "RGB": (Image.fromarray, 0),
    "RGBA": (lambda pixels: with_alpha(pixels, "RGBA"), 0),
    "RGBa": (lambda pixels: Image.fromarray(pixels).convert("RGBA").convert("RGBa"), 0),
    "RGBX": (lambda pixels: Image.fromarray(pixels).convert("RGBX"), 0),
    "P": (lambda pixels: Image.fromarray(pixels).quantize(256), 0),
    "P, transparent color": (lambda pixels: with_transparent_color(Image.fromarray(pixels).quantize(256)), 0),
    "PA": (lambda pixels: Image.fromarray(pixels).quantize(256).convert("PA"), 0),
    "CMYK": (lambda pixels: Image.fromarray(pixels).convert("CMYK"), 1),
    "YCbCr": (lambda pixels: Image.fromarray(pixels).convert("YCbCr"), 2),
    "HSV": (lambda pixels: Image.fromarray(pixels).convert("HSV"), 4),
    "LAB": (to_lab, 16),  # of 8 bits, too, and saturated blue is beyond it
}
OF_GRAY = {
    "L": Image.fromarray,
    "LA": lambda pixels: with_alpha(pixels, "LA"),
    "La": lambda pixels: Image.fromarray(pixels).convert("LA").convert("La"),
    "I;16": lambda pixels: Image.fromarray(pixels.astype(np.uint16) * 257),
    "I;16B": lambda pixels: Image.frombytes(
        "I;16B", pixels.shape[::-1], (pixels.astype(np.uint16) * 257).astype(">u2").tobytes()
    ),
    "I of 8 bits": lambda pixels: Image.fromarray(pixels.astype(np.int32)),
    "I of 16 bits": lambda pixels: Image.fromarray(pixels.astype(np.int32) * 257),
    "F to 1": lambda pixels: Image.fromarray(pixels.astype(np.float32) / 255),
    "F to 255": lambda pixels: Image.fromarray(pixels.astype(np.float32)),
}


@QUICK
@given(st.sampled_from(sorted(OF_COLORS)), st.integers(0, 99), st.integers(1, 20), st.integers(1, 20))
def test_colors_of_every_mode(mode, seed, width, height):
    make, tolerance = OF_COLORS[mode]
    pixels = color_pixels(seed, width, height)
    found = to_gray_or_rgb(make(pixels))
    assert found.mode == "RGB"
    assert np.abs(np.asarray(found).astype(int) - pixels).max() <= tolerance


@QUICK
@given(st.sampled_from(sorted(OF_GRAY)), st.integers(0, 99), st.integers(1, 20), st.integers(1, 20))
def test_gray_levels_of_every_mode(mode, seed, width, height):
    pixels = gray_pixels(seed, width, height)
    found = to_gray_or_rgb(OF_GRAY[mode](pixels))
    assert found.mode == "L"
    assert np.array_equal(np.asarray(found), pixels)


def test_black_and_white():
    bits = Image.fromarray(RAMP).point(lambda level: 255 * (level > 99), "1")
    found = to_gray_or_rgb(bits)
    assert found.mode == "L"
    assert np.array_equal(np.asarray(found), np.where(RAMP > 99, 255, 0))


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "CMYK"])
def test_8_bits_stay_as_they_are(mode):
    image = Image.new(mode, (2, 2))
    assert to_8_bits(image) is image


# --- formats ----------------------------------------------------------------------------------------------------------


def saved(image: Image.Image, form: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def tiff(pixels: np.ndarray, bits: int, *, white_is_zero: bool = False, sample_format: int = 1, more=()) -> bytes:
    """A TIFF file that PIL does not write, of little-endian samples."""
    height, width = pixels.shape
    if bits == 12:
        samples = "".join(f"{value:012b}" for value in pixels.ravel().tolist())
        data = int(samples, 2).to_bytes(len(samples) // 8)
    else:
        data = pixels.tobytes()
    entries = sorted(
        [
            (256, 4, width),
            (257, 4, height),
            (258, 3, bits),
            (259, 3, 1),
            (262, 3, 0 if white_is_zero else 1),
            (273, 4, 8),
            (277, 3, 1),
            (278, 4, height),
            (279, 4, len(data)),
            (339, 3, sample_format),
            *more,
        ]
    )
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(entries)) + directory + bytes(4)


def frames() -> list[Image.Image]:
    return [Image.fromarray(color_pixels(seed, 24, 16)) for seed in (1, 2, 3)]


def animated(form: str, **options) -> bytes:
    first, *others = frames()
    return saved(first, form, save_all=True, append_images=others, **options)


PIXELS = color_pixels(1, 24, 16)
COLOR_FILES = {
    "PNG": saved(Image.fromarray(PIXELS), "PNG"),
    "PNG, palette": saved(Image.fromarray(PIXELS).quantize(16), "PNG"),
    "PNG, palette with transparency": saved(Image.fromarray(PIXELS).quantize(16), "PNG", transparency=bytes(range(6))),
    "PNG, alpha": saved(with_alpha(PIXELS, "RGBA"), "PNG"),
    "PNG, animated": animated("PNG", duration=50),
    "GIF": saved(Image.fromarray(PIXELS), "GIF"),
    "GIF, animated": animated("GIF", duration=50),
    "WebP": saved(Image.fromarray(PIXELS), "WEBP", lossless=True),
    "WebP, animated": animated("WEBP", lossless=True, duration=50),
    "TIFF": saved(Image.fromarray(PIXELS), "TIFF"),
    "TIFF, LZW": saved(Image.fromarray(PIXELS), "TIFF", compression="tiff_lzw"),
    "TIFF, pages": animated("TIFF"),
    "TIFF, CMYK": saved(Image.fromarray(PIXELS).convert("CMYK"), "TIFF"),
    "TIFF, LAB": saved(to_lab(PIXELS), "TIFF"),
    "BMP": saved(Image.fromarray(PIXELS), "BMP"),
    "PPM": saved(Image.fromarray(PIXELS), "PPM"),
    "JPEG 2000": saved(Image.fromarray(PIXELS), "JPEG2000"),
}
LOSSY_FILES = {
    "JPEG": saved(Image.fromarray(PIXELS), "JPEG", quality=95, subsampling=0),
    "JPEG, CMYK": saved(Image.fromarray(PIXELS).convert("CMYK"), "JPEG", quality=95, subsampling=0),
    "MPO": animated("MPO", quality=95, subsampling=0),
    "AVIF": saved(Image.fromarray(PIXELS), "AVIF", quality=95, subsampling="4:4:4"),
}
GRAY_FILES = {
    "PNG": saved(Image.fromarray(RAMP), "PNG"),
    "PNG, 16 bits": saved(Image.fromarray(RAMP.astype(np.uint16) * 257), "PNG"),
    "PNG, alpha": saved(with_alpha(RAMP, "LA"), "PNG"),
    "JPEG": saved(Image.fromarray(RAMP), "JPEG", quality=100),
    "JPEG 2000, 16 bits": saved(Image.fromarray(RAMP.astype(np.uint16) * 257), "JPEG2000"),
    "TIFF, 16 bits": saved(Image.fromarray(RAMP.astype(np.uint16) * 257), "TIFF"),
    "TIFF, 16 bits, big-endian": saved(OF_GRAY["I;16B"](RAMP), "TIFF"),
    "TIFF, 16 bits, deflated": saved(
        Image.fromarray(RAMP.astype(np.uint16) * 257), "TIFF", compression="tiff_adobe_deflate"
    ),
    "TIFF, 16 bits, white is zero": tiff(65535 - RAMP.astype(np.uint16) * 257, 16, white_is_zero=True),
    "TIFF, 8 bits, white is zero": tiff(255 - RAMP, 8, white_is_zero=True),
    "TIFF, 16 bits, signed": tiff((RAMP * (32767 / 255)).astype(np.int16), 16, sample_format=2),
    "TIFF, 12 bits": tiff((RAMP * (4095 / 255)).astype(np.uint16), 12),
    "TIFF, 32 bits": saved(Image.fromarray(RAMP.astype(np.int32) * 257), "TIFF"),
    "TIFF, floats to 1": saved(Image.fromarray(RAMP.astype(np.float32) / 255), "TIFF"),
    "TIFF, floats to 255": saved(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "PGM": saved(Image.fromarray(RAMP), "PPM"),
    "PGM, 16 bits": saved(Image.fromarray(RAMP.astype(np.int32) * 257), "PPM"),
    "PFM": saved(Image.fromarray(RAMP.astype(np.float32) / 255), "PPM"),
}


@pytest.mark.parametrize("form", COLOR_FILES)
@pytest.mark.filterwarnings("error")
def test_color_files(form):
    found = read_image(io.BytesIO(COLOR_FILES[form]))
    assert found.mode == "RGB"
    assert np.abs(np.asarray(found).astype(int) - PIXELS).max() <= (16 if "LAB" in form else 0)


@pytest.mark.parametrize("form", LOSSY_FILES)
def test_lossy_files(form):
    found = read_image(io.BytesIO(LOSSY_FILES[form]))
    assert found.mode == "RGB"
    assert np.abs(np.asarray(found).astype(int) - PIXELS).mean() < 8


@pytest.mark.parametrize("form", GRAY_FILES)
def test_gray_files(form):
    found = read_image(io.BytesIO(GRAY_FILES[form]))
    assert found.mode == "L"
    assert np.abs(np.asarray(found).astype(int) - RAMP).max() <= 1


def test_color_of_16_bits():
    """A PNG of 16 bits per color, which PIL does not write."""
    rows = b"".join(b"\0" + (row.astype(np.uint16) * 257).astype(">u2").tobytes() for row in PIXELS)
    header = struct.pack(">IIBBBBB", 24, 16, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    assert np.array_equal(np.asarray(read_image(io.BytesIO(b"\x89PNG\r\n\x1a\n" + body))), PIXELS)


def test_extensions_do_not_matter(tmp_path):
    (tmp_path / "photo.JPG").write_bytes(COLOR_FILES["PNG"])
    assert np.array_equal(np.asarray(read_image(tmp_path / "photo.JPG")), PIXELS)
    assert np.array_equal(np.asarray(read_image(str(tmp_path / "photo.JPG"))), PIXELS)


def test_the_first_of_many_frames_is_read():
    opened = Image.open(io.BytesIO(COLOR_FILES["GIF, animated"]))
    assert len(list(ImageSequence.Iterator(opened))) == 3, "the test's own file has no frames"


# --- orientation ------------------------------------------------------------------------------------------------------

# What a camera stores for an upright picture, by the orientation that it notes (Exif 2.3, tag 274).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95})]
)
def test_every_orientation(form, options, orientation):
    upright = np.kron(color_pixels(5, 6, 4), np.ones((16, 16, 1), np.uint8))  # large squares survive JPEG
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))), form, exif=exif, **options)
    found = np.asarray(read_image(io.BytesIO(data)))
    assert found.shape == upright.shape
    difference = np.abs(found.astype(int) - upright)
    assert difference.mean() < (6 if form == "JPEG" else 1e-9)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_orientation_is_ignored(value):
    exif = Image.Exif()
    exif[274] = value
    data = saved(Image.fromarray(PIXELS), "PNG", exif=exif)
    assert np.array_equal(np.asarray(read_image(io.BytesIO(data))), PIXELS)


@pytest.mark.filterwarnings("ignore")
def test_damaged_exif_data_do_not_lose_the_picture():
    data = saved(Image.fromarray(PIXELS), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    assert read_image(io.BytesIO(data)).size == (24, 16)


def test_drafts_are_upright_and_large_enough():
    exif = Image.Exif()
    exif[274] = 6
    pixels = np.kron(color_pixels(5, 8, 4), np.ones((64, 64, 1), np.uint8))
    data = saved(Image.fromarray(pixels), "JPEG", exif=exif)
    assert read_image(io.BytesIO(data)).size == (256, 512)
    assert read_image(io.BytesIO(data), draft_size=(60, 60)).size == (64, 128)


# --- refused ----------------------------------------------------------------------------------------------------------


def floats(*values: float) -> Image.Image:
    return Image.fromarray(np.array([values], np.float32))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (floats(0, float("nan"), 1), "not finite"),
        (floats(0, float("inf")), "not finite"),
        (floats(-1, 1), "from -1 to 1, expected 0 to 1 or 0 to 255"),
        (floats(0, 3), "from 0 to 3"),
        (floats(0, 65535), "8 bits"),
        (Image.fromarray(np.array([[-5, 100]], np.int32)), "from -5 to 100"),
        (Image.fromarray(np.array([[0, 2**30]], np.int32)), "expected 0 to 65535"),
        (Image.fromarray(np.array([[0, 200]], np.uint16)), "some above 4096"),
        (Image.fromarray(np.array([[0, 4095]], np.uint16)), "from 0 to 4095"),  # 12 bits, saved as 16
        (Image.fromarray(np.array([[0, 1023]], np.int32)), "from 0 to 1023"),
    ],
)
def test_values_of_unknown_meaning_are_refused(image, said):
    with pytest.raises(UnreadableImage, match=said):
        decode(image)


def test_a_black_image_is_black():
    for mode in ("I;16", "I", "F"):
        assert to_8_bits(Image.new(mode, (2, 2))).getextrema() == (0, 0)


def test_a_level_beyond_the_range_is_cut():
    assert to_8_bits(floats(-0.002, 0.5, 1.003)).getextrema() == (0, 255)


@pytest.mark.parametrize(("size", "said"), [((0, 5), "0 by 5"), ((5000, 2), "strip"), ((1, 1001), "strip")])
def test_sizes_of_no_photograph(size, said):
    with pytest.raises(UnreadableImage, match=said):
        decode(Image.new("RGB", size))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (999, 1)])
def test_odd_sizes(size):
    assert read_image(io.BytesIO(saved(Image.new("RGB", size), "PNG")), draft_size=(64, 64)).size == size


def test_a_decompression_bomb(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadableImage, match=r"too large for a photograph \(above 200 pixels\)"):
        read_image(io.BytesIO(COLOR_FILES["PNG"]))


@pytest.mark.parametrize("more", [[(50706, 1, 0x0401)], [(254, 4, 1), (330, 4, 8)]])
def test_the_thumbnail_of_a_raw_file_is_no_photograph(more):
    with pytest.raises(UnreadableImage, match="raw file"):
        read_image(io.BytesIO(tiff(RAMP, 8, more=more)))


def test_drawings_are_not_given_to_other_programs():
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(UnreadableImage, match="EPS"):
        read_image(io.BytesIO(drawing))


def test_other_contents_are_named(tmp_path):
    page = tmp_path / "photo.jpg"
    page.write_bytes(b"<!DOCTYPE html><html>404</html>")
    with pytest.raises(UnreadableImage, match="web page"):
        read_image(page)
    with pytest.raises(UnreadableImage, match="empty file"):
        identify(io.BytesIO(b""))


def test_errors_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nothing.jpg")
    with pytest.raises(UnreadableImage, match=r"^cannot be read: Is a directory$"):
        read_image(tmp_path)


FILES = COLOR_FILES | LOSSY_FILES | {f"gray {name}": data for name, data in GRAY_FILES.items()}


@QUICK
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1, exclude_max=True))
@pytest.mark.filterwarnings("ignore")
def test_a_truncated_file_is_refused_or_whole(form, share):
    data = FILES[form]
    try:
        found = read_image(io.BytesIO(data[: int(share * len(data))]))
    except UnreadableImage:
        return
    assert np.array_equal(np.asarray(found), np.asarray(read_image(io.BytesIO(data))))


CHANGES = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255))  # where in the file, the new byte


@settings(QUICK, max_examples=150)
@given(st.sampled_from(sorted(FILES)), st.lists(CHANGES, min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore")
def test_damage_never_ends_in_an_inner_error(form, changes):
    data = bytearray(FILES[form])
    for at, value in changes:
        data[int(at * len(data))] = value
    with contextlib.suppress(UnreadableImage):
        assert read_image(io.BytesIO(bytes(data))).mode in ("L", "RGB")
