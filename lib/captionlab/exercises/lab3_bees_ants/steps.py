"""One step of training: probe and misconceptions."""

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
    weights,
)
from captionlab.exercises.lab3_bees_ants.networks import normed_head, small_mobilenet, small_resnet, small_vgg


def _wide_scores(model):
    """Scores far apart, so that a softmax more or less shows; weights of the last layer, in place."""
    with torch.no_grad():
        for parameter in model.fc.parameters():
            parameter.mul_(4)
    return model


@lab.exercise(
    "captionlab.transfer.training:train_step",
    points=2,
    minutes=15,
    difficulty=2,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
)
def probe_train_step(train_step, rng):
    def step(*args, **kwargs):
        with torch_seed(0):  # dropout drops the same values every time
            return train_step(*args, **kwargs)

    classes = draw(rng, 3, 5)
    images, labels = draw_images(rng, 6), draw_labels(rng, 6, classes)
    model = _wide_scores(small_resnet(rng, classes)).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loss = step(model, images.clone(), labels.clone(), optimizer)
    yield "the loss of a batch of six, and whether it is a Python float", [loss, isinstance(loss, float)]
    yield "all parameters after this step", weights(model)
    again = step(model=model, images=images.flip(0), labels=labels.flip(0), optimizer=optimizer)
    yield "the loss of a second step, on the same images", again
    yield "all parameters after two steps", weights(model)

    model = small_resnet(rng, classes).eval()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    before = weights(model)
    step(model, images[:1].clone(), labels[:1].clone(), torch.optim.SGD(model.parameters(), lr=0.05))
    yield "gradients left over from before: how far a step on one image moves the parameters", weights(model) - before

    model = small_vgg(rng, classes).eval()
    before = weights(model)
    loss = step(model, images.clone(), labels.clone(), torch.optim.Adam(model.classifier.parameters(), lr=0.01))
    label = "only the classifier in the optimizer (Adam): loss, and parameters that moved, in features and classifier"
    moved = (weights(model) != before).int()
    inside = sum(parameter.numel() for parameter in model.features.parameters())
    yield label, [loss, int(moved[:inside].sum()), int(moved[inside:].sum()) > 0]

    model = small_mobilenet(rng, classes)
    head = normed_head(rng, model)
    model.features.eval()
    loss = step(model, images.clone(), labels.clone(), torch.optim.SGD(head.parameters(), lr=0.05))
    yield "the head in training mode, the rest in evaluation mode: loss, and modes afterwards", [loss, modes(model)]
    yield "batch statistics afterwards (only those of the head move)", [loss, statistics(model)]


@lab.misconception(
    "train_step",
    hint="You take a softmax of the scores first. F.cross_entropy has one inside and wants the scores as they are.",
)
def softmax_before_the_loss(model, images, labels, optimizer):
    loss = F.cross_entropy(torch.softmax(model(images), dim=1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@lab.misconception(
    "train_step",
    hint="Gradients add up from step to step: nobody clears them. Call optimizer.zero_grad() before backward().",
)
def accumulates_gradients(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@lab.misconception(
    "train_step",
    hint="No parameter ever moves. Either step() is missing, or the gradients are cleared between backward() and "
    "step().",
)
def never_moves(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@lab.misconception(
    "train_step",
    hint="You step before backward(): the update uses the gradients of the batch before, and in the first step there "
    "are none.",
)
def steps_before_backward(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@lab.misconception(
    "train_step",
    hint="The step is right; the loss you return is a tensor with its whole graph, and a list of those fills the "
    "memory. Return loss.item().",
)
def returns_a_tensor(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@lab.misconception(
    "train_step",
    hint="The loss you return is computed again after the update: a second forward pass for another number. Return the "
    "one you have.",
)
def loss_after_the_update(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return F.cross_entropy(model(images), labels).item()


@lab.misconception(
    "train_step",
    hint="The loss is summed over the batch, and so are the gradients: the step grows with the batch. Take the mean.",
)
def sums_over_the_batch(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@lab.misconception(
    "train_step",
    hint="Your model.train() puts the whole network in training mode, and undoes what training_mode has set. The modes "
    "are the caller's business.",
)
def sets_training_mode(model, images, labels, optimizer):
    model.train()
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@lab.misconception(
    "train_step",
    hint="Every parameter of the model is updated, by hand or by another optimizer: use the one you are given, which "
    "knows what is trained, and how fast.",
)
def updates_by_hand(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if isinstance(parameter, nn.Parameter) and parameter.grad is not None:
                parameter -= 0.05 * parameter.grad
    return loss.item()
