"""Notebook files: cleaned to valid ones, or refused in plain words."""

from __future__ import annotations

import gzip
import json

import nbformat
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes

from captionlab.grading.notebooks import answer_of, load_notebook
from captionlab.grading.submitted_file import MAX_BYTES, UnreadableSubmission

RIGHT = "def add(a, b):\n    return a + b"


def load(folder, content):
    """What is read of a notebook file with this content: bytes, a text, or what JSON can express."""
    path = folder / "lab.ipynb"
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    return load_notebook(path)


def sources(loaded, kind="code"):
    return [cell.source for cell in loaded.notebook.cells if cell.cell_type == kind]


def nbgrader(name, **more):
    return {"nbgrader": {"grade_id": name, "solution": True, "grade": False, "schema_version": 3, **more}}


def cells(*found, **more):
    return {"cells": list(found), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def code(source=RIGHT, **more):
    return {"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": [], **more}


VALID = writes(new_notebook(cells=[new_code_cell(RIGHT)]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        ("hello", "it starts with 'hello', JSON was expected"),
        (VALID[:80], "it was cut off: it ends in line"),
        (VALID[: VALID.index("null") + 2], "it was cut off: it ends in line"),
        (VALID.rstrip()[:-1], "it was cut off: it ends in line"),
        (
            VALID.replace(",\n", "\n", 1),
            "its JSON is broken in line 5: a comma was expected, found '\"execution_count\": n'",
        ),
        (VALID + VALID, f"it goes on after its end, in line {VALID.count(chr(10)) + 1}"),
        ("{\n<<<<<<< HEAD\n" + VALID[1:], "line 2 is a conflict marker of git (<<<<<<< HEAD); resolve"),
        (VALID.replace("\n", "\r\n=======\r\n", 1), "line 2 is a conflict marker of git (=======)"),
        (str(json.loads(VALID)), "it has single quotes, as Python prints a dict; JSON was expected"),
        ("import torch\n" + RIGHT, "it is Python code, JSON was expected; rename it to end in .py"),
        ("\n<!DOCTYPE html><html>", "it is a web page"),
        ("<html><body>Please log in", "it is a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0", "it is a pointer of Git LFS"),
        ("[" * 100_000, "its JSON is nested too deeply"),
        (gzip.compress(VALID.encode()), "a gzip archive: unpack it"),
        (b"PK\x03\x04...", "a zip archive: unpack it"),
        (b"%PDF-1.5\n\x00\xff", "a PDF document"),
        (b"\xff\xfe\x00", "not UTF-16-LE text"),
        (VALID.replace("add", "caf\xe9").encode("latin-1"), "(byte "),
        (VALID.replace("add", "caf\xe9").encode("latin-1"), " is 0xe9, in line "),
        (VALID.encode() + b"\0" * 300, "contains a zero byte"),
        ([1, 2], "it has no list of cells"),
        ({}, "it has no list of cells (it has nothing)"),
        (None, "it has no list of cells"),
        ({"nbformat": 99}, "it has no list of cells (it has 'nbformat')"),
        (cells(3, 4), "it has no list of cells (it has 'cells', "),
        (cells(code(), nbformat=5), "it is in format 5, the newest known is 4"),
        ({"name": "lab.ipynb", "content": "e30=", "encoding": "base64"}, "GitHub's description of a file"),
        ({"url": "https://docs.google.com/open?id=1", "doc_id": "1"}, "a link to Google Drive"),
    ],
)
def test_what_is_no_notebook_is_named(tmp_path, content, reason):
    with pytest.raises(UnreadableSubmission) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    assert message.startswith("lab.ipynb ")
    assert reason in message
    assert "\n" not in message
    assert len(message) < 250
    for inner in ("NoneType", "KeyError", "Error", "Expecting", "traceback", "delimiter"):
        assert inner not in message


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "lab.ipynb").open("wb") as file:
        file.truncate(MAX_BYTES + 10**6)  # sparse: takes no room
    with pytest.raises(UnreadableSubmission, match=rf"has {MAX_BYTES // 10**6 + 1} MB; .*Clear the outputs"):
        load_notebook(tmp_path / "lab.ipynb")


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + VALID,
        VALID.encode("utf-16"),
        VALID.encode("utf-16-le"),
        VALID.encode("utf-8-sig"),
        VALID.replace("\n", "\r\n"),
        json.dumps(VALID),
        {"type": "notebook", "format": "json", "path": "lab.ipynb", "content": json.loads(VALID)},
        [json.loads(VALID)],
        cells(code(), metadata={"colab": float("nan")}),
        cells(code(outputs=[{"data": {"application/json": float("inf")}}])),
        VALID.replace("null", "9" * 5000),
        VALID.replace('"metadata": {}', '"metadata": {"a": "\t"}', 1),
    ],
    ids=range(12),
)
def test_a_notebook_in_an_odd_encoding_or_wrapping_is_read(tmp_path, content):
    assert sources(load(tmp_path, content)) == [RIGHT]


