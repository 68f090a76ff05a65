"""The images of Labs 2 and 3: a fetched data set, or a folder laid out like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captionlab.common.suggestions import did_you_mean
from captionlab.datasets.errors import DataError, NotFetched
from captionlab.datasets.folders import ImageList, list_images, read_split
from captionlab.datasets.store import locate


def choose_dataset(dataset: str | Path | None, fetched: str) -> str | Path:
    """The dataset asked for; by default the fetched one if it is here, else ``"embedded"``."""
    if dataset is not None:
        return dataset
    try:
        locate(fetched)
    except NotFetched:
        return "embedded"
    return fetched


def list_splits(dataset: str | Path, fetched: str, splits: Sequence[str]) -> list[ImageList]:
    """The usable images of each split.

    Args:
        dataset: the name of the fetched data set, or a folder with ``SPLIT/CLASS/`` for each split.
        fetched: the name of the data set that can be fetched.
        splits: their names.

    Raises:
        DataError: if the images are missing (NotFetched says how to fetch them), or the folders hold none.
        ValueError: if the splits have different classes.
    """
    if dataset != fetched and not Path(dataset).is_dir():
        guess = did_you_mean(dataset, [fetched, "embedded"])
        raise DataError(f"{dataset} does not exist: give {fetched}, embedded or a folder of images{guess}")
    if dataset == fetched:
        found = [read_split(fetched, split) for split in splits]
    else:
        found = [list_images(Path(dataset) / split) for split in splits]
    for split, images in zip(splits, found, strict=True):
        if images.classes != found[0].classes:
            raise ValueError(
                f"{splits[0]} has the classes {found[0].classes}, {split} {images.classes}: expected the same classes "
                "in both"
            )
    return found
