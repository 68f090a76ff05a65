"""VGG16 cut after relu7: probe and misconceptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, run
from captionlab.exercises.lab2_scenes.common import draw_weights, lab, modes
from captionlab.exercises.observing import dtype_of
from captionlab.grading.departures import is_error
from captionlab.grading.probe_helpers import outcome_of


class _SmallVGG(nn.Module):
    """Built like torchvision's VGG, for images of ``4 * side`` pixels, where its adaptive pooling changes nothing."""

    def __init__(self, rng, maps: int, side: int, sixth: int, seventh: int):
        super().__init__()
        first, classes = draw(rng, 3, 4), draw(rng, 4, 6)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, first, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            *(nn.Conv2d(first, maps, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        self.classifier = nn.Sequential(
            *(nn.Linear(maps * side * side, sixth), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(nn.Linear(sixth, seventh), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(seventh, classes)),
        )
        draw_weights(rng, self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


@lab.exercise(
    "captionlab.transfer.features:VGG16relu7",
    points=4,
    minutes=30,
    difficulty=3,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
    student_methods=("__init__", "forward"),
)
def probe_vgg16relu7(VGG16relu7, rng):
    maps, side, (sixth, seventh) = draw(rng, 5, 8), draw(rng, 2, 3), draw_different(rng, 11, 16, 2)
    vgg, size = _SmallVGG(rng, maps, side, sixth, seventh), 4 * side
    cut = VGG16relu7(vgg)
    features = run(cut, draw_tensor(rng, 3, 3, size, size))
    label = f"a VGG with fully connected layers of {sixth} and {seventh}, in evaluation mode: features of 3 images"
    yield label, features, 4
    yield "the features' dtype", dtype_of(features)
    image = draw_tensor(rng, 1, 3, size, size)
    yield "features of one image", run(cut, image)
    yield "the original's layers afterwards", [name or "the network itself" for name, _ in vgg.named_modules()], 2
    yield "the original's scores for that image afterwards", outcome_of(run, vgg, image), 3
    larger = outcome_of(run, cut, draw_tensor(rng, 1, 3, size + 4, size + 8))
    label = "an image too large for the fully connected layers"
    yield label, "raises an error" if is_error(larger) else larger, 2

    hidden, side = draw(rng, 11, 16), 5 - side
    vgg, size = _SmallVGG(rng, draw(rng, 5, 8), side, hidden, hidden).train(), 4 * side
    vgg.features.eval()
    cut = VGG16relu7(vgg=vgg)
    label = f"a VGG with two layers of {hidden}, its classifier in training mode: features of 4 images"
    yield label, run(cut, draw_tensor(rng, 4, 3, size, size)), 4
    label = "the mode of the new network"
    yield label, "training" if any(module.training for module in cut.modules()) else "evaluation", 2
    yield "the modes of the original's layers afterwards", modes(vgg), 4
    image = draw_tensor(rng, 1, 3, size, size)
    with torch.no_grad():
        for parameter in vgg.parameters():
            parameter.zero_()
    yield "features of one image, after the original's weights were set to zero", run(cut, image), 4


lab.misconceptions(
    "VGG16relu7",
    StopsBeforeTheReLU=(
        "Some of your features are negative: you cut before the ReLU, after the second fully connected layer. Keep "
        "one more layer.",
        {"classifier[:-2]": "classifier[:-3]"},
    ),
    StopsAtRelu6=(
        "You cut after the first fully connected layer. You need the features of the second one, just before "
        "the layer that computes the scores.",
        {"classifier[:-2]": "classifier[:2]"},
    ),
    GivesTheScores=(
        "You return the network's scores for its own classes. Leave out the last fully connected layer.",
        {"vgg.classifier[:-2]": "vgg.classifier"},
    ),
    StopsAfterTheConvolutions=(
        "You return the maps after the convolutions. Two of the three fully connected layers, with their ReLUs, are "
        "still to come.",
        {"vgg.classifier[:-2]": "vgg.classifier[:0]"},
    ),
    KeepsTheAdaptivePooling=(
        "An image of the wrong size still passes: the adaptive pooling squeezes any maps into shape. Flatten straight "
        "after the convolutions, so that a wrong size raises an error.",
        {"copy.deepcopy(vgg.features)": "copy.deepcopy(nn.Sequential(vgg.features, vgg.avgpool))"},
    ),
    KeepsTheMode=(
        "If the VGG you are given is in training mode, dropout is active in your network, too. Put yours into "
        "evaluation mode.",
        {"self.eval()": ""},
    ),
)


@lab.misconception(
    "VGG16relu7",
    hint="Dropout is always active in your network: F.dropout drops values unless you pass training=False. Features "
    "need no dropout at all.",
)
class DropsOutAlways(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        vgg = copy.deepcopy(vgg).eval()
        self.features, self.fc6, self.fc7 = vgg.features, vgg.classifier[0], vgg.classifier[3]

    def forward(self, images):
        hidden = F.dropout(F.relu(self.fc6(self.features(images).flatten(1))))
        return F.relu(self.fc7(hidden))


lab.misconceptions(
    "VGG16relu7",
    SwitchesTheOriginal=(
        "Your network shares its layers with the original, so switching it to evaluation mode switches the original "
        "as well. Copy what you keep.",
        {"copy.deepcopy(vgg.features)": "vgg.features", "copy.deepcopy(vgg.classifier[:-2])": "vgg.classifier[:-2]"},
    ),
    SharesTheWeights=(
        "Your network shares its weights with the original: if the original is trained, your features change, too. "
        "Copy what you keep (copy.deepcopy).",
        {
            "super().__init__()": "super().__init__()\n        shared = {id(one): one for one in vgg.parameters()}",
            "copy.deepcopy(vgg.features)": "copy.deepcopy(vgg.features, dict(shared))",
            "copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy(vgg.classifier[:-2], dict(shared))",
        },
    ),
    SetsTheOriginalsMode=(
        "You switch the original to evaluation mode before you copy it. Copy first, and switch the copy.",
        {"super().__init__()": "super().__init__()\n        vgg.eval()"},
    ),
    CutsTheOriginal=(
        "The original has lost its last layers: you cut its classifier instead of a copy, so it no longer "
        "returns scores.",
        {
            "self.features = copy": "vgg.classifier = vgg.classifier[:-2]\n        self.features = copy",
            "copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy(vgg.classifier)",
        },
    ),
    StopsBeforeRelu6=(
        "You cut right after the first fully connected layer. Two such layers, each with its ReLU, belong to the "
        "features.",
        {"classifier[:-2]": "classifier[:1]"},
    ),
    SwitchesItsLayersOnly=(
        "The layers are in evaluation mode, but the network itself is not: its `training` is still True. Switch the "
        "whole network, at the end of __init__.",
        {"self.eval()": "self.features.eval()\n        self.classifier.eval()"},
    ),
    SkipsTheFirstReLU=(
        "The ReLU between the two fully connected layers is missing: without it they act as a single linear layer.",
        {
            "copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy("
            "nn.Sequential(*(vgg.classifier[at] for at in (0, 3, 4))))"
        },
    ),
    SkipsBothReLUs=(
        "You keep the two fully connected layers without their ReLUs. Each is followed by one.",
        {"copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy(nn.Sequential(*(vgg.classifier[at] for at in (0, 3))))"},
    ),
    RectifiesTheScores=(
        "You keep the layer that computes the scores. relu7 is the ReLU before it.",
        {
            "return self.classifier(maps.flatten(start_dim=1))": "return self.classifier(maps.flatten(1)).relu()",
            "vgg.classifier[:-2]": "vgg.classifier",
        },
    ),
)
lab.other_spellings(
    "VGG16relu7",
    StopsBeforeTheReLU=[{"self.eval()": "", "classifier[:-2]": "classifier[:-3]"}],
    StopsAtRelu6=[{"self.eval()": "", "classifier[:-2]": "classifier[:2]"}],
    GivesTheScores=[{"self.eval()": "", "vgg.classifier[:-2]": "vgg.classifier"}],
    KeepsTheMode=[
        {"self.eval()": "", "classifier[:-2]": "classifier[:-1]"},
        {"self.eval()": "self.train(vgg.training)"},
    ],
    SwitchesTheOriginal=[
        {
            "copy.deepcopy(vgg.features)": "vgg.features",
            "copy.deepcopy(vgg.classifier[:-2])": "vgg.classifier[:-1]",
        },
        {
            "copy.deepcopy(vgg.features)": "nn.Sequential(*vgg.features)",
            "copy.deepcopy(vgg.classifier[:-2])": "nn.Sequential(*list(vgg.classifier)[:-2])",
        },
    ],
    CutsTheOriginal=[
        {
            "self.features = copy": "vgg.classifier = nn.Sequential(*list(vgg.classifier)[:-2])\n"
            "        self.features = copy",
            "copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy(vgg.classifier)",
        },
        {
            "self.features = copy": "vgg.classifier[6] = nn.Identity()\n        self.features = copy",
            "copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy(vgg.classifier)",
        },
    ],
)