ODD_CELLS = {
    "id null": code(id=None),
    "no id": {key: value for key, value in code().items() if key != "id"},
    "id with #": code(id="scrollTo=a#b"),
    "id too long": code(id="x" * 65),
    "id number": code(id=7),
    "metadata null": code(metadata=None),
    "metadata list": code(metadata=["x"]),
    "nbgrader null": code(metadata={"nbgrader": None}),
    "nbgrader list": code(metadata={"nbgrader": [1]}),
    "grade_id null": code(metadata=nbgrader(None)),
    "grade_id with #": code(metadata=nbgrader("add#1")),
    "source list": code(RIGHT.splitlines(keepends=True)),
    "source list without line ends": code(RIGHT.split("\n")),
    "source list of letters": code(list(RIGHT)),
    "outputs null": code(outputs=None),
    "outputs malformed": code(outputs=[{"output_type": "stream", "name": 3}, None, "text"]),
    "no outputs": {"cell_type": "code", "source": RIGHT},
    "execution_count text": code(execution_count="3"),
    "cell_type in capitals": code(cell_type="Code"),
    "cell_type unknown": code(cell_type="sql"),
    "cell_type null": {"cell_type": None, "source": RIGHT},
    "attachments null": code(attachments=None),
    "collapsed text": code(metadata={"collapsed": "yes", "scrolled": 3, "tags": "a,b", "jupyter": None}),
    "unknown keys": code(level=3, language="python", prompt_number="x"),
    "of format 3": {"cell_type": "code", "input": RIGHT, "language": "python", "collapsed": False, "prompt_number": 1},
    "of format 1": {"cell_type": "code", "code": RIGHT},
}


@pytest.mark.parametrize("kind", ODD_CELLS)
def test_odd_cells_are_read_and_mended(tmp_path, kind):
    loaded = load(tmp_path, cells(code("x = 1"), ODD_CELLS[kind], new_markdown_cell("text", id="a")))
    nbformat.validate(loaded.notebook)
    assert sources(loaded) == ["x = 1", RIGHT]
    assert len({cell.id for cell in loaded.notebook.cells}) == 3
    assert loaded.notes == []


@pytest.mark.parametrize("source", [None, 5, {}, [None, 3, {}]])
def test_a_source_that_is_no_text_is_no_fault(tmp_path, source):
    nbformat.validate(load(tmp_path, cells(code(source))).notebook)


def test_half_an_emoji_is_replaced_and_a_divided_one_is_joined(tmp_path):
    loaded = load(tmp_path, cells(code("x = '\ud83d'"), code(["# 2\n", "y = '\ud83d", "\ude00'"])))
    assert sources(loaded) == ["x = '\ufffd'", "# 2\ny = '\U0001f600'"]
    nbformat.writes(loaded.notebook).encode()


