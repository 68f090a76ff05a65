"""A small data set on the `host` of tests/conftest.py, and quick retries."""

import hashlib
import io
import zipfile

import numpy as np
import pytest

from captionlab.common.progress import NullProgress
from captionlab.datasets import catalog
from captionlab.datasets.catalog import Archive, Dataset
from captionlab.datasets.download import Retry


@pytest.fixture
def patience():
    return Retry(attempts=4, initial_delay=0.01, max_delay=0.05, connect_timeout=2.0, read_timeout=0.3)


@pytest.fixture
def progress():
    return NullProgress()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(request, monkeypatch, tmp_path):
    if not request.node.get_closest_marker("realdata"):
        monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
        monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))


def image_file(seed: int, size: int = 24, kind: str = "JPEG") -> bytes:
    """An image file of noise."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def make_zip_file(members: dict[str, bytes]) -> bytes:
    """A zip archive of these members, not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


MEMBERS = {
    f"tiny/{part}/{kind}/{n}.jpg": (part, kind, n) for part in ("train", "val") for kind in "ab" for n in range(4)
}


@pytest.fixture(scope="session")
def tiny_zip():
    return make_zip_file({name: image_file(seed, size=64) for seed, name in enumerate(MEMBERS)})


@pytest.fixture
def tiny(host, tiny_zip, monkeypatch):
    """The data set "tiny", 16 images in 2 splits and 2 classes, in the catalog and on the host."""
    host.files["/tiny.zip"] = tiny_zip
    archive = Archive(
        name="tiny.zip",
        urls=(f"{host.url}/tiny.zip",),
        size=len(tiny_zip),
        exact_size=True,
        checksum=f"sha256:{hashlib.sha256(tiny_zip).hexdigest()}",
        max_unpacked_size=10_000_000,
    )
    return register(monkeypatch, archive)


def register(monkeypatch, *archives, **changes):
    """Put the data set "tiny", made from these archives, into the catalog."""
    counts = tuple((part, kind, 4) for part in ("train", "val") for kind in "ab")
    entry = {
        "name": "tiny",
        "title": "Tiny",
        "summary": "noise",
        "folder": "tiny_data",
        "archive_root": "tiny",
        "required_paths": ("train/a", "val/b"),
        "archives": archives,
        "layout": (),
        "homepage": "",
        "terms": "Free.",
        "papers": (),
        "mirror_note": "",
        "image_counts": counts,
    }
    dataset = Dataset(**{**entry, **changes})
    monkeypatch.setitem(catalog.DATASETS, "tiny", dataset)
    return dataset


@pytest.fixture
def make_zip():
    return make_zip_file


@pytest.fixture
def make_image():
    return image_file


@pytest.fixture
def enlist(monkeypatch):
    return lambda *archives, **changes: register(monkeypatch, *archives, **changes)
