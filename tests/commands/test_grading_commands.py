"""``captionlab grade``, ``check``, ``labs`` and help, as users meet them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook, writes

from captionlab.cli import main
from captionlab.commands.check import Target, find_targets
from captionlab.exercises import LABS, UnknownName, lab_name, load_lab
from captionlab.grading.finding import find_submissions

RIGHT = (
    "def conv_output_size(size, kernel, stride=1, padding=0):\n"
    "    if size + 2 * padding < kernel:\n        raise ValueError('does not fit')\n"
    "    return (size + 2 * padding - kernel) // stride + 1\n"
)


def invoke(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder with a known secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAPTIONLAB_SECRET", "of the test")


def test_help_does_not_import_torch():
    code = "import sys; from captionlab.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run([sys.executable, "-c", code + "print(sorted(sys.modules))"], capture_output=True, text=True)
    assert "Usage" in done.stdout
    for heavy in ("'torch'", "'numpy'", "'nbformat'", "'rich'"):
        assert heavy not in done.stdout


@pytest.mark.parametrize("command", ["build", "check", "demo", "experiment", "grade", "labs"])
def test_every_command_has_help(command):
    done = invoke(command, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("grade", ".", "--lab", "lab1_vg16"), "there is no lab 'lab1_vg16'; did you mean 'lab1_vgg16'?"),
        (("grade", "absent", "--lab", "lab1"), "absent not found"),
        (("grade", ".", "--lab", "lab1"), "no submissions in"),
        (("check", "lab1"), "or name yours: captionlab check lab1_vgg16 PATH"),
        (("check", "lab1", "absent.ipynb"), "absent.ipynb not found"),
        (("check", "absent.ipynb"), "absent.ipynb not found"),
        (("check", "lab"), "'lab' could be any of lab1_vgg16"),
        (("check", "conv_output_sise"), "no lab, exercise or file 'conv_output_sise'; did you mean 'conv_output_size'"),
        (("check", "lab1", "-e", "softmaxx"), "did you mean 'softmax'?"),
        (("frade",), "No such command"),
    ],
)
def test_mistakes_get_one_line_and_a_status(arguments, message):
    done = invoke(*arguments)
    assert done.exit_code != 0
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("paths", [("absent",), (".", "absent"), ("ada.py", "absent", "gone")])
def test_a_path_that_is_missing_is_one_error_and_nothing_is_graded(paths):
    Path("ada.py").write_text(RIGHT)
    done = invoke("grade", *paths, "--lab", "lab1", "--out", "out")
    assert done.exit_code == 1
    missing = ", ".join(path for path in paths if path not in (".", "ada.py"))
    assert done.output == f"Error: {missing} not found: expected notebooks, modules or folders of submissions\n"
    assert not Path("out").exists()


def test_where_nothing_could_be_read_the_status_says_so_and_reports_are_kept():
    Path("ada.ipynb").write_text("no notebook")
    Path("bob").mkdir()
    done = invoke("grade", ".", "--lab", "lab1", "--out", "out")
    assert done.exit_code == 1
    assert "ada.ipynb is not a notebook: it starts with 'no notebook'" in done.output
    rows = list(csv.DictReader(Path("out/lab1_vgg16/grades.csv").open()))
    assert [(row["student_id"], row["score"]) for row in rows] == [("ada", "0"), ("bob", "0")]


def test_grade_writes_gradebook_verdicts_and_feedback():
    Path("=cmd.py").write_text("x = 1")
    Path("ada.py").write_text(RIGHT)
    Path("<b>bob.py").write_text(RIGHT.replace("//", "/"))
    Path("broken.ipynb").write_bytes(b"\xff\xfe")
    done = invoke("grade", ".", "--lab", "lab1", "--out", "out", "--jobs", "2")
    assert done.exit_code == 0, done.output
    lab = load_lab("lab1")
    rows = {row["student_id"]: row for row in csv.DictReader(Path("out/lab1_vgg16/grades.csv").open())}
    assert list(rows["ada"]) == ["student_id", "lab", "score", "max_score", *lab.exercises]
    assert float(rows["ada"]["conv_output_size"]) == lab.exercises["conv_output_size"].points
    assert float(rows["ada"]["max_score"]) == lab.max_points
    assert "'=cmd" in rows
    verdicts = json.loads(Path("out/lab1_vgg16/verdicts.json").read_text())
    first = next(one for one in verdicts if one["student_id"] == "<b>bob")["verdicts"][0]
    assert set(first) == {"exercise", "points", "max_points", "outcome", "misconceptions", "message"}
    assert first["outcome"] in ("partial", "wrong")
    pages = sorted(path.name for path in Path("out/lab1_vgg16/feedback").iterdir())
    assert len(pages) == 4
    page = Path("out/lab1_vgg16/feedback/_b_bob.html").read_text()
    assert "&lt;b&gt;bob" in page
    assert "<b>bob" not in page


def test_the_same_submissions_give_the_same_bytes():
    Path("ada.py").write_text(RIGHT)
    Path("bob.py").write_text("def softmax(logits):\n    return logits.exp() / logits.exp().sum(-1, keepdim=True)\n")
    written = []
    for jobs in (1, 2):
        assert invoke("grade", ".", "--lab", "lab1", "--out", f"../out{jobs}", "--jobs", jobs).exit_code == 0
        files = sorted(path for path in Path(f"../out{jobs}").rglob("*") if path.is_file())
        written.append([path.read_bytes() for path in files])
    assert written[0] == written[1]


def test_grading_makes_a_secret(monkeypatch):
    monkeypatch.delenv("CAPTIONLAB_SECRET")
    Path("ada.ipynb").write_text("no notebook")  # nothing runs
    assert invoke("grade", "ada.ipynb", "--lab", "lab1", "--out", "out").exit_code == 1
    assert len(Path(".captionlab/secret").read_text().strip()) == 64


def test_reports_are_not_taken_for_submissions():
    Path("ada.py").write_text(RIGHT)
    done = invoke("grade", ".", "--lab", "lab1", "--format", "csv")
    assert done.exit_code == 0, done.output
    assert [file.student for file in find_submissions([Path(".")], load_lab("lab1"))] == ["ada"]
    assert sorted(path.name for path in Path("grades/lab1_vgg16").iterdir()) == ["grades.csv", "verdicts.json"]


def test_check_shows_the_hint_and_says_hidden_seeds_remain():
    Path("me.py").write_text(RIGHT.replace("return (", "return -(-(").replace("stride + 1", "stride) + 1"))
    done = invoke("check", "lab1", "me.py", "-e", "conv_output_size")
    assert done.exit_code == 1
    assert "expected" in done.output
    assert "hidden seeds" in done.output


def notebook(source: str, lab: str = "lab1_vgg16") -> str:
    return writes(new_notebook(cells=[new_code_cell(source)], metadata={"captionlab": {"lab": lab}}))


def test_check_of_a_right_exercise():
    Path("work/lab1_vgg16").mkdir(parents=True)
    Path("work/lab1_vgg16/lab1_vgg16.ipynb").write_text(notebook(RIGHT))
    done = invoke("check", "conv_output_size")
    assert done.exit_code == 0, done.output
    assert "✔ conv_output_size" in done.output
    assert "2 of 2 points" in done.output


@pytest.mark.parametrize(
    ("what", "path", "only"),
    [
        ("conv_output_size", None, ()),
        ("conv_output_size", "work/lab1_vgg16", ()),
        ("conv_output_size", None, ("softmax",)),
        ("work/lab1_vgg16/lab1_vgg16.ipynb", None, ()),
        ("work/lab1_vgg16", None, ()),
        ("work", None, ("conv_output_size",)),
        (".", None, ()),
        ("lab1", None, ("conv_output_size",)),
        ("1", "work", ()),
    ],
)
def test_check_takes_an_exercise_a_path_or_a_lab(what, path, only):
    folder = Path("." if what == "." else "work/lab1_vgg16")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab1_vgg16.ipynb").write_text(notebook(RIGHT))
    (target,) = find_targets(what, path and Path(path), only)
    exercises = (what, *only) if what == "conv_output_size" else only
    assert (target.lab, target.exercises) == (load_lab("lab1"), exercises or None)
    assert target.path.exists()


@pytest.mark.parametrize(
    ("what", "lab"),
    [("LAB1", 0), ("1", 0), ("vgg", 0), ("lab1_vgg16", 0), ("bees", 2), ("Ants", 2), ("captioning", 3), ("scene", 1)],
)
def test_a_lab_is_found_by_number_word_or_prefix(what, lab):
    assert find_targets(what, Path("."), ()) == [Target(load_lab(LABS[lab]), Path("."), None)]


def test_a_path_is_checked_for_the_labs_it_answers():
    Path("mine.py").write_text(RIGHT + "def tokenize(text):\n    return text\n")
    Path("lab2_scenes.ipynb").write_text(notebook(RIGHT, "lab2_scenes"))
    assert [target.lab.name for target in find_targets("mine.py", None, ())] == ["lab1_vgg16", "lab4_captioning"]
    assert [target.lab.name for target in find_targets("lab2_scenes.ipynb", None, ())] == ["lab2_scenes"]
    Path("nothing.py").write_text("x = 1")
    assert "nothing.py answers no exercise of lab1_vgg16" in invoke("check", "nothing.py").output


def test_the_module_next_to_a_notebook_is_checked_with_it():
    for folder in (Path("."), Path("work/lab4_captioning")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lab4_captioning.ipynb").write_text(notebook("x = 1", "lab4_captioning"))
        (folder / "captioning.py").write_text("def tokenize(text):\n    return text\n")
    (target,) = find_targets("tokenize", None, ())
    assert (target.path, target.exercises) == (Path("work/lab4_captioning"), ("tokenize",))
    (target,) = find_targets("lab4_captioning.ipynb", None, ())
    assert target.path == Path(".")


def test_no_exercise_has_the_name_of_a_lab():
    for exercise in (name for lab in LABS for name in load_lab(lab).exercises):
        with pytest.raises(UnknownName):
            lab_name(exercise)


def test_labs_lists_the_exercises():
    done = invoke("labs")
    assert "conv_output_size" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("name", LABS)
def test_the_demonstration_recognizes_every_misconception(name, monkeypatch):
    """A class with all of them, graded from notebooks."""
    monkeypatch.delenv("CAPTIONLAB_SECRET")
    lab, made = load_lab(name), Path("demo") / name
    done = invoke("demo", "--lab", name, "--out", "demo")
    assert done.exit_code == 0, done.output
    assert f"{made}/grades.csv" in done.output
    graded = {one["student_id"]: one for one in json.loads((made / "verdicts.json").read_text())}
    assert len(list((made / "feedback").iterdir())) == len(graded)
    assert not Path(".captionlab").exists()
    assert graded["all-right"]["score"] == lab.max_points, graded["all-right"]
    assert graded["not-begun"]["score"] == 0
    assert graded["endless-loop"]["verdicts"][0]["outcome"] == "timeout"
    assert "SystemExit" in graded["calls-exit"]["verdicts"][0]["message"]
    assert any("not valid Python" in note for note in graded["broken-cell"]["notes"])
    seen = {
        (verdict["exercise"], name)
        for one in graded.values()
        for verdict in one["verdicts"]
        for name in verdict["misconceptions"]
    }
    every = {(one.name, name) for one in lab.exercises.values() for name in one.misconceptions}
    assert seen == every


def test_what_is_no_submission_is_listed_and_what_is_one_is_graded_whatever_its_ending():
    Path("in/s4").mkdir(parents=True)
    Path("in/s4/report.pdf").write_bytes(b"%PDF")
    for name in ("s1.ipynb", "s2.ipynb.json", "s3.ipynb.txt"):
        Path("in", name).write_text(notebook(RIGHT))
    for at in range(25):
        Path(f"in/other{at}.pdf").write_bytes(b"%PDF")
    done = invoke("grade", "in", "--lab", "lab1", "--out", "out", "--format", "csv")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(Path("out/lab1_vgg16/grades.csv").open()))
    assert [(row["student_id"], row["score"]) for row in rows] == [("s1", "2"), ("s2", "2"), ("s3", "2"), ("s4", "0")]
    assert "it contains: report.pdf (a PDF document); submit lab1_vgg16.ipynb" in " ".join(done.output.split())
    assert "not read: other0.pdf: a PDF document" in done.output
    assert "5 more files were not read: see not_read.json" in done.output
    unread = json.loads(Path("out/lab1_vgg16/not_read.json").read_text())
    assert unread[24] == {"name": "other24.pdf", "reason": "a PDF document"}
    for path in Path("in").glob("*.pdf"):
        path.unlink()
    assert invoke("grade", "in", "--lab", "lab1", "--out", "out", "--format", "csv").exit_code == 0
    assert not Path("out/lab1_vgg16/not_read.json").exists()


def test_only_the_first_notes_of_a_student_are_printed():
    from captionlab.commands.terminal import remarks
    from captionlab.grading.pipeline import GradeReport

    lines = list(remarks([GradeReport("ada", "toy", [], [f"note {at}" for at in range(9)], "empty")], ()))
    assert lines == ["ada: empty", *(f"ada: note {at}" for at in range(5)), "ada: 4 more notes: see verdicts.json"]


@pytest.mark.parametrize("name", ["mine.ipynb.txt", "mine.ipynb (1)", "mine.json", "MINE.IPYNB"])
def test_check_takes_a_notebook_whatever_its_ending(name):
    Path(name).write_text(notebook(RIGHT))
    (target,) = find_targets(name, None, ())
    assert (target.lab.name, target.path) == ("lab1_vgg16", Path(name))


def test_check_says_what_a_file_is_that_it_cannot_read():
    Path("mine.pdf").write_bytes(b"%PDF")
    assert "it is a PDF document; expected a notebook (.ipynb)" in invoke("check", "mine.pdf").output
    Path("mine.ipynb").write_text("hello")
    assert "it starts with 'hello'" in invoke("check", "mine.ipynb").output


def test_check_follows_a_link_to_a_folder():
    Path("elsewhere").mkdir()
    Path("elsewhere/lab1_vgg16.ipynb").write_text(notebook(RIGHT))
    Path("link").symlink_to("elsewhere")
    (target,) = find_targets("./link", None, ())
    assert target.path == Path("elsewhere").resolve()
