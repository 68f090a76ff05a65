"""Misconceptions as edits of the reference."""

from __future__ import annotations

import pytest

from captionlab.grading.misconception import Misconception, edit_source

SOURCE = '''
def doubled(size: int, limit: int = 9) -> int:
    """Twice the size; 2 * size."""
    if size > limit:
        raise ValueError("too large")
    return 2 * size
'''.strip()


def made(source: str, *arguments):
    namespace: dict = {}
    exec(source, namespace)
    return namespace["doubled"](*arguments)


def test_an_edit_replaces_what_the_code_says_and_not_its_docstring():
    assert made(edit_source(SOURCE, {"2 * size": "3 * size"}), 2) == 6


def test_an_empty_edit_deletes_the_statement_that_begins_so():
    assert made(edit_source(SOURCE, {"if size > limit": ""}), 20) == 40


def test_a_body_that_would_be_empty_passes():
    assert made(edit_source(SOURCE, {"raise ValueError": ""}), 20) == 40


def test_an_empty_edit_within_a_statement_deletes_only_the_text():
    assert made(edit_source(SOURCE, {"2 * ": ""}), 2) == 2


@pytest.mark.parametrize(("old", "times"), [("3 * size", 0), ("size", 3)])
def test_text_that_is_not_there_exactly_once_is_refused(old, times):
    with pytest.raises(ValueError, match=f"{times} times in the reference, expected once"):
        edit_source(SOURCE, {old: "x"})


def test_the_implementation_uses_the_names_of_the_references_module():
    edited = Misconception(
        "rounds_up",
        "The last position does not fit.",
        reference="captionlab.convnets.arithmetic:same_padding",
        edits={"if ": "if math.isnan(0) and "},
        imports="import math",
    )
    assert callable(edited.implementation)
    assert edited.module.__name__ == "captionlab.convnets.arithmetic"
    assert edited.source.startswith("import math\n\n\ndef same_padding")
