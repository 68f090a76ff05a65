"""The real archives, from the mirror in CAPTIONLAB_MIRROR; skipped without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from captionlab.common.progress import NullProgress
from captionlab.datasets import scene15
from captionlab.datasets.catalog import get_dataset
from captionlab.datasets.folders import read_split
from captionlab.datasets.paths import find_mirror
from captionlab.datasets.store import RECORD_FILE, fetch
from captionlab.datasets.verification import verify

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    root = tmp_path_factory.mktemp("real")
    for name in ("hymenoptera", "scene15", "flickr8k"):
        fetch(name, root, progress=NullProgress())
    return root


@pytest.mark.parametrize("name", ["hymenoptera", "scene15", "flickr8k"])
def test_data_sets_are_complete_and_readable(real, name):
    report = verify(name, real, quick=name == "flickr8k")
    assert report.problems == []
    record = (real / get_dataset(name).folder / RECORD_FILE).read_text("utf-8")
    checksums = find_mirror().checksums
    assert all(checksums[archive.name] in record for archive in get_dataset(name).archives)


def test_bees_and_ants(real):
    train, val = read_split("hymenoptera", "train", real), read_split("hymenoptera", "val", real)
    assert (len(train), len(val)) == (244, 153)
    assert train.classes == ["ants", "bees"]
    assert [path.name for path, _ in train.left_out] == ["imageNotFound.gif"]
    assert val.left_out == []


def test_scenes(real):
    train, test = (read_split("scene15", split, real, decode=False) for split in ("train", "test"))
    assert (len(train), len(test), len(train.classes)) == (1500, 2985, 15)
    for split, images in (("train", train), ("test", test)):
        listed = {(path.parent.name, path.name) for path in images.paths}
        numbers = {name: parts[split] for name, parts in scene15.load_split().items()}
        assert listed == {(name, scene15.image_name(n)) for name, group in numbers.items() for n in group}


def test_committed_split_is_the_mirrors(root):
    archive = Path(os.environ["CAPTIONLAB_MIRROR"]) / "15-Scene.zip"
    if not archive.is_file():
        pytest.skip("the mirror is not a folder")
    script = root / "data_scripts" / "make_scene15_split.py"
    subprocess.run([sys.executable, str(script), str(archive), "--check"], check=True)
