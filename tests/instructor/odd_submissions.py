"""Odd notebooks and folders, as tools, browsers and slips of the hand make them; each with the points it deserves.

Each maker gets the folder to fill and a released notebook (as JSON) in which ``conv_output_size`` is answered rightly
and nothing else is.
"""

from __future__ import annotations

import copy
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

LAB = "lab1_vgg16"
NOTEBOOK = f"{LAB}.ipynb"
RIGHT = (
    "def conv_output_size(size, kernel, stride=1, padding=0):\n"
    "    if kernel > size + 2 * padding:\n        raise ValueError('too large')\n"
    "    return (size + 2 * padding - kernel) // stride + 1"
)
Notebook = dict[str, Any]


@dataclass(frozen=True)
class Odd:
    """A submission: what makes it, and the points that it deserves."""

    make: Callable[[Path, Notebook], None]
    points: float = 2.0


ODD: dict[str, Odd] = {}


def odd(name: str, points: float = 2.0) -> Callable:
    """Enter a maker of a folder in the table."""

    def enter(make: Callable[[Path, Notebook], None]) -> Callable:
        ODD[name] = Odd(make, points)
        return make

    return enter


def edited(name: str, points: float = 2.0) -> Callable:
    """Enter an edit of the notebook, which is then saved under its usual name."""
    return lambda edit: odd(name, points)(lambda folder, notebook: (edit(notebook), save(folder / NOTEBOOK, notebook)))


def as_bytes(name: str, points: float = 2.0) -> Callable:
    """Enter an edit of the notebook file's bytes."""

    def save_edited(edit: Callable[[bytes], bytes], folder: Path, notebook: Notebook) -> None:
        (folder / NOTEBOOK).write_bytes(edit(json.dumps(notebook, indent=1).encode()))

    return lambda edit: odd(name, points)(partial(save_edited, edit))


def save(path: Path, notebook: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def cell(notebook: Notebook, grade_id: str = "conv_output_size") -> dict:
    found = [one for one in notebook["cells"] if one["metadata"].get("nbgrader", {}).get("grade_id") == grade_id]
    return found[0]


def shorter(notebook: Notebook) -> Notebook:
    """The notebook with its first exercise and its first written question only, which nbgrader grades quickly."""
    names = [one["metadata"].get("nbgrader", {}).get("grade_id", "") for one in notebook["cells"]]
    written = next(name for name in names if name.startswith("written-"))
    kept = ("conv_output_size", "conv_output_size-check", written)
    return notebook | {"cells": [one for one, name in zip(notebook["cells"], names, strict=True) if name in kept]}


def own(source: str = "x = 1", **changes: Any) -> dict:
    """A code cell of the student's."""
    made = {"cell_type": "code", "id": "own", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    return made | changes


# Cell ids, metadata, sources, outputs


@edited("ids null")
def _(notebook: Notebook) -> None:
    notebook["cells"] += [own(id=None), own(id=None)]


@edited("ids duplicate")
def _(notebook: Notebook) -> None:
    notebook["cells"] += [own(), own()]


@edited("ids with odd characters")
def _(notebook: Notebook) -> None:
    notebook["cells"] += [own(id="#VSC-1a2b"), own(id="a" * 100), own(id=""), own(id=7)]


@edited("ids missing in format 4.5")
def _(notebook: Notebook) -> None:
    for one in notebook["cells"]:
        one.pop("id", None)


@edited("ids in format 4.4")
def _(notebook: Notebook) -> None:
    notebook["nbformat_minor"] = 4


@edited("format 4.0")
def _(notebook: Notebook) -> None:
    notebook["nbformat_minor"] = 0
    for one in notebook["cells"]:
        one.pop("id", None)


@edited("format 4.9")
def _(notebook: Notebook) -> None:
    notebook["nbformat_minor"] = 9


@edited("minor format missing")
def _(notebook: Notebook) -> None:
    del notebook["nbformat_minor"]


@edited("cell metadata null")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(metadata=None))


@edited("cell metadata missing")
def _(notebook: Notebook) -> None:
    notebook["cells"].append({"cell_type": "code", "source": "x = 1"})


@edited("notebook metadata null")
def _(notebook: Notebook) -> None:
    notebook["metadata"] = None


@edited("notebook metadata missing")
def _(notebook: Notebook) -> None:
    del notebook["metadata"]


@edited("kernelspec and language null")
def _(notebook: Notebook) -> None:
    notebook["metadata"] |= {"kernelspec": None, "language_info": None}


@edited("kernelspec of another machine")
def _(notebook: Notebook) -> None:
    notebook["metadata"]["kernelspec"] = {"display_name": "conda env", "name": "conda-env-x-py"}


@edited("captionlab metadata of a wrong type")
def _(notebook: Notebook) -> None:
    notebook["metadata"]["captionlab"] = "lab1"


@edited("nbgrader metadata null in an own cell")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(metadata={"nbgrader": None}))


