"""The parts of a training loop: one step, an evaluation, when to stop, and which epoch to keep."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import nn

from captionlab.common.checking import checked, describe


def train_step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Train on one batch: compute the cross-entropy and its gradients, then update the parameters once.

    Gradients left over from earlier steps have no effect. The training or evaluation modes of the model's layers are
    the caller's responsibility and stay as they are.

    Args:
        model: a network that returns logits ``(batch, classes)``.
        images: ``(batch, 3, height, width)``, on the model's device.
        labels: ``(batch,)``, int64, the class of each image.
        optimizer: an optimizer of ``torch.optim`` over the parameters to train.

    Returns:
        The mean cross-entropy of the batch in nats before the update, as a Python float.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 1, 0])
        >>> first = train_step(model, images, labels, optimizer)
        >>> train_step(model, images, labels, optimizer) < first  # the first step has reduced the loss
        True

    Source: https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html.
    """
    loss = F.cross_entropy(model(images), labels)  # (batch, classes) -> ()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluate(model: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> tuple[float, float]:
    """Mean loss and accuracy of a network over batches of images.

    Every image counts the same, whichever batch it is in: batches may differ in size, and the last one of an epoch is
    often smaller. The model is evaluated in evaluation mode and without computing gradients. Afterwards every layer is
    in the mode it was in before, which need not be the same for all layers.

    Args:
        model: a network that returns logits ``(batch, classes)``.
        batches: an iterable of ``(images, labels)``: ``(batch, 3, height, width)`` and ``(batch,)``, int64, both on
            the model's device. It is iterated over once.

    Returns:
        ``(loss, accuracy)``, two Python floats: the mean cross-entropy per image in nats, and the fraction of the
        images whose largest logit is that of their label.

    Raises:
        ValueError: if the batches contain no image.

    Example:
        >>> model = nn.Flatten()  # images (batch, 1, 1, 2) are their own logits
        >>> images = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]).view(3, 1, 1, 2)
        >>> batches = [(images[:2], torch.tensor([0, 1])), (images[2:], torch.tensor([1]))]
        >>> loss, accuracy = evaluate(model, batches)
        >>> round(loss, 4), round(accuracy, 4)
        (0.5584, 0.6667)

    Source: https://docs.pytorch.org/docs/stable/notes/autograd.html, "Evaluation Mode" and "No-grad Mode".
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    total_loss, correct, num_images = 0.0, 0.0, 0
    with torch.no_grad():
        for images, labels in batches:
            logits = model(images)  # (batch, classes)
            total_loss += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += (logits.argmax(dim=1) == labels).sum().item()
            num_images += len(labels)
    for layer, was_training in modes:
        layer.training = was_training
    if num_images == 0:
        raise ValueError("found no image in the batches, expected at least one: is the data set empty?")
    return total_loss / num_images, correct / num_images


class EarlyStopping:
    """Stops training when a metric, such as the validation accuracy, has not improved for some epochs.

    Call ``update`` once per epoch with the epoch's value; the first call is epoch 1. Higher is better. An epoch is an
    improvement if its value is strictly higher than the best one before. The first epoch always is, unless its value
    is not a number (nan), which is never an improvement.

    Attributes:
        patience: number of consecutive epochs without improvement after which to stop, at least 1.
        epoch: number of epochs so far.
        best: the highest value so far; minus infinity at the start.
        best_epoch: the epoch of that value; 0 at the start.
        improved: whether the last epoch was an improvement.

    Example:
        >>> stopping = EarlyStopping(patience=2)
        >>> [stopping.update(accuracy) for accuracy in (0.80, 0.90, 0.90, 0.85)]
        [False, False, False, True]
        >>> stopping.best, stopping.best_epoch, stopping.improved
        (0.9, 2, False)

    Source: Prechelt 1998, "Early stopping - but when?", in Neural networks: tricks of the trade.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.epoch = 0
        self.best = -math.inf
        self.best_epoch = 0
        self.improved = False

    def update(self, value: float) -> bool:
        """Record the value of one more epoch in ``epoch``, ``best``, ``best_epoch`` and ``improved``.

        Args:
            value: the epoch's value, such as its validation accuracy; higher is better.

        Returns:
            True if training should stop: the last ``patience`` epochs or more, including this one, brought no
            improvement. Otherwise False.
        """
        self.epoch += 1
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch >= self.patience


def train_and_keep_best(
    model: nn.Module,
    train_epoch: Callable[[], float],
    validate: Callable[[], float],
    early_stopping: "EarlyStopping",
    max_epochs: int,
) -> list[tuple[float, float]]:
    """Train epoch by epoch, and restore the model of the epoch with the best validation accuracy.

    After the training of each epoch the model is validated and ``early_stopping`` is updated with the accuracy; it
    decides which epoch is the best and whether to train for another one. At the end the model has all weights and all
    other entries of its ``state_dict`` (such as the statistics of batch normalization) as they were after the best
    epoch. If no epoch was an improvement, or none was run, the model is as it was at the start.

    Args:
        model: the network; it is changed in place.
        train_epoch: called without arguments, trains ``model`` for one epoch and returns the training loss.
        validate: called without arguments, returns the accuracy of ``model`` on the validation images.
        early_stopping: a new `EarlyStopping`.
        max_epochs: maximum number of epochs.

    Returns:
        A list of ``(training loss, validation accuracy)``, one pair per epoch that was run.

    Example:
        >>> model, accuracies = nn.Linear(1, 1), iter([0.7, 0.9, 0.8, 0.6])
        >>> def train_epoch():
        ...     nn.init.constant_(model.weight, model.weight.item() + 1)  # counts the epochs
        ...     return 0.5
        >>> _ = nn.init.zeros_(model.weight)
        >>> train_and_keep_best(model, train_epoch, lambda: next(accuracies), EarlyStopping(patience=2), max_epochs=9)
        [(0.5, 0.7), (0.5, 0.9), (0.5, 0.8), (0.5, 0.6)]
        >>> model.weight.item()  # the second epoch was the best
        2.0

    Source: Prechelt 1998, "Early stopping - but when?", in Neural networks: tricks of the trade.
    """
    history = []
    best = copy.deepcopy(model.state_dict())  # state_dict() itself returns the tensors that training changes
    for _ in range(max_epochs):
        loss = train_epoch()
        accuracy = validate()
        history.append((loss, accuracy))
        stop = early_stopping.update(accuracy)
        if early_stopping.improved:
            best = copy.deepcopy(model.state_dict())
        if stop:
            break
    model.load_state_dict(best)
    return history


def _check_evaluate(
    model: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[nn.Module, Iterator[tuple[torch.Tensor, torch.Tensor]]]:
    return model, _checked_batches(batches)


def _checked_batches(
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for number, (images, labels) in enumerate(batches):
        fits = isinstance(labels, torch.Tensor) and labels.dtype == torch.int64 and labels.shape == (len(images),)
        if not fits:
            raise TypeError(
                f"batch {number} has {len(images)} images, and its labels are {describe(labels)}: expected an int64 "
                f"tensor of shape ({len(images)},), the class of each image"
            )
        yield images, labels


# Labels as one-hot vectors would be compared with classes and give some accuracy.
evaluate = checked(evaluate, _check_evaluate)
