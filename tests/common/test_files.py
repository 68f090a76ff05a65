"""Atomic writes: the old file or the new one, never a part of one, and nothing left over."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from captionlab.common.files import find_visible, write_atomically


def test_the_folder_is_created_and_the_file_replaced(tmp_path):
    path = tmp_path / "deep" / "down" / "file.txt"
    for data in (b"one", b"another"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def test_a_failed_write_keeps_the_old_file_and_removes_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_atomically(path, b"old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"file\.txt cannot be saved \(No space left on device\)") as caught:
        write_atomically(path, b"new")
    assert caught.value.errno == 28
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]


def test_two_processes_may_write_the_same_file(tmp_path):
    """While one is in the middle of writing, another one writes: both succeed."""
    path = tmp_path / "file.txt"
    slow = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from captionlab.common.files import write_atomically\n"
        "path, real = Path(sys.argv[1]), os.fsync\n"
        "def fsync(handle):\n"
        "    script = 'import sys; from pathlib import Path; from captionlab.common.files import write_atomically; '\n"
        "    script += 'write_atomically(Path(sys.argv[1]), b\"fast\")'\n"
        "    subprocess.run([sys.executable, '-c', script, str(path)], check=True)\n"
        "    assert path.read_bytes() == b'fast'\n"
        "    real(handle)\n"
        "os.fsync = fsync\n"
        "write_atomically(path, b'slow')\n"
    )
    subprocess.run([sys.executable, "-c", slow, str(path)], check=True)
    assert path.read_bytes() == b"slow"


def test_hidden_files_and_those_in_hidden_folders_are_not_found(tmp_path):
    names = ["b/a.txt", "a.txt", "._a.txt", ".ipynb_checkpoints/a.txt", "__MACOSX/b/a.txt", "c.md"]
    for name in names:
        write_atomically(tmp_path / name, b"")
    assert [str(path.relative_to(tmp_path)) for path in find_visible(tmp_path, "*.txt")] == ["a.txt", "b/a.txt"]
    assert len(find_visible(tmp_path / ".ipynb_checkpoints", "*.txt")) == 1  # the folder itself was asked for
