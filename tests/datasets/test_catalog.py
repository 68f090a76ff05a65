"""The catalog is in order, and the page of it in docs/ is up to date."""

import re
import subprocess
import sys

import pytest

from captionlab.datasets import catalog_page
from captionlab.datasets.catalog import DATASETS, get
from captionlab.datasets.disk import readable

ARCHIVES = [archive for dataset in DATASETS.values() for archive in dataset.archives]


def test_names():
    assert list(DATASETS) == ["hymenoptera", "scene15", "flickr8k", "flickr30k", "coco"]
    assert all(get(name).name == name for name in DATASETS)
    assert len({dataset.folder for dataset in DATASETS.values()}) == len(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_every_entry_is_complete(dataset):
    for text in (dataset.title, dataset.what, dataset.home, dataset.terms, dataset.mirrored, *dataset.layout):
        assert text
    assert dataset.papers
    assert dataset.archives
    assert dataset.entries


@pytest.mark.parametrize("archive", ARCHIVES, ids=[archive.name for archive in ARCHIVES])
def test_every_archive_is_complete(archive):
    assert all(re.fullmatch(r"https?://\S+\.(zip|parquet)", url) for url in archive.urls)
    assert archive.limit > archive.size
    assert bool(archive.checksum) == bool(archive.vouched)
    if archive.checksum:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", archive.checksum)


def test_numbers_of_images():
    def total(name, split):
        return sum(number for part, _, number in get(name).counts if part == split)

    assert (total("hymenoptera", "train"), total("hymenoptera", "val")) == (244, 153)
    assert (total("scene15", "train"), total("scene15", "test")) == (1500, 2985)


def test_sizes_read_well():
    assert [readable(n) for n in (0, 999, 47_286_322, 20_408_459_804)] == ["0 bytes", "999 bytes", "47.3 MB", "20.4 GB"]


def test_page_is_up_to_date(root):
    page = (root / "docs" / "data.md").read_text("utf-8")
    assert catalog_page.updated(page) == page, "run data_scripts/make_data_page.py"
    assert all(paper in page for dataset in DATASETS.values() for paper in dataset.papers)


def test_page_without_its_markers():
    with pytest.raises(ValueError, match="put both lines back"):
        catalog_page.updated("no markers here")


def test_nothing_heavy_is_imported():
    modules = "catalog, catalog_page, folders, store, verify"
    heavy = "print([name for name in ('torch', 'PIL', 'sklearn') if name in sys.modules])"
    code = f"import sys; from captionlab.datasets import {modules}; {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
