"""The course's secret is taken from the environment or a file, which is made once and for its owner only."""

from __future__ import annotations

import pytest

from captionlab.grading.secret import SECRET_FILE, SECRET_VARIABLE, UnusableSecret, course_secret


def test_it_is_made_on_first_use_and_kept(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    first = course_secret(tmp_path)
    assert len(first) == 64
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o077 == 0
    assert course_secret(tmp_path) == first


def test_the_environment_counts_more_than_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, "of the environment")
    assert course_secret(tmp_path) == b"of the environment"
    assert not (tmp_path / SECRET_FILE).exists()


def test_an_empty_file_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    (tmp_path / SECRET_FILE).parent.mkdir()
    (tmp_path / SECRET_FILE).write_text(" \n")
    with pytest.raises(UnusableSecret, match="delete the file"):
        course_secret(tmp_path)
