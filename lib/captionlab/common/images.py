"""Images as people save them: upright, and with 8 bits per channel, however they were saved.

All of the library opens images here, so that a photograph is the same picture everywhere: in features, in training
data, in captions and in figures.

- A photograph is turned upright, as its Exif orientation says.
- Transparency is ignored: each pixel has the color stored for it, whatever its alpha.
- Gray levels of 16 or 32 bits and floating-point gray levels are scaled, not clipped (see :func:`to_8_bits`).
- Of an animation, or of a file with several pages, the first image is read.
- A file that is no image, is damaged, or leaves open what its values mean is refused, with the reason.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms

from captionlab.common.image_contents import HEAD, describe_contents

MAX_ASPECT_RATIO = 1000  # of the longer side to the shorter; resized by the shorter side, more would fill the memory
DARK = 1 / 16  # of white: if no value is larger, white is probably another value, or the picture nearly black
VECTOR_FORMATS = {"EPS", "WMF"}  # PIL recognizes them, and calls other programs to draw them
ORIENTATION = 0x0112  # Exif's tag
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # TIFF's tags
SUBFILE_TYPE, SUB_IFDS, DNG_VERSION = 254, 330, 50706
TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(ValueError):
    """A file that is not a usable image; the message says what it is, or what is wrong with it, and what to do."""


def read_image(file: Path | str | BinaryIO, draft_size: tuple[int, int] | None = None) -> Image.Image:
    """Read an image file, whatever its extension says.

    Args:
        file: its path, or its content as a binary file.
        draft_size: see :func:`decode`.

    Returns:
        The image, upright, of mode ``"L"`` if it is gray, else ``"RGB"``.

    Raises:
        FileNotFoundError: if the file does not exist.
        UnreadableImage: if it is not a usable image.
    """
    with identify(file) as image:
        return decode(image, draft_size)


def identify(file: Path | str | BinaryIO) -> Image.Image:
    """Recognize an image file without decoding it, like `PIL.Image.open`.

    Raises:
        FileNotFoundError: if the file does not exist.
        UnreadableImage: if it is not an image.
    """
    try:
        return Image.open(file)
    except FileNotFoundError:
        raise
    except Image.UnidentifiedImageError:
        raise UnreadableImage(describe_contents(_head(file))) from None
    except Exception as error:  # PIL's readers raise whatever a damaged header leads to
        raise UnreadableImage(_reason(error)) from error


def decode(image: Image.Image, draft_size: tuple[int, int] | None = None) -> Image.Image:
    """Decode an image that :func:`identify` or `PIL.Image.open` gave, turn it upright, and bring it to 8 bits.

    Args:
        image: of any mode.
        draft_size: (width, height): a JPEG decoder may leave out detail as long as the image stays at least this large.

    Returns:
        The image, upright, of mode ``"L"`` if it is gray, else ``"RGB"``.

    Raises:
        UnreadableImage: if it is damaged, or not a photograph.
    """
    _refuse_unusable(image)
    try:
        if draft_size is not None:
            image.draft(None, draft_size)
        image.load()
        orientation = _orientation(image)  # only now: a TIFF image has been turned while it was decoded
        image = to_gray_or_rgb(image)
    except UnreadableImage:
        raise
    except Exception as error:  # PIL's decoders raise whatever damaged data leads to
        raise UnreadableImage(_reason(error)) from error
    return image.transpose(TO_UPRIGHT[orientation]) if orientation in TO_UPRIGHT else image


def to_gray_or_rgb(image: Image.Image) -> Image.Image:
    """The image with 8 bits per channel: of mode ``"L"`` if it is gray, else ``"RGB"``; transparency is ignored.

    Raises:
        UnreadableImage: see :func:`to_8_bits`.
    """
    image = to_8_bits(image)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode in ("La", "RGBa"):  # colors multiplied by alpha, which is undone
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # PIL warns of a direct way to RGB, which would give the same
    if image.mode == "LAB":
        converted = ImageCms.applyTransform(image, _lab_to_srgb())
        assert converted is not None  # it would be only with inPlace
        return converted
    return image.convert("L" if image.mode in ("1", "LA") else "RGB")


def to_8_bits(image: Image.Image) -> Image.Image:
    """Scale gray levels of 16 or 32 bits to 8 bits; PIL's `convert` would clip them, to white in most places.

    White is the largest value the format allows: 65535 for 16 bits, 4095 for TIFF images of 12 bits. Integers of 32
    bits and floating-point numbers are scaled from 0..255 or 0..65535, and from 0..1 or 0..255, as their values tell.

    Args:
        image: of any PIL mode.

    Returns:
        An image of mode ``"L"`` if the mode is ``"I"``, ``"I;16"`` (or another with 16 bits) or ``"F"``; otherwise the
        image itself.

    Raises:
        UnreadableImage: if the values are outside of these ranges, not finite, or all below a sixteenth of white.

    Example:
        >>> gray = Image.new("I;16", (1, 1), 32768)
        >>> to_8_bits(gray).getpixel((0, 0)), gray.convert("RGB").getpixel((0, 0))
        (128, (255, 255, 255))
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image, np.float32)
    if not values.size:
        raise UnreadableImage(f"an image of {image.width} by {image.height} pixels; fetch it again")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():  # a single NaN is both
        raise UnreadableImage("an image with values that are not finite (NaN or inf); replace them, or leave it out")
    white = _white_of_floats(low, high) if image.mode == "F" else _white_of_integers(image, low, high)
    gray = np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)
    if _tiff_tag(image, PHOTOMETRIC, 1) == 0:  # "white is zero"; PIL inverts images of up to 8 bits only
        gray = 255 - gray
    return Image.fromarray(gray)


