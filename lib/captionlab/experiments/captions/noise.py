"""Noisy photographs: a denoising autoencoder in front of the encoder, and a captioner trained on what it gives.

The autoencoder squeezes an image to a quarter of its side and builds it anew. That takes the noise away, and fine
detail with it: a captioner that has never seen such images describes them worse, until it is trained on them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor, nn
from tqdm import tqdm

from captionlab.captioning.datasets import CaptionedImage, load_dataset
from captionlab.captioning.grid_features import cache_key
from captionlab.captioning.runs import encoder_for, evaluate
from captionlab.captioning.settings import RunSettings
from captionlab.common.checkpoints import load_checkpoint, load_weights, save_checkpoint
from captionlab.datasets.paths import data_root
from captionlab.experiments.captions.runs import BEAMS, as_options, train_or_load, refuse_given, short_configuration
from captionlab.experiments.captions.tables import write_results
from captionlab.vision.extraction import Picture

DEVIATION = 40  # of the noise, of 255 gray levels
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
        """(batch, 3, height, width) with values from 0 to 1, sides divisible by 4, to the same shape."""
        return self.layers(images)


@dataclass(frozen=True)
class Noisy:
    """A picture with normal noise on each pixel, the same at each reading.

    Attributes:
        deviation: standard deviation of the noise, gray levels of 255.
        size: it is resized to this many pixels, both ways, before.
        seed: of the noise.
    """

    picture: Picture
    deviation: float
    size: int
    seed: int

    def pixels(self) -> np.ndarray:
        """(size, size, 3), uint8."""
        clean = resized(self.picture, self.size)
        noise = np.random.default_rng(self.seed).normal(0, self.deviation, clean.shape)
        return np.clip(clean + noise, 0, 255).astype(np.uint8)

    def read(self) -> Image.Image:
        """The noisy picture."""
        return Image.fromarray(self.pixels())

    def cache_key(self) -> str:
        """Changes with the picture and the noise."""
        return f"noise {self.deviation} {self.seed} {self.size} {cache_key(self.picture)}"


@dataclass(frozen=True)
class Denoised:
    """A picture as an autoencoder gives it back.

    Attributes:
        picture: noisy or not.
        network: the autoencoder, in evaluation mode.
        name: changes with the autoencoder's weights.
    """

    picture: Picture
    network: DenoisingAutoencoder
    name: str
    size: int

    def read(self) -> Image.Image:
        """The denoised picture."""
        pixels = self.picture.pixels() if isinstance(self.picture, Noisy) else resized(self.picture, self.size)
        with torch.inference_mode():
            clean = self.network(to_images(pixels[None]))[0].clamp(0, 1)
        return Image.fromarray((clean.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))

    def cache_key(self) -> str:
        """Changes with the picture and the autoencoder."""
        return f"denoised {self.name} {self.size} {cache_key(self.picture)}"


def resized(picture: Picture, size: int) -> np.ndarray:
    """(size, size, 3), uint8: the whole picture, its sides made equal."""
    with Image.open(picture) if isinstance(picture, (str, Path)) else picture.read() as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def to_images(pixels: np.ndarray) -> Tensor:
    """uint8 (batch, height, width, 3) to (batch, 3, height, width) with values from 0 to 1, float32."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 255


