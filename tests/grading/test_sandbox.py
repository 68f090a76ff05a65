"""Whatever a submission does affects only its own points, and the verdict says why."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from captionlab.grading.exercise import grading_seed, public_seed

RIGHT = "def add(a, b):\n    return a + b"


@pytest.fixture
def verdict(grader, submit):
    """Grade cells on ``add`` (or another exercise) with a hidden seed."""
    return lambda *cells, exercise="add": grader.grade(submit(*cells), [exercise]).verdicts[0]


def test_right_answer_gets_all_points(verdict):
    found = verdict(RIGHT)
    assert (found.outcome, found.points) == ("right", 2)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("    while True: pass", "timeout"),
        ("    import time; time.sleep(60)", "timeout"),
        ("    import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n    while True: pass", "timeout"),
        ("    import numpy; return numpy.ones(10**9).sum()", "out of memory"),
        ("    exit(0)", "wrong"),
        ("    import os; os._exit(0)", "crashed"),
        ("    import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
        ("    import ctypes; ctypes.string_at(0)", "crashed"),
        ("    import os\n    while True: os.fork()", "crashed|timeout"),
        ("    import os; os.close(3); os.closerange(3, 100)", "crashed"),
        ("    return 'x' * 10**9", "out of memory"),
        ("    return [[0] * 10**4] * 10**4", "out of memory|crashed|timeout"),
        ("    raise NotImplementedError()", "missing"),
        ("    raise KeyboardInterrupt", "crashed"),
        ("    return add(a, b)", "wrong"),
    ],
)
def test_misbehavior_affects_its_own_points_only(verdict, body, outcome):
    found = verdict("def add(a, b):\n" + body)
    assert found.outcome in outcome.split("|"), found
    assert found.points == 0
    assert found.message
    assert verdict(RIGHT).outcome == "right"  # the worker is unaffected


def test_nothing_is_left_running(verdict):
    verdict("def add(a, b):\n    import subprocess; subprocess.Popen(['sleep', '4711']); return a + b")
    left = [process for process in psutil.process_iter() if _cmdline(process) == ["sleep", "4711"]]
    _, alive = psutil.wait_procs(left, timeout=3)  # a killed process takes a moment to go
    assert not alive


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_killed_worker_is_started_again(verdict, sandbox):
    os.kill(sandbox._worker.pid, signal.SIGKILL)
    sandbox._worker.wait()
    assert verdict(RIGHT).outcome == "crashed"
    assert verdict(RIGHT).outcome == "right"


def test_killing_the_worker_leaves_nothing_behind(verdict):
    killing = "def add(a, b):\n    import os, time; os.kill(os.getppid(), 9); time.sleep(4712)"
    before = set(psutil.pids())
    assert verdict(killing).outcome == "crashed"
    left = [process for process in psutil.process_iter() if process.pid not in before and _ran_here(process)]
    _, alive = psutil.wait_procs(left, timeout=3)
    assert not alive
    assert verdict(RIGHT).outcome == "right"


def _ran_here(process: psutil.Process) -> bool:
    """Whether it is a worker of this test process, or one that has lost its parent; not one of tests at our side."""
    try:
        above = {parent.pid for parent in process.parents()}
    except psutil.Error:
        return False
    ours = os.getpid() in above or os.getppid() not in above
    return ours and "captionlab.grading.worker" in _cmdline(process)


@pytest.mark.parametrize("answer", ["10**400", "-(10**5000)", "float('nan')", "'\\ud800'", "[[[[[[[[[[[[1]]]]]]]]]]]]"])
def test_values_of_no_use_are_judged_like_any_other(verdict, answer):
    found = verdict(f"def add(a, b):\n    return {answer}")
    assert (found.outcome, found.points) == ("wrong", 0)
    assert found.example.got


def test_messages_hold_nothing_a_terminal_or_a_file_stumbles_over(verdict):
    found = verdict("def add(a, b):\n    raise ValueError('\\x1b[2J \\ud800')")
    text = found.message + "".join(found.help_lines())
    assert "\x1b" not in text
    text.encode("utf-8")


def test_a_definition_that_fails_is_told_with_its_own_reason(verdict):
    found = verdict("from captionlab.workbook import check", "def add(a: Tensor, b):\n    return a + b")
    assert found.outcome == "missing"
    assert "NameError: name 'Tensor'" in found.message
    found = verdict("from captionlab.convnets import pictures", "def add(a, b):\n    return pictures.sum(a, b)")
    assert "the import of pictures in cell 1 fails during grading" in found.message


def test_a_worker_that_is_held_is_replaced(verdict, sandbox, monkeypatch):
    monkeypatch.setattr("captionlab.grading.sandbox.START_SECONDS", 1.0)
    assert verdict("def add(a, b):\n    import os; os.kill(os.getppid(), 19); return 1").outcome == "crashed"
    monkeypatch.undo()
    assert verdict(RIGHT).outcome == "right"


def test_a_forged_reply_affects_its_own_points_only(verdict):
    forging = """
