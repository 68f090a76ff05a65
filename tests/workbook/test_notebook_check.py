"""The check students run in a notebook."""

from __future__ import annotations

import pytest

from captionlab.workbook import CheckFailed, check, notebook_check


def test_right_prints_one_line_and_returns_nothing(capsys, monkeypatch):
    def conv_output_size(size, kernel, stride=1, padding=0):
        if size + 2 * padding < kernel:
            raise ValueError("does not fit")
        return (size + 2 * padding - kernel) // stride + 1

    monkeypatch.setattr(notebook_check, "_told_of_hidden_seeds", False)
    assert check("conv_output_size") is None
    assert capsys.readouterr().out == f"✔ conv_output_size\n{notebook_check.HIDDEN_SEEDS}\n"
    check("conv_output_size")
    assert capsys.readouterr().out == "✔ conv_output_size\n"  # the sentence comes once


def test_wrong_raises_with_expected_got_and_hint():
    def conv_output_size(size, kernel, stride=1, padding=0):
        if size + 2 * padding < kernel:
            raise ValueError("does not fit")
        return -(-(size + 2 * padding - kernel) // stride) + 1

    with pytest.raises(CheckFailed) as caught:
        check("conv_output_size")
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(("✘", "◐"))
    assert [line[2:10].strip() for line in lines[1:5]] == ["for", "expected", "got", "hint"]
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_an_exception_is_shown_with_its_message():
    with pytest.raises(CheckFailed, match="raised ZeroDivisionError: division by zero"):
        check("conv_output_size", lambda *args, **kwargs: 1 / 0)


def test_a_stub_is_not_written_yet():
    def conv_output_size(size, kernel, stride=1, padding=0):
        raise NotImplementedError

    with pytest.raises(CheckFailed, match="○ conv_output_size: not written yet"):
        check("conv_output_size")


def test_a_name_that_is_not_there():
    with pytest.raises(CheckFailed, match="run the cell that defines it"):
        check("softmax")


def test_the_function_itself_may_be_given(capsys):
    def softmax(logits):
        return logits.softmax(-1)

    check(softmax)
    assert "✔ softmax" in capsys.readouterr().out


def test_an_unknown_exercise_suggests_the_nearest():
    with pytest.raises(CheckFailed, match="did you mean 'conv_output_size'"):
        check("conv_outputsize")


def test_the_librarys_own_is_no_answer():
    from captionlab.convnets.arithmetic import conv_output_size

    with pytest.raises(CheckFailed, match="the library's own"):
        check("conv_output_size", conv_output_size)


def test_in_ipython_only_the_message_is_shown(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("from captionlab.workbook import check\ndef softmax(logits):\n    return logits")
    shell.run_cell('check("softmax")')
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "notebook_check.py" not in said.out + said.err
    assert "expected" in said.out + said.err


def test_the_wrong_case_can_be_debugged(capsys):
    def conv_output_size(size, kernel, stride=1, padding=0):
        return (size + padding - kernel) // stride + 1

    case = check("conv_output_size", conv_output_size, show_case=True)
    said = capsys.readouterr().out
    assert said.startswith("◐ conv_output_size")
    assert "called    conv_output_size(" in said
    assert "padding=" in said
    expected = said.split("expected  ")[1].split("\n")[0]
    got = said.split("got       ")[1].split("\n")[0]
    assert str(conv_output_size(*case.args, **case.kwargs)) == got != expected
    assert case.label in said


def test_the_case_holds_arguments_as_they_were_before_the_call():
    def sort_by_length(captions, lengths):
        captions[:] = 0
        return captions, lengths

    case = check("sort_by_length", sort_by_length, show_case=True)
    assert case.args[0].any()


def test_a_right_answer_has_no_case(capsys):
    assert check("softmax", lambda logits: logits.softmax(-1), show_case=True) is None
