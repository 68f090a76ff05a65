"""Speed of training and of beam search, compared with the usual loop of captioning code (bench/usual_captioning.py).

    python bench/captioning.py --run RUN --out results

All are measured in one run and in turn, A B C A B C ..., so that a busy machine slows all of them down equally; ratios
are the median over the rounds. Training: a decoder of the usual size on random features of ResNet-101's shape (the time
does not depend on the values), with captions as long as people's; a step is everything from reading the features to the
update of the weights. Search: that decoder, and the model trained in RUN on dev images of its dataset.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor
from usual_captioning import UsualDecoder, upsampled

from captionlab.captioning.captioner import Captioner
from captionlab.captioning.decoder import Decoder
from captionlab.captioning.evaluation import MAX_LENGTH, generate
from captionlab.captioning.loss import attention_penalty
from captionlab.captioning.optimization import clip_grad_norm
from captionlab.captioning.runs import load_settings, prepare_data
from captionlab.captioning.settings import DecoderSettings
from captionlab.common.provenance import available_cores, collect_provenance, format_json

IMAGES, EACH, BATCH, BEAMS = 256, 5, 32, 5
SHAPE = DecoderSettings(encoder_dim=2048, vocab_size=2600, embed_dim=512, decoder_dim=512, attention_dim=512)
USUAL = "usual loop: 32 captions, 14x14 grid"
OURS = "ours: 32 images with 5 captions each"
SINGLE = "ours: 32 images with 1 caption each"
SEARCH = "beam search: ours / usual loop, one image at a time"
SEARCHED = 50  # images of the search with random weights
ENCODER = "frozen ResNet-101 for each caption, then the usual loop"


@dataclass(frozen=True)
class Bench:
    """Features on disk (images, 49, 2048) float16, captions (images, 5, length), and a decoder with its optimizer."""

    features: np.ndarray
    token_ids: Tensor
    ours: Decoder
    usual: UsualDecoder
    optimizer: torch.optim.Optimizer

    @classmethod
    def make(cls, folder: str) -> Bench:
        """Random values, the same each time."""
        rng = np.random.default_rng(0)
        shape = (IMAGES, 49, SHAPE.encoder_dim)
        features = np.lib.format.open_memmap(f"{folder}/features.npy", "w+", np.float16, shape)
        for image in range(IMAGES):
            features[image] = np.abs(rng.normal(size=(49, SHAPE.encoder_dim)))
        token_ids = np.zeros((IMAGES, EACH, 22), dtype=np.int64)
        for image in range(IMAGES):
            for row in range(EACH):
                # As long as Flickr8k's: about 11 words, from 5 to 20.
                length = int(np.clip(rng.normal(10.8, 3.7), 5, 20))
                token_ids[image, row, : length + 2] = [1, *rng.integers(4, SHAPE.vocab_size, length), 2]
        torch.manual_seed(0)
        ours = Decoder(SHAPE)
        optimizer = torch.optim.Adam(ours.parameters(), 0)
        return cls(features, torch.from_numpy(token_ids), ours, UsualDecoder(ours), optimizer)

    def read(self, images: np.ndarray) -> Tensor:
        """The features of some images, float32."""
        return torch.from_numpy(self.features[images].astype(np.float32))

    def update(self, loss: Tensor) -> None:
        """Gradients, clipping, Adam; the learning rate is 0, so that all steps use the same weights."""
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(self.ours.parameters(), 5.0)
        self.optimizer.step()

    def ours_step(self, images: np.ndarray, token_ids: Tensor) -> Tensor:
        """One update of our decoder; the loss per word."""
        output = self.ours(self.read(images), token_ids)
        loss = F.cross_entropy(output.logits, output.targets)
        self.update(loss + attention_penalty(output.alphas, "mean"))
        return loss.detach()

    def usual_step(self, images: np.ndarray, token_ids: Tensor) -> Tensor:
        """One update of the usual loop; the loss per word."""
        loss, regularized = self.usual.loss(upsampled(self.read(images)), token_ids)
        self.update(regularized)
        return loss.detach()


def training_contenders(bench: Bench, network: torch.nn.Module) -> dict[str, tuple[Callable[[], object], int]]:
    """What is compared: a training step, and the number of captions it trains on."""
    rows = np.arange(BATCH)
    images = torch.rand(BATCH, 3, 224, 224)

    def encoder() -> None:
        with torch.no_grad():
            network(images)
        bench.usual_step(rows, bench.token_ids[rows, 0])

    return {
        USUAL: (lambda: bench.usual_step(rows, bench.token_ids[rows, 0]), BATCH),
        OURS: (lambda: bench.ours_step(rows, bench.token_ids[rows]), BATCH * EACH),
        SINGLE: (lambda: bench.ours_step(rows, bench.token_ids[rows, :1]), BATCH),
        ENCODER: (encoder, BATCH),
    }


def rates(contenders: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, list[float]]:
    """Captions (for a search: images) per second in each round, after one round that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, (function, count) in contenders.items():
            begin = time.perf_counter()
            function()
            if turn:
                found[name].append(count / (time.perf_counter() - begin))
    return found


