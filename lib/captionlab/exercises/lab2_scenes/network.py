"""Gray images, and VGG16 cut after relu7: probes and misconceptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, run
from captionlab.exercises.lab2_scenes.common import draw_weights, lab, modes
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.transfer.features:gray_to_rgb", points=1, minutes=8, difficulty=1, importance=3)
def probe_gray_to_rgb(gray_to_rgb, rng):
    for batch in (1, 3, draw(rng, 4, 6)):
        height, width = draw_different(rng, 2, 6, 2)
        label = f"{batch} gray images of {height} by {width}"
        yield label, gray_to_rgb(draw_tensor(rng, batch, 1, height, width))
    yield "2 square gray images", gray_to_rgb(images=draw_tensor(rng, 2, 1, 3, 3))
    for batch in (1, draw(rng, 2, 4)):
        height, width = draw_different(rng, 2, 6, 2)
        label = f"{batch} images of {height} by {width} that already have three channels"
        yield label, gray_to_rgb(draw_tensor(rng, batch, 3, height, width))


lab.misconceptions(
    "gray_to_rgb",
    fills_with_zeros=(
        "Green and blue are zero, so your images are dark red. A gray pixel has the same value in all channels.",
        {
            "images.expand(-1, 3, -1, -1)": "nn.functional.pad(images, (0, 0, 0, 0, 0, 3 - images.shape[1]))",
            "if images.ndim": "",
        },
    ),
    repeats_the_images=(
        "You get three times as many images instead of three times as many channels: you repeat along the wrong axis.",
        {
            "images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.repeat(3, 1, 1, 1)",
            "if images.ndim": "",
        },
    ),
    repeats_color_too=(
        "Images with three channels come out with nine. Check the second axis first: they should pass through "
        "unchanged.",
        {"images.expand(-1, 3, -1, -1)": "images.repeat(1, 3, 1, 1)", "if images.ndim": ""},
    ),
    spreads_the_brightness=(
        "Your gray images are only a third as bright. Each of the three channels has the full value; they do not "
        "share it.",
        {
            "images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1) / 3",
            "if images.ndim": "",
        },
    ),
    makes_color_gray=(
        "Color images lose their color. Only images with a single channel need to be converted.",
        {"images.expand": "images.mean(dim=1, keepdim=True).expand", "if images.ndim": ""},
    ),
)


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
    label = f"a VGG with fully connected layers of {sixth} and {seventh}, in evaluation mode: features of 3 images"
    yield label, run(cut, draw_tensor(rng, 3, 3, size, size))
    image = draw_tensor(rng, 1, 3, size, size)
    yield "features of one image, then the original's scores for it", [run(cut, image), outcome_of(run, vgg, image)]
    larger = draw_tensor(rng, 1, 3, size + 4, size + 8)
    label = "features of another image, then the result for an image too large for the fully connected layers"
    yield label, [run(cut, draw_tensor(rng, 1, 3, size, size)), str(outcome_of(run, cut, larger))[:6]]
    hidden, side = draw(rng, 11, 16), 5 - side
    vgg, size = _SmallVGG(rng, draw(rng, 5, 8), side, hidden, hidden).train(), 4 * side
    cut = VGG16relu7(vgg=vgg)
    label = f"a VGG with two layers of {hidden}, in training mode: features of 4 images"
    yield label, run(cut, draw_tensor(rng, 4, 3, size, size))
    label = "features of 2 images, then which modules of the original are in training mode"
    yield label, [run(cut, draw_tensor(rng, 2, 3, size, size)), modes(vgg)]


lab.misconceptions(
    "VGG16relu7",
    StopsBeforeTheReLU=(
        "Some of your features are negative: you cut before the ReLU, after the second fully connected layer. Keep "
        "one more layer.",
        {"classifier[:-2]": "classifier[:-3]"},
    ),
    StopsAtRelu6=(
        "You cut after the first fully connected layer. You need the features of the second one, just before the "
        "layer that gives the scores.",
        {"classifier[:-2]": "classifier[:2]"},
    ),
    GivesTheScores=(
        "These are the network's scores for its own classes. Leave out the last fully connected layer.",
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
    CutsTheOriginal=(
        "The original has lost its last layer: you cut its classifier instead of a copy, so it no longer gives scores.",
        {
            "self.features = copy": "vgg.classifier = vgg.classifier[:-2]\n        self.features = copy",
            "copy.deepcopy(vgg.classifier[:-2])": "copy.deepcopy(vgg.classifier)",
        },
    ),
)
