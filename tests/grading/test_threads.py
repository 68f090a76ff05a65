"""A class is graded by several threads: what a reference gives must not depend on what the others do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import torch

from captionlab.exercises import load_lab
from captionlab.grading import pipeline as pipeline
from captionlab.grading.observation import observe


def slow_probe(implementation, rng):
    torch.manual_seed(int(rng.integers(1000)))
    for draw in range(5):
        time.sleep(0.002)
        yield f"draw {draw}", implementation()


def test_probes_of_two_threads_do_not_share_their_random_numbers():
    def values(seed: int) -> list:
        return [one.value for one in observe(slow_probe, lambda: torch.rand(()).item(), seed).observations]

    alone = [values(seed) for seed in range(20)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(values, range(20))) == alone


def test_submissions_are_read_one_after_the_other(monkeypatch, tmp_path):
    reading, together = [], []

    def read(handed, lab):
        reading.append(handed)
        together.append(len(reading))
        time.sleep(0.02)
        reading.remove(handed)
        raise pipeline.UnreadableSubmission("it is empty")

    monkeypatch.setattr(pipeline, "read_submission", read)
    found = [pipeline.SubmissionFile(f"student-{number}", tmp_path) for number in range(6)]
    graded = pipeline.grade_class(found, load_lab("lab1"), None, jobs=3)
    assert together == [1] * 6
    assert [one.problem for one in graded] == ["it is empty"] * 6
