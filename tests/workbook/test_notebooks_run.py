"""The instructors' notebooks run from top to bottom, headless and offline; the students' stop at the first check."""

from __future__ import annotations

import shutil

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from captionlab.datasets.store import fetch
from captionlab.exercises import LABS, load_lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


def run(path, folder) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    for module in path.parent.glob("*.py"):  # a lab's module lies beside its notebook
        shutil.copy(module, folder)
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    return notebook


def texts(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize("lab", LABS)
def test_solutions_run_offline_on_embedded_data(lab, root, tmp_path, monkeypatch):
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    done = run(root / "solutions" / lab / f"{lab}.ipynb", tmp_path)
    said = texts(done)
    for exercise in load_lab(lab).exercises:
        assert f"✔ {exercise}\x1b" in said  # green
    pictures = [
        output for cell in done.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 5


PHOTOGRAPHS = {"lab2_scenes": "scene15", "lab3_bees_ants": "hymenoptera"}


@pytest.mark.realdata
@pytest.mark.parametrize("lab", LABS)
def test_solutions_run_with_the_mirror(lab, root, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))
    if lab in PHOTOGRAPHS:
        fetch(PHOTOGRAPHS[lab])
    said = texts(run(root / "solutions" / lab / f"{lab}.ipynb", tmp_path))
    assert lab not in PHOTOGRAPHS or "skipped" not in said


@pytest.mark.parametrize("lab", LABS)
def test_a_students_notebook_stops_at_the_first_unwritten_exercise(lab, root, tmp_path):
    with pytest.raises(CellExecutionError, match=r"not written yet|NotImplementedError|checks are right"):
        run(root / "labs" / lab / f"{lab}.ipynb", tmp_path)
