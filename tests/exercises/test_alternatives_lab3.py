"""Other correct solutions of Lab 3's exercises earn full points, and references need only names of the notebook."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from alternatives import (
    check_all_points,
    check_alternatives,
    check_careless,
    check_misconceptions,
    check_reference,
    check_starter,
    first_cell,
)
from alternatives_lab3 import ALTERNATIVES, alternative
from torch import nn

from captionlab.exercises.lab3_bees_ants import lab as LAB

GIVEN = first_cell(LAB.name)
every_exercise = pytest.mark.parametrize("exercise", LAB.exercises.values(), ids=list(LAB.exercises))


@every_exercise
def test_every_exercise_has_an_alternative(exercise):
    check_alternatives(exercise, ALTERNATIVES)


def test_alternatives_are_answers_to_exercises():
    assert {function.__name__.partition("__")[0] for function in ALTERNATIVES} <= set(LAB.exercises)


@every_exercise
def test_references_and_misconceptions_run_in_the_notebook(exercise):
    check_reference(exercise, GIVEN)
    check_misconceptions(exercise, GIVEN)


# Data sets use their arguments later, copies of parameter groups hold copies of the parameters, and a copy of a model
# is not the model that was passed.
careless = [name for name in LAB.exercises if name not in ("make_datasets", "parameter_groups", "replace_head")]


@pytest.mark.parametrize("name", careless)
def test_a_careless_answer_cannot_spoil_the_probe(name):
    check_careless(LAB.exercises[name])


@pytest.mark.parametrize("exercise", [one for one in LAB.exercises.values() if one.starter], ids=lambda one: one.name)
def test_the_code_of_a_find_the_bug_exercise_runs_and_earns_nothing(exercise):
    check_starter(exercise, GIVEN)


# --- training


@alternative
def train_step__cleared_afterwards_too(model, images, labels, optimizer):
    optimizer.zero_grad(set_to_none=False)
    logits = model(images)
    loss = nn.CrossEntropyLoss()(logits, labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss)


@alternative
def train_step__log_softmax(model, images, labels, optimizer):
    optimizer.zero_grad()
    loss = F.nll_loss(F.log_softmax(model(images), dim=1), labels)
    loss.backward()
    optimizer.step()
    return loss.detach().item()


@alternative
def evaluate__weighted_means(model, batches):
    before = {name: module.training for name, module in model.named_modules()}
    model.eval()
    sizes, losses, accuracies = [], [], []
    with torch.inference_mode():
        for images, labels in batches:
            logits = model(images)
            sizes.append(len(images))
            losses.append(float(F.cross_entropy(logits, labels)))
            accuracies.append(float((logits.max(dim=1).indices == labels).double().mean()))
    for name, module in model.named_modules():
        module.training = before[name]
    if not sizes:
        raise ValueError("nothing to evaluate")
    return float(np.average(losses, weights=sizes)), float(np.average(accuracies, weights=sizes))


@alternative
def evaluate__all_logits_at_once(model, batches):
    modes = [module.training for module in model.modules()]
    model.eval()
    logits, labels = [], []
    with torch.no_grad():
        for images, truth in batches:
            logits.append(model(images))
            labels.append(truth)
    for module, mode in zip(model.modules(), modes, strict=True):
        module.training = mode
    if not labels:
        raise ValueError("empty")
    logits, labels = torch.cat(logits), torch.cat(labels)
    return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


@alternative
class EarlyStopping__a_counter:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False
        self.waited = 0

    def update(self, value):
        self.epoch += 1
        if value > self.best:
            self.best, self.best_epoch, self.improved, self.waited = value, self.epoch, True, 0
        else:
            self.improved, self.waited = False, self.waited + 1
        return self.waited >= self.patience


@alternative
class EarlyStopping__all_values_kept:
    def __init__(self, patience):
        self.patience, self.best, self.best_epoch, self.improved, self.values = patience, -math.inf, 0, False, []
        self.epoch = 0

    def update(self, value):
        self.values.append(value)
        self.epoch = len(self.values)
        self.improved = all(value > earlier or math.isnan(earlier) for earlier in self.values[:-1]) and value == value
        if self.improved:
            self.best, self.best_epoch = value, len(self.values)
        return len(self.values) - self.best_epoch >= self.patience


@alternative
def train_and_keep_best__a_file_in_memory(model, train_epoch, validate, early_stopping, max_epochs):
    file, history = io.BytesIO(), []
    torch.save(model.state_dict(), file)
    while len(history) < max_epochs:
        history.append([train_epoch(), validate()])
        done = early_stopping.update(history[-1][1])
        if early_stopping.best_epoch == len(history):
            file = io.BytesIO()
            torch.save(model.state_dict(), file)
        if done:
            break
    file.seek(0)
    model.load_state_dict(torch.load(file, weights_only=True))
    return history


@alternative
def train_and_keep_best__clones_and_accuracies_of_its_own(model, train_epoch, validate, early_stopping, max_epochs):
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    losses, accuracies = [], []
    for _ in range(max_epochs):
        losses.append(train_epoch())
        accuracy = validate()
        if accuracy > max(accuracies, default=float("-inf")):
            kept = {name: value.clone() for name, value in model.state_dict().items()}
        accuracies.append(accuracy)
        if early_stopping.update(accuracy):
            break
    for name, value in model.state_dict().items():
        value.copy_(kept[name])
    return list(zip(losses, accuracies, strict=True))


@pytest.mark.parametrize("function", ALTERNATIVES, ids=[function.__name__ for function in ALTERNATIVES])
def test_an_alternative_earns_all_points(function):
    check_all_points(LAB, function)
