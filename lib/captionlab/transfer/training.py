"""The parts of a training loop: one step, an evaluation, when to stop, and which epoch to keep."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F


def train_step(model, images, labels, optimizer):
    """One step of training on a batch: cross-entropy, its gradients, one update of the parameters.

    Gradients left over from before play no part. The modes (training, evaluation) of the model's layers are the
    caller's business and stay as they are.

    Args:
        model: a network that gives scores ``(batch, classes)``, before any softmax.
        images: ``(batch, 3, height, width)``, on the model's device.
        labels: ``(batch,)``, int64: the class of each image.
        optimizer: an optimizer of ``torch.optim`` over those parameters that are to be trained.

    Returns:
        The mean cross-entropy of the batch in nats, before the update: a Python float.

    Example::

        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 1, 0])
        first = train_step(model, images, labels, optimizer)
        train_step(model, images, labels, optimizer) < first  # True: the first step has taught it something
    """
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluate(model, batches):
    """Mean loss and accuracy of a network over batches of images.

    All images count alike, in whichever batch they are: batches may be of unequal size, as the last one of an epoch
    mostly is. The model is evaluated in evaluation mode and without computing gradients. Afterwards every layer is in
    the mode it was in before, which need not be the same one for all of them.

    Args:
        model: a network that gives scores ``(batch, classes)``, before any softmax.
        batches: an iterable of ``(images, labels)``: ``(batch, 3, height, width)`` and ``(batch,)``, int64, both on
            the model's device. It is gone through once.

    Returns:
        ``(loss, accuracy)``, two Python floats: the mean cross-entropy of an image in nats, and the share of the
        images whose highest score is that of their label.

    Raises:
        ValueError: if there is no image in the batches.

    Example::

        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
        batches = [(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 1, 0])), (torch.rand(1, 3, 8, 8), torch.tensor([1]))]
        loss, accuracy = evaluate(model, batches)
        accuracy  # 0.0, 0.2, 0.4, 0.6, 0.8 or 1.0: a share of five images
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    total_loss, right, images_seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            total_loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
            images_seen += len(labels)
    for layer, was_training in modes:
        layer.training = was_training
    if images_seen == 0:
        raise ValueError("found no image in the batches, expected at least one: is the data set empty?")
    return total_loss / images_seen, right / images_seen


class EarlyStopping:
    """Ends training when a value, such as the validation accuracy, has not risen for some epochs.

    ``update`` is called once an epoch with the epoch's value; the first call is epoch 1. Higher is better. An epoch
    improves on those before if its value is strictly higher than the best of them; the first epoch always does, unless
    its value is not a number (nan), which is never an improvement.

    Attributes:
        patience: number of epochs in a row without improvement after which to stop, at least 1.
        epoch: number of epochs seen so far.
        best: the highest value so far; minus infinity at the start.
        best_epoch: the epoch that had it; 0 at the start.
        improved: whether the last epoch was an improvement.

    Example::

        stopping = EarlyStopping(patience=2)
        [stopping.update(accuracy) for accuracy in (0.80, 0.90, 0.90, 0.85)]  # [False, False, False, True]
        stopping.best, stopping.best_epoch, stopping.improved  # (0.9, 2, False)

    Source: Prechelt 1998, "Early stopping - but when?", in Neural networks: tricks of the trade.
    """

    def __init__(self, patience):
        self.patience = patience
        self.epoch = 0
        self.best = -math.inf
        self.best_epoch = 0
        self.improved = False

    def update(self, value):
        """Take note of an epoch's value: sets ``epoch``, ``best``, ``best_epoch`` and ``improved``.

        Args:
            value: the epoch's value, such as its validation accuracy; higher is better.

        Returns:
            True if training should stop: this epoch and the ones before it make ``patience`` epochs in a row, or
            more, without improvement. Otherwise False.
        """
        self.epoch += 1
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch >= self.patience


def train_and_keep_best(model, train_epoch, validate, stopping, epochs):
    """Train epoch by epoch, and leave the model as it was after the best of them by validation accuracy.

    After each epoch's training the model is validated and ``stopping`` is told the accuracy; which epoch is the best,
    and whether another one is begun, is what it says. Afterwards the model has all weights and all other values of its
    ``state_dict`` (such as statistics of batch normalization) as they were after the best epoch. Where no epoch was an
    improvement, or none is run, it is as it was at the start.

    Args:
        model: the network; it is changed in place.
        train_epoch: called without arguments, trains ``model`` for an epoch and returns the training loss.
        validate: called without arguments, returns the accuracy of ``model`` on the validation images.
        stopping: an `EarlyStopping`, new.
        epochs: number of epochs at most.

    Returns:
        A list of ``(training loss, validation accuracy)``, one for each epoch that was run.

    Example::

        history = train_and_keep_best(model, train_epoch, validate, EarlyStopping(patience=3), epochs=20)
        len(history)  # at most 20
        validate() == max(accuracy for _, accuracy in history)  # True: the model of the best epoch

    Source: Prechelt 1998, "Early stopping - but when?", in Neural networks: tricks of the trade.
    """
    history = []
    best = copy.deepcopy(model.state_dict())  # state_dict() itself gives the tensors that training changes
    for _ in range(epochs):
        loss = train_epoch()
        accuracy = validate()
        history.append((loss, accuracy))
        stop = stopping.update(accuracy)
        if stopping.improved:
            best = copy.deepcopy(model.state_dict())
        if stop:
            break
    model.load_state_dict(best)
    return history
