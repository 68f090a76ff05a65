"""Gray images, and VGG16 cut after its relu7: probes and misconceptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from captionlab.exercises.lab2_scenes.common import draw, draw_different, draw_tensor, draw_weights, lab, modes, run
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.transfer.features:gray_to_rgb", points=1, minutes=8, difficulty=1, importance=3)
def probe_gray_to_rgb(gray_to_rgb, rng):
    for batch in (1, 3, draw(rng, 4, 6)):
        height, width = draw_different(rng, 2, 6, 2)
        label = f"{batch} gray images of {height} by {width}"
        yield label, gray_to_rgb(draw_tensor(rng, batch, 1, height, width))
    yield "2 gray images as high as they are wide", gray_to_rgb(images=draw_tensor(rng, 2, 1, 3, 3))
    for batch in (1, draw(rng, 2, 4)):
        height, width = draw_different(rng, 2, 6, 2)
        label = f"{batch} images of {height} by {width} that have three channels already"
        yield label, gray_to_rgb(draw_tensor(rng, batch, 3, height, width))


@lab.misconception(
    "gray_to_rgb",
    hint="Green and blue are zero, so that your images are dark red. A gray pixel has the same value in all channels.",
)
def fills_with_zeros(images):
    if images.shape[1] == 3:
        return images
    return torch.cat([images, torch.zeros_like(images), torch.zeros_like(images)], 1)


@lab.misconception(
    "gray_to_rgb",
    hint="You get three times as many images instead of three times as many channels: you repeat along the wrong axis.",
)
def repeats_the_images(images):
    return images if images.shape[1] == 3 else images.repeat(3, 1, 1, 1)


@lab.misconception(
    "gray_to_rgb",
    hint="Images with three channels come out with nine. Look at the second axis first: they are to pass unchanged.",
)
def repeats_color_too(images):
    return images.repeat(1, 3, 1, 1)


@lab.misconception(
    "gray_to_rgb",
    hint="Your gray images are only a third as bright. The three channels do not share the value, each has all of it.",
)
def spreads_the_brightness(images):
    return images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1) / 3


@lab.misconception(
    "gray_to_rgb", hint="Images in color lose it. Only those with a single channel need anything done to them."
)
def makes_color_gray(images):
    return images.mean(1, keepdim=True).expand(-1, 3, -1, -1)


class _SmallVGG(nn.Module):
    """Built like torchvision's VGG, for images of ``4 * side`` pixels: there its adaptive pooling changes nothing."""

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
    label = "features of another image, then what comes of an image that is too large for the fully connected layers"
    yield label, [run(cut, draw_tensor(rng, 1, 3, size, size)), str(outcome_of(run, cut, larger))[:6]]
    hidden, side = draw(rng, 11, 16), 5 - side
    vgg, size = _SmallVGG(rng, draw(rng, 5, 8), side, hidden, hidden).train(), 4 * side
    cut = VGG16relu7(vgg=vgg)
    label = f"a VGG with two layers of {hidden}, in training mode: features of 4 images"
    yield label, run(cut, draw_tensor(rng, 4, 3, size, size))
    label = "features of 2 images, then which parts of the original are in training mode"
    yield label, [run(cut, draw_tensor(rng, 2, 3, size, size)), modes(vgg)]


@lab.misconception(
    "VGG16relu7",
    hint="Some of your features are negative: you cut before the ReLU, after the second fully connected layer. Keep "
    "one layer more.",
)
class StopsBeforeTheReLU(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        self.features = copy.deepcopy(vgg.features)
        self.classifier = copy.deepcopy(vgg.classifier[:4])
        self.eval()

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


@lab.misconception(
    "VGG16relu7",
    hint="You cut after the first fully connected layer. The features wanted are those of the second, just before the "
    "layer that gives the scores.",
)
class StopsAtRelu6(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        self.features = copy.deepcopy(vgg.features)
        self.classifier = copy.deepcopy(vgg.classifier[:2])
        self.eval()

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


@lab.misconception(
    "VGG16relu7",
    hint="These are the network's scores for its own classes. Leave the last fully connected layer out.",
)
class GivesTheScores(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        self.features = copy.deepcopy(vgg.features)
        self.classifier = copy.deepcopy(vgg.classifier)
        self.eval()

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


@lab.misconception(
    "VGG16relu7",
    hint="You return the maps after the convolutions. Two of the three fully connected layers, with their ReLUs, are "
    "still to come.",
)
class StopsAfterTheConvolutions(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        self.features = copy.deepcopy(vgg.features).eval()

    def forward(self, images):
        return self.features(images).flatten(1)


@lab.misconception(
    "VGG16relu7",
    hint="An image of the wrong size still passes: the adaptive pooling squeezes any maps into shape. Flatten straight "
    "after the convolutions, so that a wrong size is an error.",
)
class KeepsTheAdaptivePooling(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        self.features = copy.deepcopy(nn.Sequential(vgg.features, vgg.avgpool))
        self.classifier = copy.deepcopy(vgg.classifier[:5])
        self.eval()

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


@lab.misconception(
    "VGG16relu7",
    hint="Where the VGG you are given is in training mode, dropout is active in your network, too. Put yours into "
    "evaluation mode.",
)
class KeepsTheMode(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        self.features = copy.deepcopy(vgg.features)
        self.classifier = copy.deepcopy(vgg.classifier[:5])

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


@lab.misconception(
    "VGG16relu7",
    hint="Dropout is always active in your network: F.dropout drops values unless it is told training=False. Features "
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


@lab.misconception(
    "VGG16relu7",
    hint="Your network shares its layers with the original, and switching it to evaluation mode switches the original "
    "as well. Copy what you keep.",
)
class SwitchesTheOriginal(nn.Module):
    def __init__(self, vgg):
        super().__init__()
        self.features, self.classifier = vgg.features, vgg.classifier[:5]
        self.eval()

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


@lab.misconception(
    "VGG16relu7",
    hint="The original has lost its last layer: you cut its classifier instead of a copy of it, and it gives no scores "
    "any more.",
)
class CutsTheOriginal(nn.Module):
    def __init__(self, vgg):
        import copy

        super().__init__()
        vgg.classifier = vgg.classifier[:5]
        self.vgg = copy.deepcopy(vgg).eval()

    def forward(self, images):
        return self.vgg.classifier(self.vgg.features(images).flatten(1))