def train_autoencoder(
    pictures: Sequence[Picture], size: int, seed: int, epochs: int = EPOCHS, deviation: float = DEVIATION
) -> DenoisingAutoencoder:
    """Train on pictures with noise, drawn anew each time, against the same pictures without; mean squared error."""
    torch.manual_seed(seed)
    network, rng = DenoisingAutoencoder(), np.random.default_rng(seed)
    clean = np.stack([resized(picture, size) for picture in tqdm(pictures, "pictures", unit="picture", disable=None)])
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    steps = epochs * -(-len(clean) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for epoch in range(epochs):
        order = rng.permutation(len(clean))
        for start in tqdm(range(0, len(clean), BATCH), f"autoencoder, epoch {epoch + 1}/{epochs}", disable=None):
            images = to_images(clean[order[start : start + BATCH]])
            noisy = (images + torch.randn_like(images) * deviation / 255).clamp(0, 1)
            optimizer.zero_grad()
            F.mse_loss(network(noisy), images).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def compare_noise(
    out: Path,
    corpus: str = "flickr8k",
    changes: dict | None = None,
    runs: Path | None = None,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Captions of clean, noisy and denoised dev images, by a captioner trained on clean ones and one on denoised ones.

    Writes ``lab4_noise_CORPUS.{json,csv,png}``; see :func:`captionlab.experiments.captions.runs.run_experiment`.
    """
    refuse_given(changes or {})
    runs = runs or data_root() / "runs"
    settings = RunSettings.from_flat({**short_configuration(corpus), **(changes or {})})
    size = -4 * (-max(encoder_for(settings).sizes) // 4)  # the autoencoder halves it twice
    images = load_dataset(settings.corpus, settings.extra)
    network, name = _autoencoder([image.picture for image in images.require("train")[:IMAGES]], size, runs, report)

    def noisy(image: str, picture: Picture) -> Noisy:
        return Noisy(picture, DEVIATION, size, zlib.crc32(image.encode()))

    def denoised(image: str, picture: Picture) -> Denoised:
        return Denoised(noisy(image, picture), network, name, size)

    ways = {
        "clean": None,
        "clean, denoised": lambda image, picture: Denoised(picture, network, name, size),
        "noisy": noisy,
        "noisy, denoised": denoised,
    }
    captioners = {"trained on clean images": None, "trained on denoised images": denoised}
    rows = []
    for trained, transform in captioners.items():
        report(f"the captioner {trained}")
        folder = train_or_load(settings, runs, report, transform, f"denoised-{name}" if transform else "")[0]
        for way, change in ways.items():
            found = evaluate(folder, settings.corpus, extra=settings.extra, beams=BEAMS, transform=change)
            report(f"{way}: BLEU-4 {found['bleu'][3]:.4f}")
            scores = {f"bleu{n}": value for n, value in enumerate(found["bleu"], start=1)}
            rows.append({"variant": f"{way}; {trained}", **scores, "top5": found["top5"], "loss": found["loss"]})
    about = {
        "question": f"Noise of {DEVIATION} of 255 gray levels: does denoising help?",
        "deviation": DEVIATION,
        "beams": BEAMS,
        "settings": {**short_configuration(corpus), **(changes or {}), "corpus": Path(corpus).name},
        "autoencoder": {
            "at_most_images": IMAGES,
            "epochs": EPOCHS,
            "error": _error(network, images.require("dev")[:100], size),
        },
    }
    command = f"captionlab experiment noise --corpus {corpus}" + as_options(changes or {})
    return write_results(f"lab4_noise_{Path(corpus).name}", rows, about, command, out, seed=0)


def _autoencoder(
    pictures: Sequence[Picture], size: int, runs: Path, report: Callable[[str], None]
) -> tuple[DenoisingAutoencoder, str]:
    """The autoencoder trained on pictures, of an earlier call where there was one, and a name of its weights."""
    seen = f"{zlib.crc32(''.join(map(cache_key, pictures)).encode()):08x}"
    path = runs / f"autoencoder-{seen}-{size}-{DEVIATION}-{EPOCHS}.safetensors"
    if path.is_file():
        network = DenoisingAutoencoder()
        load_weights(network, load_checkpoint(path)[0], path.name)
    else:
        report(f"training the autoencoder ({len(pictures)} images, {EPOCHS} epochs)")
        network = train_autoencoder(pictures, size, seed=0)
        save_checkpoint(path, network.state_dict(), {"size": size, "deviation": DEVIATION})
    total = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
    return network.eval(), f"{zlib.crc32(total):08x}"


def _error(network: DenoisingAutoencoder, images: Sequence[CaptionedImage], size: int) -> dict:
    """Root mean square difference from the clean image, gray levels of 255: of the noisy and the denoised one."""
    squares = {"noisy": [], "denoised": []}
    for image in images:
        clean = resized(image.picture, size).astype(np.float32)
        noisy = Noisy(image.picture, DEVIATION, size, zlib.crc32(image.name.encode()))
        denoised = np.asarray(Denoised(noisy, network, "", size).read(), dtype=np.float32)
        squares["noisy"].append(np.mean((noisy.pixels() - clean) ** 2))
        squares["denoised"].append(np.mean((denoised - clean) ** 2))
    return {name: float(np.sqrt(np.mean(values))) for name, values in squares.items()}
