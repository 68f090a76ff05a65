"""Where an image comes from: a file, or an object that reads it, such as a row of a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from PIL import Image, ImageOps

ORIENTATION = 0x0112  # Exif's tag


class ReadableImage(Protocol):
    """An image that is not a file of its own."""

    def read(self) -> Image.Image:
        """The image."""
        ...

    def cache_key(self) -> str:
        """A text that changes whenever the image does."""
        ...


ImageSource = Path | str | ReadableImage


def open_image(source: ImageSource, draft_size: tuple[int, int] | None = None) -> Image.Image:
    """Read an image and turn it upright, as its Exif orientation says.

    Args:
        source: a file, or an object with ``read()``.
        draft_size: (width, height): a JPEG decoder may leave out detail as long as the image stays at least this large.

    Returns:
        The decoded image, in the mode it was saved in.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it cannot be read as an image.
    """
    try:
        with Image.open(source) if isinstance(source, (str, Path)) else source.read() as image:
            if draft_size is not None:
                image.draft(None, draft_size)
            if image.getexif().get(ORIENTATION, 1) != 1:  # photos taken with a phone held sideways
                return ImageOps.exif_transpose(image)
            image.load()
            return image
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{source} is not a readable image ({error}): leave it out, or fetch it again") from error


def cache_key(source: ImageSource) -> str:
    """A text that changes with an image: size and modification time of a file, or what the object itself says."""
    if isinstance(source, (str, Path)):
        found = os.stat(source)
        return f"{found.st_size} {found.st_mtime_ns}\n"
    return source.cache_key()
