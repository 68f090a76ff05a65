"""Loss and accuracy over batches: probe and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, torch_seed
from captionlab.exercises.lab3_bees_ants.common import draw_images, draw_labels, lab, modes, statistics
from captionlab.exercises.lab3_bees_ants.networks import normed_head, small_mobilenet
from captionlab.grading.probe_helpers import outcome_of


class _Watched(nn.Module):
    """A network that records at each call whether gradients are enabled."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.gradients: list[bool] = []

    def forward(self, images):
        self.gradients.append(torch.is_grad_enabled())
        return self.network(images)


def _batches(rng, model, classes):
    """Five, four and one image; the model is right about most of the first batch, and about fewer of the others."""
    for size, correct in ((5, draw(rng, 3, 4)), (4, draw(rng, 1, 2)), (1, 0)):
        images = draw_images(rng, size)
        with torch_seed(0), torch.no_grad():
            model.eval()
            ranked = model(images).argsort(dim=1, descending=True)
        labels = ranked[:, 0]
        labels[correct:] = ranked[correct:, 1]  # wrong, but not the smallest logit's
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
    case = "batches of 5, 4 and 1 images, a model in training mode: "
    yield case + "accuracy", accuracy, 6
    yield case + "loss", loss, 6
    yield case + "types of loss and accuracy", [type(loss).__name__, type(accuracy).__name__], 0.5
    again = measure(model=model, batches=iter(batches))
    yield case + "loss and accuracy again, from an iterator", list(again), 2
    yield case + "how far the batch statistics moved", statistics(model) - before, 2
    yield case + "modes afterwards", modes(model), 5
    model.eval()
    label = "the same model in evaluation mode: loss, accuracy, and modes afterwards"
    yield label, [*measure(model, list(batches)), modes(model)], 3

    watched = _Watched(model)
    measure(watched, [batches[0], batches[2]])
    states = ["gradients enabled" if one else "no gradients" for one in watched.gradients]
    yield "at each call of the model", states, 8
    yield "after the calls", "gradients enabled" if torch.is_grad_enabled() else "gradients still disabled"
    model = _model(rng, classes)
    normed_head(rng, model)
    model.features.eval()
    images = draw_images(rng, 6)
    seen = measure(model, [(images, draw_labels(rng, 6, classes))])
    yield "the head in training mode, the rest in evaluation mode: loss", seen[0]
    yield "the head in training mode, the rest in evaluation mode: modes afterwards", modes(model), 8
    yield "the example of the docstring: loss and accuracy", list(_own_logits(measure))
    yield "no batches at all", outcome_of(measure, model, [])


def _own_logits(measure):
    """The docstring's example."""
    images = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]).view(3, 1, 1, 2)
    return measure(nn.Flatten(), [(images[:2], torch.tensor([0, 1])), (images[2:], torch.tensor([1]))])


COUNTED = {
    "total_loss, correct, num_images = 0.0, 0.0, 0": "total_loss, correct, num_images, count = 0.0, 0.0, 0, 0",
    "num_images += len(labels)": "num_images += len(labels)\n            count += 1",
}
RESTORE = "for layer, was_training in modes:\n        layer.training = was_training"

lab.misconceptions(
    "evaluate",
    averages_batches=(
        "You average over batches: the single image of the last batch counts as much as the five of the first. Sum "
        "over images and divide by their number.",
        {
            ', reduction="sum"': "",
            ".sum().item()": ".float().mean().item()",
            "num_images += len(labels)": "num_images += 1",
        },
    ),
    stays_in_training_mode=(
        "The model is evaluated in the mode it was in: dropout is active, and batch normalization uses and updates the "
        "statistics of your validation images. Call model.eval() first.",
        {"model.eval()": ""},
    ),
    leaves_evaluation_mode=(
        "You leave the model in evaluation mode: if it was being trained, training continues without dropout. Restore "
        "the mode of every layer.",
        {RESTORE: ""},
    ),
    ends_in_training_mode=(
        "Afterwards everything is in training mode, whatever it was before: a frozen backbone starts to drift. Record "
        "the mode of each layer and restore it.",
        {RESTORE: "model.train()"},
    ),
    restores_one_mode_for_all=(
        "You restore the mode of the model as a whole, so all layers get the same one. Head and backbone can be in "
        "different modes: record that of each of model.modules().",
        {RESTORE: "model.train(modes[0][1])"},
    ),
    keeps_gradients=(
        "Gradients are enabled while the model runs, which wastes time and memory. Wrap the "
        "loop in `with torch.no_grad():`.",
        {"torch.no_grad()": "torch.enable_grad()"},
    ),
    accuracy_in_percent=(
        "Your accuracy is in percent; the docstring asks for a fraction from 0 to 1.",
        {"correct / num_images": "100 * correct / num_images"},
    ),
    softmax_before_cross_entropy=(
        "You apply softmax to the logits before the cross-entropy, which has one inside: the loss is wrong, while the "
        "accuracy is unaffected.",
        {"model(images)": "torch.softmax(model(images), dim=1)"},
    ),
    divides_twice=(
        "Your loss adds up means: F.cross_entropy returns the mean of its batch. Ask for the sum, or multiply by the "
        "number of images, before you divide by the number of all images.",
        {', reduction="sum"': ""},
    ),
    divides_by_zero=(
        "For batches without any image you divide by zero: raise a ValueError instead.",
        {"if num_images == 0": ""},
    ),
    averages_accuracies=(
        "Your accuracy is the mean over batches: the single image of the last batch counts as much as all "
        "five of the first. Count the correct predictions and divide by the number of images.",
        {
            **COUNTED,
            ".sum().item()": ".float().mean().item()",
            "correct / num_images": "correct / count",
        },
    ),
    averages_losses=(
        "Your loss is the mean over batches: the single image of the last batch counts as much as all five of the "
        "first. Sum over images and divide by their number.",
        {**COUNTED, ', reduction="sum"': "", "total_loss / num_images": "total_loss / count"},
    ),
    divides_by_the_number_of_batches=(
        "You divide a sum over images by the number of batches: divide by the number of images.",
        {**COUNTED, "total_loss / num_images, correct / num_images": "total_loss / count, correct / count"},
    ),
    counts_only=(
        "Your accuracy is the number of correct predictions; the docstring asks for the fraction of the images.",
        {"correct / num_images": "correct"},
    ),
    swaps_the_results=(
        "Your two results are swapped: the loss comes first, then the accuracy.",
        {"total_loss / num_images, correct / num_images": "correct / num_images, total_loss / num_images"},
    ),
    counts_wrong_answers=(
        "Your accuracy is the fraction of wrong predictions: count where the largest logit is that of the label.",
        {"== labels": "!= labels"},
    ),
    smallest_logit=(
        "You compare the labels with the smallest logits: the prediction is the largest one, argmax.",
        {"argmax": "argmin"},
    ),
    only_the_last_batch=(
        "Loss and accuracy are those of the last batch alone: add up over all batches.",
        {"total_loss +=": "total_loss =", "correct +=": "correct =", "num_images += ": "num_images = "},
    ),
)
