"""Tests of the sample class: what its students hand in fails for the reason it should."""

from __future__ import annotations

import ast
from collections import defaultdict

import nbformat
import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.workbook.sample import write_sample_class
from captionlab.workbook.stub import inline_source, reference_source


@pytest.mark.parametrize("name", LABS)
def test_all_but_the_broken_cell_can_be_defined(name, tmp_path):
    """Else an endless loop or an ``exit`` would never be reached."""
    lab = load_lab(name)
    write_sample_class(tmp_path, lab)
    for notebook in sorted(tmp_path.glob("*/*.ipynb")):
        cells = [cell.source for cell in nbformat.read(notebook, 4).cells]
        if notebook.parent.name == "broken-cell":
            with pytest.raises(SyntaxError):
                compile(cells.pop(), "cell", "exec")
        namespace = {"__name__": "submission"}
        for cell in cells:
            exec(compile(cell, "cell", "exec", dont_inherit=True), namespace)
        assert set(lab.exercises) - {list(lab.exercises)[-1]} <= set(namespace)


@pytest.mark.parametrize("name", LABS)
def test_answers_of_a_lab_can_stand_in_one_notebook(name):
    """No helper takes the name of another one, and none needs the library, which is closed to answers."""
    helpers = defaultdict(set)
    for exercise in load_lab(name).exercises.values():
        reference = reference_source(exercise)
        wrong = [inline_source(one.source, one.module, exercise.name) for one in exercise.misconceptions.values()]
        for source in (reference, *wrong):
            assert "captionlab" not in source, exercise.name
            for definition in ast.parse(source).body:
                if isinstance(definition, (ast.FunctionDef, ast.ClassDef)) and definition.name != exercise.name:
                    helpers[definition.name].add(ast.unparse(definition))
    assert not [helper for helper, sources in helpers.items() if len(sources) > 1]
