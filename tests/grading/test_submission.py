"""Reading submissions: definitions, magics, broken cells, and files that are not notebooks."""

from __future__ import annotations

import json
import os

import nbformat
import pytest

from captionlab.grading.finding import find_submissions
from captionlab.grading.pipeline import Grader
from captionlab.grading.reader import answered_labs, read_submission
from captionlab.grading.submitted_file import MAX_BYTES, SubmissionFile, UnreadableSubmission
from captionlab.instructor import class_record, export


@pytest.fixture
def read(toy):
    return lambda path: read_submission(SubmissionFile("someone", path), toy)


def test_a_broken_cell_is_named_and_the_rest_is_kept(submit):
    submission = submit("def add(a, b:\n  pass", "def add(a, b):\n    return a + b")
    assert submission.defining("add").origin == "cell 2"
    assert submission.notes == [submission.notes[0]]
    assert "cell 1 is not valid Python (line 1" in submission.notes[0]


@pytest.mark.parametrize(
    "cell",
    [
        "%matplotlib inline\n!pip install something\ndef add(a, b):\n    return a + b\nadd?",
        "%%time\ndef add(a, b):\n    return a + b",
        "files = !ls\ndef add(a, b):\n    return a + b",
        "def add(a, b):\n    total = (a\n             + b\n             % 10**9)\n    return total",
    ],
)
def test_magics_are_tolerated(submit, cell):
    submission = submit(cell)
    assert submission.notes == []
    assert submission.defining("add")
    kept = submission.program("add")[0]
    import ast

    body = ast.parse(kept["code"]).body
    assert all("get_ipython" not in ast.unparse(body[step["at"]]) for step in kept["steps"])


def test_a_cell_in_another_language_is_left_out(submit):
    assert "cell 1 is not valid Python (line 1: it begins with %%bash)" in submit("%%bash\nrm -rf something").notes[0]


def test_only_definitions_are_taken_from_cells_that_do_not_answer(submit):
    submission = submit(
        "import math\nSIZE = 3\nMEAN = (0.1, -2)\nslow = math.factorial(10)\nprint(slow)\nclass A: pass"
    )
    assert submission.chunks[0].definitions == {0, 1, 2, 5}


def test_the_last_of_two_definitions_counts_and_it_is_said(submit):
    submission = submit("def add(a, b): return 1", "def add(a, b): return 2")
    assert submission.defining("add").origin == "cell 2"
    assert submission.binding_notes(["add"]) == [
        "add is defined in cell 1 and again in cell 2: the last definition counts"
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "not a notebook: it starts with 'hello'"),
        (b"", "it is empty"),
        (b"[1, 2]", "not a notebook"),
        (b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not a notebook"),
        (b'{"nbformat": 99}', "not a notebook"),
        (b"\xff\xfe\x00caf\xe9", "save it as UTF-8"),
        (b'{"cells": [' * 100_000, "not a notebook"),
    ],
)
def test_files_that_are_no_notebooks(read, tmp_path, content, reason):
    path = tmp_path / "toy.ipynb"
    path.write_bytes(content)
    with pytest.raises(UnreadableSubmission, match=r"toy\.ipynb") as caught:
        read(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read(read, tmp_path):
    path = tmp_path / "toy.ipynb"
    with path.open("wb") as file:
        file.truncate(10**9)  # sparse: takes no room
    with pytest.raises(UnreadableSubmission, match=rf"1000 MB; the limit is {MAX_BYTES // 10**6} MB"):
        read(path)


def test_links_and_other_files_are_refused(read, tmp_path):
    (tmp_path / "other.py").write_text("def add(a, b): return a + b")
    (tmp_path / "link.py").symlink_to(tmp_path / "other.py")
    with pytest.raises(UnreadableSubmission, match="is a symbolic link"):
        read(tmp_path / "link.py")
    (tmp_path / "answers.txt").write_text("x")
    with pytest.raises(UnreadableSubmission, match="neither a notebook"):
        read(tmp_path / "answers.txt")


def test_an_old_notebook_is_converted(read, tmp_path):
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell("def add(a, b): return a + b")])]
    )
    path = tmp_path / "toy.ipynb"
    path.write_text(nbformat.v3.writes_json(old))
    assert read(path).defining("add")


def test_the_notebook_of_another_lab_is_refused(read, tmp_path, notebook_text):
    other = json.loads(notebook_text("def other(): ..."))
    other["metadata"]["captionlab"] = {"lab": "lab1_vgg16"}
    path = tmp_path / "toy.ipynb"
    path.write_text(json.dumps(other))
    with pytest.raises(UnreadableSubmission, match="notebook of lab1_vgg16, not of toy"):
        read(path)


