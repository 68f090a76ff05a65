"""Finding submissions: every file and folder is a submission or is listed as not read; hidden files are neither."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.grading.finding import NoSubmissions, find_submissions

RIGHT = "def add(a, b):\n    return a + b\n"


def names(found) -> list[str]:
    return [one.student for one in found]


def test_submissions_are_found_as_folders_files_and_nbgrader_trees(toy, tmp_path, notebook_text):
    text = notebook_text("def add(a, b): return a + b")
    for place in ("ada/toy.ipynb", "bob/toy/toy.ipynb", "cleo.ipynb", "dan.py", ".hidden/toy.ipynb"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text if place.endswith("b") else "def add(a, b): return 1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    assert [one.student for one in find_submissions([tmp_path], toy)] == ["ada", "bob", "cleo", "dan", "empty"]
    assert [one.student for one in find_submissions([tmp_path / "ada"], toy)] == ["ada"]
    assert [one.student for one in find_submissions([tmp_path / "ada", tmp_path / "ada"], toy)] == ["ada", "ada (2)"]


def test_several_folders_are_a_student_each_whatever_their_files_are_called(toy, tmp_path, notebook_text):
    for student in ("ada", "bob", "mia"):
        (tmp_path / student).mkdir()
    (tmp_path / "ada" / "Copy of toy.ipynb").write_text(notebook_text("def add(a, b): return a + b"))
    found = find_submissions([tmp_path / "ada", tmp_path / "bob", tmp_path / "mia"], toy)
    assert [one.student for one in found] == ["ada", "bob", "mia"]


@pytest.mark.parametrize("report", ["grades", "grades/toy", "grades/lab1_vgg16", "toy"])
def test_reports_among_the_submissions_are_skipped(toy, tmp_path, report):
    (tmp_path / "ada.py").write_text("")
    (tmp_path / report).mkdir(parents=True)
    (tmp_path / report / "verdicts.json").write_text("[]")
    assert [one.student for one in find_submissions([tmp_path], toy)] == ["ada"]


@pytest.mark.parametrize("folder", ["bob", "bob/toy"])
def test_a_submission_that_looks_like_a_report_is_graded(toy, tmp_path, folder):
    (tmp_path / "ada.py").write_text("")
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "verdicts.json").write_text("[]")
    (tmp_path / folder / "answers.py").write_text("")
    assert [one.student for one in find_submissions([tmp_path], toy)] == ["ada", "bob"]


def test_nothing_to_grade_is_an_error(toy, tmp_path):
    with pytest.raises(NoSubmissions, match="no submissions in"):
        find_submissions([tmp_path], toy)


def test_a_path_that_is_missing_among_others_is_an_error(toy, tmp_path):
    (tmp_path / "ada.py").write_text("")
    with pytest.raises(NoSubmissions, match="absent not found: expected notebooks, modules or folders"):
        find_submissions([tmp_path / "ada.py", tmp_path / "absent"], toy)


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("s1.ipynb", "s1"),
        ("s1.IPYNB", "s1"),
        ("s1.ipynb.json", "s1"),
        ("s1.ipynb.txt", "s1"),
        ("s1.ipynb (1)", "s1"),
        ("s1.ipynb.download", "s1"),
        ("s1.json", "s1"),
        ("s1.txt", "s1"),
        ("s1", "s1"),
        ("s1 (1).ipynb", "s1 (1)"),
        ("first.last.ipynb", "first.last"),
        ("Cafe\u0301.ipynb", "Caf\u00e9"),
        ("s1 .ipynb", "s1"),
        (os.fsdecode(b"s\xff.ipynb"), "s\ufffd"),
        ("x" * 240 + ".ipynb", "x" * 240),
    ],
)
def test_a_notebook_is_found_by_its_content_whatever_its_ending(toy, tmp_path, notebook_text, name, student):
    (tmp_path / name).write_text(notebook_text(RIGHT))
    found = find_submissions([tmp_path], toy)
    assert (names(found), found.unread) == ([student], ())


@pytest.mark.parametrize("name", ["s1.Py", "s1.py.txt", "s1.py (1)", "s1.py.download"])
def test_a_module_is_found_whatever_its_ending(toy, tmp_path, name):
    (tmp_path / name).write_text(RIGHT)
    assert names(find_submissions([tmp_path], toy)) == ["s1"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_notebook_with_another_ending_is_found_in_any_encoding(toy, tmp_path, notebook_text, encoding):
    (tmp_path / "s1.txt").write_text(notebook_text(RIGHT), encoding=encoding)
    assert names(find_submissions([tmp_path], toy)) == ["s1"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("s4.pdf", b"%PDF-1.7 ...", "a PDF document"),
        ("s4.ipynb.pdf", b"%PDF-1.7 ...", "a PDF document"),
        ("s5.html", b"\n<!DOCTYPE html><html>", "a web page"),
        ("s5.ipynb.html", b"<html>", "a web page"),
        ("s6.png", b"\x89PNG\r\n\x1a\n", "a picture"),
        ("s6.rtf", b"{\\rtf1 }", "an RTF document"),
        ("s6.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
        ("s6.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
        ("s6.rar", b"Rar!\x1a\x07\x01", "a RAR archive: unpack it"),
        ("s6.tar.gz", b"\x1f\x8b\x08", "a gzip archive: unpack it"),
        ("s6.tar", b"x" * 257 + b"ustar", "a tar archive: unpack it"),
        ("s6.bin", b"\x00\x01\x02\xff" * 9, "a file of an unknown kind"),
        ("s6.txt", b"", "an empty file"),
        ("README.txt", b"hello", "a text file, neither a notebook nor a module"),
        ("roster.csv", b"id,name\n", "a text file, neither a notebook nor a module"),
        ("data.json", b'{"a": 1}', "a text file, neither a notebook nor a module"),
        ("list.json", b'[{"cell_type": "code"}]', "a text file, neither a notebook nor a module"),
    ],
)
def test_a_file_that_is_no_submission_is_listed_with_what_it_is(toy, tmp_path, name, content, reason):
    (tmp_path / "s1.py").write_text(RIGHT)
    (tmp_path / name).write_bytes(content)
    found = find_submissions([tmp_path], toy)
    assert names(found) == ["s1"]
    assert [one.path.name for one in found.unread] == [name]
    assert found.unread[0].reason.startswith(reason)
    with pytest.raises(NoSubmissions, match=f"found .*{reason}"):
        find_submissions([tmp_path / name], toy)


def test_office_documents_are_no_zip_archives(toy, tmp_path):
    (tmp_path / "s1.py").write_text(RIGHT)
    for name, inside in (("a.docx", "[Content_Types].xml"), ("b.odt", "mimetype"), ("c.pth", "c/data.pkl")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(inside, "x")
    found = find_submissions([tmp_path], toy)
    assert names(found) == ["s1"]
    assert [one.reason for one in found.unread] == [
        "an Office document",
        "an Office document",
        "a zip archive without a notebook or a module",
    ]


@pytest.mark.parametrize("name", ["s2.zip", "s2.ZIP", "s2.ipynb.zip", "s2.ipynb"])
def test_a_zip_archive_is_a_submission(toy, tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("answers.py", RIGHT)
    assert names(find_submissions([tmp_path], toy)) == ["s2"]


def test_the_archive_of_a_class_is_named(toy, tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for student in ("First_1", "Second_2"):
            archive.writestr(f"{student}_assignsubmission_file_/toy.ipynb", "")
    with pytest.raises(NoSubmissions, match=r"class\.zip: an archive of the submissions of several students: unpack"):
        find_submissions([tmp_path], toy)


@pytest.mark.parametrize(
    "hidden",
    ["._s1.ipynb", ".DS_Store", ".ipynb_checkpoints/s1.ipynb", "__MACOSX/._s1.ipynb", "Thumbs.db", "desktop.ini"],
)
def test_hidden_files_are_neither_read_nor_listed(toy, tmp_path, hidden):
    (tmp_path / "s1.py").write_text(RIGHT)
    (tmp_path / hidden).parent.mkdir(exist_ok=True)
    (tmp_path / hidden).write_text("x")
    found = find_submissions([tmp_path], toy)
    assert (names(found), found.unread) == (["s1"], ())
    found = find_submissions(sorted(tmp_path.iterdir()), toy)  # as a shell's submitted/* with dotglob
    assert (names(found), found.unread) == (["s1"], ())


def test_links_and_special_files_are_named_and_not_opened(toy, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in" / "s1.py").write_text(RIGHT)
    (tmp_path / "in" / "s2.ipynb").symlink_to(tmp_path / "absent")
    (tmp_path / "in" / "s3").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "s4.txt").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "in" / "s5")
    for paths in ([tmp_path / "in"], sorted((tmp_path / "in").iterdir())):
        found = find_submissions(paths, toy)
        assert names(found) == ["s1", "s2", "s3"]
        assert [str(one) for one in found.unread] == ["s4.txt: a symbolic link", "s5: a named pipe"]


def test_a_folder_that_is_a_link_can_be_given(toy, tmp_path):
    (tmp_path / "in" / "s1").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert names(find_submissions([tmp_path / "link"], toy)) == ["s1"]


def test_what_cannot_be_opened_is_named(toy, tmp_path, monkeypatch):
    """As root, who runs this in containers, can open everything, the error is simulated."""
    (tmp_path / "s1.py").write_text(RIGHT)
    (tmp_path / "s2").mkdir()
    (tmp_path / "s3.txt").write_text("x")
    original = Path.open, Path.iterdir

    def refuse(position):
        def call(path, *arguments, **keywords):
            if path.name in ("s2", "s3.txt"):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return original[position](path, *arguments, **keywords)

        return call

    monkeypatch.setattr(Path, "open", refuse(0))
    monkeypatch.setattr(Path, "iterdir", refuse(1))
    found = find_submissions([tmp_path], toy)
    assert names(found) == ["s1", "s2"]
    assert [str(one) for one in found.unread] == ["s3.txt: a file that cannot be opened (Permission denied)"]


@pytest.mark.parametrize("pair", ["s1/ s1.py", "s1.py s1.ipynb.txt", "S1.py s1.ipynb"])
def test_two_submissions_of_one_student_are_both_kept(toy, tmp_path, notebook_text, pair):
    for name in pair.split():
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_text(RIGHT if name.endswith(".py") else notebook_text(RIGHT))
    first, second = names(find_submissions([tmp_path], toy))
    assert (first.lower(), second.lower()) == ("s1", "s1 (2)")


def test_a_made_up_number_is_not_given_twice(toy, tmp_path):
    for name in ("ada (2).py", "ada.py", "ada.ipynb"):
        (tmp_path / name).write_text(RIGHT)
    assert sorted(names(find_submissions([tmp_path], toy))) == ["ada", "ada (2)", "ada (3)"]


def test_a_folder_named_like_a_notebook_is_a_students(toy, tmp_path):
    (tmp_path / "s1.ipynb").mkdir()
    (tmp_path / "First.Last_4711_assignsubmission_file_").mkdir()
    assert names(find_submissions([tmp_path], toy)) == ["First.Last_4711_assignsubmission_file_", "s1"]


@pytest.mark.parametrize("name", ["toy.ipynb", "Toy.IPYNB", "toy.ipynb.txt", "answers.py", "toy"])
def test_a_folder_with_the_labs_file_is_one_students(toy, tmp_path, notebook_text, name):
    (tmp_path / "ada").mkdir()
    if name == "toy":
        (tmp_path / "ada" / name).mkdir()
    else:
        (tmp_path / "ada" / name).write_text(notebook_text(RIGHT))
    (tmp_path / "ada" / "scratch.ipynb").write_text(notebook_text("x = 1"))
    assert names(find_submissions([tmp_path / "ada"], toy)) == ["ada"]


def test_a_class_with_a_notebook_of_the_labs_name_beside_the_folders_stays_a_class(toy, tmp_path, notebook_text):
    for place in ("toy.ipynb", "s1/toy.ipynb", "s2/toy.ipynb"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(notebook_text(RIGHT))
    assert names(find_submissions([tmp_path], toy)) == ["s1", "s2", "toy"]


PART = st.text(st.sampled_from("ab1 ._-(~é"), min_size=1, max_size=4)
ENDING = st.sampled_from(["", ".ipynb", ".IPYNB", ".ipynb.txt", ".py", ".json", ".txt", ".pdf", ".zip", "/"])
CONTENT = st.sampled_from([b"", b"x", b"%PDF-1.4", b"PK\x03\x04", b'{"cells": [{"cell_type": "code"}]}', b"\xff\x00"])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(entries=st.dictionaries(st.tuples(PART, ENDING).map("".join), CONTENT, min_size=1, max_size=6))
def test_every_visible_entry_is_accounted_for_once(toy, tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("class")
    for name, content in entries.items():
        path = folder / name
        if name.strip("/ ") in (".", "..") or path.exists():
            continue
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_bytes(content)
    (folder / "always.py").touch()
    visible = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    found = find_submissions([folder], toy)
    assert sorted([one.path.name for one in found] + [one.path.name for one in found.unread]) == visible
    assert len({name.casefold() for name in names(found)}) == len(found)
