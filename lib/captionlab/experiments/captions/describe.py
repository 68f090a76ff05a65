"""Captions of picture files, and pictures of where the model looked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from captionlab.captioning.captioner import Captioner
from captionlab.captioning.evaluation import LENGTH_PENALTY
from captionlab.plots.captioning import attention_figure


def describe_files(
    folder: Path,
    files: Sequence[Path],
    beams: int = 5,
    by_length: float = LENGTH_PENALTY,
    attention: Path | None = None,
    report: Callable[[str], None] = print,
) -> list[dict]:
    """Captions of picture files; one that cannot be read is reported, and the others are described.

    Args:
        attention: folder for a picture of the attention, word by word, of each file.
    """
    captioner, rows = Captioner.load(folder), []
    for file in files:
        try:
            told = captioner.generate([file], beams, by_length)[0]
        except ValueError as error:
            report(f"{file}: left out, {error}")
            continue
        report(f"{file}: {told.caption}")
        rows.append({"picture": str(file), "caption": told.caption, "log_probability": round(told.log_probability, 4)})
        if attention:
            attention.mkdir(parents=True, exist_ok=True)
            names = [other.stem for other in files]
            # Pictures of one name in several folders must not overwrite each other.
            name = file.stem if names.count(file.stem) == 1 else f"{file.parent.name}-{file.name}"
            with Image.open(file) as image:
                figure = attention_figure(ImageOps.exif_transpose(image), told.words, told.alphas)
                figure.savefig(attention / f"{name}.png", dpi=100)
    return rows