@edited("nbgrader metadata empty in an own cell")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(metadata={"nbgrader": {}}))


@edited("nbgrader metadata incomplete in an own cell")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(metadata={"nbgrader": {"grade_id": "mine", "solution": True}}))


@edited("nbgrader metadata stripped")
def _(notebook: Notebook) -> None:
    for one in notebook["cells"]:
        one["metadata"] = {}


@edited("points and locks forged")
def _(notebook: Notebook) -> None:
    for one in notebook["cells"]:
        if one["metadata"].get("nbgrader", {}).get("points"):
            one["metadata"]["nbgrader"] |= {"points": 1000, "locked": False, "schema_version": 1}


@edited("points as text")
def _(notebook: Notebook) -> None:
    cell(notebook, "conv_output_size-check")["metadata"]["nbgrader"]["points"] = "many"


@edited("grade id with a number sign")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(
        own(metadata={"nbgrader": {"grade_id": "a#b", "grade": True, "points": 5, "solution": False, "locked": True}})
    )


@edited("source as a list")
def _(notebook: Notebook) -> None:
    for one in notebook["cells"]:
        one["source"] = "".join(one["source"]).splitlines(keepends=True)


@edited("source null")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(source=None))


@edited("source missing")
def _(notebook: Notebook) -> None:
    made = own()
    del made["source"]
    notebook["cells"].append(made)


@edited("half an emoji")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own("# \ud83d"))


@edited("outputs null")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(outputs=None))


@edited("outputs malformed")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(outputs=[{"output_type": "display_data"}, {"output_type": "pyout"}, {}, 3]))


@edited("execution count as text")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(execution_count="*"))


@edited("widgets without state")
def _(notebook: Notebook) -> None:
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"a1": {"model_name": "HBox"}}}


@edited("attachments null")
def _(notebook: Notebook) -> None:
    notebook["cells"].append({"cell_type": "markdown", "id": "m", "metadata": {}, "source": "x", "attachments": None})


@edited("a cell of an unknown type")
def _(notebook: Notebook) -> None:
    notebook["cells"] += [own(cell_type="sql", source="select 1"), own(cell_type="heading", level=2, source="x")]


@edited("unknown keys everywhere")
def _(notebook: Notebook) -> None:
    notebook["orig_nbformat"] = 4
    notebook["cells"].append(own(jupyter={"source_hidden": True}, prompt_number=3, collapsed=True))


@edited("numbers that JSON does not know")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own(metadata={"loss": float("nan"), "best": float("inf")}))


# Cells copied, split, moved, changed


@edited("the check cell copied")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(copy.deepcopy(cell(notebook, "conv_output_size-check")))


@edited("the answer cell copied")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(copy.deepcopy(cell(notebook)))


@edited("the answer cell split, its metadata in both halves")
def _(notebook: Notebook) -> None:
    other = copy.deepcopy(cell(notebook))
    other["source"] = "print(conv_output_size(7, 3))"
    notebook["cells"].insert(notebook["cells"].index(cell(notebook)) + 1, other)


@edited("the check cell split")
def _(notebook: Notebook) -> None:
    other = copy.deepcopy(cell(notebook, "conv_output_size-check"))
    other["source"] = ""
    notebook["cells"].append(other)


@edited("the answer cell is markdown")
def _(notebook: Notebook) -> None:
    _retype(cell(notebook), "markdown")


@edited("the answer cell is raw")
def _(notebook: Notebook) -> None:
    _retype(cell(notebook), "raw")


def _retype(one: dict, cell_type: str) -> None:
    one["cell_type"] = cell_type
    one.pop("outputs", None)
    one.pop("execution_count", None)


@edited("the check cell is markdown")
def _(notebook: Notebook) -> None:
    _retype(cell(notebook, "conv_output_size-check"), "markdown")


@edited("all check cells deleted")
def _(notebook: Notebook) -> None:
    notebook["cells"] = [one for one in notebook["cells"] if not one["metadata"].get("nbgrader", {}).get("locked")]


@edited("all but the answer deleted")
def _(notebook: Notebook) -> None:
    notebook["cells"] = [cell(notebook)]


