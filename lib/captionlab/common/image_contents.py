"""What a file holds that cannot be opened as an image, by its first bytes: people keep many things under ``.jpg``."""

from __future__ import annotations

import codecs

from captionlab.common.signatures import is_web_page, kind_of_bytes

HEAD = 1024  # bytes: enough to recognize a file by

# What a file is and what to do, by its kind (see captionlab.common.signatures).
_KINDS = {
    "git lfs": "a pointer of Git LFS instead of the image; run git lfs pull",
    "pdf": "a PDF document; export its page as PNG",
    "zip": "a zip archive; unpack it",
    "gzip": "compressed with gzip; unpack it",
    "rar": "a RAR archive; unpack it",
    "7z": "a 7z archive; unpack it",
    "numpy": "a NumPy array; save it as PNG",
    "jpeg": "damaged: it begins like a JPEG image, but cannot be read; fetch it again",
    "png": "damaged: it begins like a PNG image, but cannot be read; fetch it again",
    "gif": "damaged: it begins like a GIF image, but cannot be read; fetch it again",
}
# Kinds that matter to images alone: (offset, bytes, what the file is and what to do)
_SIGNATURES = (
    (0, b"%!PS", "a PostScript drawing; export it as PNG"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing; export it as PNG"),
    (0, b"\x00\x05\x16\x07", "a companion file of macOS, without pixels; delete it"),
    (0, b"\x00\x05\x16\x00", "a companion file of macOS, without pixels; delete it"),
    (0, b"\xff\x0a", "a JPEG XL image; export it as JPEG or PNG"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL image; export it as JPEG or PNG"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw file; export it as JPEG"),
    (0, b"IIRO", "a camera's raw file; export it as JPEG"),
    (0, b"IIU\0", "a camera's raw file; export it as JPEG"),
    (0, b"FOVb", "a camera's raw file; export it as JPEG"),
    (0, b"\0MRM", "a camera's raw file; export it as JPEG"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image; export it as PNG"),
    (0, b"#?RADIANCE", "a Radiance HDR image; export it as PNG"),
    (128, b"DICM", "a DICOM image; export it as PNG"),
    (0, b"gimp xcf", "a GIMP project; export it as PNG"),
    (0, b"\x1a\x45\xdf\xa3", "a video; export one of its images"),
    (8, b"AVI ", "a video; export one of its images"),
    (8, b"WEBP", "damaged: it begins like a WebP image, but cannot be read; fetch it again"),
    (0, b"II*\0", "damaged, or a TIFF image of an unknown kind; export it as PNG"),
    (0, b"MM\0*", "damaged, or a TIFF image of an unknown kind; export it as PNG"),
    (0, b"BM", "damaged: it begins like a BMP image, but cannot be read; fetch it again"),
)
# Brands of ISO's media files (MPEG-4, part 12), in the order in which they decide.
_BRANDS = (
    ((b"avif", b"avis"), "damaged: it begins like an AVIF image, but cannot be read; export it as JPEG"),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "a HEIC photograph; export it as JPEG"),
    ((b"crx ",), "a camera's raw file; export it as JPEG"),
)


def describe_contents(head: bytes) -> str:
    """What a file is, and what to do about it, in a few words.

    Args:
        head: its first ``HEAD`` bytes.

    Example:
        >>> describe_contents(b"<!DOCTYPE html><title>404</title>")
        'a web page (HTML) instead of the image; download the image itself'
    """
    if not head:
        return "empty file"
    if not any(head):
        return "not an image: it begins with zeros only; fetch it again"
    if head[4:8] == b"ftyp":
        brands = [head[at : at + 4] for at in range(8, max(12, min(int.from_bytes(head[:4]), len(head))), 4)]
        return next((text for known, text in _BRANDS if set(known) & set(brands)), "a video; export one of its images")
    if kind := _KINDS.get(kind_of_bytes(head) or ""):
        return kind
    for offset, signature, text in _SIGNATURES:
        if head.startswith(signature, offset):
            return text
    return _describe_text(head)


def _describe_text(head: bytes) -> str:
    for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        head = head.removeprefix(mark)
    text = head.replace(b"\0", b"").lstrip().lower()  # UTF-16 has zeros between letters
    if b"<svg" in text:
        return "an SVG drawing; export it as PNG"
    if is_web_page(text):
        return "a web page (HTML) instead of the image; download the image itself"
    if text.startswith(b"<?xml"):
        return "an XML file instead of the image; fetch the image again"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in text):
        return "not an image but text; fetch the image again"
    return "not an image in a format that can be read; export it as JPEG or PNG"
