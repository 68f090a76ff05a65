"""Loss and accuracy over batches: probe and misconceptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from captionlab.exercises.lab3_bees_ants.common import (
    draw,
    draw_images,
    draw_labels,
    lab,
    modes,
    statistics,
    torch_seed,
)
from captionlab.exercises.lab3_bees_ants.networks import normed_head, small_mobilenet
from captionlab.grading.probe_helpers import outcome_of


class _Watched(nn.Module):
    """A network that notes, at each call, whether gradients are being computed."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.gradients = []

    def forward(self, images):
        self.gradients.append(torch.is_grad_enabled())
        return self.network(images)


def _batches(rng, model, classes):
    """Five, four and one image; labeled as the model would, most of the first batch, less and none of the others."""
    for size, right in ((5, draw(rng, 3, 4)), (4, draw(rng, 1, 2)), (1, 0)):
        images = draw_images(rng, size)
        with torch_seed(0), torch.no_grad():
            model.eval()
            labels = model(images).argmax(dim=1)
        labels[right:] = (labels[right:] + 1) % classes
        yield images, labels


def _model(rng, classes):
    model = small_mobilenet(rng, classes)
    with torch.no_grad():
        model.classifier[-1].weight.mul_(6)
    return model


@lab.exercise("captionlab.transfer.training:evaluate", points=3, minutes=25, difficulty=3, importance=5)
def probe_evaluate(evaluate, rng):
    def measure(*args, **kwargs):
        with torch_seed(0):  # dropout that is active by mistake drops the same values every time
            return evaluate(*args, **kwargs)

    classes = draw(rng, 3, 6)
    model = _model(rng, classes)
    batches = list(_batches(rng, model, classes))
    before = statistics(model)
    model.train()
    loss, accuracy = measure(model, list(batches))
    label = "batches of 5, 4 and 1 images, a model in training mode: "
    yield label + "loss", loss
    yield label + "accuracy", accuracy
    types = [isinstance(loss, float), isinstance(accuracy, float)]
    yield label + "both again, and the types", [*measure(model, list(batches)), *types]
    again = measure(model=model, batches=iter(batches))[0]
    asked = "loss, how far the batch statistics moved, and modes afterwards"
    yield label + asked, [again, statistics(model) - before, modes(model)]
    model.eval()
    label = "the same model in evaluation mode: loss, accuracy, and modes afterwards"
    yield label, [*measure(model, list(batches)), modes(model)]

    watched = _Watched(model)
    seen = measure(watched, [batches[0], batches[2]])
    label = "batches of 5 and 1: accuracy, whether gradients were on at each call of the model, and afterwards"
    yield label, [seen[1], watched.gradients, torch.is_grad_enabled()]
    model = _model(rng, classes)
    normed_head(rng, model)
    model.features.eval()
    images = draw_images(rng, 6)
    seen = measure(model, [(images, draw_labels(rng, 6, classes))])
    yield "the head in training mode, the rest in evaluation mode: loss, and modes afterwards", [seen[0], modes(model)]
    yield "no batches at all", outcome_of(measure, model, [])


@lab.misconception(
    "evaluate",
    hint="You average over batches: the single image of the last batch counts as much as the five of the first. Sum "
    "over images, and divide by their number.",
)
def averages_batches(model, batches):
    states = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    losses, accuracies = [], []
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            losses.append(F.cross_entropy(scores, labels).item())
            accuracies.append((scores.argmax(dim=1) == labels).float().mean().item())
    for layer, training in states:
        layer.training = training
    if not losses:
        raise ValueError("no batches")
    return sum(losses) / len(losses), sum(accuracies) / len(accuracies)


@lab.misconception(
    "evaluate",
    hint="The model is evaluated in the mode it came in: dropout drops, and batch normalization uses, and learns, the "
    "statistics of your validation images. Call model.eval() first.",
)
def stays_in_training_mode(model, batches):
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception(
    "evaluate",
    hint="The model is left in evaluation mode: a caller that was training goes on without dropout. Put every layer "
    "back in the mode it was in.",
)
def leaves_evaluation_mode(model, batches):
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception(
    "evaluate",
    hint="Afterwards everything is in training mode, whatever it was before: a frozen backbone starts to drift. Note "
    "the mode of each layer, and put it back.",
)
def ends_in_training_mode(model, batches):
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    model.train()
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception(
    "evaluate",
    hint="You put back the mode of the model as a whole, and so give all layers the same. Head and backbone can be in "
    "different modes: note that of each of model.modules().",
)
def restores_one_mode_for_all(model, batches):
    was_training = model.training
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    model.train(was_training)
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception(
    "evaluate",
    hint="The numbers are right, but gradients are on while the model runs, which costs time and memory for nothing. "
    "Wrap the loop in `with torch.no_grad():`.",
)
def keeps_gradients(model, batches):
    states = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    loss, right, seen = 0.0, 0, 0
    for images, labels in batches:
        scores = model(images)
        loss += F.cross_entropy(scores, labels, reduction="sum").item()
        right += (scores.argmax(dim=1) == labels).sum().item()
        seen += len(labels)
    for layer, training in states:
        layer.training = training
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception("evaluate", hint="Your accuracy is in percent; a share from 0 to 1 was asked for.")
def accuracy_in_percent(model, batches):
    states = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    for layer, training in states:
        layer.training = training
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, 100.0 * right / seen


@lab.misconception(
    "evaluate",
    hint="You take a softmax of the scores before the cross-entropy, which has one inside: the loss is wrong, while "
    "the accuracy does not mind.",
)
def softmax_before_cross_entropy(model, batches):
    states = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = torch.softmax(model(images), dim=1)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    for layer, training in states:
        layer.training = training
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception(
    "evaluate",
    hint="The loss adds up means: F.cross_entropy gives the mean of its batch. Ask for the sum, or multiply by the "
    "number of images, before dividing by all of them.",
)
def divides_twice(model, batches):
    states = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels).item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    for layer, training in states:
        layer.training = training
    if seen == 0:
        raise ValueError("no batches")
    return loss / seen, right / seen


@lab.misconception(
    "evaluate",
    hint="All is right but for an empty data set: there you divide by zero. Raise a ValueError that says so.",
)
def divides_by_zero(model, batches):
    states = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    loss, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            seen += len(labels)
    for layer, training in states:
        layer.training = training
    return loss / seen, right / seen
