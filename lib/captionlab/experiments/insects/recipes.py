"""How each network is trained on the bees and ants: choices made on training images, never on test images.

For the photographs the rates were chosen by five-fold cross-validation on the 244 training images, with MobileNetV2.
The head alone, 30 epochs: accuracy 0.976, 0.976, 0.976 and loss 0.088, 0.158, 0.567 with a rate of 0.01, 0.03 and 0.1.
Fine-tuning from a head trained at 0.03, five epochs: accuracy 0.980, loss 0.144 with a backbone rate of 1e-4; 0.976
and 0.129 with 2e-5, no more right than the head alone. A rate of 1e-3 was dropped after one fold, which fell to
chance. One image is 0.004: the folds tell what ruins the network, hardly what is best. Sizes, views, the cut and
the number of epochs were set beforehand, by the time they take. The rates for the drawings were chosen alike, on
splits of their training images.

Fine-tuning starts from the head that was trained on frozen features, not from a random one, whose first, large
gradients would spoil the backbone (Kumar et al. 2022, "Fine-tuning can distort pretrained features",
arXiv:2202.10054). ResNet-18 and VGG16 have the photographs' recipe with a cut of their own; it is not tuned to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from captionlab.transfer.fine_tuning import Settings


@dataclass(frozen=True)
class Recipe:
    """How a network is adapted.

    Attributes:
        kept: stages that stay frozen in fine-tuning (see ``cut_network``).
        size: side of the training images, pixels.
        views: augmented views of each training image, computed once.
        test_sizes: sides of the plain test images; each is shown mirrored as well, and the scores are averaged.
        head, tuned, scratch: settings of the three kinds of training.
        scratch_size: side of the images for training from scratch, pixels.
    """

    kept: int
    size: int
    views: int
    test_sizes: tuple[int, ...]
    head: Settings
    tuned: Settings
    scratch: Settings
    scratch_size: int


_PHOTOGRAPHS = Recipe(
    kept=15,
    size=224,
    views=8,
    test_sizes=(224, 288),
    head=Settings(epochs=30, head_rate=1e-2),
    tuned=Settings(epochs=6, patience=3, head_rate=1e-3, backbone_rate=1e-4),
    scratch=Settings(epochs=8, patience=8, head_rate=2e-2, backbone_rate=2e-2, hold_statistics=False),
    scratch_size=96,
)
_DRAWINGS = Recipe(
    kept=2,
    size=64,
    views=8,
    test_sizes=(64,),
    head=Settings(epochs=30, head_rate=3e-2),
    tuned=Settings(epochs=12, patience=6, head_rate=3e-3, backbone_rate=3e-3),
    scratch=Settings(epochs=20, patience=8, head_rate=2e-2, backbone_rate=2e-2, hold_statistics=False),
    scratch_size=64,
)
RECIPES = {
    "mobilenet_v2": _PHOTOGRAPHS,
    "resnet18": replace(_PHOTOGRAPHS, kept=4),
    "vgg16": replace(_PHOTOGRAPHS, kept=24),
    "tiny_resnet": _DRAWINGS,
    "tiny_vgg": replace(_DRAWINGS, kept=6),
}


def recipe_for(network: str) -> Recipe:
    """The recipe of a network.

    Raises:
        ValueError: if there is none.
    """
    if network not in RECIPES:
        raise ValueError(f"no recipe for the network {network!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[network]