@edited("cells in reverse order")
def _(notebook: Notebook) -> None:
    notebook["cells"].reverse()


@edited("the answer in an own cell, its cell still a stub")
def _(notebook: Notebook) -> None:
    cell(notebook)["source"] = "def conv_output_size(size, kernel, stride=1, padding=0):\n    raise NotImplementedError"
    notebook["cells"].append(own(RIGHT))


@edited("the name used again below")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own("from torch import nn\nconv_output_size = nn.Conv2d(3, 8, 3)"))


@edited("a wrong definition in an own cell below")
def _(notebook: Notebook) -> None:
    notebook["cells"].append(own("def conv_output_size(*sizes):\n    return 0"))


@edited("magic after an empty line, Windows line ends")
def _(notebook: Notebook) -> None:
    cell(notebook)["source"] = ("\n%%time\n" + RIGHT).replace("\n", "\r\n")


@edited("an experiment without an end below the answer")
def _(notebook: Notebook) -> None:
    cell(notebook)["source"] = RIGHT + "\nwhile True:\n    pass"


@edited("an answer that is not Python", points=0.0)
def _(notebook: Notebook) -> None:
    cell(notebook)["source"] = RIGHT + "\n)"


@edited("an unwritten lab", points=0.0)
def _(notebook: Notebook) -> None:
    cell(notebook)["source"] = "def conv_output_size(size, kernel, stride=1, padding=0):\n    raise NotImplementedError"


@edited("an imported answer", points=0.0)
def _(notebook: Notebook) -> None:
    cell(notebook)["source"] = "from captionlab.convnets.arithmetic import conv_output_size"


# The file's bytes


@as_bytes("a byte order mark")
def _(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


@as_bytes("UTF-16")
def _(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


@as_bytes("Windows line ends")
def _(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


@as_bytes("an empty file", points=0.0)
def _(data: bytes) -> bytes:
    return b""


@as_bytes("cut off", points=0.0)
def _(data: bytes) -> bytes:
    return data[: len(data) // 2]


@as_bytes("conflict markers", points=0.0)
def _(data: bytes) -> bytes:
    return data.replace(b'"cells": [', b'<<<<<<< HEAD\n"cells": [\n=======\n"cells": [\n>>>>>>> other', 1)


@as_bytes("a page instead of a notebook", points=0.0)
def _(data: bytes) -> bytes:
    return b"<!DOCTYPE html><html><body>Sign in</body></html>"


@as_bytes("a list instead of a notebook", points=0.0)
def _(data: bytes) -> bytes:
    return b"[1, 2]"


# Names of files, and what else is in the folder


@odd("downloaded twice")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / f"{LAB} (1).ipynb", notebook)


@odd("renamed")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / "my homework.ipynb", notebook)


@odd("a double ending")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / f"{NOTEBOOK}.txt", notebook)


@odd("capital letters")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / f"{LAB}.IPYNB", notebook)


@odd("hidden files beside it")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / NOTEBOOK, notebook)
    (folder / f"._{NOTEBOOK}").write_bytes(b"\0\x05\x16\x07\xb0")
    save(folder / ".ipynb_checkpoints" / f"{LAB}-checkpoint.ipynb", {"cells": []})
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf")


@odd("an older export beside it")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / NOTEBOOK, notebook)
    (folder / f"{LAB}.py").write_text("def conv_output_size(*sizes):\n    raise NotImplementedError\n")


@odd("only a module")
def _(folder: Path, notebook: Notebook) -> None:
    (folder / f"{LAB}.py").write_text(RIGHT)


@odd("a zip archive")
def _(folder: Path, notebook: Notebook) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{LAB}/{NOTEBOOK}", json.dumps(notebook))
        archive.writestr(f"__MACOSX/._{NOTEBOOK}", b"\0\x05")
    (folder / "homework.zip").write_bytes(packed.getvalue())


@odd("a document instead", points=0.0)
def _(folder: Path, notebook: Notebook) -> None:
    (folder / "homework.pdf").write_bytes(b"%PDF-1.7")


@odd("an empty folder", points=0.0)
def _(folder: Path, notebook: Notebook) -> None:
    pass


@odd("a link to a file", points=0.0)
def _(folder: Path, notebook: Notebook) -> None:
    (folder / NOTEBOOK).symlink_to("/etc/hostname")


@odd("a pipe beside it")
def _(folder: Path, notebook: Notebook) -> None:
    save(folder / NOTEBOOK, notebook)
    os.mkfifo(folder / "pipe")
