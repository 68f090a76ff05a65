"""A class is graded by several threads: what a reference gives must not depend on what the others do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from captionlab.grading import pipeline as pipeline
from captionlab.grading.exercise import Lab
from captionlab.grading.observation import observe
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission


def slow_probe(implementation, rng):
    torch.manual_seed(int(rng.integers(1000)))
    for draw in range(5):
        time.sleep(0.002)
        yield f"draw {draw}", implementation()


@pytest.fixture
def drawn():
    lab = Lab("x", "x", package="x")
    lab.exercise("x:drawn", points=1, minutes=1)(slow_probe)
    return lab.exercises["drawn"]


def test_probes_of_two_threads_do_not_share_their_random_numbers(drawn):
    def values(seed: int) -> list:
        return [one.value for one in observe(drawn, lambda: torch.rand(()).item(), seed).observations]

    alone = [values(seed) for seed in range(20)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(values, range(20))) == alone


def test_submissions_are_read_one_after_the_other(toy, monkeypatch, tmp_path):
    reading, together = [], []

    def read(file, lab):
        reading.append(file)
        together.append(len(reading))
        time.sleep(0.02)
        reading.remove(file)
        raise UnreadableSubmission("it is empty")

    monkeypatch.setattr(pipeline, "read_submission", read)
    files = [SubmissionFile(f"student-{number}", tmp_path) for number in range(6)]
    with pipeline.Grader(toy, jobs=3) as grader:
        reports = grader.grade_all(files)
    assert together == [1] * 6
    assert [report.problem for report in reports] == ["it is empty"] * 6
    assert [report.student for report in reports] == [file.student for file in files]
