"""Tests of the sample class: what its students hand in fails for the reason it should."""

from __future__ import annotations

import nbformat
import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.workbook.sample import write_sample_class


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
