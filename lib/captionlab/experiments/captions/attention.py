"""Does the model look at what it names? Measured on drawn scenes, where the place of each object is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from captionlab.captioning.attention_maps import enlarge_attention
from captionlab.captioning.captioner import Captioner
from captionlab.captioning.datasets import EMBEDDED_COUNTS, drawn
from captionlab.datasets.drawn_captions import SIZE, CaptionedScene, make_scenes
from captionlab.experiments.captions.tables import write_table
from captionlab.plots.captioning import BLUE, GRAY


@dataclass(frozen=True)
class Look:
    """A word that names an object.

    Attributes:
        word: as the model wrote it.
        inside: share of the attention's weight that lies in the object's boxes.
        area: the boxes' share of the picture: what a model that looks anywhere would have inside.
    """

    word: str
    inside: float
    area: float


def looks(captioner: Captioner, scenes: Sequence[CaptionedScene], beams: int = 5) -> list[Look]:
    """Every word of the captions of some scenes that names an object which is there, and where the model looked.

    The weights are taken at the step that writes the word, and enlarged as
    :func:`captionlab.plots.captioning.enlarge_attention` does.
    """
    found = []
    for scene, told in zip(scenes, captioner.generate([drawn(scene.image) for scene in scenes], beams), strict=True):
        for word, alpha in zip(told.words, told.alphas, strict=True):
            boxes = scene.boxes(word)
            if boxes:
                mask = np.zeros((SIZE, SIZE), dtype=bool)
                for x0, y0, x1, y1 in boxes:
                    mask[y0:y1, x0:x1] = True
                weights = enlarge_attention(alpha, SIZE).numpy()
                found.append(Look(word, float(weights[mask].sum() / weights.sum()), float(mask.mean())))
    return found


def show_attention(run: Path, out: Path, images: int = 200) -> list[Path]:
    """Measure it for a model trained on drawn scenes; writes ``lab4_attention_embedded.{json,csv,png}``.

    Raises:
        ValueError: if the model was trained on another corpus, or names nothing that is there.
    """
    captioner = Captioner.load(run)
    if captioner.about.get("corpus") != "embedded":
        raise ValueError(
            f"{run} was trained on {captioner.about.get('corpus')}: where objects are is known of drawn scenes only; "
            "train one with captionlab caption train RUN --config embedded. For photographs there are the pictures of "
            "captionlab caption describe --attention"
        )
    start, count = EMBEDDED_COUNTS["train"], min(images, EMBEDDED_COUNTS["dev"])
    scenes = make_scenes(0, start + count)[start:]
    found = looks(captioner, scenes)
    if not found:
        raise ValueError(f"{run} names no object that is there in any of {count} captions: train it longer")
    rows = []
    for word in ("all", *sorted({look.word for look in found})):
        mine = [look for look in found if word in ("all", look.word)]
        inside, area = (float(np.mean([getattr(look, name) for look in mine])) for name in ("inside", "area"))
        rows.append({"word": word, "times": len(mine), "inside": inside, "area": area, "ratio": inside / area})
    about = {"question": "How much of a noun's attention lies in its object's box?", "images": count}
    command = f"captionlab experiment attention {run.name} --images {images}"
    return write_table(
        "lab4_attention_embedded",
        rows,
        about,
        command,
        out,
        _figure(rows, about["question"]),
        captioner.about["training"].get("seed", 0),
    )


def _figure(rows: Sequence[dict], title: str) -> Figure:
    figure = Figure(figsize=(8, 1.3 + 0.28 * len(rows)), layout="constrained")
    axes, places = figure.subplots(), range(len(rows))
    axes.barh(places, [row["inside"] for row in rows], color=BLUE, height=0.6, label="weight inside the box")
    axes.plot(
        [row["area"] for row in rows], places, "|", color="black", markersize=12, label="the box's share of the image"
    )
    axes.set_yticks(places, [f"{row['word']} ({row['times']})" for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=GRAY)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
