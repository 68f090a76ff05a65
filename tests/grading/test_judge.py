"""The judge compares kinds, shapes, finiteness and values, and gives credit for work only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.grading.comparison import compare
from captionlab.grading.exercise import Lab, grading_seed, public_seed
from captionlab.grading.expectation import Expectation
from captionlab.grading.judge import judge
from captionlab.grading.observation import (
    Observation,
    ProbeResult,
    Unsupported,
    decode,
    encode,
    from_lines,
    observe,
    plain,
    to_lines,
)


def difference(toy, expected, got):
    found = compare(toy.exercises["add"], Observation("x", plain(expected)), Observation("x", plain(got)))
    return found and found.reason


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (7, 7.0),
        (7, np.int64(7)),
        (0.5, np.float32(0.5)),
        (0.5, torch.tensor(0.5)),
        ([1, 2], (1, 2)),
        ([1, 2], torch.Size([1, 2])),
        (np.ones(3), torch.ones(3)),
        (np.ones(3), np.ones(3, dtype=np.float16)),
        (np.arange(3), torch.arange(3.0)),
        (1.0, 1.00005),
        ("a", np.str_("a")),
        (float("nan"), float("nan")),
        (torch.ones(2, requires_grad=True), np.ones(2)),
    ],
)
def test_equal_kinds_and_values(toy, expected, got):
    assert difference(toy, expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "reason"),
    [
        (1, True, "type: expected a number, got a boolean"),
        (True, 1, "type: expected a boolean, got a number"),
        (1, None, "type: expected a number, got None"),
        (1, "1", "type: expected a number, got a string"),
        (1, "raises ValueError", "type: expected a number, got an error"),
        ("raises ValueError", "raises KeyError", "value differs"),
        (np.ones(3), [1.0, 1.0, 1.0], "type: expected an array, got a list"),
        (1, {"a": 1}, "type: expected a number, got a value of type dict"),
        (np.ones((2, 3)), np.ones((3, 2)), "shape: expected (2, 3), got (3, 2)"),
        (np.ones(3), np.ones(3, dtype=bool), "type: expected an array, got an array of booleans"),
        (np.ones(2), np.array([1, np.nan]), "finiteness: 1 of 2 values are NaN or infinite"),
        (1.0, float("inf"), "finiteness: expected a finite number, got inf"),
        (np.zeros(4), np.array([0, 0, 1, 1]), "values: 2 of 4 differ, first at [2]"),
        (138_357_544, 138_357_543, "value differs"),
        (10**9, 10**9 + 0.5, "value differs"),
        ([1, 2], [1], "length: expected 2, got 1"),
        ([1, [2, 3]], [1, [2, 4]], "at [1][1]"),
        (1.0, 1.001, "value differs"),
    ],
)
def test_the_first_thing_that_differs_is_named(toy, expected, got, reason):
    assert difference(toy, expected, got) == reason


def test_dtype_counts_only_where_the_exercise_says_so():
    lab = Lab("x", "x", package="x")
    lab.exercise("x:strict", points=1, minutes=1, check_dtype=True)(lambda f, rng: iter(()))
    one, other = (Observation("x", np.ones(2, dtype)) for dtype in ("float32", "float64"))
    assert compare(lab.exercises["strict"], one, other).reason == "dtype: expected float32, got float64"


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.builds(Unsupported, st.text(max_size=10)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(plain_values)
@settings(deadline=None)
def test_plain_values_survive_the_way_between_processes(value):
    observed = ProbeResult((Observation("a", value),))
    assert from_lines(to_lines(observed)) == observed


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", ">f8"])
def test_arrays_survive_the_way_between_processes(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = decode(encode(plain(array)))
    assert back.shape == (2, 3)
    assert (back == array).all()


@pytest.mark.parametrize(
    "data",
    [
        {"dtype": "object", "shape": [1], "data": "AAAAAAAAAAA="},
        {"dtype": "float32", "shape": [2**39, 2**39], "data": ""},
        {"dtype": "float32", "shape": [-1], "data": ""},
        {"dtype": "float32", "shape": [2], "data": "AAAA"},
        {"dtype": "float32", "shape": "ab", "data": "AAAA"},
        {"dtype": [], "shape": [1], "data": ""},
        {"anything": 1},
    ],
)
def test_malformed_observations_are_refused(data):
    with pytest.raises((ValueError, TypeError)):
        decode(data)


def test_values_are_copied_when_observed():
    def probe(implementation, rng):
        values = np.zeros(2)
        yield "before", values
        values += 1
        yield "after", values

    lab = Lab("x", "x", package="x")
    lab.exercise("x:probed", points=1, minutes=1)(probe)
    seen = observe(lab.exercises["probed"], None, 0)
    assert seen.observations[0].value.tolist() == [0, 0]


def test_credit_is_only_for_what_a_trivial_answer_does_not_get():
    lab = Lab("x", "x", package="x")

    @lab.exercise("os.path:isabs", points=4, minutes=1)
    def probe(isabs, rng):
        for path in ("/a", "/b", "/c", "d"):
            yield path, isabs(path)

    exercise = lab.exercises["isabs"]

    def points(answer):
        return judge(Expectation(exercise, 0), observe(exercise, answer, 0)).points

    assert points(lambda path: True) == 0
    assert points(lambda path: path in ("/a", "/b")) == 0
    assert points(lambda path: path.startswith("/")) == 4


def test_extra_observations_and_false_labels_are_not_right(toy):
    exercise = toy.exercises["add"]
    expectation = Expectation(exercise, 1)
    right = expectation.reference.observations
    assert judge(expectation, ProbeResult((*right, right[0]))).outcome != "right"
    other = judge(expectation, ProbeResult(tuple(Observation("no", one.value) for one in right)))
    assert (other.points, other.message) == (0, "0 of 5 checks are right; it made the checks take another path")


def test_seeds_differ_by_student_exercise_and_secret(toy):
    add, halves = toy.exercises["add"], toy.exercises["halves"]
    seeds = {
        grading_seed(secret, exercise, student)
        for secret in (b"one", b"two")
        for exercise in (add, halves)
        for student in ("ada", "bob")
    }
    assert len(seeds | {public_seed(add), public_seed(halves)}) == 10
    assert grading_seed(b"one", add, "ada") == grading_seed(b"one", add, "ada")
