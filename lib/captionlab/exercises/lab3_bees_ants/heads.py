"""A new last layer for other classes: probe and misconceptions."""

from __future__ import annotations

from torch import nn

from captionlab.exercises.lab3_bees_ants.common import (
    draw_different,
    draw_images,
    lab,
    modes,
    run,
    torch_seed,
    trainable,
)
from captionlab.exercises.lab3_bees_ants.networks import Other, small_mobilenet, small_resnet, small_vgg
from captionlab.grading.probe_helpers import outcome_of


def _sizes(model):
    """Inputs and outputs of each linear layer, by its weights: what a layer says of itself can be set by hand."""
    return [list(layer.weight.shape)[::-1] for layer in model.modules() if isinstance(layer, nn.Linear)]


def _scores_shape(model, images):
    return list(run(model, images).shape)


@lab.exercise("captionlab.transfer.heads:replace_head", points=3, minutes=20, difficulty=2, importance=5)
def probe_replace_head(replace_head, rng):
    def replace(*args, **kwargs):
        with torch_seed(0):  # a fresh layer's weights are the same every time
            return replace_head(*args, **kwargs)

    classes, images = draw_different(rng, 2, 7, 4), draw_images(rng, 2)
    resnet = small_resnet(rng).requires_grad_(False)
    made = replace(resnet, classes[0])
    label = f"a frozen ResNet, {classes[0]} classes: "
    yield label + "shape of the scores for two images", outcome_of(_scores_shape, made, images)
    yield label + "linear layers of the model that was given (inputs, outputs)", _sizes(resnet)
    yield label + "which parameters require gradients", [_scores_shape(resnet, images), trainable(resnet)]

    vgg = small_vgg(rng).eval()
    before = run(vgg.features, images)
    made = replace(vgg, classes=classes[1])
    label = f"a VGG, {classes[1]} classes: "
    yield label + "linear layers (inputs, outputs)", outcome_of(_sizes, made)
    kinds = [type(layer).__name__ for layer in vgg.modules() if not list(layer.children())]
    same = bool((run(vgg.features, images) == before).all())
    yield label + "all layers, and whether features computes what it did", [kinds, same, _scores_of(vgg, images)]
    label += "which parameters require gradients, and the modes of the layers before the new one"
    yield label, [_sizes(vgg)[-1], trainable(vgg), [mode for mode in modes(vgg) if "classifier.3" not in mode]]

    mobilenet = small_mobilenet(rng)
    mobilenet.features[0].requires_grad_(False)
    made = replace(model=mobilenet, classes=classes[2])
    label = f"a MobileNet with a frozen first layer, {classes[2]} classes: "
    yield label + "shape of the scores for two images", outcome_of(_scores_shape, made, images)
    yield label + "which parameters require gradients", [_sizes(mobilenet), trainable(mobilenet)]
    yield "a network of another family", outcome_of(replace, Other(5), classes[3])


def _scores_of(model, images):
    return outcome_of(_scores_shape, model, images)


@lab.misconception(
    "replace_head",
    hint="You replace the whole classifier. Its layers before the last are pretrained as well: replace "
    "model.classifier[-1] only.",
)
def replaces_whole_classifier(model, classes):
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.in_features, classes)
    elif hasattr(model, "classifier"):
        first = next(layer for layer in model.classifier if isinstance(layer, nn.Linear))
        model.classifier = nn.Linear(first.in_features, classes)
    else:
        raise TypeError("unknown family")
    return model


@lab.misconception(
    "replace_head",
    hint="512, 4096 and 1280 are the widths of particular networks. Ask the old layer for its in_features.",
)
def assumes_widths(model, classes):
    if hasattr(model, "fc"):
        model.fc = nn.Linear(512, classes)
    elif hasattr(model, "classifier"):
        model.classifier[-1] = nn.Linear(4096 if len(model.classifier) > 2 else 1280, classes)
    else:
        raise TypeError("unknown family")
    return model


@lab.misconception(
    "replace_head",
    hint="Setting out_features changes what the layer says of itself, not its weights: it still has a row for each "
    "old class. Make a new nn.Linear.",
)
def sets_out_features(model, classes):
    if hasattr(model, "fc"):
        model.fc.out_features = classes
    elif hasattr(model, "classifier"):
        model.classifier[-1].out_features = classes
    else:
        raise TypeError("unknown family")
    return model


@lab.misconception(
    "replace_head",
    hint="You put a layer behind the old head, so that the new classes are decided from the scores of the old ones. "
    "The new layer takes the old one's place.",
)
def appends_a_layer(model, classes):
    if hasattr(model, "fc"):
        model.fc = nn.Sequential(model.fc, nn.Linear(model.fc.out_features, classes))
    elif hasattr(model, "classifier"):
        model.classifier.append(nn.Linear(model.classifier[-1].out_features, classes))
    else:
        raise TypeError("unknown family")
    return model


@lab.misconception(
    "replace_head",
    hint="You freeze the model after replacing the head, and the new head with it: nothing is left to train. Freezing "
    "is not this function's business.",
)
def freezes_after_replacing(model, classes):
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.in_features, classes)
    elif hasattr(model, "classifier"):
        model.classifier[-1] = nn.Linear(model.classifier[-1].in_features, classes)
    else:
        raise TypeError("unknown family")
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model


@lab.misconception(
    "replace_head",
    hint="The head is right, and you freeze the rest besides. Whether the backbone is trained is decided elsewhere: "
    "leave it as it is.",
)
def freezes_the_rest(model, classes):
    if not hasattr(model, "fc") and not hasattr(model, "classifier"):
        raise TypeError("unknown family")
    for parameter in model.parameters():
        parameter.requires_grad = False
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.in_features, classes)
    else:
        model.classifier[-1] = nn.Linear(model.classifier[-1].in_features, classes)
    return model


@lab.misconception(
    "replace_head",
    hint="You return a changed copy; the model you were given still has its old head. Change it in place.",
)
def changes_a_copy(model, classes):
    import copy

    model = copy.deepcopy(model)
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.in_features, classes)
    elif hasattr(model, "classifier"):
        model.classifier[-1] = nn.Linear(model.classifier[-1].in_features, classes)
    else:
        raise TypeError("unknown family")
    return model


@lab.misconception(
    "replace_head", hint="The model is changed as it should be, but your function returns None: return it."
)
def returns_nothing(model, classes):
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.in_features, classes)
    elif hasattr(model, "classifier"):
        model.classifier[-1] = nn.Linear(model.classifier[-1].in_features, classes)
    else:
        raise TypeError("unknown family")


@lab.misconception(
    "replace_head",
    hint="Assigning to `fc` of a VGG or a MobileNet adds a layer that its forward never calls. Their last layer is "
    "model.classifier[-1].",
)
def sets_fc_everywhere(model, classes):
    if not hasattr(model, "fc") and not hasattr(model, "classifier"):
        raise TypeError("unknown family")
    old = model.fc if hasattr(model, "fc") else model.classifier[-1]
    model.fc = nn.Linear(old.in_features, classes)
    return model


@lab.misconception(
    "replace_head",
    hint="A network of another family comes back unchanged, and whoever trains it will wonder. Raise a TypeError where "
    "there is no head to replace.",
)
def lets_others_pass(model, classes):
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.in_features, classes)
    elif hasattr(model, "classifier"):
        model.classifier[-1] = nn.Linear(model.classifier[-1].in_features, classes)
    return model