def loss_difference(bench: Bench) -> float:
    """The difference between the two losses per word, on the same captions and weights, without dropout."""
    bench.ours.eval(), bench.usual.eval()
    rows = np.arange(BATCH)
    ours = bench.ours_step(rows, bench.token_ids[rows, :1])
    usual = bench.usual_step(rows, bench.token_ids[rows, 0])
    bench.ours.train(), bench.usual.train()
    return abs(ours.item() - usual.item())


def bfloat16_ratio(bench: Bench, rounds: int) -> dict:
    """Our step in bfloat16 compared with the usual loop, if the processor supports it."""
    has = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and "bf16" in Path("/proc/cpuinfo").read_text()
    if not has:
        return {"processor_has_it": False}
    rows = np.arange(BATCH)

    def rough() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            bench.ours_step(rows, bench.token_ids[rows])

    usual = (lambda: bench.usual_step(rows, bench.token_ids[rows, 0]), BATCH)
    found = rates({"usual": usual, "bfloat16": (rough, BATCH * EACH)}, rounds)
    return {"processor_has_it": True, "ours in bfloat16 / usual loop": spread_of(found["bfloat16"], found["usual"])}


def searched(run: Path) -> Captioner:
    """The model in a folder, if the usual loop can search with it."""
    captioner = Captioner.load(run)
    shape = captioner.decoder.settings
    usual = (shape.cell, shape.activation, shape.init_state, shape.gate, shape.fc_dim) == (
        "lstm",
        "relu",
        "mean",
        True,
        0,
    )
    if not usual or captioner.encoder.input_sizes != (224,):
        raise SystemExit(
            f"{run} has no usual decoder: expected an LSTM, ReLU attention, a gate, an initial state from the mean, no "
            "fully connected layer, and one grid of 7x7, as captionlab caption train RUN --embed-dim 512 gives"
        )
    return captioner


def dev_features(captioner: Captioner, images: int) -> Tensor:
    """The decoder's input for the first dev images of the dataset that a model was trained on."""
    captioner.model.cpu()
    dev = prepare_data(load_settings(captioner), ("dev",), captioner.vocabulary).splits["dev"]
    with torch.inference_mode():
        return captioner.model.features(dev.grids(slice(0, images)))


