"""Does the model look at what it names? Measured on drawn scenes, where the position of each object is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captionlab.captioning.attention_maps import attention_heatmap
from captionlab.captioning.captioned_images import InMemoryImage
from captionlab.captioning.captioner import Captioner
from captionlab.captioning.datasets import EMBEDDED_COUNTS
from captionlab.common.provenance import device_name
from captionlab.datasets.drawn_captions import SIZE, CaptionedScene, make_scenes
from captionlab.experiments.results import command_line, write_results
from captionlab.plots.captioning import attention_overlap_figure

QUESTION = "How much of a noun's attention lies in its object's box?"


@dataclass(frozen=True)
class AttentionOverlap:
    """The attention behind a word that names an object.

    Attributes:
        word: as the model wrote it.
        inside: share of the attention weights inside the object's boxes.
        area: the boxes' share of the image: the share inside of attention that is spread evenly.
    """

    word: str
    inside: float
    area: float


def attention_overlap(captioner: Captioner, scenes: Sequence[CaptionedScene], beams: int = 5) -> list[AttentionOverlap]:
    """Attention inside the boxes of every object that is in a scene and named in its caption.

    The weights are those of the step that generates the word, upsampled by
    :func:`captionlab.captioning.attention_maps.attention_heatmap`.
    """
    found = []
    captions = captioner.generate([InMemoryImage.from_pixels(scene.image) for scene in scenes], beams)
    for scene, caption in zip(scenes, captions, strict=True):
        for word, alpha in zip(caption.words, caption.alphas, strict=True):
            boxes = scene.boxes(word)
            if boxes:
                mask = np.zeros((SIZE, SIZE), dtype=bool)
                for x0, y0, x1, y1 in boxes:
                    mask[y0:y1, x0:x1] = True
                weights = attention_heatmap(alpha, SIZE).numpy()
                inside = float(weights[mask].sum() / weights.sum())
                found.append(AttentionOverlap(word, inside, float(mask.mean())))
    return found


def measure_attention_overlap(run: Path, out: Path, limit: int = 200) -> list[Path]:
    """Measure the overlap for a model trained on drawn scenes; writes ``lab4_attention_embedded.{json,csv,png}``.

    Args:
        run: folder of the trained model.
        out: folder for the files, made if missing.
        limit: maximum number of images of the dev split.

    Raises:
        ValueError: if the model was trained on another dataset, or names no object that is there.
    """
    captioner = Captioner.load(run)
    dataset = captioner.run["dataset"]
    if dataset != "embedded":
        raise ValueError(
            f"{run} was trained on {dataset}: only for drawn scenes is it known where objects are; train one with "
            "captionlab caption train RUN --config embedded. For photographs, captionlab caption describe --attention "
            "draws the attention"
        )
    start, count = EMBEDDED_COUNTS["train"], min(limit, EMBEDDED_COUNTS["dev"])
    found = attention_overlap(captioner, make_scenes(0, start + count)[start:])
    if not found:
        raise ValueError(f"{run} names no object that is there in any of {count} captions: train it longer")
    rows = []
    for word in ("all", *sorted({each.word for each in found})):
        chosen = [each for each in found if word in ("all", each.word)]
        inside, area = (float(np.mean([getattr(each, name) for each in chosen])) for name in ("inside", "area"))
        rows.append({"word": word, "times": len(chosen), "inside": inside, "area": area, "ratio": inside / area})
    return write_results(
        out,
        "lab4_attention_embedded",
        rows,
        {"": attention_overlap_figure(rows, QUESTION)},
        {"question": QUESTION, "images": count, "table": rows},
        command=command_line("lab4", "attention", run.name, limit=limit),
        seed=captioner.run["training"].get("seed", 0),
        device=device_name(),
    )
