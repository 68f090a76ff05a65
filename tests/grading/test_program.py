"""What is graded of a submission: green in the notebook means points in the grade."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from captionlab.grading.reader import add_cells
from captionlab.grading.submission import Submission

RIGHT = "def add(a, b):\n    return a + b"
STUB = 'def add(a, b):\n    """Sum."""\n    raise NotImplementedError("write add")'


@pytest.fixture
def report(grader, submit):
    """Grade cells on ``add``."""
    return lambda *cells: grader.grade(submit(*cells), ["add"])


def is_right(report) -> bool:
    return report.verdicts[0].outcome == "right"


@pytest.mark.parametrize(
    "experiment",
    [
        "from operator import sub as add",
        "from operator import *\nimport operator as add",
        "add = print",
        "add = 3",
        "add = list(range(3))",
        "for add in range(3): pass",
        "with open('x') as add: pass",
        "if True:\n    add = 7",
        "class Other: pass\nadd = Other()",
        "import numpy as np\nadd, other = np.add, 2",
        "(add := 5)",
        "add: int = 4",
        "del add",
    ],
)
def test_the_name_of_an_exercise_used_again_below_costs_nothing(report, experiment):
    for cells in ((RIGHT, experiment), (RIGHT + "\n" + experiment,)):
        assert is_right(report(*cells)), cells


def test_a_name_bound_again_below_is_said(report):
    found = report(RIGHT, "from operator import sub as add")
    assert "add is bound again in cell 2: ignored, the definition in cell 1 counts" in found.notes


def test_names_bound_above_the_answer_are_not_bound_again_below(report):
    uses = "def add(a, b):\n    return scale * (a + b) + len([])"
    assert is_right(report("scale = 1", uses, "scale = 7"))
    assert is_right(report("import math", "def add(a, b):\n    return math.floor(a + b)", "math = None"))
    assert is_right(report(uses.replace("scale * ", ""), "len = 3\nfrom math import *"))
    assert is_right(report("from math import *", "def add(a, b):\n    return floor(a + b)", "def other(): pass"))


def test_a_star_import_below_does_not_replace_the_answers_helpers(report):
    helper = "def concat(a, b):\n    return a + b\ndef add(a, b):\n    return concat(a, b)"
    assert is_right(report(helper, "from operator import *"))


@pytest.mark.parametrize(
    "computed",
    [
        "import torch\ndevice = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\none = 1",
        "import re\ndevice = re.compile('x')\none = int('1')",
        "sizes = [224] * 2\none = sizes[0] // sizes[1]\ndevice = None",
        "from pathlib import Path\ndevice = Path('.') / 'data'\none = len(set('a'))",
        "device, one = dict(a=1), sum([1])",
        "import collections\nPair = collections.namedtuple('Pair', 'a b')\none, device = Pair(1, 2).a, 0",
        "TABLE = {}\nTABLE['one'] = 1\nTABLE.update(two=2)\none = TABLE['one']\ndevice = 0",
        "values = []\nfor i in range(3):\n    values.append(i)\none = values[1]\ndevice = 0",
        "with __import__('contextlib').suppress(ValueError):\n    one = int('1')\ndevice = 0",
        "if __name__ == '__main__':\n    print('begins')\n    one = 1\n    device = 0",
        "try:\n    one = int('x')\nexcept ValueError:\n    one = int('1')\ndevice = 0",
        "one = 0\none += 1\ndevice = 0",
        "(one := int('1'))\ndevice = 0",
    ],
)
def test_computed_names_are_found_as_the_kernel_found_them(report, computed):
    uses = "def add(a, b):\n    device\n    return one * (a + b)"
    assert is_right(report(computed, uses))
    assert is_right(report(uses, computed))  # a later cell
    assert is_right(report(computed + "\n" + uses))


def test_cells_that_were_run_in_another_order(report):
    uses = "def add(a, b):\n    return double - 2 + a + b"
    assert is_right(report("double = twice(1)", uses, "def twice(n):\n    return 2 * n"))
    base = "class Base:\n    def sum(self, a, b):\n        return a + b"
    assert is_right(report("class Adder(Base):\n    pass", "def add(a, b):\n    return Adder().sum(a, b)", base))


def test_imported_modules_are_not_called_again(report):
    uses = "import time\ndef add(a, b):\n    time.time()\n    return a + b\ntime.sleep(30)"
    assert is_right(report(uses))


def test_experiments_are_not_run(report):
    slow = "import time\ntime.sleep(30)\nresult = sum(add(i, 1) for i in range(10**9))\nprint(result)\nwhile True: pass"
    assert is_right(report(RIGHT + "\n" + slow))
    assert is_right(report(slow, RIGHT, slow))


def test_a_computed_name_that_takes_too_long_is_named_with_its_cell(report):
    found = report("for n in range(10**12):\n    table = n", "def add(a, b):\n    return a + b + 0 * table")
    assert is_right(found)  # what the loop had set by then
    found = report("def slow():\n    while True: pass", "table = slow()", "def add(a, b):\n    return table[a] + b")
    assert "table is computed in cell 2" in found.verdicts[0].message
    assert "cell 2, line 1: TooSlow: stopped after" in found.verdicts[0].example.got
    found = report("table = open('table.txt').read()", "def add(a, b):\n    return table[a] + b")
    assert "cell 1, line 1: FileNotFoundError" in found.verdicts[0].example.got


def test_a_slow_statement_that_catches_everything_is_stopped(report):
    swallowing = "while True:\n    try:\n        n = 0\n        while True: n += 1\n    except BaseException: found = n"
    assert report(swallowing, "def add(a, b):\n    return found + a + b").verdicts[0].outcome in ("timeout", "wrong")
    assert is_right(report(RIGHT))


def answer_cell(source: str, exercise: str = "add"):
    cell = new_code_cell(source)
    cell.metadata["nbgrader"] = {"grade_id": exercise, "solution": True, "grade": False}
    return cell


@pytest.mark.parametrize(
    ("cells", "counts"),
    [
        ([answer_cell(RIGHT), new_code_cell("def add(a, b):\n    return 1")], "cell 1"),
        ([new_code_cell("def add(a, b):\n    return 1"), answer_cell(RIGHT)], "cell 2"),
        ([answer_cell(STUB), new_code_cell(RIGHT)], "cell 2"),
        ([new_code_cell(RIGHT), answer_cell(STUB)], "cell 1"),
        ([answer_cell(RIGHT), answer_cell(RIGHT)], "cell 2"),  # a copy
        ([answer_cell("x = 1"), answer_cell(RIGHT)], "cell 2"),  # a cell that was split
        ([answer_cell("def other(): pass"), new_code_cell(RIGHT)], "cell 2"),
        ([answer_cell("my_add = lambda a, b: a + b\nadd = my_add"), new_code_cell("add = 3")], "cell 1"),
    ],
)
def test_of_several_definitions_the_answer_cells_counts(grader, cells, counts):
    submission = Submission("someone")
    add_cells(new_notebook(cells=cells), submission)
    assert submission.defining("add").origin == counts
    assert is_right(grader.grade(submission, ["add"]))


def test_which_definition_counts_is_said(report, grader):
    submission = Submission("someone")
    add_cells(new_notebook(cells=[answer_cell(RIGHT), new_code_cell("def add(a, b):\n    return 1")]), submission)
    notes = grader.grade(submission, ["add"]).notes
    assert "add is defined in cell 1 and again in cell 2: the one in cell 1 counts" in notes


@pytest.mark.parametrize(
    "before",
    [
        "%%time\n",
        "\r\n%%time\r\n",
        "\n  \n%%capture out\n",
        "%%capture\n%%time\n",
        "\r\n\r\n%%prun -l 5\r\n",
        "%matplotlib inline\n",
        "   \n",
        "%load_ext autoreload\r\n%autoreload 2\r\n",
    ],
)
def test_cell_magics_empty_lines_and_windows_line_ends(report, before):
    assert is_right(report(before + RIGHT.replace("\n", "\r\n")))


def test_prompts_and_indented_cells_are_python_as_in_the_notebook(report):
    assert is_right(report(">>> def add(a, b):\n...     return a + b"))
    assert is_right(report("    def add(a, b):\n        return a + b"))


def test_display_and_magics_inside_a_function_do_nothing(report):
    assert is_right(report("def add(a, b):\n    display(a)\n    %time a + b\n    return a + b"))


def test_the_module_that_a_cell_writes_is_graded(grader, submit):
    written = f"%%writefile answers.py\n{RIGHT}"
    submission = Submission("someone")
    add_cells(new_notebook(cells=[new_code_cell(STUB), new_code_cell(written)]), submission, "answers.py")
    found = grader.grade(submission, ["add"])
    assert is_right(found)
    assert any("cell 2 writes answers.py" in note for note in found.notes)


def test_another_module_that_a_cell_writes_helps_but_answers_nothing_the_notebook_does(report):
    assert is_right(
        report(
            "%%writefile utils.py\ndef plus(a, b):\n    return a + b\ndef add(a, b):\n    return 0",
            "from utils import plus\ndef add(a, b):\n    return plus(a, b)",
        )
    )


def test_an_answer_in_a_cell_that_is_not_python_is_told_why_it_is_missing(report):
    found = report("def add(a, b):\n    return a +\n")
    assert "add is not defined in the submission: cell 1 is not valid Python (line 2" in found.verdicts[0].message


def test_newer_syntax_than_the_graders_is_named(submit):
    notebook = new_notebook(cells=[new_code_cell("def add(a, b): return a +++* b")])
    notebook.metadata["language_info"] = {"version": "9.7.1"}
    submission = Submission("someone")
    add_cells(notebook, submission)
    assert "the notebook was run with Python 9.7" in submission.notes[0]


def test_module_constants_are_computed_and_its_main_guard_is_not_run(grader):
    from captionlab.grading.chunks import add_module

    submission = Submission("someone")
    guard = "if __name__ == '__main__':\n    one = 5\n    while True: pass\n"
    add_module(f"one = int('1')\n{guard}def add(a, b):\n    return one * (a + b)", "answers.py", submission)
    assert is_right(grader.grade(submission, ["add"]))


def test_patching_the_answer_below_it(report):
    patched = "Adder.sum = lambda self, a, b: a + b"
    assert is_right(report(f"class Adder: pass\nadd = lambda a, b: Adder().sum(a, b)\n{patched}"))


def test_a_submission_of_many_bindings_is_read_in_time_linear_in_them(submit):
    cells = [f"x = f(x)\nadd = g(add)\ny{n} = y{n - 1}" for n in range(3000)]
    submission = submit(RIGHT, *cells)
    assert submission.rejection_reason("add") is None
    assert len(submission.program("add")) == 3001
