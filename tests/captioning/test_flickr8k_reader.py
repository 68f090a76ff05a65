"""Flickr8k's text files as they come back from Windows, macOS and the web: nothing is lost, or it is said."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captionlab.captioning.datasets import load_dataset
from captionlab.datasets.errors import DataError

NAMES = ("a.jpg", "b.jpg", "c d.jpg")
CAPTIONS = {name: [f"A dog number {number} of {name[0]} ." for number in range(2)] for name in NAMES}
TOKENS = "".join(f"{name}#{n}\t{text}\n" for name, texts in CAPTIONS.items() for n, text in enumerate(texts))
FORMS = {  # of an entry in the list
    "plain": "{}",
    "blanks around": "  {} \t",
    "quoted": '"{}"',
    "relative": "./Flicker8k_Dataset/{}",
    "absolute": "/home/data/Flicker8k_Dataset/{}",
    "windows": "D:\\data\\Flicker8k_Dataset\\{}",
    "separator": "{}\u2028",
    "zero-width": "\u200b{}\u200b",
    "blank lines": "\n{}\n  \n",
}


def write(folder, tokens: str = TOKENS, names: str = "\n".join(NAMES), encoding: str = "utf-8"):
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        path = folder / "Flicker8k_Dataset" / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    (folder / "Flickr8k.token.txt").write_bytes(tokens.encode(encoding))
    (folder / "Flickr_8k.trainImages.txt").write_bytes(names.encode(encoding))
    return folder


def found(folder):
    return {image.name: list(image.captions) for image in load_dataset(folder).splits["train"] if image.image.is_file()}


@given(
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(sorted(FORMS)),
)
@settings(max_examples=40, derandomize=True, deadline=None)
def test_every_encoding_line_end_and_form_of_names(tmp_path_factory, encoding, end, form):
    names = "".join(FORMS[form].format(name) + "\n" for name in NAMES)
    folder = tmp_path_factory.mktemp("f8k")
    assert found(write(folder, TOKENS.replace("\n", end), names.replace("\n", end), encoding)) == CAPTIONS


@pytest.mark.parametrize("separator", [" ", ", ", ";", "\u2028", "\t", "\x85"])
def test_several_names_in_a_line(tmp_path, separator):
    names = [name for name in NAMES if " " not in name]
    assert found(write(tmp_path / "f", names=separator.join(names))) == {name: CAPTIONS[name] for name in names}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c"])
def test_separators_within_a_caption_cost_nothing(tmp_path, separator):
    tokens = TOKENS.replace("A dog", f"A{separator}dog")
    assert [len(captions) for captions in found(write(tmp_path / "f", tokens)).values()] == [2, 2, 2]
    assert found(tmp_path / "f")["a.jpg"] == [text.replace("A dog", f"A{separator}dog") for text in CAPTIONS["a.jpg"]]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_separators_in_the_place_of_line_ends(tmp_path, separator):
    assert found(write(tmp_path / "f", TOKENS.replace("\n", separator))) == CAPTIONS


def test_captions_in_the_encoding_of_windows(tmp_path):
    tokens = TOKENS.encode().replace(b"A dog number 1 of a", b"A caf\xe9 \x93dog\x94")
    folder = write(tmp_path / "f")
    (folder / "Flickr8k.token.txt").write_bytes(tokens)
    with pytest.warns(UserWarning, match=r"1 of 6 lines of Flickr8k.token.txt are not UTF-8, the first is line 2"):
        assert found(folder)["a.jpg"][1] == "A café “dog” ."


@pytest.mark.parametrize("file", ["Flickr8k.token.txt", "Flickr_8k.trainImages.txt"])
@pytest.mark.parametrize("data", [codecs.BOM_UTF16_LE + b"a\0b", b"a.jpg\0#0\n"])
def test_what_is_not_text_is_named(tmp_path, file, data):
    folder = write(tmp_path / "f")
    (folder / file).write_bytes(data)
    with pytest.raises(DataError, match=f"{file} is not .*line 1"):
        load_dataset(folder)


def test_captions_without_a_word_are_counted(tmp_path):
    with pytest.warns(UserWarning, match=r"1 of 7 captions of flickr8k .* the first is '' in line 7 of Flickr8k.token"):
        assert found(write(tmp_path / "f", TOKENS + "a.jpg#2\t\n")) == CAPTIONS


def test_a_listed_image_without_captions_is_said(tmp_path):
    with pytest.raises(DataError, match=r"1 of 4 images of flickr8k cannot be used, first: x y.jpg has no caption"):
        load_dataset(write(tmp_path / "f", names="\n".join([*NAMES, "x y.jpg"])))


def test_hidden_files_are_not_read_and_archives_may_have_folders_of_their_own(tmp_path):
    write(tmp_path / "Flickr8k_text")
    for name in ("__MACOSX", ".ipynb_checkpoints"):
        write(tmp_path / name, tokens="broken", names="z.jpg")
    (tmp_path / "Flickr8k_text" / "Flicker8k_Dataset" / "._a.jpg").write_bytes(b"\0\5")
    assert found(tmp_path) == CAPTIONS
