"""One training step: probe and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, torch_seed
from captionlab.exercises.lab3_bees_ants.common import draw_images, draw_labels, lab, modes, statistics, weights
from captionlab.exercises.lab3_bees_ants.networks import normed_head, small_mobilenet, small_resnet, small_vgg


def _spread_logits(model):
    """Enlarge the weights of the last layer in place, so that an additional softmax shows."""
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
    model = _spread_logits(small_resnet(rng, classes)).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loss = step(model, images.clone(), labels.clone(), optimizer)
    yield "the loss of a batch of six", loss, 4
    yield "all parameters after this step", weights(model), 5
    yield "type of the loss that is returned", type(loss).__name__, 2
    again = step(model=model, images=images.flip(0), labels=labels.flip(0), optimizer=optimizer)
    yield "the loss of a second step on the same images", again, 2
    yield "all parameters after two steps", weights(model), 4

    model = small_resnet(rng, classes).eval()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    before = weights(model)
    step(model, images[:1].clone(), labels[:1].clone(), torch.optim.SGD(model.parameters(), lr=0.05))
    label = "gradients left over from before: how far a step on one image moves the parameters"
    yield label, weights(model) - before, 8

    model = small_vgg(rng, classes).eval()
    before = weights(model)
    loss = step(model, images.clone(), labels.clone(), torch.optim.Adam(model.classifier.parameters(), lr=0.01))
    label = "an optimizer (Adam) of the classifier only: "
    moved = weights(model) - before
    inside = sum(parameter.numel() for parameter in model.features.parameters())
    yield label + "the loss", loss
    yield label + "how far the parameters of features and classifier moved", [moved[:inside], moved[inside:]], 8

    model = small_mobilenet(rng, classes)
    head = normed_head(rng, model)
    model.features.eval()
    loss = step(model, images.clone(), labels.clone(), torch.optim.SGD(head.parameters(), lr=0.05))
    case = "the head in training mode, the rest in evaluation mode: "
    yield case + "the loss", loss
    yield case + "modes afterwards", [loss, modes(model)], 4
    yield case + "batch statistics afterwards (only those of the head move)", statistics(model)


lab.misconceptions(
    "train_step",
    softmax_before_the_loss=(
        "You apply softmax to the logits first. F.cross_entropy has a softmax inside: pass it the logits.",
        {"model(images)": "torch.softmax(model(images), dim=1)"},
    ),
    accumulates_gradients=(
        "Gradients accumulate from step to step because nothing clears them. Call optimizer.zero_grad() before "
        "backward().",
        {"optimizer.zero_grad()": ""},
    ),
    never_moves=(
        "No parameter ever moves. Either step() is missing, or the gradients are cleared between backward() and "
        "step().",
        {"optimizer.zero_grad()\n    loss.backward()": "loss.backward()\n    optimizer.zero_grad()"},
    ),
    steps_before_backward=(
        "You call step() before backward(): the update uses the gradients of the previous batch, and in the first step "
        "there are none.",
        {"optimizer.step()": "", "optimizer.zero_grad()": "optimizer.step()\n    optimizer.zero_grad()"},
    ),
    returns_a_tensor=(
        "The loss you return is a tensor with its whole graph; a list of those fills up memory. Return a "
        "Python number.",
        {"loss.item()": "loss"},
    ),
    loss_after_the_update=(
        "You compute the loss that you return again after the update: a second forward pass, and a different number. "
        "Return the one you have.",
        {"return loss": "return F.cross_entropy(model(images), labels)"},
    ),
    sums_over_the_batch=(
        "The loss is summed over the batch, and so are the gradients: the step grows with the batch size. Take the "
        "mean.",
        {"model(images), labels": 'model(images), labels, reduction="sum"'},
    ),
    sets_training_mode=(
        "Your model.train() puts the whole network in training mode and undoes what set_train_mode has done. Leave the "
        "modes to the caller.",
        {"loss = ": "model.train()\n    loss = "},
    ),
    updates_by_hand=(
        "Every parameter of the model is updated, by hand or by another optimizer. Use the optimizer that is passed: "
        "it knows what is trained, and at which learning rate.",
        {
            "optimizer.zero_grad()": "model.zero_grad()",
            "optimizer.step()": "with torch.no_grad():\n"
            "        for parameter in model.parameters():\n"
            "            if parameter.grad is not None:\n"
            "                parameter -= 0.05 * parameter.grad",
        },
    ),
    clears_at_the_end=(
        "You clear the gradients only after the step: those left over from before the first call are still used. Clear "
        "them before backward().",
        {"optimizer.zero_grad()": "", "return loss.item()": "optimizer.zero_grad()\n    return loss.item()"},
    ),
    sets_evaluation_mode=(
        "You put the model in evaluation mode: the head then trains without dropout and batch statistics. "
        "Leave the modes to the caller.",
        {"loss = ": "model.eval()\n    loss = "},
    ),
    no_logarithm=(
        "F.nll_loss expects logarithms of probabilities; you pass it logits. F.cross_entropy takes logits.",
        {"F.cross_entropy(": "F.nll_loss("},
    ),
    steps_twice=(
        "The parameters are updated twice per batch: call step() once.",
        {"optimizer.step()": "optimizer.step()\n    optimizer.step()"},
    ),
)

lab.other_spellings(
    "train_step",
    never_moves=[{"optimizer.step()": ""}, {"loss.backward()": ""}],
    sets_training_mode=[{"return loss.item()": "model.train()\n    return loss.item()"}],
)