def searching(decoder: Decoder, features: Tensor, rounds: int) -> tuple[dict, dict]:
    """Beam search, all images at once and one at a time; the captions must be the same.

    Returns:
        What was measured, and the ratio of images per second.
    """
    decoder.eval()
    with torch.inference_mode():
        # Both use the features after our projection, if the model has one, which is to the usual loop's advantage.
        projected = decoder.encode(features).features
    usual, captions = UsualDecoder(decoder).eval(), {}

    def ours() -> None:
        with torch.inference_mode():
            found = generate(decoder, decoder.encode(features), BEAMS)
        captions["ours"] = [one.token_ids for one in found]

    def one_by_one() -> None:
        large = upsampled(projected)
        captions["usual"] = [usual.beam_search(each.unsqueeze(0), BEAMS, MAX_LENGTH - 2) for each in large]

    found = rates({"ours": (ours, len(features)), "usual": (one_by_one, len(features))}, rounds)
    same = sum(a == b for a, b in zip(captions["ours"], captions["usual"], strict=True))
    measured = {
        "images": len(features), "beams": BEAMS, "model": decoder.config(), "same_captions": same,
        "images_per_second": {name: spread(values) for name, values in found.items()},
    }  # fmt: skip
    return measured, spread_of(found["ours"], found["usual"])


def peak_memory() -> dict[str, float]:
    """Peak memory of a training step in MiB, beyond what its process used before; each in its own process."""
    found = {}
    for name in ("ours", "usual", "usual, 160 captions"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(_memory_of, (name,))
    return found


def _memory_of(name: str) -> float:
    torch.set_num_threads(available_cores())
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench.make(folder)
        before = _most_memory()
        rows = np.arange(BATCH)
        if name == "ours":
            bench.ours_step(rows, bench.token_ids[rows])
        elif name == "usual":
            bench.usual_step(rows, bench.token_ids[rows, 0])
        else:
            bench.usual_step(rows.repeat(EACH), bench.token_ids[rows].flatten(0, 1))
        return (_most_memory() - before) / 1024


def _most_memory() -> int:
    """Peak memory of this process in KiB. (``ru_maxrss`` would start from its parent's.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def spread(values: list[float]) -> dict:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def spread_of(ours: list[float], others: list[float]) -> dict:
    """The spread of the ratios, round by round."""
    return spread([a / b for a, b in zip(ours, others, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a trained model with an LSTM, for the search")
    parser.add_argument("--images", type=int, default=100, help="number of images for the search with the model in RUN")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    captioner = searched(options.run) if options.run else None
    torch.set_num_threads(available_cores())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench.make(folder)
        network = torchvision.models.resnet101(weights=None).eval()
        found = rates(training_contenders(bench, network), options.rounds)
        result = {
            "shape": {
                "encoder_dim": SHAPE.encoder_dim,
                "vocab_size": SHAPE.vocab_size,
                "decoder_dim": SHAPE.decoder_dim,
            },
            "rounds": options.rounds,
            "loss_difference": loss_difference(bench),
            "captions_per_second": {name: spread(values) for name, values in found.items()},
            "ratios": {f"ours / {name}": spread_of(found[OURS], found[name]) for name in (USUAL, SINGLE, ENCODER)},
            "epoch_minutes_of_30000_captions": {
                name: 30_000 / statistics.median(values) / 60 for name, values in found.items()
            },
            "extrapolated_from_steps": options.rounds,
            "bfloat16": bfloat16_ratio(bench, options.rounds),
        }
        # With random weights no caption ends: all have the maximum length.
        found = searching(bench.ours, bench.read(np.arange(SEARCHED)), options.rounds)
        result["search"], result["ratios"][f"{SEARCH}, ResNet-101's shape, random weights"] = found
    result["peak_memory_MiB"] = peak_memory()
    if captioner:
        found = searching(captioner.decoder, dev_features(captioner, options.images), options.rounds)
        result["search, trained"], result["ratios"][f"{SEARCH}, a trained model"] = found
    result["load_average_before"] = load
    command = f"python bench/captioning.py --rounds {options.rounds} --images {options.images}"
    command += f" --run {options.run}" if options.run else ""
    text = format_json({**result, **collect_provenance(f"{command} --out results", 0)})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench_captioning.json").write_text(text, encoding="utf-8")
    print(text)
    for one in (measured for name, measured in result.items() if name.startswith("search")):
        if one["same_captions"] < one["images"]:
            raise SystemExit("the two searches found different captions: see same_captions")


if __name__ == "__main__":
    main()
