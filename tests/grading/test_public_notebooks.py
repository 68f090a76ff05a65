"""Notebooks as the tools that students use write them, in every format: the answer in each of them counts.

Each maker gets the texts of three cells (prose, the answer, a call of it) and gives what the file holds, as the tool's
users find it in public repositories: its metadata, ids, outputs and names of cell types.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import nbformat
import pytest

from captionlab.grading.notebooks import load_notebook
from captionlab.grading.submitted_file import SubmissionFile

PROSE, CALL = "# Lab\n\nA sum, and $x^2$.", "import math\n\nprint(add(1, 2))"
ANSWER = "def add(a, b):\n    # übt – “quoted” 🐝\n    return a + b\n"
PUBLIC: dict[str, Callable[[], object]] = {}
PYTHON = {"name": "python", "version": "3.11.4", "file_extension": ".py", "mimetype": "text/x-python"}
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def tool(name):
    """Enter a maker in the table."""
    return lambda make: PUBLIC.setdefault(name, make)


def lines(text):
    return text.splitlines(keepends=True)


def stream(text="3\n"):
    return {"output_type": "stream", "name": "stdout", "text": [text]}


def text_cell(source=PROSE, **more):
    return {"cell_type": "markdown", "metadata": {}, "source": lines(source), **more}


def code_cell(source, **more):
    made = {"cell_type": "code", "metadata": {}, "source": lines(source), "outputs": [], "execution_count": 1}
    return {**made, **more}


def notebook(cells, minor=5, **metadata):
    """A notebook of format 4; ids are added where its format has them and the cells do not."""
    for at, cell in enumerate(cells):
        if minor >= 5:
            cell.setdefault("id", f"{at:08x}-aaaa-4bbb-8ccc-1234567890ab")
    known = {"kernelspec": KERNEL, "language_info": PYTHON}
    return {"cells": cells, "metadata": {**known, **metadata}, "nbformat": 4, "nbformat_minor": minor}


def plain(minor=5, cell_metadata=None, **metadata):
    """Three cells with the same metadata in each."""
    made = [text_cell(), code_cell(ANSWER), code_cell(CALL, outputs=[stream()])]
    return notebook([{**cell, "metadata": dict(cell_metadata or {})} for cell in made], minor, **metadata)


def of_format_3(cells, minor=0, **metadata):
    return {"metadata": {"name": "", **metadata}, "nbformat": 3, "nbformat_minor": minor, "worksheets": cells}


def code_3(source, **more):
    made = {"cell_type": "code", "collapsed": False, "input": lines(source), "language": "python", "metadata": {}}
    return {**made, "outputs": [], **more}


# --- Jupyter ---


@tool("IPython 0.12, format 2")
def _():
    cells = [{"cell_type": "markdown", "source": PROSE}, {"cell_type": "code", "input": ANSWER, "outputs": []}]
    return {"metadata": {"name": "lab"}, "nbformat": 2, "worksheets": [{"cells": cells}]}


@tool("IPython 1, format 3")
def _():
    heading = {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Lab"]}
    output = {"output_type": "pyout", "prompt_number": 2, "text": ["3"], "metadata": {}}
    shown = {"output_type": "display_data", "png": "iVBORw0KGgo=\n", "text": ["<matplotlib.figure>"], "metadata": {}}
    cells = [heading, code_3(ANSWER, prompt_number=1), code_3("add(1, 2)", prompt_number=2, outputs=[output, shown])]
    return of_format_3([{"cells": cells, "metadata": {}}], signature="sha256:0")


@tool("IPython 2, two worksheets")
def _():
    return of_format_3([{"cells": [text_cell()]}, {"cells": [code_3(ANSWER)], "metadata": {}}], minor=1)


@tool("IPython 3, format 4.0")
def _():
    return plain(0, {"collapsed": True}, kernelspec={"display_name": "Python 3", "name": "python3"})


@tool("Notebook 5, format 4.1")
def _():
    return plain(1, {"collapsed": False, "scrolled": False}, anaconda_cloud={})


@tool("Notebook 6, format 4.2, with extensions")
def _():
    contents = {"base_numbering": 1, "nav_menu": {}, "toc_cell": False, "toc_position": {}, "widenNotebook": True}
    inspector = {"cols": {"lenName": 16}, "kernels_config": {"python": {"delete_cmd_prefix": "del "}}}
    return plain(2, {"ExecuteTime": {"start_time": "2021-03-01T10:00:00.1Z"}}, toc=contents, varInspector=inspector)


@tool("Notebook 6, format 4.4, with pasted pictures")
def _():
    picture = {"image.png": {"image/png": "iVBORw0KGgo="}}
    pasted = text_cell("![image.png](attachment:image.png)", attachments=picture)
    return notebook([pasted, code_cell(ANSWER)], 4)


@tool("JupyterLab 3")
def _():
    times = {"iopub.execute_input": "2022-05-01T09:00:00.000000Z", "shell.execute_reply": "2022-05-01T09:00:01Z"}
    return plain(5, {"execution": times, "tags": [], "jupyter": {"source_hidden": False}})


@tool("JupyterLab 4, collaborating")
def _():
    return plain(5, {"editable": True, "slideshow": {"slide_type": ""}, "trusted": True, "tags": ["a", "a"]})


@tool("JupyterLab 4, a widget's state")
def _():
    state = {"state": {"a1": {"model_module": "@jupyter-widgets/base", "model_name": "LayoutModel", "state": {}}}}
    return plain(5, widgets={"application/vnd.jupyter.widget-state+json": {**state, "version_major": 2}})


@tool("JupyterLite")
def _():
    return plain(4, kernelspec={"name": "python", "display_name": "Python (Pyodide)", "language": "python"})


@tool("Jupyter AI")
def _():
    asked = code_cell("%%ai chatgpt --format code\nA sum, please", metadata={"jupyter_ai": {"route": ["x"]}})
    return notebook([asked, code_cell(ANSWER, metadata={"jupyter_ai": {"prompt": "A sum"}})])


@tool("classic Notebook, a bilingual kernel")
def _():
    other = code_cell("%%javascript\nalert(1)")
    return notebook([other, code_cell("%matplotlib inline\n!pip install -q torch\n" + ANSWER)], 2)


# --- In the browser ---


@tool("Colab, widgets without state")
def _():
    colab = {"provenance": [], "gpuType": "T4", "toc_visible": True, "collapsed_sections": ["4hmGEPqrIGPV"]}
    widgets = {"application/vnd.jupyter.widget-state+json": {"8cf": {"model_name": "HBoxModel", "state": {}}}}
    cells = [
        text_cell(metadata={"id": "view-in-github", "colab_type": "text"}),
        code_cell(ANSWER, metadata={"id": "abc", "cellView": "form"}, execution_count=None),
        code_cell(
            CALL,
            metadata={"id": "abc", "colab": {"base_uri": "https://localhost:8080/"}, "outputId": "0ff"},
            outputs=[stream()],
        ),
    ]
    return notebook(cells, 0, colab=colab, widgets=widgets, accelerator="GPU", language_info={"name": "python"})


@tool("Colab, a form and an error")
def _():
    error = {"output_type": "error", "ename": "NameError", "evalue": "add", "traceback": ["\u001b[0;31mNameError"]}
    error["errorDetails"] = {"actions": [{"action": "open_url", "actionText": "Open Examples"}]}
    form = code_cell('#@title Sizes { run: "auto" }\nsize = 3 #@param {type:"integer"}\n', outputs=[error])
    return notebook([form, code_cell(ANSWER, metadata={"id": "x"})], 0, colab={"name": "Untitled0.ipynb"})


@tool("Kaggle")
def _():
    uuid = {"_uuid": "8f2839f25d086af736a60e9eeb907d3b93b6e0e5", "_cell_guid": "b1076dfc-b9ad-4769-8c92-a6c4dae69d19"}
    kaggle = {"accelerator": "gpu", "dataSources": [{"sourceId": 1, "sourceType": "datasetVersion"}]}
    ran = {"papermill": {"duration": 0.01, "exception": False, "status": "completed"}, "trusted": True}
    return plain(4, {**uuid, **ran}, kaggle={**kaggle, "isGpuEnabled": True}, papermill={"default_parameters": {}})


@tool("Deepnote")
def _():
    kind = {"cell_id": "00000-1", "deepnote_cell_type": "code", "deepnote_to_be_reexecuted": False, "source_hash": None}
    made = plain(0, {**kind, "tags": [], "execution_start": 1}, deepnote={}, deepnote_notebook_id="1")
    made["cells"][0]["metadata"]["deepnote_cell_type"] = "text-cell-h1"
    query = {"deepnote_cell_type": "sql", "deepnote_variable_name": "df", "sql_integration_id": "1"}
    made["cells"].append(code_cell("df = _deepnote_execute_sql('select 1')", metadata=query))
    return made


@tool("Deepnote, older, with cell types of its own")
def _():
    field = {"cell_type": "input-text", "metadata": {"deepnote_variable_name": "x"}, "source": "x = 'a'", "outputs": []}
    return notebook([field, code_cell(ANSWER, metadata=None)], 4, language_info=None, kernelspec=None)


@tool("CoCalc")
def _():
    return plain(4, {"collapsed": False, "cocalc": {"last_runtime": 1}}, kernelspec={**KERNEL, "metadata": {"x": 1}})


@tool("Databricks")
def _():
    cell = {"application/vnd.databricks.v1+cell": {"inputWidgets": {}, "nuid": "1", "showTitle": False, "title": ""}}
    whole = {"application/vnd.databricks.v1+notebook": {"language": "python", "widgets": {}}}
    made = plain(0, cell, **whole)
    del made["metadata"]["kernelspec"], made["metadata"]["language_info"]
    made["cells"][1]["outputs"] = [{"output_type": "display_data", "data": {"text/html": ["<style></style>"]}}]
    return made


@tool("Azure Machine Learning")
def _():
    source = {"nteract": {"transient": {"deleting": False}}, "gather": {"logged": 1600000000000}}
    return plain(2, source, microsoft={"host": {"AzureML": {}}}, nteract={"version": "1"}, kernel_info={"name": "x"})


@tool("SageMaker Studio")
def _():
    kinds = [{"_defaultOrder": 0, "_isFastLaunch": True, "name": "ml.t3.medium"}]
    return plain(4, availableInstances=kinds, instance_type="ml.t3.medium", lcc_arn="")


@tool("Paperspace, saved by a browser with the answer from Jupyter's interface")
def _():
    whole = plain(5)
    return {"name": "lab.ipynb", "path": "lab.ipynb", "type": "notebook", "format": "json", "content": whole}


@tool("GitHub Codespaces, opened as a list")
def _():
    return [plain(5)]


# --- Editors ---


@tool("VS Code")
def _():
    vscode = {"interpreter": {"hash": "31f2aee4e71d21fbe5cf8b01ff0e069b9275f58929596ceb00d14d90e3e16cd6"}}
    return plain(2, {"vscode": {"languageId": "python"}}, orig_nbformat=4, vscode=vscode)


@tool("VS Code, ids of its own")
def _():
    made = plain(5)
    for at, cell in enumerate(made["cells"]):
        cell["id"] = f"#VSC-{at}"
    return made


@tool("VS Code, ids null")
def _():
    made = plain(5)
    for cell in made["cells"]:
        cell["id"] = None
    return made


@tool("PyCharm")
def _():
    name = {"pycharm": {"name": "#%% md\n", "is_executing": False}, "collapsed": False}
    kernel = {"pycharm": {"stem_cell": {"cell_type": "raw", "source": [], "metadata": {"collapsed": False}}}}
    return plain(0, name, **kernel, language_info={**PYTHON, "version": "2.7.6", "codemirror_mode": {"version": 2}})


@tool("DataSpell")
def _():
    return plain(1, {"datalore": {"hide_input_from_viewers": False, "node_id": "1", "type": "CODE"}}, datalore={})


@tool("Spyder, lines without their ends")
def _():
    made = plain(4)
    for cell in made["cells"]:
        cell["source"] = [line.rstrip("\n") for line in cell["source"]]
    return made


# --- Made from something else, or cleaned ---


@tool("nbstripout")
def _():
    made = plain(5)
    for cell in made["cells"][1:]:
        cell.update(outputs=[], execution_count=None)
    made["metadata"] = {}
    return made


@tool("nbconvert, cleared by hand")
def _():
    made = plain(4)
    for cell in made["cells"][1:]:
        del cell["outputs"], cell["execution_count"]
    return made


@tool("jupytext")
def _():
    return plain(5, jupytext={"cell_metadata_filter": "-all", "formats": "ipynb,py:percent", "main_language": "python"})


@tool("papermill")
def _():
    ran = {"papermill": {"duration": None, "exception": None, "status": "pending"}, "tags": ["parameters"]}
    return plain(4, ran, papermill={"exception": None, "parameters": {"alpha": float("nan")}, "version": "2.4.0"})


@tool("marimo")
def _():
    return plain(5, {"marimo": {"name": "_"}}, marimo={"marimo_version": "0.10.0", "app_config": {"width": "medium"}})


@tool("Quarto")
def _():
    front = {"cell_type": "raw", "metadata": {}, "source": ["---\n", "title: Lab\n", "format: html\n", "---"]}
    return notebook([front, code_cell("#| echo: false\n#| label: fig-a\n" + ANSWER)], 5, toc_quarto=True)


@tool("nbdev")
def _():
    return notebook([code_cell("#| default_exp core"), code_cell("#| export\n" + ANSWER)], 4, solveit={})


@tool("a language model, as text")
def _():
    cells = [{"cell_type": "markdown", "source": PROSE}, {"cell_type": "code", "source": ANSWER}]
    return {"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": cells}


@tool("Polynote, execution counts as text")
def _():
    made = plain(4)
    for cell in made["cells"][1:]:
        cell["execution_count"] = "1"
    return made


@tool("a newer Jupyter, format 4.9")
def _():
    return {**plain(5), "nbformat_minor": 9, "extensions": {"x": 1}}


def test_there_are_enough_of_them_and_every_format_is_among_them():
    made = [make() for make in PUBLIC.values()]
    formats = {(one["nbformat"], one.get("nbformat_minor")) for one in made if "nbformat" in one}
    assert len(made) >= 30
    assert {(3, 0), (4, 0), (4, 1), (4, 2), (4, 4), (4, 5)} <= formats


@pytest.mark.parametrize("name", PUBLIC)
def test_the_answer_in_a_notebook_of_any_tool_counts(grader, tmp_path, name):
    path = tmp_path / "toy.ipynb"
    for indent, escaped in ((1, False), (None, True)):
        path.write_text(json.dumps(PUBLIC[name](), indent=indent, ensure_ascii=escaped), encoding="utf-8")
        nbformat.validate(load_notebook(path).notebook)
    report = grader.grade_file(SubmissionFile("someone", path), only=["add"])
    assert report.problem is None
    assert [(verdict.outcome, verdict.points) for verdict in report.verdicts] == [("right", 2.0)]
    assert all("skipped" in note for note in report.notes)
    assert len(report.notes) <= 1  # the cell in another language
