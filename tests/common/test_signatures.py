"""Files are recognized by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from captionlab.common.signatures import is_web_page, kind_of_bytes


def _image(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, format)
    return file.getvalue()


def _packed(names: list[str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(2))
    return file.getvalue()


MADE = {
    "gzip": gzip.compress(b"x"),
    "bzip2": bz2.compress(b"x"),
    "xz": lzma.compress(b"x"),
    "tar": _tar(),
    "zip": _packed(["a"]),
    "png": _image("PNG"),
    "jpeg": _image("JPEG"),
    "gif": _image("GIF"),
    "numpy": _array(),
    "git lfs": b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("kind", MADE)
def test_kinds(kind):
    assert kind_of_bytes(MADE[kind][:1024]) == kind


def test_an_empty_archive_and_what_is_of_no_known_kind():
    assert kind_of_bytes(_packed([])) == "zip"
    assert kind_of_bytes(b"") is None
    assert kind_of_bytes(b"a text") is None


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (b"<!DOCTYPE html><html>", True),
        (b"\xef\xbb\xbf\n <HTML lang=de>", True),
        ("<html>".encode("utf-16"), True),
        (b"<!-- cached --><!doctype HTML>", True),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html>', True),
        ("\ufeff<head>", True),
        (b"<svg xmlns='x'>", False),
        (b"<headline>", False),
        (b"a < b", False),
        (b"", False),
    ],
)
def test_web_pages(head, is_one):
    assert is_web_page(head) is is_one
