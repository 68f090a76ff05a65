"""A student's folder: which notebook and module count, and that everything else is named."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, writes

from captionlab.grading.exercise import Lab
from captionlab.grading.folders import MAX_DEPTH, MAX_ENTRIES, is_like, list_folder, natural_key
from captionlab.grading.reader import read_submission
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission

RIGHT = "def add(a, b):\n    return a + b\n"
STUB = "def add(a, b):\n    raise NotImplementedError\n"


@pytest.fixture
def plain():
    """A lab without a module."""
    lab = Lab("toy", "A lab without a module", package="toy_lab")
    lab.exercise("toy_lab:add", points=2, minutes=1)(lambda add, rng: iter(()))
    return lab


@pytest.fixture
def place(tmp_path, notebook_text):
    """Write files: a text that is no JSON is put into a notebook where the name is that of one."""

    def write(files: dict[str, str]):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            is_source = ".ipynb" in name.lower() and not text.startswith(("{", "%"))
            path.write_text(notebook_text(text) if is_source else text)
        return tmp_path

    return write


def read(path, lab):
    return read_submission(SubmissionFile("someone", path), lab)


def origin(path, lab) -> str:
    """Text of the code that counts for the exercise."""
    return read(path, lab).defining("add").code.strip()


def answer(mark: str) -> str:
    return f"def add(a, b):\n    return '{mark}'"


def of_lab(source: str, lab: str, notebook_text) -> str:
    data = json.loads(notebook_text(source))
    data["metadata"]["captionlab"] = {"lab": lab}
    return json.dumps(data)


@pytest.mark.parametrize(
    ("files", "counts", "reason"),
    [
        (("toy.ipynb", "toy (1).ipynb"), "toy.ipynb", "its name is toy.ipynb"),
        (("Toy.IPYNB", "toy (1).ipynb"), "Toy.IPYNB", "its name is toy.ipynb"),
        (("toy.ipynb.txt", "a.ipynb"), "toy.ipynb.txt", "its name is toy.ipynb"),
        (("a.ipynb", "toy-Copy1.ipynb"), "toy-Copy1.ipynb", "its name is like toy.ipynb"),
        (("toy (2).ipynb", "toy (10).ipynb"), "toy (10).ipynb", "its name is like toy.ipynb"),
        (("a.ipynb", "deep/toy.ipynb"), "deep/toy.ipynb", "its name is toy.ipynb"),
        (("toy.ipynb", "deep/toy.ipynb"), "toy.ipynb", "its name is toy.ipynb"),
        (("toy.ipynb", "toy/final.ipynb"), "toy/final.ipynb", "it answers most exercises"),
    ],
)
def test_of_several_notebooks_the_one_named_like_the_lab_counts(place, plain, files, counts, reason):
    folder = place({name: answer(name) for name in files})
    submission = read(folder, plain)
    assert submission.defining("add").code == answer(counts)
    (ignored,) = set(files) - {counts}
    assert f"{ignored} was ignored: only {counts} is graded" in submission.notes
    assert f"of 2 notebooks {counts} counts: {reason}" in submission.notes


def test_of_notebooks_with_other_names_metadata_decide_then_answers(place, plain, notebook_text):
    folder = place({"a.ipynb": answer("a"), "b.ipynb": STUB, "c.ipynb": "x = 1"})
    assert origin(folder, plain) == answer("a")
    (folder / "b.ipynb").write_text(of_lab(answer("b"), "toy", notebook_text))
    submission = read(folder, plain)
    assert submission.defining("add").code == answer("b")
    assert "of 3 notebooks b.ipynb counts: its metadata names toy" in submission.notes


def test_a_notebook_that_cannot_be_read_gives_way_to_one_that_can(place, plain):
    submission = read(place({"toy.ipynb": "%PDF", "toy (1).ipynb": RIGHT}), plain)
    assert submission.defining("add")
    assert submission.notes[0].startswith("toy.ipynb is ")
    assert "toy.ipynb was ignored: only toy (1).ipynb is graded" in submission.notes


def test_a_module_counts_if_no_notebook_can_be_read(place, plain):
    submission = read(place({"toy.ipynb": "%PDF", "toy.py": RIGHT}), plain)
    assert submission.defining("add").origin == "module toy.py"
    assert submission.notes[0].startswith("toy.ipynb is ")


def test_an_export_beside_the_notebook_is_ignored_in_a_lab_without_a_module(place, plain):
    folder = place({"toy.ipynb": answer("notebook"), "toy.py": STUB})
    submission = read(folder, plain)
    assert submission.defining("add").code == answer("notebook")
    assert "toy.py was ignored: only toy.ipynb is graded" in submission.notes
    (folder / "toy.ipynb").unlink()
    assert read(folder, plain).defining("add").origin == "module toy.py"


@pytest.mark.parametrize(
    "name",
    [
        "answers (1).py",
        "answers-1.py",
        "answers_final.py",
        "Answers.py",
        "answers.py.txt",
        "Copy of answers.py",
        "s1_answers.py",
        "src/answers.py",
        "mine.py",
    ],
)
def test_a_module_under_another_name_counts_if_the_right_one_is_missing(place, toy, name):
    folder = place({"toy.ipynb": "x = 1", name: RIGHT, "scratch.py": "x = 1"})
    submission = read(folder, toy)
    assert submission.defining("add").origin == f"module {os.path.basename(name)}"
    assert "scratch.py was ignored" in " ".join(submission.notes)
    if not name.startswith("src/"):
        assert f"answers.py is missing: {name} is graded in its place" in submission.notes
        (folder / "answers.py").write_text(answer("exact"))
        assert origin(folder, toy) == answer("exact")


@pytest.mark.parametrize("name", ["toy.py", "toy (1).py", "scratch.py"])
def test_neither_an_export_of_the_notebook_nor_any_module_takes_the_place_of_the_labs(place, toy, name):
    """An export of the notebook has stubs where the module has answers."""
    submission = read(place({"toy.ipynb": answer("notebook"), name: STUB}), toy)
    assert submission.defining("add").code == answer("notebook")
    assert f"{name} was ignored: only toy.ipynb is graded" in submission.notes
    assert "answers.py is missing: submit it together with the notebook" in submission.notes


def test_a_missing_module_is_not_mentioned_if_the_notebook_answers_everything(place, toy):
    everything = "\n".join(f"def {name}(a): pass" for name in toy.exercises)
    assert read(place({"toy.ipynb": everything}), toy).notes == []


@pytest.mark.parametrize("name", ["lab.ipynb.txt", "lab.json", "Downloads/x/lab.ipynb", "toy/lab.ipynb", "lab"])
def test_a_notebook_is_found_in_subfolders_and_with_any_ending(place, plain, notebook_text, name):
    assert origin(place({name: notebook_text(RIGHT)}), plain) == RIGHT.strip()


def test_hidden_files_are_neither_read_nor_named(place, plain):
    hidden = ("._my lab 1.ipynb", ".ipynb_checkpoints/toy.ipynb", "__MACOSX/toy.ipynb", "Thumbs.db", "desktop.ini")
    submission = read(place({"my lab 1.ipynb": RIGHT, **dict.fromkeys(hidden, "%")}), plain)
    assert submission.defining("add")
    assert submission.notes == []


def test_everything_else_is_named(place, plain):
    files = {"toy.ipynb": RIGHT, "report.pdf": "%PDF", "data/a.csv": "1,2", "old/toy.ipynb": STUB}
    folder = place(files)
    (folder / "link").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    notes = " ".join(read(folder, plain).notes)
    for name in ("report.pdf (a PDF document)", "data/a.csv (a text", "link (a symbolic link)", "pipe (a named pipe)"):
        assert name in notes
    assert "old/toy.ipynb was ignored" in notes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "it contains: nothing; submit toy.ipynb and answers.py"),
        ({"._toy.ipynb": "x", ".ipynb_checkpoints/toy.ipynb": "x"}, "it contains: nothing but hidden files; submit"),
        ({"a.pdf": "%PDF"}, r"it contains: a.pdf \(a PDF document\); submit toy.ipynb and answers.py"),
        ({f"{at}.pdf": "%PDF" for at in range(8)}, r"4.pdf \(a PDF document\) and 3 more; submit"),
        ({"b/c/a.txt": "my answers"}, r"it contains: b/c/a.txt \(a text file, neither a notebook nor a module\)"),
        ({"toy.ipynb": "%PDF"}, "^toy.ipynb is n"),
        ({"toy.ipynb": "%PDF", "b.ipynb": "%PDF"}, "^toy.ipynb is n.*; b.ipynb is n"),
    ],
)
def test_a_folder_that_cannot_be_graded_says_what_it_contains_and_what_to_submit(place, toy, files, message):
    with pytest.raises(UnreadableSubmission, match=message):
        read(place(files), toy)


def test_a_link_to_a_folder_is_not_followed(place, plain, tmp_path):
    place({"other/toy.ipynb": RIGHT})
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(UnreadableSubmission, match="link is a symbolic link; submit the file or folder itself"):
        read(tmp_path / "link", plain)


def test_a_folder_named_like_the_notebook_is_looked_into(place, plain):
    assert origin(place({"toy.ipynb/toy.ipynb": RIGHT}), plain) == RIGHT.strip()


def test_what_is_looked_at_is_bounded_and_it_is_said(tmp_path):
    for at in range(MAX_ENTRIES + 5):
        (tmp_path / f"{at}").mkdir()
    assert f"more than {MAX_ENTRIES} entries: the rest was not looked at" in list_folder(tmp_path).others
    deep = tmp_path.joinpath("0", *"abcdefghij")
    deep.mkdir(parents=True)
    assert f"more than {MAX_DEPTH} folders deep: not looked at" in list_folder(tmp_path / "0").others[0]


@pytest.mark.parametrize(
    ("name", "wanted", "like"),
    [
        ("captioning (1).py", "captioning.py", True),
        ("First_captioning-1.py", "captioning.py", True),
        ("caption.py", "captioning.py", False),
        ("lab1_vgg16_First_Last.ipynb", "lab1_vgg16.ipynb", True),
        ("4711_Lab1-VGG16-2.ipynb", "lab1_vgg16.ipynb", True),
        ("lab2.ipynb", "lab1_vgg16.ipynb", False),
    ],
)
def test_names_that_are_like_the_labs(tmp_path, name, wanted, like):
    assert is_like(tmp_path / name, wanted) is like


@settings(max_examples=100, derandomize=True, deadline=None)
@given(names=st.lists(st.text("aB1²٣ ()é", max_size=5), max_size=6, unique=True))
def test_names_are_sorted_in_one_order(names):
    assert sorted(names, key=natural_key) == sorted(set(names), key=natural_key)


NAMES = st.sampled_from(["toy", "toy (1)", "answers", "answers-1", "x", "sub/toy", "toy/a", "toy/answers"])
ENDINGS = st.sampled_from([".ipynb", ".ipynb.txt", ".py", ".PY", ".pdf", ".txt", ".zip"])


NOTEBOOK = writes(new_notebook(cells=[new_code_cell(RIGHT)]))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(names=st.sets(st.tuples(NAMES, ENDINGS).map("".join), min_size=1, max_size=6))
def test_every_file_of_a_folder_is_graded_or_named(toy, tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("student")
    for name in sorted(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(NOTEBOOK if ".ipynb" in name else RIGHT)
    try:
        said = " ".join(read(folder, toy).notes)
    except UnreadableSubmission as error:
        said = str(error)
    unsaid = [name for name in names if name not in said]
    code = [name for name in names if ".ipynb" in name or name.lower().endswith(".py")]
    assert unsaid == [] or unsaid == code