def test_a_folder_with_notebook_and_module(read, tmp_path, notebook_text):
    (tmp_path / "toy.ipynb").write_text(notebook_text("def add(a, b): return 1", "def halves(n): return 1"))
    (tmp_path / "answers.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "scratch.py").write_text("x = 1")
    submission = read(tmp_path)
    assert submission.defining("add").origin == "module answers.py"
    assert submission.defining("halves").origin == "cell 2"
    assert any("definitions in the module take precedence" in note for note in submission.notes)
    assert any("scratch.py was ignored: only toy.ipynb and answers.py are graded" in note for note in submission.notes)


def test_an_empty_folder_says_so(read, tmp_path):
    with pytest.raises(UnreadableSubmission, match="it contains: nothing"):
        read(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(read, tmp_path):
    (tmp_path / "me.py").write_bytes(b"\xef\xbb\xbfdef add(a, b):\r\n    return a + b\r\n")
    submission = read(tmp_path / "me.py")
    assert submission.defining("add")
    assert submission.notes == []


@pytest.mark.parametrize(
    "code", ["x = " + "1+" * 20_000 + "1", "x = " + "(" * 5_000 + ")" * 5_000, "x = " + "-" * 100_000 + "1"]
)
def test_excessively_nested_code_affects_nothing_else(grader, tmp_path, notebook_text, code):
    (tmp_path / "toy.ipynb").write_text(notebook_text(code, "def add(a, b):\n    return a + b"))
    report = grader.grade_file(SubmissionFile("someone", tmp_path))
    assert report.verdicts[0].outcome == "right"


def test_a_notebook_of_many_cells_is_read_in_time_linear_in_them(submit):
    submission = submit(*(f"def helper{at}(): return {at}" for at in range(5000)), "def add(a, b): return 1")
    assert submission.defining("add").origin == "cell 5001"


def test_the_labs_that_a_submission_answers(toy, tmp_path, notebook_text):
    from captionlab.grading.exercise import Lab

    other = Lab("other", "Another lab", package="x")
    other.exercise("x:helper", points=1, minutes=1)(lambda helper, rng: iter(()))
    path = tmp_path / "toy.ipynb"
    path.write_text(notebook_text("def add(a, b): return 1", "def helper(): return 1"))
    assert answered_labs(path, [toy, other]) == [toy, other]
    stated = json.loads(path.read_text())
    stated["metadata"]["captionlab"] = {"lab": "toy"}
    path.write_text(json.dumps(stated))
    assert answered_labs(path, [toy, other]) == [toy]
    stated["cells"] = []
    path.write_text(json.dumps(stated))
    assert answered_labs(path, [toy, other]) == [toy]
    path.write_text(notebook_text("x = 1"))
    assert answered_labs(path, [toy, other]) == []


BAD = {
    "deep json": b'{"cells": [' * 100_000,
    "deep expression": "def add(a, b): return a + b\nx = a" + ".b" * 900,
    "magics": "!ls\n" * 600,
    "huge numbers": "def add(a, b): return [10 ** 400]",
    "surrogates": "def add(a=(_ for _ in ()).throw(ValueError(chr(0xd800))), b=1): pass",
    "odd literal": "x = 1" + "0" * 401 + " + 1j",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_submission_does_not_affect_another(toy, sandbox, tmp_path, notebook_text, kind):
    content = BAD[kind]
    for student, text in (("good", notebook_text("def add(a, b):\n    return a + b")), ("bad", content)):
        (tmp_path / "in" / student).mkdir(parents=True)
        text = text if isinstance(text, bytes) else (text if student == "good" else notebook_text(text)).encode()
        (tmp_path / "in" / student / "toy.ipynb").write_bytes(text)
    (tmp_path / "in" / os.fsdecode(b"zo\xff\x1b[31m" + "漢".encode() * 60)).mkdir()
    grader = Grader(toy, secret=b"s", make_sandbox=lambda lab, limits: sandbox)
    reports = grader.grade_all(find_submissions([tmp_path / "in"], toy))
    export(class_record(toy, reports), tmp_path / "out")
    assert len(list((tmp_path / "out" / "feedback").iterdir())) == 3
    assert {one.student: one.score for one in reports}["good"] == 2
    assert all("\x1b" not in one.student for one in reports)
