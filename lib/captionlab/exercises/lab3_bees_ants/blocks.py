"""Find the bug: the last blocks of a VGG. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, torch_seed
from captionlab.exercises.lab3_bees_ants.common import error_of, lab, modes, trainable
from captionlab.exercises.lab3_bees_ants.networks import SmallVGG


def _vgg(rng, count: int, batch_norm: bool) -> SmallVGG:
    """``count`` blocks, of which the last have several convolutions, so layers, convolutions and blocks differ."""
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
    label = f"a frozen VGG with {count} blocks, the last block: which parameters of its features are trainable"
    yield label, trained(vgg), 4
    vgg = _vgg(rng, count, False)
    vgg.classifier[0].requires_grad_(False)
    unfreeze_last_blocks(vgg=vgg, num_blocks=2)
    case = "a VGG whose features are all trainable, the last two blocks: "
    yield case + "which parameters of its features are trainable", trained(vgg), 4
    yield case + "which parameters of its classifier are trainable", [trained(vgg), trainable(vgg.classifier)], 3
    vgg = _vgg(rng, count, True).requires_grad_(False).eval()
    unfreeze_last_blocks(vgg, count - 1)
    case = f"a frozen VGG with batch normalization, {count - 1} blocks of {count}: "
    yield case + "which parameters of its features are trainable", trained(vgg), 2
    yield case + "the modes of its layers", [len(trained(vgg)), modes(vgg)]
    unfreeze_last_blocks(vgg, 2)
    yield "the same VGG again, its last two blocks", trained(vgg), 3
    vgg = _vgg(rng, count, False).requires_grad_(False)
    error = error_of(unfreeze_last_blocks, vgg, count)
    yield f"a frozen VGG, all {count} blocks", error or trained(vgg), 2
    vgg = _vgg(rng, count, False)
    error = error_of(unfreeze_last_blocks, vgg, 0)
    yield "a VGG that is all trainable, 0 blocks", error or [*trained(vgg), *trainable(vgg.classifier)], 2
    yield f"{count + 2} blocks of {count}", error_of(unfreeze_last_blocks, _vgg(rng, count, False), count + 2)
    yield "a negative number of blocks", error_of(unfreeze_last_blocks, _vgg(rng, count, False), -1)


@lab.misconception(
    "unfreeze_last_blocks",
    hint="This does the same as the code you were given. Print list(vgg.children()) and its length: what "
    "does [5:] leave of it? The blocks are runs of layers inside vgg.features.",
)
def children_of_the_model(vgg, num_blocks):
    for parameter in vgg.features.parameters():
        parameter.requires_grad = False
    # Early layers stay frozen; the last blocks are unfrozen again for fine-tuning.
    for block in list(vgg.children())[5:]:
        for parameter in block.parameters():
            parameter.requires_grad = True


FIRST_TRAINED = "0 if num_blocks == len(ends) else ends[-num_blocks - 1] + 1"

lab.misconceptions(
    "unfreeze_last_blocks",
    counts_from_the_front=(
        "You count the blocks from the front. The first blocks detect edges and colors, which are useful for "
        "any task: they stay frozen, and the last ones are trained.",
        {
            FIRST_TRAINED: "ends[num_blocks - 1] if num_blocks else -1",
            "index >= first_trained": "index <= first_trained",
        },
    ),
    one_block_short=(
        "One block too few is trained: a pooling is the end of its block, not the beginning of the next. With one "
        "block, you start at the very last layer.",
        {FIRST_TRAINED: "ends[-num_blocks] if num_blocks else len(vgg.features)"},
    ),
    counts_layers=(
        "You count layers, but a block has several: convolutions, ReLUs and a pooling. Find the poolings first.",
        {"if not 0 <= num_blocks": "", FIRST_TRAINED: "len(vgg.features) - num_blocks"},
    ),
    counts_convolutions=(
        "You count convolutions. A block has two or three of them, and ends with a pooling.",
        {"nn.MaxPool2d": "nn.Conv2d", FIRST_TRAINED: "ends[-num_blocks] if num_blocks else len(vgg.features)"},
    ),
    leaves_the_earlier_ones=(
        "You leave the blocks before the last ones as they were. Freeze them: they may have been trainable.",
        {
            "layer.requires_grad_(index >= first_trained)": "if index >= first_trained:\n"
            "            layer.requires_grad_()"
        },
    ),
    sets_the_classifier_too=(
        "You also set the classifier, which must stay as it is: the caller has already decided about the head.",
        {
            "for index, layer in enumerate(vgg.features):": "vgg.requires_grad_(False)\n    for index, layer in "
            "enumerate(vgg.features):"
        },
    ),
    fails_for_all_blocks=(
        "With all blocks you look for a pooling before the first block, and there is none. In that case, "
        "start at layer 0.",
        {FIRST_TRAINED: "ends[-num_blocks - 1] + 1"},
    ),
    accepts_any_number=(
        "An error is missing: raise a ValueError if more blocks are requested than there are.",
        {"if not 0 <= num_blocks": "", "num_blocks == len(ends)": "num_blocks >= len(ends) or num_blocks < 0"},
    ),
    zero_means_all=(
        "With 0 blocks everything is trainable: a slice [-0:] is the whole list, because -0 is 0. Count from the "
        "front, or treat 0 by itself.",
        {FIRST_TRAINED: "0 if num_blocks in (0, len(ends)) else ends[-num_blocks - 1] + 1"},
    ),
    knows_vgg16_only=(
        "You use the positions of VGG16's blocks, but other networks have their poolings elsewhere: look for the "
        "layers of type nn.MaxPool2d in vgg.features.",
        {"[index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]": "[4, 9, 16, 23]"},
    ),
    freezes_the_last_blocks=(
        "You have it backwards: train the last blocks and freeze those before them.",
        {"index >= first_trained": "index < first_trained"},
    ),
    sets_weights_only=(
        "You set the weights only, not the biases: a layer's requires_grad_() or its parameters() reach both.",
        {
            "layer.requires_grad_(index >= first_trained)": 'if hasattr(layer, "weight"):\n'
            "            layer.weight.requires_grad_(index >= first_trained)"
        },
    ),
    sets_modes_too=(
        "You also change the training or evaluation mode of the layers, which must stay as it is.",
        {
            "layer.requires_grad_(index >= first_trained)": "layer.requires_grad_(index >= first_trained)\n"
            "        layer.train(index >= first_trained)"
        },
    ),
    accepts_negative_numbers=(
        "A negative number of blocks is accepted: raise a ValueError for it, as for too many.",
        {"0 <= num_blocks <= len(ends)": "num_blocks <= len(ends)"},
    ),
)

lab.other_spellings(
    "unfreeze_last_blocks",
    accepts_any_number=[
        {"0 <= num_blocks <= len(ends)": "num_blocks >= 0", "num_blocks == len(ends)": "num_blocks >= len(ends)"}
    ],
    counts_layers=[{FIRST_TRAINED: "len(vgg.features) - num_blocks"}],
    knows_vgg16_only=[{"if not 0 <= num_blocks": "", FIRST_TRAINED: "[31, 24, 17, 10, 5, 0][num_blocks]"}],
)