def _white_of_floats(low: float, high: float) -> float:
    """1 or 255; resampling in another program may have overshot by a level."""
    if low >= -1 / 255 and high <= 1 + 1 / 255:
        return 1
    if low >= -1 and 255 * DARK < high <= 256:
        return 255
    raise UnreadableImage(
        f"an image of floating-point values from {low:.4g} to {high:.4g}, expected 0 to 1 or 0 to 255; save it with 8 "
        "bits per channel"
    )


def _white_of_integers(image: Image.Image, low: float, high: float) -> float:
    bits = _tiff_tag(image, BITS_PER_SAMPLE, 16 if image.format == "PPM" or image.mode != "I" else 32)
    if bits > 16:
        bits = 8 if high <= 255 else 16
    elif _tiff_tag(image, SAMPLE_FORMAT, 1) == 2:
        bits -= 1  # for the sign
    white = 2**bits - 1
    if low < 0 or high > white or 0 < high <= white * DARK:  # 12 bits are often saved as 16
        raise UnreadableImage(
            f"an image of integers from {low:.0f} to {high:.0f}, expected 0 to {white} and some above "
            f"{white * DARK:.0f}; save it with 8 bits per channel"
        )
    return white


def _tiff_tag(image: Image.Image, tag: int, default: int) -> int:
    """The first value of a tag; the default if the image has no such tag, or is no TIFF file."""
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


@cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    lab, srgb = (ImageCms.ImageCmsProfile(ImageCms.createProfile(space)) for space in ("LAB", "sRGB"))
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")


def _refuse_unusable(image: Image.Image) -> None:
    """Raise UnreadableImage for what PIL opens, but not as a photograph."""
    width, height = image.size
    if not (width and height):
        raise UnreadableImage(f"an image of {width} by {height} pixels; fetch it again")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise UnreadableImage(f"a strip of {width} by {height} pixels, not a photograph; leave it out")
    if image.format in VECTOR_FORMATS:
        raise UnreadableImage(f"a drawing ({image.format}), not a photograph; export it as PNG")
    tags = getattr(image, "tag_v2", {})
    if DNG_VERSION in tags or (SUB_IFDS in tags and _tiff_tag(image, SUBFILE_TYPE, 0) & 1):
        # The first image of a raw file is a thumbnail.
        raise UnreadableImage("a camera's raw file; export it as JPEG")


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # whatever damaged Exif data leads to; the pixels are still good
        return 1


def _head(file: Path | str | BinaryIO) -> bytes:
    if isinstance(file, (str, Path)):
        with open(file, "rb") as stream:
            return stream.read(HEAD)
    file.seek(0)
    return file.read(HEAD)


def _reason(error: Exception) -> str:
    """Why an image cannot be opened or decoded, without the folder that an error of the system names."""
    if isinstance(error, Image.DecompressionBombError):
        return f"too large for a photograph (above {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels); save it smaller"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {error.strerror or error}"
    return f"damaged: {error or type(error).__name__}; fetch it again"
