"""Where an image comes from: a file, or an object that reads it, such as a row of a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from PIL import Image

from captionlab.common.images import UnreadableImage, decode, read_image


class ReadableImage(Protocol):
    """An image that is not a file of its own."""

    def read(self) -> Image.Image:
        """The image, decoded or not."""
        ...

    def cache_key(self) -> str:
        """A text that changes whenever the image does."""
        ...


ImageSource = Path | str | ReadableImage


def open_image(source: ImageSource, draft_size: tuple[int, int] | None = None) -> Image.Image:
    """Read an image, upright and with 8 bits per channel (see :mod:`captionlab.common.images`).

    Args:
        source: a file, or an object with ``read()``.
        draft_size: (width, height): a JPEG decoder may leave out detail as long as the image stays at least this large.

    Returns:
        The image, of mode ``"L"`` if it is gray, else ``"RGB"``; transparency is ignored.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it cannot be read as an image; the message says what it is instead, or what is wrong with it.
    """
    try:
        if isinstance(source, (str, Path)):
            return read_image(source, draft_size)
        with source.read() as image:
            return decode(image, draft_size)
    except UnreadableImage as error:
        raise ValueError(f"{source} is not a readable image: {error}") from error


def cache_key(source: ImageSource) -> str:
    """A text that changes with an image: size and modification time of a file, or what the object itself says."""
    if isinstance(source, (str, Path)):
        found = os.stat(source)
        return f"{found.st_size} {found.st_mtime_ns}\n"
    return source.cache_key()
