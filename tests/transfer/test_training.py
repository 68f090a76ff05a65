"""One step, an evaluation, when to stop, and which epoch to keep."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from captionlab.transfer.training import EarlyStopping, evaluate, train_and_keep_best, train_step


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))


def batch(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 2, 2, generator=generator), torch.randint(3, (count,), generator=generator)


def test_a_step_of_gradient_descent():
    model, (images, labels) = linear(), batch(5)
    weight, bias = (parameter.detach().clone().requires_grad_() for parameter in model.parameters())
    expected = F.cross_entropy(images.flatten(1) @ weight.T + bias, labels)
    expected.backward()
    model(images).sum().backward()  # gradients left over
    loss = train_step(model, images, labels, torch.optim.SGD(model.parameters(), lr=0.3))
    assert type(loss) is float
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    assert torch.allclose(model[1].weight, weight - 0.3 * weight.grad, atol=1e-6)
    assert torch.allclose(model[1].bias, bias - 0.3 * bias.grad, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_a_step_keeps_the_modes(training: bool):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(12, 3)).train(training)
    train_step(model, *batch(4), torch.optim.SGD(model.parameters(), lr=0.1))
    assert all(layer.training is training for layer in model.modules())


def test_images_count_the_same_in_unequal_batches():
    model, (images, labels) = linear(), batch(7)
    whole = evaluate(model, [(images, labels)])
    parts = evaluate(model, ((images[part], labels[part]) for part in (slice(0, 5), slice(5, 6), slice(6, 7))))
    assert parts == pytest.approx(whole, rel=1e-6)
    logits = model(images)
    assert whole[0] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-6)
    assert whole[1] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    assert [type(value) for value in whole] == [float, float]


def test_evaluation_mode_no_gradients_and_every_mode_restored():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append((self.training, torch.is_grad_enabled()))
            return x

    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), Spy(), nn.Dropout(), nn.Linear(12, 3))
    model.eval()
    model[3].train()
    evaluate(model, [batch(4)])
    assert seen == [(False, False)]
    assert [layer.training for layer in model.modules()] == [False, False, False, False, True, False]
    assert model[1].num_batches_tracked == 0
    assert torch.is_grad_enabled()


def test_no_image():
    with pytest.raises(ValueError, match="no image"):
        evaluate(linear(), [])


@pytest.mark.parametrize(
    ("patience", "values", "stops", "best_epoch"),
    [
        (2, [0.8, 0.9, 0.9, 0.85], [False, False, False, True], 2),
        (1, [0.5, 0.6, 0.6], [False, False, True], 2),
        (2, [0.5, 0.4, 0.6, 0.5, 0.5], [False, False, False, False, True], 3),
        (3, [0.1, 0.2, 0.3], [False, False, False], 3),
        (2, [0.7, math.nan, math.nan], [False, False, True], 1),
        (1, [-3.18, -2.92, -2.84, -2.776, -2.778], [False, False, False, False, True], 4),
    ],
)
def test_stopping(patience: int, values: list[float], stops: list[bool], best_epoch: int):
    stopping = EarlyStopping(patience)
    improved = []
    for value, stop in zip(values, stops, strict=True):
        assert stopping.update(value) is stop
        improved.append(stopping.improved)
    assert (stopping.best_epoch, stopping.best) == (best_epoch, values[best_epoch - 1])
    assert improved[best_epoch - 1]
    assert not any(improved[best_epoch:])


def trained(accuracies: list[float], patience: int) -> tuple[list, nn.Module]:
    """A training run in which the weights and statistics of each epoch are its number."""
    model, epochs, shown = nn.BatchNorm1d(2), iter(range(1, 10)), iter(accuracies)

    def train_epoch() -> float:
        epoch = next(epochs)
        for value in model.state_dict().values():
            value.fill_(epoch)
        return 1 / epoch

    return train_and_keep_best(model, train_epoch, lambda: next(shown), EarlyStopping(patience), len(accuracies)), model


@pytest.mark.parametrize(
    ("accuracies", "patience", "epochs", "kept"),
    [
        ([0.5, 0.7, 0.6], 5, 3, 2),
        ([0.5, 0.7, 0.6, 0.6, 0.9], 2, 4, 2),
        ([0.5, 0.7, 0.7], 5, 3, 2),
        ([0.5, 0.6], 1, 2, 2),
    ],
)
def test_the_best_epoch_is_kept(accuracies: list[float], patience: int, epochs: int, kept: int):
    history, model = trained(accuracies, patience)
    assert history == [(1 / epoch, accuracies[epoch - 1]) for epoch in range(1, epochs + 1)]
    assert all((value == kept).all() for value in model.state_dict().values())


@pytest.mark.parametrize("accuracies", [[], [math.nan, math.nan]])
def test_without_an_improvement_the_model_is_as_it_was(accuracies: list[float]):
    _, model = trained(accuracies, 5)
    assert all(torch.equal(value, nn.BatchNorm1d(2).state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "labels",
    [torch.eye(3), torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0, 1]), torch.tensor([[0], [1], [2]]), [0, 1, 2]],
)
def test_labels_that_are_no_classes_give_no_accuracy(labels):
    model, images = nn.Flatten(), torch.rand(3, 1, 1, 3)
    with pytest.raises(TypeError, match=r"batch 1 has 3 images, and its labels are .*int64 tensor of shape \(3,\)"):
        evaluate(model, [(images, torch.tensor([0, 1, 2])), (images, labels)])
