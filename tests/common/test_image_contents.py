"""What a file is that cannot be opened as an image is named, with what to do."""

from __future__ import annotations

import io
import zipfile

import pytest

from captionlab.common.image_contents import describe_contents


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("photo.jpg", b"...")
    return out.getvalue()


def media(*brands: bytes) -> bytes:
    """The beginning of an ISO media file: size of the box, its type, major brand, version, compatible brands."""
    body = b"ftyp" + brands[0] + b"\0\0\0\0" + b"".join(brands[1:])
    return (len(body) + 4).to_bytes(4) + body + b"\0\0\0\x08meta"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "empty file"),
        (bytes(2000), "zeros"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xef\xbb\xbf\r\n  <HTML><body>404", "web page"),
        (b"<!-- made by a server -->\n<!DOCTYPE html>", "web page"),
        ("<!DOCTYPE html><html>".encode("utf-16"), "web page"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML"><html><head>', "web page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b'<svg width="10">', "SVG"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (media(b"heic", b"mif1", b"heic"), "HEIC"),
        (media(b"mif1", b"miaf", b"heic"), "HEIC"),
        (media(b"mif1", b"miaf", b"avif"), "AVIF"),
        (media(b"crx ", b"crx ", b"isom"), "raw"),
        (media(b"isom", b"mp41"), "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"FUJIFILMCCD-RAW 0201", "raw"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "macOS"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b'{"error": "rate limit"}', "text"),
        (b"\x01\x02\x03\x04 something else \xff\xfe", "format that can be read"),
    ],
)
def test_contents_are_named(head, said):
    assert said in describe_contents(head)


def test_archives_are_named():
    assert "zip archive" in describe_contents(zipped())
