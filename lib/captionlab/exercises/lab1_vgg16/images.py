"""From an image to the tensor that a network expects: probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab1_vgg16.common import add_pairs, lab
from captionlab.exercises.observing import dtype_of

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


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


def _shape(batch):
    return list(getattr(batch, "shape", []))


def _thousandths(batch):
    """The first pixel of a batch, times 1000; anything that is no batch unchanged."""
    return 1000 * batch[0, ..., 0, 0] if isinstance(batch, (np.ndarray, torch.Tensor)) and batch.ndim == 4 else batch


def _thin(batch, step: int):
    """The shape of an array and its values at every ``step``-th row and column; anything else unchanged."""
    if isinstance(batch, (np.ndarray, torch.Tensor)) and batch.ndim >= 2:
        return [_shape(batch), batch[..., ::step, ::step]]
    return batch


# PIL rounds to whole gray levels when it resizes; torchvision's antialiased resizing of floats does not. They differ by
# at most one level of 255, 0.0175 after division by a standard deviation of 0.224. Mistakes are far larger. Where
# nothing is to be resized or all pixels are equal, thousandths are compared with the same tolerance.
@lab.exercise(
    "captionlab.vision.images:prepare_image", points=3, minutes=25, difficulty=2, importance=5, rtol=1e-5, atol=0.02
)
def probe_prepare_image(prepare_image, rng):
    size = draw(rng, 3, 4)
    image = _picture(rng, "RGB", size, size)
    yield f"a color image that is already {size} by {size}", prepare_image(image, size), 3
    white = prepare_image(Image.new("RGB", (5, 5), "white"), 5)
    yield "a white pixel: its red, green and blue, times 1000", _thousandths(white)
    size = draw(rng, 5, 7)
    image = _picture(rng, "RGB", draw(rng, 20, 28), draw(rng, 11, 15))
    before = [image.mode, *image.size, image.tobytes()]
    label = f"a color image of {image.width} by {image.height}, to size {size}"
    batch = prepare_image(image, size=size)
    yield label, batch, 3
    is_same = [image.mode, *image.size, image.tobytes()] == before
    yield f"{label}: shape, and the image after the call", [_shape(batch), "unchanged" if is_same else "changed"], 0.5
    width, height = draw(rng, 8, 11), draw(rng, 16, 24)
    label = f"a color image of {width} by {height}, to size {size}"
    yield label, prepare_image(_picture(rng, "RGB", width, height), size=size), 2
    large = draw(rng, 18, 22)
    label = f"a small color image of 7 by 5, to size {large}: shape, and every second row and column"
    yield label, _thin(prepare_image(_picture(rng, "RGB", 7, 5), large), 2)
    label = "a color image, to the default size: shape, and every 37th row and column"
    yield label, _thin(prepare_image(_picture(rng, "RGB", 40, 30)), 37)
    label = f"an image with transparency, already {size} by {size}"
    yield label, prepare_image(_picture(rng, "RGBA", size, size), size)
    yield f"an image with a palette, to size {size}", prepare_image(_picture(rng, "P", 23, 14), size)
    yield f"a gray image, to size {size}", prepare_image(_picture(rng, "L", 12, 17), size)
    black = prepare_image(Image.new("L", (320, 200)), size=64)
    yield "a black gray image, to size 64: shape and dtype", [_shape(black), dtype_of(black)], 0.5
    yield "a black gray image, to size 64: red, green and blue of a pixel, times 1000", _thousandths(black), 0.5


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
        "Your result is float64 (NumPy's default). A network's weights are float32, and PyTorch does not mix the two.",
        {
            "dtype=np.float32": "dtype=float",
            "(IMAGENET_MEAN, np.float32)": "(IMAGENET_MEAN)",
            "(IMAGENET_STD, np.float32)": "(IMAGENET_STD)",
        },
    ),
    takes_color_for_granted=(
        "A gray image has no channel axis, so what works for color images fails: look for the method of PIL images "
        "that changes the mode, and call it first.",
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
    reshapes_to_channels_first=(
        "reshape and view keep the order of the values in memory, so they mix up colors and positions. To "
        "move the channels to the front, permute the axes.",
        {".permute(2, 0, 1)": ".reshape(3, size, size)"},
    ),
    divides_by_256=(
        "Your values are a little too small: 255 has to become exactly 1.",
        {" / 255": " / 256"},
    ),
    subtracts_the_mean_only=(
        "You subtract the mean, but do not divide by the standard deviation.",
        {" / np.array(IMAGENET_STD, np.float32)": ""},
    ),
    divides_the_mean_only=(
        "You divide only the mean by the standard deviation: / binds more tightly than -. Where do the "
        "parentheses belong?",
        {"(pixels - np.array(IMAGENET_MEAN, np.float32))": "pixels - np.array(IMAGENET_MEAN, np.float32)"},
    ),
    uses_the_images_own_statistics=(
        "You normalize with the image's own mean and standard deviation. Use those of ImageNet, which are the same for "
        "every image.",
        {
            "np.array(IMAGENET_MEAN, np.float32)": "pixels.mean((0, 1))",
            "np.array(IMAGENET_STD, np.float32)": "(pixels.std((0, 1)) + np.float32(1e-6))",
        },
    ),
    ignores_the_size=(
        "Your result is always 224 by 224 pixels: use the argument size.",
        {"(size, size)": "(224, 224)"},
    ),
    resizes_with_the_default=(
        "Your resized images are not those of PIL's bilinear filter. PIL's resize uses another filter by "
        "default, and F.interpolate without antialias gives other values.",
        {", Image.Resampling.BILINEAR": ""},
    ),
)
lab.other_spellings(
    "prepare_image",
    resizes_with_the_default=[
        {"Resampling.BILINEAR": "Resampling.NEAREST"},
        {"Resampling.BILINEAR": "Resampling.LANCZOS"},
    ],
    reshapes_to_channels_first=[
        {
            "/ 255": "/ 255\n    pixels = pixels.reshape(3, size, size)",
            "np.array(IMAGENET_MEAN, np.float32)": "np.array(IMAGENET_MEAN, np.float32)[:, None, None]",
            "np.array(IMAGENET_STD, np.float32)": "np.array(IMAGENET_STD, np.float32)[:, None, None]",
            ".permute(2, 0, 1)": "",
        }
    ],
    takes_color_for_granted=[{'image.convert("RGB")': "image"}],
    forgets_to_normalize=[
        {
            "(pixels - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)": "pixels / 1",
            ".unsqueeze(0)": ".unsqueeze(0).float()",
        }
    ],
)


@lab.misconception("prepare_image", another="resizes_with_the_default")
def interpolates_without_antialias(image, size=224):
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    pixels = F.interpolate(pixels, (size, size), mode="bilinear", align_corners=False)
    return (pixels - torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)) / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)


@lab.misconception("prepare_image", another="crops_the_center")
def resizes_the_shorter_side(image, size=224):
    image = image.convert("RGB")
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)), dtype=np.float32) / 255
    pixels = (pixels - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)


add_pairs(
    "prepare_image",
    (
        "leaves_channels_last transposes_the_picture forgets_the_batch reshapes_to_channels_first",
        "forgets_to_scale forgets_to_normalize swaps_mean_and_deviation subtracts_the_mean_only",
    ),
    ("leaves_channels_last reshapes_to_channels_first transposes_the_picture", "forgets_the_batch"),
    (
        "forgets_to_scale forgets_to_normalize swaps_mean_and_deviation subtracts_the_mean_only leaves_channels_last",
        "resizes_with_the_default ignores_the_size",
    ),
    ("forgets_to_scale", "forgets_to_normalize"),
)
