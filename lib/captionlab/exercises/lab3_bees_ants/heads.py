"""A new last layer for other classes: probe and misconceptions."""

from __future__ import annotations

from torch import nn

from captionlab.exercises.drawing import draw_different, run, torch_seed
from captionlab.exercises.lab3_bees_ants.common import draw_images, lab, modes, trainable
from captionlab.exercises.lab3_bees_ants.networks import Other, small_mobilenet, small_resnet, small_vgg
from captionlab.grading.probe_helpers import outcome_of
from captionlab.grading.watching import describe


def _sizes(model):
    """Inputs and outputs of each linear layer, from its weights: its attributes can be set without changing them."""
    return [list(layer.weight.shape)[::-1] for layer in model.modules() if isinstance(layer, nn.Linear)]


def _logits_shape(model, images):
    return list(run(model, images).shape)


@lab.exercise("captionlab.transfer.heads:replace_head", points=3, minutes=20, difficulty=2, importance=5)
def probe_replace_head(replace_head, rng):
    def replace(*args, **kwargs):
        with torch_seed(0):  # the weights of a new layer are the same every time
            return replace_head(*args, **kwargs)

    num_classes, images = draw_different(rng, 2, 7, 5), draw_images(rng, 2)
    resnet = small_resnet(rng).requires_grad_(False)
    made = replace(resnet, num_classes[0])
    case = f"a frozen ResNet, {num_classes[0]} classes: "
    yield case + "what is returned", "the model that was passed" if made is resnet else _kind(made), 6
    yield case + "linear layers of the model that was passed (inputs, outputs)", _sizes(resnet), 3
    yield case + "shape of the logits for two images", outcome_of(_logits_shape, resnet, images), 2
    yield case + "which parameters require gradients", [_sizes(resnet), trainable(resnet)], 5

    vgg = small_vgg(rng).eval()
    before = run(vgg.features, images)
    replace(vgg, num_classes=num_classes[1])
    case = f"a VGG, {num_classes[1]} classes: "
    yield case + "linear layers (inputs, outputs)", outcome_of(_sizes, vgg), 3
    yield case + "all layers", [type(layer).__name__ for layer in vgg.modules() if not list(layer.children())], 6
    same = bool((run(vgg.features, images) == before).all())
    label = case + "the output of features, and shape of the logits"
    yield label, ["as before" if same else "changed", outcome_of(_logits_shape, vgg, images)], 2
    yield case + "which parameters require gradients", [_sizes(vgg)[-1], trainable(vgg)], 5
    label = case + "the modes of the layers before the new one"
    yield label, [mode for mode in modes(vgg) if "classifier.3" not in mode]

    mobilenet = small_mobilenet(rng)
    mobilenet.features[0].requires_grad_(False)
    replace(model=mobilenet, num_classes=num_classes[2])
    case = f"a MobileNet with a frozen first layer, {num_classes[2]} classes: "
    yield case + "shape of the logits for two images", outcome_of(_logits_shape, mobilenet, images), 2
    yield case + "which parameters require gradients", [_sizes(mobilenet), trainable(mobilenet)], 3
    double = [replace(network.double(), num_classes[4]) for network in (small_resnet(rng), small_mobilenet(rng))]
    found = [
        f"{name} in float64: {_last_weight(one).dtype}"
        for name, one in zip(("ResNet", "MobileNet"), double, strict=True)
    ]
    meta = replace(small_mobilenet(rng).to("meta"), num_classes[4])
    found.append(f"MobileNet on the meta device: {_last_weight(meta).device}")
    yield "dtype or device of the new layer", found, 2
    yield "a network without fc and classifier", outcome_of(replace, Other(5), num_classes[3])
    other = Other(5)
    other.classifier = nn.Sequential(nn.Linear(4, 5), nn.Dropout())
    label = "a network without fc, and with a classifier that ends with a dropout"
    yield label, outcome_of(replace, other, num_classes[3])


def _kind(made):
    return "another model" if isinstance(made, nn.Module) else describe(made)


