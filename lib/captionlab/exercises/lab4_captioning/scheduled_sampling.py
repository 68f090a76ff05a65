"""Scheduled sampling: probe and misconceptions."""

from __future__ import annotations

import random

import numpy as np
import torch

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import GlobalGenerators, dtype_of


@lab.exercise("captionlab.captioning.sampling:scheduled_words", points=1, minutes=10, difficulty=2, importance=3)
def probe_scheduled_words(scheduled_words, rng):
    generators = GlobalGenerators()

    def case(probability, uniform):
        targets = torch.tensor(draw_different(rng, 4, 20, len(uniform)))
        predicted = torch.tensor(draw_different(rng, 21, 40, len(uniform)))
        return generators.call(scheduled_words, targets, predicted, torch.tensor(uniform), probability)

    def shuffled(*values):
        return [values[at] for at in rng.permutation(len(values))]

    targets, predicted = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 7])
    words = generators.call(
        scheduled_words, targets=targets, predicted=predicted, uniform=torch.tensor([0.1, 0.4, 0.9]), probability=0.25
    )
    yield "targets 5, 6, 7, predicted 8, 9, 7, random numbers 0.1, 0.4, 0.9, probability 0.25", words
    yield "the targets after a call", targets, 2.5
    yield "the dtype of the words", dtype_of(words), 0.5
    low, high = draw(rng, 5, 12) / 64, draw(rng, 40, 60) / 64  # exact in binary
    yield (
        f"probability 0.25, random numbers from {low / 2} to {low} and from {high} to 0.99",
        case(0.25, shuffled(low, high, low / 2, high, 0.99, 0.9)),
        2,
    )
    yield "probability 0.75, random numbers around it", case(0.75, shuffled(low, 0.5, 0.7, 0.8, 0.875)), 2
    yield "random numbers that equal the probability, 0.5", case(0.5, shuffled(0.5, 0.5, 0.25, 0.75, 0.5)), 2
    yield "probability 0, a random number of 0", case(0.0, shuffled(0.0, low, high))
    yield "probability 1", case(1.0, shuffled(0.0, low, high, 0.999)), 2
    yield "the global random generators that were used", generators.used, 0.5


CHOICE = "torch.where(uniform < probability, predicted, targets)"  # in the reference

lab.misconceptions(
    "scheduled_words",
    the_other_way_round=(
        "You swap the two words: `probability` says how often the model's own word is read. 0 is teacher forcing.",
        {CHOICE: "torch.where(uniform < probability, targets, predicted)"},
    ),
    one_number_for_all=(
        "One random number decides for the whole batch. Each caption has a number of its own.",
        {CHOICE: "predicted if uniform[0] < probability else targets"},
    ),
    less_or_equal=(
        "With a probability of 0 the model's own word is still read sometimes: random numbers come from [0, 1), and "
        "0 is one of them. Compare with <.",
        {"uniform < probability": "uniform <= probability"},
    ),
    compares_with_the_rest=(
        "You compare with 1 - probability. Take the model's own word where the random number is smaller than the "
        "probability.",
        {"uniform < probability": "uniform >= 1 - probability"},
    ),
    compares_with_half=(
        "You compare the random numbers with a fixed number, whatever `probability` is. Compare with the argument.",
        {"uniform < probability": "uniform < 0.5"},
    ),
    always_the_true_words=(
        "You always return the true words. Return the model's own word where the random number is below `probability`.",
        {CHOICE: "targets"},
    ),
    always_the_own_words=(
        "You always return the model's own words. Return the true word where the random number is not below "
        "`probability`.",
        {CHOICE: "predicted"},
    ),
    draws_its_own_numbers=(
        "You draw random numbers yourself, so the result cannot be repeated. Use the ones you are given in `uniform`.",
        {"uniform < probability": "torch.rand(len(targets)) < probability"},
    ),
    overwrites_the_targets=(
        "You write the model's words into `targets` itself. The caller still needs the true words, for the loss: "
        "work on a copy, or choose into a new tensor.",
        {
            f"return {CHOICE}": "own = uniform < probability\n    targets[own] = predicted[own]\n    return targets",
        },
    ),
    mixes_the_ids=(
        "You compute with the ids as if they were quantities: a mean of two ids is some other word. Choose one of the "
        "two for each caption.",
        {CHOICE: "(probability * predicted + (1 - probability) * targets).long()"},
    ),
    words_become_floats=(
        "Your words are floats: an embedding needs integers. Choose between the ids (torch.where) instead "
        "of multiplying them by a mask of floats.",
        {CHOICE: f"{CHOICE}.float()"},
    ),
    drops_the_others=(
        "You return only some of the captions: those where the model's own word is read. The result has one word per "
        "caption of the batch.",
        {CHOICE: "predicted[uniform < probability]"},
    ),
)
lab.other_spellings(
    "scheduled_words",
    the_other_way_round=[
        {"uniform < probability": "uniform > probability"},
        {f"return {CHOICE}": "true = uniform < probability\n    predicted[true] = targets[true]\n    return predicted"},
    ],
    compares_with_the_rest=[{"uniform < probability": "uniform < 1 - probability"}],
    one_number_for_all=[{CHOICE: "predicted.clone() if uniform.mean() < probability else targets.clone()"}],
    draws_its_own_numbers=[
        {"uniform < probability": "torch.rand(1) < probability"},
        {"uniform < probability": "torch.bernoulli(torch.full(targets.shape, float(probability))).bool()"},
    ],
)


@lab.misconception("scheduled_words", another="draws_its_own_numbers")
def draws_with_numpy(targets, predicted, uniform, probability):
    return torch.where(torch.from_numpy(np.random.rand(len(targets))) < probability, predicted, targets)


@lab.misconception("scheduled_words", another="draws_its_own_numbers")
def draws_with_python(targets, predicted, uniform, probability):
    pairs = zip(targets, predicted, strict=True)
    return torch.stack([own if random.random() < probability else true for true, own in pairs])


@lab.misconception("scheduled_words", another="draws_its_own_numbers")
def draws_once_with_python(targets, predicted, uniform, probability):
    return predicted if random.random() < probability else targets
