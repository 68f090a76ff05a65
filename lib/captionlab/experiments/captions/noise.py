"""Noisy photographs: a denoising autoencoder before the encoder, and a captioner trained on denoised images.

The autoencoder reduces an image to a quarter of its side and reconstructs it. That removes noise, and fine detail with
it: a captioner that has never seen such images describes them less well until it is trained on them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from captionlab.captioning.datasets import CaptionedImage, load_dataset
from captionlab.captioning.runs import Transform, encoder_for, evaluate
from captionlab.captioning.settings import RunSettings
from captionlab.common.checkpoints import load_checkpoint, load_weights, save_checkpoint
from captionlab.common.logs import logger
from captionlab.common.progress import track
from captionlab.datasets.paths import data_root
from captionlab.experiments.captions.runs import (
    BEAMS,
    as_options,
    refuse_fixed_settings,
    short_configuration,
    train_or_load,
)
from captionlab.experiments.captions.tables import bleu_columns, write_runs
from captionlab.experiments.results import command_line
from captionlab.vision.sources import ImageSource, cache_key, open_image

NOISE_STD = 40  # of 255 gray levels
IMAGES, EPOCHS, BATCH = 1500, 8, 16  # the autoencoder's training


class DenoisingAutoencoder(nn.Module):
    """Two convolutions down, two up; from noisy images to clean ones.

    Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 3, 4, stride=2, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, 3, height, width)`` with values from 0 to 1, sides divisible by 4, to the same shape."""
        return self.layers(images)


@dataclass(frozen=True)
class Noisy:
    """An image with Gaussian noise on each pixel, the same at each reading.

    Attributes:
        image: without noise.
        std: standard deviation of the noise, of 255 gray levels.
        size: height and width to which the image is resized first, pixels.
        seed: of the noise.
    """

    image: ImageSource
    std: float
    size: int
    seed: int

    def pixels(self) -> np.ndarray:
        """(size, size, 3), uint8."""
        clean = resized(self.image, self.size)
        noise = np.random.default_rng(self.seed).normal(0, self.std, clean.shape)
        return np.clip(clean + noise, 0, 255).astype(np.uint8)

    def read(self) -> Image.Image:
        """The noisy image."""
        return Image.fromarray(self.pixels())

    def cache_key(self) -> str:
        """Changes with the image and the noise."""
        return f"noise {self.std} {self.seed} {self.size} {cache_key(self.image)}"


@dataclass(frozen=True)
class Denoised:
    """An image as an autoencoder reconstructs it.

    Attributes:
        image: noisy or not.
        network: the autoencoder, in evaluation mode.
        name: changes with the autoencoder's weights.
        size: height and width of the reconstruction, pixels.
    """

    image: ImageSource
    network: DenoisingAutoencoder
    name: str
    size: int

    def read(self) -> Image.Image:
        """The denoised image."""
        pixels = self.image.pixels() if isinstance(self.image, Noisy) else resized(self.image, self.size)
        with torch.inference_mode():
            clean = self.network(to_images(pixels[None]))[0].clamp(0, 1)
        return Image.fromarray((clean.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))

    def cache_key(self) -> str:
        """Changes with the image and the autoencoder."""
        return f"denoised {self.name} {self.size} {cache_key(self.image)}"


def resized(source: ImageSource, size: int) -> np.ndarray:
    """The whole image without its aspect ratio, ``(size, size, 3)``, uint8."""
    return np.asarray(open_image(source).convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def to_images(pixels: np.ndarray) -> Tensor:
    """uint8 ``(batch, height, width, 3)`` to float32 ``(batch, 3, height, width)`` with values from 0 to 1."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 255


