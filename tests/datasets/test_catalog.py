"""The catalog is complete, and its page in docs/ is up to date."""

import re
import subprocess
import sys

import pytest

from captionlab.common.progress import format_size
from captionlab.datasets import catalog_page
from captionlab.datasets.catalog import DATASETS, get_dataset
from captionlab.datasets.errors import DataError

ARCHIVES = [archive for dataset in DATASETS.values() for archive in dataset.archives]


def test_wrong_name_gets_the_nearest():
    with pytest.raises(
        DataError, match=r"called 'flickr8' \(there are: hymenoptera, .*coco\); did you mean 'flickr8k'\?"
    ):
        get_dataset("flickr8")


def test_names():
    assert list(DATASETS) == ["hymenoptera", "scene15", "flickr8k", "flickr30k", "coco"]
    assert all(get_dataset(name).name == name for name in DATASETS)
    assert len({dataset.folder for dataset in DATASETS.values()}) == len(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_every_entry_is_complete(dataset):
    for text in (dataset.title, dataset.summary, dataset.homepage, dataset.terms, dataset.mirror_note, *dataset.layout):
        assert text
    assert dataset.papers
    assert dataset.archives
    assert dataset.required_paths


@pytest.mark.parametrize("archive", ARCHIVES, ids=[archive.name for archive in ARCHIVES])
def test_every_archive_is_complete(archive):
    assert all(re.fullmatch(r"https?://\S+\.(zip|parquet)", url) for url in archive.urls)
    assert archive.max_unpacked_size > archive.size
    assert bool(archive.checksum) == bool(archive.checksum_source)
    if archive.checksum:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", archive.checksum)


def test_numbers_of_images():
    def total(name, split):
        return sum(number for part, _, number in get_dataset(name).image_counts if part == split)

    assert (total("hymenoptera", "train"), total("hymenoptera", "val")) == (244, 153)
    assert (total("scene15", "train"), total("scene15", "test")) == (1500, 2985)


def test_sizes_are_readable():
    assert [format_size(n) for n in (0, 999, 47_286_322, 20_408_459_804)] == [
        "0 bytes",
        "999 bytes",
        "47.3 MB",
        "20.4 GB",
    ]


def test_page_is_up_to_date(root):
    page = (root / "docs" / "data.md").read_text("utf-8")
    assert catalog_page.update_page(page) == page, "run data_scripts/make_data_page.py"
    assert all(paper in page for dataset in DATASETS.values() for paper in dataset.papers)


def test_page_without_its_markers():
    with pytest.raises(ValueError, match="put both lines back"):
        catalog_page.update_page("no markers here")


def test_nothing_heavy_is_imported():
    modules = "catalog, catalog_page, folders, store, verification"
    heavy = "print([name for name in ('torch', 'PIL', 'sklearn') if name in sys.modules])"
    code = f"import sys; from captionlab.datasets import {modules}; {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
