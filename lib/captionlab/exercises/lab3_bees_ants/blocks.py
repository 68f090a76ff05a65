"""Find the bug: the last blocks of a VGG. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

from torch import nn

from captionlab.exercises.lab3_bees_ants.common import draw, error_of, lab, modes, torch_seed, trainable
from captionlab.exercises.lab3_bees_ants.networks import SmallVGG


def _vgg(rng, count: int, batch_norm: bool) -> SmallVGG:
    """So many blocks, none with a single convolution at the end: layers, convolutions and blocks count differently."""
    blocks = [[4] * draw(rng, 1, 2) for _ in range(count - 2)] + [[5] * 2, [6] * draw(rng, 2, 3)]
    with torch_seed(0):
        return SmallVGG(blocks, 4, 3, batch_norm)


@lab.exercise(
    "captionlab.transfer.freezing:unfreeze_last_blocks",
    points=2,
    minutes=20,
    difficulty=3,
    importance=4,
    starter="children_of_the_model",
)
def probe_unfreeze_last_blocks(unfreeze_last_blocks, rng):
    def trained(vgg):
        return [f"features.{name}" for name, each in vgg.features.named_parameters() if each.requires_grad]

    count = draw(rng, 4, 5)
    vgg = _vgg(rng, count, False).requires_grad_(False)
    unfreeze_last_blocks(vgg, 1)
    label = f"a frozen VGG of {count} blocks, the last block: which parameters of its features are trained"
    yield label, trained(vgg)
    vgg = _vgg(rng, count, False)
    vgg.classifier[0].requires_grad_(False)
    unfreeze_last_blocks(vgg=vgg, blocks=2)
    yield "a VGG that is all trainable, the last two blocks", [trained(vgg), trainable(vgg.classifier)]
    vgg = _vgg(rng, count, True).requires_grad_(False).eval()
    unfreeze_last_blocks(vgg, count - 1)
    label = f"a frozen VGG with batch normalization, {count - 1} blocks of {count}: the same, and its layers' modes"
    yield label, [trained(vgg), modes(vgg)]
    unfreeze_last_blocks(vgg, 2)
    yield "the same VGG again, its last two blocks", trained(vgg)
    vgg = _vgg(rng, count, False).requires_grad_(False)
    error = error_of(unfreeze_last_blocks, vgg, count)
    yield f"a frozen VGG, all {count} blocks", [error, trained(vgg)]
    vgg = _vgg(rng, count, False)
    error = error_of(unfreeze_last_blocks, vgg, 0)
    yield "a VGG that is all trainable, 0 blocks", [error, trained(vgg), trainable(vgg.classifier)]
    yield f"{count + 2} blocks of {count}", error_of(unfreeze_last_blocks, _vgg(rng, count, False), count + 2)


@lab.misconception(
    "unfreeze_last_blocks",
    hint="This is the code you were given. Print list(vgg.children()) and its length: what does [5:] leave of it? The "
    "blocks are runs of layers inside vgg.features.",
)
def children_of_the_model(vgg, blocks):
    for parameter in vgg.features.parameters():
        parameter.requires_grad = False
    # Early layers stay frozen, the last blocks are set free again, to be fine-tuned.
    for block in list(vgg.children())[5:]:
        for parameter in block.parameters():
            parameter.requires_grad = True


@lab.misconception(
    "unfreeze_last_blocks",
    hint="You count the blocks from the front. The first blocks see edges and colors, which serve any task: they stay "
    "frozen, the last ones are trained.",
)
def counts_from_the_front(vgg, blocks):
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= blocks <= len(ends):
        raise ValueError("no such number of blocks")
    last_trained = ends[blocks - 1] if blocks else -1
    for index, layer in enumerate(vgg.features):
        for parameter in layer.parameters():
            parameter.requires_grad = index <= last_trained


@lab.misconception(
    "unfreeze_last_blocks",
    hint="One block too few is trained: a pooling is the end of its block, not the start of the next. With one block, "
    "your cut is at the very last layer.",
)
def one_block_short(vgg, blocks):
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= blocks <= len(ends):
        raise ValueError("no such number of blocks")
    first_trained = ends[-blocks] if blocks else len(vgg.features)
    for index, layer in enumerate(vgg.features):
        for parameter in layer.parameters():
            parameter.requires_grad = index > first_trained


@lab.misconception(
    "unfreeze_last_blocks",
    hint="You count layers, and a block has several: convolutions, ReLUs and a pooling. Find the poolings first.",
)
def counts_layers(vgg, blocks):
    for parameter in vgg.features.parameters():
        parameter.requires_grad = False
    for layer in list(vgg.features)[len(vgg.features) - blocks :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True


@lab.misconception(
    "unfreeze_last_blocks", hint="You count convolutions. A block has two or three of them, and ends with a pooling."
)
def counts_convolutions(vgg, blocks):
    convolutions = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.Conv2d)]
    if not 0 <= blocks <= len(convolutions):
        raise ValueError("no such number of blocks")
    first_trained = convolutions[-blocks] if blocks else len(vgg.features)
    for index, layer in enumerate(vgg.features):
        for parameter in layer.parameters():
            parameter.requires_grad = index >= first_trained


@lab.misconception(
    "unfreeze_last_blocks",
    hint="The last blocks are trained; those before them are left as they came. Freeze them: the model may come "
    "trainable.",
)
def leaves_the_earlier_ones(vgg, blocks):
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= blocks <= len(ends):
        raise ValueError("no such number of blocks")
    first_trained = 0 if blocks == len(ends) else ends[-blocks - 1] + 1
    for layer in list(vgg.features)[first_trained:]:
        for parameter in layer.parameters():
            parameter.requires_grad = True


@lab.misconception(
    "unfreeze_last_blocks",
    hint="The convolutions are right, but you also set the classifier, which keeps what it has: whoever calls this has "
    "decided about the head already.",
)
def sets_the_classifier_too(vgg, blocks):
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= blocks <= len(ends):
        raise ValueError("no such number of blocks")
    first_trained = 0 if blocks == len(ends) else ends[-blocks - 1] + 1
    for parameter in vgg.parameters():
        parameter.requires_grad = False
    for layer in list(vgg.features)[first_trained:]:
        for parameter in layer.parameters():
            parameter.requires_grad = True


@lab.misconception(
    "unfreeze_last_blocks",
    hint="With all blocks you look for a pooling before the first block, and there is none. Then training starts at "
    "layer 0.",
)
def fails_for_all_blocks(vgg, blocks):
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= blocks <= len(ends):
        raise ValueError("no such number of blocks")
    first_trained = ends[-blocks - 1] + 1
    for index, layer in enumerate(vgg.features):
        for parameter in layer.parameters():
            parameter.requires_grad = index >= first_trained


@lab.misconception(
    "unfreeze_last_blocks",
    hint="The blocks are right. What is missing is the error: asked for more blocks than there are, raise a "
    "ValueError.",
)
def accepts_any_number(vgg, blocks):
    ends = [-1, *(index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d))]
    first_trained = ends[max(len(ends) - 1 - blocks, 0)] + 1
    for index, layer in enumerate(vgg.features):
        for parameter in layer.parameters():
            parameter.requires_grad = index >= first_trained