def add(a, b):
    import glob, os
    for path in glob.glob(f"/proc/{os.getppid()}/fd/*"):
        try:
            with open(path, "w") as file:
                file.write('{"status": "forged", "written": ""}\\n')
        except OSError:
            pass
    return 1
"""
    assert verdict(forging).points == 0
    assert verdict(RIGHT).outcome == "right"
    assert verdict(RIGHT).outcome == "right"


def test_the_secret_is_not_in_the_workers_environment(verdict, sandbox, monkeypatch):
    monkeypatch.setenv("CAPTIONLAB_SECRET", "course secret")
    sandbox.close()  # the next worker starts with this environment
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    found = verdict(
        "import os\ndef add(a, b):\n"
        "    return ''.join(open(f'/proc/{number}/environ').read() for number in ('self', os.getppid()))"
    )
    assert "course secret" not in str(found)
    assert "PATH=" in found.example.got


def test_an_example_knows_nothing_of_the_hidden_seed(verdict, toy):
    import numpy as np

    found = verdict("SEEN = []\ndef add(a, b):\n    SEEN.append((a, b)); return str(SEEN)")
    hidden = np.random.default_rng(grading_seed(b"secret", toy.exercises["add"], "someone")).integers(10, 1000, 2)
    assert f"({hidden[0]}, {hidden[1]})" not in found.example.got
    found = verdict("def add(a, b):\n    raise type(f'hidden_{a}_{b}', (Exception,), {})()")
    assert f"{hidden[0]}_{hidden[1]}" not in found.message
    assert "a custom exception" in found.message


def test_what_is_drawn_at_random_is_drawn_the_same_again(verdict):
    code = (
        "import random, numpy, torch\ndef add(a, b):\n"
        "    return [random.random(), numpy.random.rand(), torch.rand(2), list({'a', 'b', 'c'})]"
    )
    assert verdict(code) == verdict(code)


@pytest.mark.parametrize(
    "cells",
    [
        (RIGHT, "add.calls = 0"),
        (RIGHT, "out = {}\nout[add(1, 2)] = 1"),
        (RIGHT, "import functools\nadd = functools.lru_cache(add)"),
        ("if True:\n    import numpy as np\n    def add(a, b):\n        return int(np.add(a, b))",),
        (
            "try:\n    import numpy as np\nexcept ImportError:\n    !pip install numpy",
            "def add(a, b):\n    return int(np.add(a, b))",
        ),
        ("import torch\nTensor = torch.Tensor", "def add(a: Tensor, b) -> Tensor:\n    return a + b"),
        ("from __future__ import annotations", "def add(a: Foo, b: Bar):\n    return a + b"),
        ("from __future__ import all_feature_names", RIGHT),
        ("import matplotlib.pyplot as plt\n" + RIGHT + "\nplt.plot([1, 2])\nprint('x' * 10**6)",),
    ],
)
def test_legitimate_habits_cost_nothing(verdict, cells):
    found = verdict(*cells)
    assert found.outcome == "right", found


def test_forged_equality_and_patched_comparisons_earn_nothing(verdict):
    forged = """
class Equal(float):
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
def add(a, b):
    return Equal(1.0)
