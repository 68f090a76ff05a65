"""From an image to named classes: probes and misconceptions."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab1_vgg16.common import lab

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
NAMES = ("tench", "goldfish", "ostrich", "magpie", "bulbul", "kite", "newt", "axolotl", "drake", "wombat", "otter")


def _picture(rng, mode: str, width: int, height: int) -> Image.Image:
    """An image of random pixels with a different mean level per channel, in the given PIL mode."""
    level = rng.permutation([60, 120, 190])
    pixels = np.clip(rng.normal(level, 60, (height, width, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    if mode == "P":
        return image.quantize(16)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)))
        return image
    return image.convert(mode)


def _thin(batch, step: int):
    """The shape of an array and its values at every ``step``-th row and column; anything else unchanged."""
    if isinstance(batch, (np.ndarray, torch.Tensor)) and batch.ndim >= 2:
        return [list(batch.shape), batch[..., ::step, ::step]]
    return batch


# PIL rounds to whole gray levels when it resizes; torchvision's antialiased resizing of floats does not. They differ by
# at most one level of 255, 0.0175 after division by a standard deviation of 0.224. Mistakes are far larger.
@lab.exercise(
    "captionlab.vision.images:prepare_image",
    points=3,
    minutes=25,
    difficulty=2,
    importance=5,
    atol=0.02,
    check_dtype=True,
)
def probe_prepare_image(prepare_image, rng):
    size = draw(rng, 6, 9)
    yield f"a color image that is already {size} by {size}", prepare_image(_picture(rng, "RGB", size, size), size)
    for width, height in ((draw(rng, 20, 28), draw(rng, 11, 15)), (draw(rng, 8, 11), draw(rng, 16, 24))):
        label = f"a color image of {width} by {height}, to size {size}"
        yield label, prepare_image(_picture(rng, "RGB", width, height), size=size)
    large = draw(rng, 18, 22)
    label = f"a small color image of 7 by 5, to size {large}"
    yield label, _thin(prepare_image(_picture(rng, "RGB", 7, 5), large), 2)
    yield "a color image, to the default size", _thin(prepare_image(_picture(rng, "RGB", 40, 30)), 37)
    label = f"an image with transparency, already {size} by {size}"
    yield label, prepare_image(_picture(rng, "RGBA", size, size), size)
    yield f"an image with a palette, to size {size}", prepare_image(_picture(rng, "P", 23, 14), size)
    yield f"a gray image, to size {size}", prepare_image(_picture(rng, "L", 12, 17), size)


lab.misconceptions(
    "prepare_image",
    forgets_to_scale=(
        "Your pixels are still 0 to 255 when you normalize them; the means and standard deviations are for values "
        "from 0 to 1.",
        {" / 255": ""},
    ),
    forgets_to_normalize=(
        "Your values are scaled but not normalized: use IMAGENET_MEAN and IMAGENET_STD.",
        {"pixels = (pixels -": ""},
    ),
    normalizes_before_scaling=(
        "You normalize first and scale to 0..1 afterwards. The means are for values that have already been scaled.",
        {" / 255": "", ".unsqueeze(0)": ".unsqueeze(0) / 255"},
    ),
    swaps_mean_and_deviation=(
        "You subtract the standard deviation and divide by the mean: swap them.",
        {
            "np.array(IMAGENET_MEAN, np.float32)": "np.float32(IMAGENET_STD)",
            "np.array(IMAGENET_STD, np.float32)": "np.float32(IMAGENET_MEAN)",
        },
    ),
    leaves_channels_last=(
        "The channels are still the last axis. PIL gives (height, width, channels); PyTorch expects channels first.",
        {".permute(2, 0, 1)": ""},
    ),
    transposes_the_picture=(
        "Your image is transposed: you swapped height and width when you moved the channels to the front.",
        {"permute(2, 0, 1)": "permute(2, 1, 0)"},
    ),
    puts_blue_first=(
        "Your first channel is blue. PIL gives red, green, blue; keep that order.",
        {" / 255": "[:, :, ::-1] / 255"},
    ),
    forgets_the_batch=(
        "The batch axis is missing: a network expects a batch of images, here a batch of one.",
        {".unsqueeze(0)": ""},
    ),
    leaves_double_precision=(
        "Your values are right, but they are float64 (NumPy's default). A network's weights are float32, and PyTorch "
        "does not mix the two.",
        {
            "dtype=np.float32": "dtype=float",
            "(IMAGENET_MEAN, np.float32)": "(IMAGENET_MEAN)",
            "(IMAGENET_STD, np.float32)": "(IMAGENET_STD)",
        },
    ),
    takes_color_for_granted=(
        "Color images are right. A gray image has no channel axis: look for the method of PIL images that changes the "
        "mode, and call it first.",
        {'image.convert("RGB")': '(image.convert("RGB") if image.mode in ("P", "RGBA") else image)'},
    ),
    resizes_before_converting=(
        "Images with a palette come out wrong: PIL cannot average palette indices. Change the mode before resizing, "
        "not after.",
        {'.convert("RGB")': "", "Image.Resampling.BILINEAR)": 'Image.Resampling.BILINEAR).convert("RGB")'},
    ),
)


@lab.misconception(
    "prepare_image",
    hint="You crop the sides of an image that is not square. Here the whole image is squeezed into the square.",
)
def crops_the_center(image, size=224):
    shorter = min(image.size)
    left, top = (image.width - shorter) // 2, (image.height - shorter) // 2
    image = image.convert("RGB").crop((left, top, left + shorter, top + shorter))
    image = image.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.array(image, dtype=np.float32) / 255
    pixels = (pixels - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)


lab.misconceptions(
    "prepare_image",
    resizes_with_the_default=(
        "You resize with the wrong filter: the default of PIL's resize is not bilinear.",
        {", Image.Resampling.BILINEAR": ""},
    ),
)


@lab.exercise("captionlab.convnets.predictions:softmax", points=2, minutes=10, difficulty=2, importance=4)
def probe_softmax(softmax, rng):
    yield "one image", softmax(draw_tensor(rng, draw(rng, 4, 7), scale=2))
    for shape in ((3, 5), (4, 4), (2, 3, 4)):
        yield f"logits of shape {shape}", softmax(logits=draw_tensor(rng, *shape, scale=2))
    shift = torch.tensor([[5.0], [0.0], [-5.0]])
    yield "rows at different levels", softmax(draw_tensor(rng, 3, 6, scale=2) + shift)
    yield "logits around 1000", softmax(draw_tensor(rng, 1, 5, scale=2, mean=1000))
    yield "logits around -1000", softmax(draw_tensor(rng, 6, scale=2, mean=-1000))
    yield "rows around 1000, 0 and -1000", softmax(draw_tensor(rng, 3, 5, scale=2) + 200 * shift)


@lab.misconception(
    "softmax",
    hint="Your values are right until the logits get large: the exponential of 1000 is infinite. Adding the same "
    "number to all logits of a row does not change their softmax; choose one that helps.",
)
def overflows(logits):
    return logits.exp() / logits.exp().sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You normalize along the first axis, over the images of the batch. The last axis holds the classes.",
)
def first_axis(logits):
    return torch.softmax(logits, 0)


@lab.misconception(
    "softmax",
    hint="All your values together sum to 1. Every row must sum to 1 on its own: sum along the last axis only.",
)
def one_sum_for_all(logits):
    return torch.softmax(logits.reshape(-1), 0).reshape(logits.shape)


@lab.misconception(
    "softmax",
    hint="You subtract the largest logit of the whole batch. A row far below it underflows to 0 / 0: every row needs "
    "its own maximum.",
)
def one_maximum_for_all(logits):
    exponentials = (logits - logits.max()).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You divide the logits by their sum, but logits can be negative. Turn them into positive numbers first.",
)
def no_exponential(logits):
    return logits / logits.sum(-1, keepdim=True)


@lab.misconception("softmax", hint="You return log probabilities, not probabilities.")
def logarithms(logits):
    return torch.log_softmax(logits, -1)


@lab.exercise("captionlab.convnets.predictions:top_predictions", points=1, minutes=10, difficulty=2, importance=3)
def probe_top_predictions(top_predictions, rng):
    for k, count, mean in (
        (None, 9, 0.0),
        (1, 6, 0.0),
        (3, 8, -4.0),
        (draw(rng, 2, 4), 10, 3.0),
        (5, 5, 0.0),
        (2, 11, 0.0),
    ):
        names = [str(name) for name in rng.permutation(NAMES)[:count]]
        levels = torch.from_numpy(rng.permutation(count).astype(np.float32)) * 0.6
        logits = levels + draw_tensor(rng, count, scale=0.05) + mean
        label = f"the {k or 'default number of'} most probable of {count} classes"
        if k is None:
            yield label, top_predictions(logits, names)
        elif k == 1:
            yield label, top_predictions(logits, names, 1)
        else:
            yield label, top_predictions(logits=logits, categories=names, k=k)


lab.misconceptions(
    "top_predictions",
    returns_scores=(
        "You return logits. Turn them into probabilities with a softmax over all classes.",
        {"torch.softmax(logits, dim=-1).topk(k)": "logits.topk(k)"},
    ),
    worst_of_the_best_first=(
        "The classes are right, but the least probable of them comes first.",
        {"strict=True)]": "strict=True)][::-1]"},
    ),
    least_probable=(
        "These are the least probable classes: sorting functions put the smallest first by default.",
        {".topk(k)": ".topk(k, largest=False)"},
    ),
    softmax_of_the_best=(
        "Your probabilities sum to 1 over the classes you return. Take the softmax over all classes first, then "
        "select.",
        {
            "torch.softmax(logits, dim=-1).topk(k)": "logits.topk(k)",
            "    return": "    probabilities = torch.softmax(probabilities, dim=-1)\n    return",
        },
    ),
    numbers_for_names=(
        "You return the index of each class; look up its name in categories.",
        {"categories[index]": "index"},
    ),
)