@pytest.mark.parametrize("metadata", [None, [], "x", {"kernelspec": None}, {"language_info": {}}, {"captionlab": 3}])
def test_the_notebooks_own_metadata_may_be_malformed(tmp_path, metadata):
    nbformat.validate(load(tmp_path, cells(code(), metadata=metadata)).notebook)


def test_metadata_that_nothing_reads_are_left_out(tmp_path):
    metadata = {
        "widgets": {"application/vnd.jupyter.widget-state+json": {"version": 2}},
        "captionlab": {"lab": "toy"},
        "language_info": {"name": "python", "version": "3.12.1", "codemirror_mode": 3},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    assert load(tmp_path, cells(code(), metadata=metadata)).notebook.metadata == {
        "captionlab": {"lab": "toy"},
        "language_info": {"name": "python", "version": "3.12.1"},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }


def test_several_worksheets_are_one_notebook(tmp_path):
    sheets = [{"cells": [ODD_CELLS["of format 3"]]}, {"cells": [{"cell_type": "heading", "level": 2, "source": "Top"}]}]
    loaded = load(tmp_path, {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": sheets})
    assert [cell.source for cell in loaded.notebook.cells] == [RIGHT, "## Top"]
    nbformat.validate(loaded.notebook)


def test_what_is_no_cell_does_not_change_the_numbers_of_the_others(tmp_path):
    loaded = load(tmp_path, cells(None, code()))
    assert [cell.cell_type for cell in loaded.notebook.cells] == ["raw", "code"]


def answers(loaded):
    """The sources of the answer cells of ``add``."""
    return [cell.source for cell in loaded.notebook.cells if answer_of(cell) == "add"]


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        (["import math", RIGHT], RIGHT),
        ([RIGHT, "print(add(1, 2))"], RIGHT),
        ([RIGHT, "def add(a, b):\n    return b + a"], "def add(a, b):\n    return b + a"),
        ([RIGHT, ""], RIGHT),
        (["x = 1", "y = 2"], "y = 2"),
        (["x = 1", ""], "x = 1"),
    ],
)
def test_of_split_or_copied_answer_cells_the_one_that_defines_the_answer_keeps_the_name(tmp_path, parts, kept):
    loaded = load(tmp_path, cells(*(code(part, metadata=nbgrader("add")) for part in parts)))
    assert answers(loaded) == [kept]
    assert sources(loaded) == parts


def test_of_copied_check_cells_the_last_keeps_the_name(tmp_path):
    check = nbgrader("add-check", solution=False, grade=True, points=2)
    loaded = load(tmp_path, cells(*(code(f"check({at})", metadata=check) for at in (1, 2)), code("", metadata=check)))
    kept = [cell.source for cell in loaded.notebook.cells if cell.metadata.get("nbgrader")]
    assert kept == ["check(2)"]


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_cell_that_became_text_by_a_slip_is_code_again(tmp_path, kind):
    slipped = {"cell_type": kind, "metadata": nbgrader("add"), "source": RIGHT, "id": "a"}
    loaded = load(tmp_path, cells(slipped, code("x = 1")))
    assert sources(loaded) == [RIGHT, "x = 1"]
    assert loaded.notes == ["cell 1, the answer cell of add, is a text cell: it is read as code"]
    nbformat.validate(loaded.notebook)


def test_an_answer_cell_stays_text_where_the_answer_was_moved(tmp_path):
    slipped = {"cell_type": "markdown", "metadata": nbgrader("add"), "source": "def add(a, b): return 0"}
    loaded = load(tmp_path, cells(slipped, code()))
    assert sources(loaded) == [RIGHT]
    assert loaded.notes == []


def test_a_written_answer_that_became_code_is_text_again(tmp_path):
    written = nbgrader("why", grade=True, points=3, cell_type="markdown")
    loaded = load(tmp_path, cells(code("Because.", metadata=written)))
    assert sources(loaded, "markdown") == ["Because."]


def test_pictures_in_written_answers_are_kept(tmp_path):
    held = {"a.png": {"image/png": "AAAA", "text/html": None}, "b": None, "c": {"image/png": 3}}
    cell = {"cell_type": "markdown", "source": "![](attachment:a.png)", "attachments": held}
    loaded = load(tmp_path, cells(cell))
    assert loaded.notebook.cells[0].attachments == {"a.png": {"image/png": "AAAA"}}
    nbformat.validate(loaded.notebook)


@pytest.mark.parametrize(
    "forged",
    [
        {"points": "many"},
        {"points": -1},
        {"points": True},
        {"points": float("nan")},
        {"locked": "yes", "schema_version": "3"},
        {"schema_version": 99, "extra": {}},
        {"checksum": 5, "cell_type": "sql"},
        {"task": None},
    ],
)
def test_forged_metadata_of_nbgrader_become_valid_ones(tmp_path, forged):
    from nbgrader.nbgraderformat import MetadataValidator

    loaded = load(tmp_path, cells(code(metadata=nbgrader("add-check", grade=True, solution=False, **forged))))
    assert loaded.notebook.cells[0].metadata.nbgrader.grade_id == "add-check"
    MetadataValidator().validate_nb(loaded.notebook)


@pytest.mark.parametrize("version", [0, 1, 2, None])
def test_metadata_of_older_versions_of_nbgrader_are_understood(tmp_path, version):
    older = {"grade_id": "add", "solution": True, "schema_version": version}
    loaded = load(tmp_path, cells(code(metadata={"nbgrader": {k: v for k, v in older.items() if v is not None}})))
    assert answers(loaded) == [RIGHT]


# --- arbitrary notebooks ---

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70),
    st.floats(),
    st.text(st.characters(codec=None, categories=None), max_size=5),
    st.sampled_from(["code", "markdown", "raw", "add", "x#y", RIGHT, "\ud83d", "true", "a" * 70]),
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def objects(*names):
    """Objects with some of these keys, or anything else."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, ANYTHING))


NBGRADER = objects(
    "grade_id", "grade", "solution", "locked", "task", "points", "cell_type", "checksum", "schema_version"
)
CELL_METADATA = st.fixed_dictionaries({}, optional={"nbgrader": NBGRADER | ANYTHING, "tags": ANYTHING})
CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "heading"]) | ANYTHING,
        "id": ANYTHING,
        "metadata": CELL_METADATA | ANYTHING,
        "source": st.lists(st.text(max_size=4), max_size=3) | ANYTHING,
        "attachments": st.dictionaries(st.text(max_size=3), ANYTHING, max_size=2) | ANYTHING,
        **dict.fromkeys(("outputs", "execution_count", "input", "level"), ANYTHING),
    },
)
METADATA = objects("kernelspec", "language_info", "captionlab", "widgets", "orig_nbformat", "authors", "title")
NOTEBOOK = st.fixed_dictionaries(
    {"cells": st.lists(CELL | ANYTHING, max_size=5)},
    optional={"metadata": METADATA | ANYTHING, "nbformat": ANYTHING, "nbformat_minor": ANYTHING},
)


@settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(NOTEBOOK | ANYTHING)
@example(cells({"cell_type": "markdown", "metadata": nbgrader("add", grade=True, points=1e400), "id": "\ud83d"}))
def test_any_json_is_a_valid_notebook_or_refused(tmp_path, content):
    try:
        loaded = load(tmp_path, json.dumps(content))
    except UnreadableSubmission:
        return
    nbformat.validate(loaded.notebook)
    nbformat.writes(loaded.notebook).encode()
    assert loaded == load(tmp_path, json.dumps(content))
    again = load(tmp_path, nbformat.writes(loaded.notebook))
    assert again.notebook == loaded.notebook
    read = [cell.source for cell in loaded.notebook.cells]
    for cell in content["cells"] if isinstance(content, dict) and isinstance(content.get("cells"), list) else []:
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and isinstance(cell.get("source"), str):
            source = cell["source"].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            assert source in read