"""
    assert verdict(forged).points == 0
    patched = "import numpy, math\nnumpy.isclose = numpy.allclose = math.isclose = lambda *a, **k: True\n"
    assert verdict(patched + "def add(a, b):\n    return 1.0").points == 0


def test_forged_records_on_the_result_pipe_are_no_answer(verdict):
    forging = """
def add(a, b):
    import os
    for fd in range(3, 64):
        try:
            os.write(fd, b'{"label": "x", "value": {"dtype": "object", "shape": [1], "data": ""}}\\n')
        except OSError:
            pass
    os._exit(0)
"""
    found = verdict(forging)
    assert (found.outcome, found.points) == ("crashed", 0)


def test_the_reference_cannot_be_imported(verdict):
    found = verdict("def add(a, b):\n    from captionlab.convnets import arithmetic\n    return a + b")
    assert found.outcome == "refused"
    assert "write the solution yourself" in found.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("from operator import add", "imported"),
        ("import operator\nadd = operator.add", "assigned"),
        ("from operator import add as plus\nadd = plus", "imported"),
        ("import functools\nadd = functools.partial(sum)", "assigned"),
    ],
)
def test_an_answer_not_written_there_is_refused(verdict, code, reason):
    found = verdict(code)
    assert found.outcome == "refused"
    assert reason in found.message


@pytest.mark.parametrize("code", ["add = lambda a, b: a + b", "def plus(a, b): return a + b\nadd = plus"])
def test_an_answer_by_another_name_of_ones_own_counts(verdict, code):
    assert verdict(code).outcome == "right"


def test_a_misconception_gets_its_hint_and_an_example_of_the_public_seed(verdict, toy):
    found = verdict("def add(a, b):\n    return a - b")
    assert (found.outcome, found.misconceptions, found.points) == ("wrong", ("subtracts",), 0)
    assert "sign" in found.hints[0]
    import numpy as np

    a, b = np.random.default_rng(public_seed(toy.exercises["add"])).integers(10, 1000, 2)
    assert found.example.expected == str(a + b)
    assert found.example.got == str(a - b)


def test_messages_hold_no_hidden_value(verdict, toy):
    import numpy as np

    found = verdict("def add(a, b):\n    raise ValueError(f'{a} {b}')")
    hidden = np.random.default_rng(grading_seed(b"secret", toy.exercises["add"], "someone")).integers(10, 1000, 2)
    for number in hidden:
        assert str(number) not in found.message


def test_an_answer_that_fits_the_public_seed_only_is_told_so(verdict, toy):
    import numpy as np

    rng = np.random.default_rng(public_seed(toy.exercises["add"]))
    table = {(int(a), int(b)): int(a + b) for a, b in (rng.integers(10, 1000, 2) for _ in range(4))}
    found = verdict(f"TABLE = {table}\ndef add(a, b):\n    return TABLE.get((a, b), 0)")
    assert found.points == 0
    assert "only for the cases you can see" in found.message


def test_a_lost_name_is_reported_with_the_cell_that_makes_it(verdict):
    found = verdict("offset = len(open('offset.txt').read())", "def add(a, b):\n    return a + b + offset")
    assert "offset is computed in cell 1" in found.message


def test_experiments_are_not_run_and_what_the_answer_needs_is_computed(verdict):
    assert verdict("while True:\n    pass", RIGHT).outcome == "right"
    assert verdict("zero = sum([])\n" + RIGHT.replace("a + b", "a + b + zero")).outcome == "right"
    assert verdict(RIGHT + "\nprint(add(1, 2) / 0)").outcome == "right"


def test_an_endless_answer_affects_its_own_exercise_only(verdict):
    cells = (RIGHT.replace("return", "while True: pass\n    return"), "def halves(number):\n    return number // 2")
    assert verdict(*cells).outcome == "timeout"
    assert verdict(*cells, exercise="halves").misconceptions == ("halves_odd",)


def test_what_was_observed_before_an_exception_counts(verdict):
    found = verdict("def halves(number):\n    if number % 2: raise KeyError\n    return number // 2", exercise="halves")
    assert found.outcome == "partial"
    assert 0 < found.points < 1
