"""Captions of image files, and figures of where the model looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from captionlab.captioning.captioner import Caption, Captioner
from captionlab.captioning.evaluation import LENGTH_PENALTY
from captionlab.plots.captioning import attention_figure
from captionlab.vision.sources import open_image


@dataclass(frozen=True)
class Description:
    """An image file and its caption.

    Attributes:
        file: of the image.
        caption: None if the image could not be read.
        problem: why it could not be read; empty if it could.
    """

    file: Path
    caption: Caption | None
    problem: str = ""


def describe_files(
    run: Path,
    files: Sequence[Path],
    beams: int = 5,
    length_penalty: float = LENGTH_PENALTY,
    attention: Path | None = None,
) -> Iterator[Description]:
    """Generate captions of image files, one after the other.

    Args:
        run: folder of the trained model.
        files: the images.
        beams: of the search.
        length_penalty: see :func:`captionlab.captioning.search.best_caption`.
        attention: folder for a figure of the attention, word by word, for each file.

    Yields:
        One description per file; one that cannot be read does not stop the others.
    """
    captioner, names = Captioner.load(run), [file.stem for file in files]
    for file in files:
        try:
            caption = captioner.generate([file], beams, length_penalty)[0]
        except ValueError as error:
            yield Description(file, None, str(error))
            continue
        if attention:
            attention.mkdir(parents=True, exist_ok=True)
            # Files of the same name in several folders must not overwrite each other's figures.
            name = file.stem if names.count(file.stem) == 1 else f"{file.parent.name}-{file.name}"
            figure = attention_figure(open_image(file), caption.words, caption.alphas)
            figure.savefig(attention / f"{name}.png", dpi=100)
        yield Description(file, caption)
