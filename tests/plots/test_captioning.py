"""Figures of Lab 4 and of the experiments: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from captionlab.plots.bees_ants import seed_curves
from captionlab.plots.captioning import attention_figure, attention_overlap_figure, curves_figure
from captionlab.plots.scenes import confusion_with_accuracies, search_steps


def epoch(loss, accuracy):
    return {"train_loss": loss / 2, "validation_loss": loss, "validation_accuracy": accuracy}


def test_each_word_has_its_attention():
    alphas = torch.zeros(2, 16)
    alphas[0, 0] = alphas[1, 15] = 1
    figure = attention_figure(Image.new("RGB", (90, 60), "white"), ("a", "dog"), alphas, columns=2)
    plain, first, second, empty = figure.axes
    assert [axes.get_title() for axes in (plain, first, second)] == ["image", "a  1.00", "dog  1.00"]
    assert not empty.images
    seen = first.images[0].get_array(), second.images[0].get_array()
    assert seen[0][10, 10].min() > 0.9
    assert seen[0][200, 200].max() == pytest.approx(0.25)  # dimmed, not hidden
    assert np.allclose(seen[0], seen[1][::-1, ::-1])


def test_curves_are_the_histories():
    rows = [{"epoch": n, "train_loss": 3 - n, "dev_loss": 4 - n, "dev_bleu4": n / 10} for n in (1, 2)]
    losses, scores = curves_figure({"run": rows}, "title").axes
    assert [list(line.get_ydata()) for line in losses.lines] == [[2, 1], [3, 2]]
    assert list(scores.lines[0].get_ydata()) == [0.1, 0.2]


def test_overlap_is_shown_against_the_area():
    rows = [
        {"word": "all", "times": 3, "inside": 0.6, "area": 0.2},
        {"word": "dog", "times": 1, "inside": 1, "area": 0.1},
    ]
    axes = attention_overlap_figure(rows, "title").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.6, 1]
    assert list(axes.lines[0].get_xdata()) == [0.2, 0.1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all (3)", "dog (1)"]
    assert axes.yaxis_inverted()


def test_the_mean_over_the_seeds_ends_with_the_shortest():
    seeds = [[epoch(1.0, 0.5), epoch(0.5, 0.7)], [epoch(0.6, 0.7), epoch(0.3, 0.9), epoch(0.2, 1.0)]]
    losses, accuracies = seed_curves({"head": seeds}, {"head": [2, 3]}, "title").axes
    assert losses.lines[1].get_ydata() == pytest.approx([0.8, 0.4])
    assert accuracies.lines[0].get_ydata() == pytest.approx([0.6, 0.8])
    dots = [line for line in accuracies.lines if line.get_marker() == "o"]
    assert [(list(dot.get_xdata()), list(dot.get_ydata())) for dot in dots] == [([2], [0.7]), ([3], [1.0])]
    many = seed_curves(dict.fromkeys("abcd", seeds), {name: [2, 3] for name in "abcd"}, "title")
    assert len(many.axes[1].lines) == 4  # single seeds would only be confusing


def test_class_accuracies_are_those_of_the_confusion_matrix():
    left, right = confusion_with_accuracies(np.array([[3, 1], [0, 2]]), ("coast", "forest"), "title").axes
    assert {text.get_text() for text in left.texts} == {"3", "1", "2"}
    assert [bar.get_width() for bar in right.patches] == [0.75, 1.0]


def test_steps_that_were_kept_are_joined():
    rows = [
        {"step": "plain", "description": "layer4 at 64", "cv_accuracy": 0.8, "kept": True},
        {"step": "C", "description": "C=0.3", "cv_accuracy": 0.7, "kept": False},
        {"step": "C", "description": "C=3", "cv_accuracy": 0.9, "kept": True},
    ]
    axes = search_steps(rows, "title").axes[0]
    assert list(axes.lines[1].get_xdata()) == [0.8, 0.9]
    assert list(axes.lines[1].get_ydata()) == [0, 2]
    assert axes.get_yticklabels()[1].get_text() == "C:  C=0.3"