def _last_weight(model):
    """The weight of the last linear layer of a network, in the order of its layers."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1].weight


lab.misconceptions(
    "replace_head",
    replaces_whole_classifier=(
        "You replace the whole classifier. Its layers before the last are pretrained as well: replace only "
        "model.classifier[-1].",
        {
            "classifier[-1] if": "next(layer for layer in classifier if isinstance(layer, nn.Linear)) if",
            "classifier[-1] = new": "model.classifier = new",
        },
    ),
    assumes_widths=(
        "512, 4096 and 1280 are the widths of particular networks. Read in_features of the old layer.",
        {"old.in_features": "512 if old is fc else 4096 if len(classifier) > 2 else 1280"},
    ),
    sets_out_features=(
        "Setting out_features changes an attribute of the layer, not its weights, which still have one row per old "
        "class. Make a new nn.Linear.",
        {
            "new = nn.Linear": "",
            "model.fc = new": "old.out_features = num_classes",
            "classifier[-1] = new": "old.out_features = num_classes",
        },
    ),
    appends_a_layer=(
        "You add a layer after the old head, so the new classes are computed from the logits of the old ones. Put the "
        "new layer in the old one's place.",
        {
            "old.in_features": "old.out_features",
            "model.fc = new": "model.fc = nn.Sequential(old, new)",
            "classifier[-1] = new": "classifier.append(new)",
        },
    ),
    freezes_after_replacing=(
        "You freeze the model after replacing the head, and the new head with it: nothing is left to train. This "
        "function should not freeze anything.",
        {"return model": "return model.requires_grad_(False)"},
    ),
    freezes_the_rest=(
        "You also freeze the rest. Whether the backbone is trained is decided elsewhere: leave it as it is.",
        {"new = nn.Linear": "model.requires_grad_(False)\n    new = nn.Linear"},
    ),
    changes_a_copy=(
        "You return a modified copy; the model you were given still has its old head. Change it in place.",
        {"fc, classifier = ": "model = copy.deepcopy(model)\n    fc, classifier = "},
        "import copy",
    ),
    returns_nothing=(
        "Your function changes the model but returns None: return the model.",
        {"return model": ""},
    ),
    sets_fc_everywhere=(
        "Assigning to `fc` of a VGG or a MobileNet adds a layer that its forward never calls. Their last layer is "
        "model.classifier[-1].",
        {"classifier[-1] = new": "model.fc = new"},
    ),
    accepts_other_families=(
        "You silently return a network of another family unchanged. Raise a TypeError if there is no head to replace.",
        {"raise TypeError": "return model\n        raise TypeError"},
    ),
    forgets_dtype_and_device=(
        "Your new layer is always float32 on the CPU; it must have the old layer's dtype and device.",
        {", device=old.weight.device, dtype=old.weight.dtype": ""},
    ),
    without_bias=(
        "Your new layer has no bias: keep the default of nn.Linear.",
        {"dtype=old.weight.dtype": "dtype=old.weight.dtype, bias=False"},
    ),
    frozen_like_the_old=(
        "Your new layer takes over `requires_grad` of the old one: if the model is frozen, nothing is left to train.",
        {"return model": "new.requires_grad_(old.weight.requires_grad)\n    return model"},
    ),
    puts_the_model_in_a_mode=(
        "You also change the training or evaluation mode of the other layers; leave it as it is.",
        {"return model": "return model.train()"},
    ),
    wrong_inputs_and_outputs_swapped=(
        "Inputs and outputs of your new layer are swapped: nn.Linear takes the number of inputs first.",
        {"old.in_features, num_classes": "num_classes, old.in_features"},
    ),
)

lab.other_spellings(
    "replace_head",
    replaces_whole_classifier=[
        {
            "classifier[-1] if": "next(layer for layer in classifier if isinstance(layer, nn.Linear)) if",
            "classifier[-1] = new": "model.classifier = nn.Sequential(new)",
        },
    ],
)