def train_autoencoder(
    images: Sequence[ImageSource], size: int, seed: int, epochs: int = EPOCHS, std: float = NOISE_STD
) -> DenoisingAutoencoder:
    """Train on noisy images, with other noise in each epoch, against the clean ones; mean squared error.

    Args:
        images: clean training images.
        size: height and width to which they are resized, pixels.
        seed: of the weights, the order and the noise.
        epochs: passes over the images.
        std: standard deviation of the noise, of 255 gray levels.
    """
    torch.manual_seed(seed)
    network, rng = DenoisingAutoencoder(), np.random.default_rng(seed)
    clean = np.stack([resized(image, size) for image in track(images, "reading images", unit="images")])
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    steps = epochs * -(-len(clean) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for epoch in range(epochs):
        order = rng.permutation(len(clean))
        starts = range(0, len(clean), BATCH)
        for start in track(starts, f"autoencoder, epoch {epoch + 1} of {epochs}", unit="batches"):
            batch = to_images(clean[order[start : start + BATCH]])
            noisy = (batch + torch.randn_like(batch) * std / 255).clamp(0, 1)
            optimizer.zero_grad()
            F.mse_loss(network(noisy), batch).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def compare_noise(
    out: Path,
    dataset: str = "flickr8k",
    changes: dict[str, Any] | None = None,
    runs: Path | None = None,
) -> list[Path]:
    """Captions of clean, noisy and denoised dev images, by a captioner trained on clean ones and one on denoised ones.

    Writes ``lab4_noise_DATASET.{json,csv,png}``.

    Args, returns and errors: see :func:`captionlab.experiments.captions.runs.run_experiment`.
    """
    refuse_fixed_settings(changes or {})
    runs = runs or data_root() / "runs"
    base = {**short_configuration(dataset), **(changes or {})}
    settings = RunSettings.from_flat(base)
    size = -4 * (-max(encoder_for(settings).input_sizes) // 4)  # the autoencoder halves it twice
    images = load_dataset(settings.dataset, settings.extra_data)
    network, name = _autoencoder([each.image for each in images.require("train")[:IMAGES]], size, runs)

    def noisy(image: str, source: ImageSource) -> Noisy:
        return Noisy(source, NOISE_STD, size, zlib.crc32(image.encode()))

    def denoised(image: str, source: ImageSource) -> Denoised:
        return Denoised(noisy(image, source), network, name, size)

    transforms: dict[str, Transform | None] = {
        "clean": None,
        "clean, denoised": lambda image, source: Denoised(source, network, name, size),
        "noisy": noisy,
        "noisy, denoised": denoised,
    }
    rows = []
    for trained, training_transform in (("clean", None), ("denoised", denoised)):
        logger.info("the captioner trained on %s images", trained)
        folder = train_or_load(settings, runs, training_transform, f"denoised-{name}" if training_transform else "")[0]
        for way, transform in transforms.items():
            found = evaluate(folder, settings.dataset, extra_data=settings.extra_data, beams=BEAMS, transform=transform)
            logger.info("%s: BLEU-4 %.4f", way, found["bleu"][3])
            scores = {**bleu_columns(found), "top5": found["top5"], "loss": found["loss"]}
            rows.append({"variant": f"{way}; trained on {trained} images", **scores})
    record = {
        "question": f"Noise of {NOISE_STD} of 255 gray levels: does denoising help?",
        "deviation": NOISE_STD,
        "beams": BEAMS,
        "settings": {**base, "dataset": Path(dataset).name},
        "autoencoder": {
            "at_most_images": IMAGES,
            "epochs": EPOCHS,
            "error": _rms_errors(network, images.require("dev")[:100], size),
        },
    }
    command = command_line("lab4", "noise", dataset=dataset, set=as_options(changes or {}))
    return write_runs(out, f"lab4_noise_{Path(dataset).name}", rows, record, command, seed=0)


def _autoencoder(images: Sequence[ImageSource], size: int, runs: Path) -> tuple[DenoisingAutoencoder, str]:
    """The autoencoder trained on images, from an earlier call if there was one, and a name of its weights."""
    key = f"{zlib.crc32(''.join(map(cache_key, images)).encode()):08x}"
    path = runs / f"autoencoder-{key}-{size}-{NOISE_STD}-{EPOCHS}.safetensors"
    if path.is_file():
        network = DenoisingAutoencoder()
        load_weights(network, load_checkpoint(path)[0], path.name)
    else:
        logger.info("training the autoencoder (%s images, %s epochs)", len(images), EPOCHS)
        network = train_autoencoder(images, size, seed=0)
        save_checkpoint(path, network.state_dict(), {"size": size, "deviation": NOISE_STD})
    total = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
    return network.eval(), f"{zlib.crc32(total):08x}"


def _rms_errors(network: DenoisingAutoencoder, images: Sequence[CaptionedImage], size: int) -> dict[str, float]:
    """Root mean square difference from the clean image, of 255 gray levels: of the noisy and the denoised one."""
    squares: dict[str, list[float]] = {"noisy": [], "denoised": []}
    for image in images:
        clean = resized(image.image, size).astype(np.float32)
        noisy = Noisy(image.image, NOISE_STD, size, zlib.crc32(image.name.encode()))
        denoised = np.asarray(Denoised(noisy, network, "", size).read(), dtype=np.float32)
        squares["noisy"].append(float(np.mean((noisy.pixels() - clean) ** 2)))
        squares["denoised"].append(float(np.mean((denoised - clean) ** 2)))
    return {name: float(np.sqrt(np.mean(values))) for name, values in squares.items()}
