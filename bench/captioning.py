"""How fast captions are trained and searched, against the loop everybody starts from (bench/usual_captioning.py).

    python bench/captioning.py --run RUN --out results

All are measured in one run and in turn, A B C A B C ..., so that a busy machine slows them alike; ratios are the median
of the rounds'. Training: a decoder of the usual shape on grids of ResNet-101's shape, numbers drawn at random (the
arithmetic does not depend on them), captions as long as people's; a step is everything from reading the grids to the
update of the weights. Searching: that decoder, and the model trained in RUN on dev images of its corpus.
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
from usual_captioning import UsualDecoder, blown_up

from captionlab.captioning.captioner import Captioner
from captionlab.captioning.decoder import Decoder
from captionlab.captioning.evaluation import LONGEST, search
from captionlab.captioning.loss import attention_penalty
from captionlab.captioning.optimization import clip_gradients
from captionlab.captioning.runs import prepare_data, load_settings
from captionlab.captioning.settings import DecoderSettings
from captionlab.common.provenance import available_cores, collect_provenance, format_json

IMAGES, EACH, BATCH, BEAMS = 256, 5, 32, 5
SHAPE = DecoderSettings(channels=2048, words=2600, embedding=512, hidden=512, attention=512)
USUAL = "usual loop: 32 captions, 14x14 grid"
OURS = "ours: 32 images with 5 captions each"
SINGLE = "ours: 32 images with 1 caption each"
SEARCH = "beam search: ours / usual loop, one image at a time"
SEARCHED = 50  # images of the search with random weights
ENCODER = "frozen ResNet-101 for each caption, then the usual loop"


@dataclass(frozen=True)
class Bench:
    """Grids on disk (images, 49, 2048) float16, captions (images, 5, length), and a decoder with its optimizer."""

    grids: np.ndarray
    captions: Tensor
    ours: Decoder
    usual: UsualDecoder
    optimizer: torch.optim.Optimizer

    @classmethod
    def make(cls, folder: str) -> Bench:
        """All drawn at random, the same each time."""
        rng = np.random.default_rng(0)
        grids = np.lib.format.open_memmap(f"{folder}/grids.npy", "w+", np.float16, (IMAGES, 49, SHAPE.channels))
        for image in range(IMAGES):
            grids[image] = np.abs(rng.normal(size=(49, SHAPE.channels)))
        captions = np.zeros((IMAGES, EACH, 22), dtype=np.int64)
        for image in range(IMAGES):
            for row in range(EACH):
                # As long as Flickr8k's: about 11 words, from 5 to 20.
                length = int(np.clip(rng.normal(10.8, 3.7), 5, 20))
                captions[image, row, : length + 2] = [1, *rng.integers(4, SHAPE.words, length), 2]
        torch.manual_seed(0)
        ours = Decoder(SHAPE)
        return cls(grids, torch.from_numpy(captions), ours, UsualDecoder(ours), torch.optim.Adam(ours.parameters(), 0))

    def read(self, images: np.ndarray) -> Tensor:
        """The grids of some images, float32."""
        return torch.from_numpy(self.grids[images].astype(np.float32))

    def update(self, loss: Tensor) -> None:
        """Gradients, clipping, Adam; the rate is 0, so all steps are taken with the same weights."""
        self.optimizer.zero_grad()
        loss.backward()
        clip_gradients(self.ours.parameters(), 5.0)
        self.optimizer.step()

    def ours_step(self, images: np.ndarray, captions: Tensor) -> Tensor:
        """One update; the loss of a word."""
        decoded = self.ours(self.read(images), captions)
        words = F.cross_entropy(decoded.scores, decoded.targets)
        self.update(words + attention_penalty(decoded.alphas, "mean"))
        return words.detach()

    def usual_step(self, images: np.ndarray, captions: Tensor) -> Tensor:
        """One update of the usual loop; the loss of a word."""
        words, whole = self.usual.loss(blown_up(self.read(images)), captions)
        self.update(whole)
        return words.detach()


def training_contenders(bench: Bench, network: torch.nn.Module) -> dict[str, tuple[Callable[[], object], int]]:
    """What is compared: a step, and how many captions it trains on."""
    rows = np.arange(BATCH)
    pictures = torch.rand(BATCH, 3, 224, 224)

    def encoder() -> None:
        with torch.no_grad():
            network(pictures)
        bench.usual_step(rows, bench.captions[rows, 0])

    return {
        USUAL: (lambda: bench.usual_step(rows, bench.captions[rows, 0]), BATCH),
        OURS: (lambda: bench.ours_step(rows, bench.captions[rows]), BATCH * EACH),
        SINGLE: (lambda: bench.ours_step(rows, bench.captions[rows, :1]), BATCH),
        ENCODER: (encoder, BATCH),
    }


def rates(contenders: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, list[float]]:
    """Captions (images, for a search) a second in each round, after one that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, (function, count) in contenders.items():
            begin = time.perf_counter()
            function()
            if turn:
                found[name].append(count / (time.perf_counter() - begin))
    return found


def loss_difference(bench: Bench) -> float:
    """Between the two losses of a word, on the same captions and weights, without dropout."""
    bench.ours.eval(), bench.usual.eval()
    rows = np.arange(BATCH)
    ours = bench.ours_step(rows, bench.captions[rows, :1])
    usual = bench.usual_step(rows, bench.captions[rows, 0])
    bench.ours.train(), bench.usual.train()
    return abs(ours.item() - usual.item())


def bfloat16_ratio(bench: Bench, rounds: int) -> dict:
    """Our step in bfloat16 against the usual loop, where the processor computes in it."""
    has = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and "bf16" in Path("/proc/cpuinfo").read_text()
    if not has:
        return {"processor_has_it": False}
    rows = np.arange(BATCH)

    def rough() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            bench.ours_step(rows, bench.captions[rows])

    usual = (lambda: bench.usual_step(rows, bench.captions[rows, 0]), BATCH)
    found = rates({"usual": usual, "bfloat16": (rough, BATCH * EACH)}, rounds)
    return {"processor_has_it": True, "ours in bfloat16 / usual loop": spread_of(found["bfloat16"], found["usual"])}


def searched(run: Path) -> Captioner:
    """The model in a folder, if the usual loop can search with it."""
    captioner = Captioner.load(run)
    shape = captioner.decoder.settings
    usual = shape.cell == "lstm" and shape.form == "relu" and shape.initial == "mean" and shape.gate and not shape.dense
    if not usual or len(captioner.encoder.sizes) > 1 or captioner.encoder.size != 224:
        raise SystemExit(
            f"{run} has no usual decoder: expected an LSTM, ReLU attention, a gate, a first state of the mean, no "
            "dense layer, and one grid of 7x7, as captionlab caption train RUN --embedding 512 --attention 512 gives"
        )
    return captioner


def dev_grids(captioner: Captioner, images: int) -> Tensor:
    """What a trained model sees of the first dev images of its corpus."""
    captioner.model.cpu()
    dev = prepare_data(load_settings(captioner), ("dev",), captioner.vocabulary).sets["dev"]
    with torch.inference_mode():
        return captioner.model.positions(dev.batch(slice(0, images)))


def searching(decoder: Decoder, grids: Tensor, rounds: int) -> tuple[dict, dict]:
    """Beam search, all images at once and one at a time; the captions must be the same.

    Returns:
        What was measured, and the ratio of images a second.
    """
    decoder.eval()
    with torch.inference_mode():
        # Both look at what our projection gives, where the model has one, which is to the usual loop's advantage.
        positions = decoder.see(grids).positions
    usual, written = UsualDecoder(decoder).eval(), {}

    def ours() -> None:
        with torch.inference_mode():
            written["ours"] = search(decoder, decoder.see(grids), BEAMS)

    def one_by_one() -> None:
        large = blown_up(positions)
        written["usual"] = [usual.beam_search(each.unsqueeze(0), BEAMS, LONGEST) for each in large]

    found = rates({"ours": (ours, len(grids)), "usual": (one_by_one, len(grids))}, rounds)
    same = sum(a == b for a, b in zip(written["ours"], written["usual"], strict=True))
    measured = {
        "images": len(grids), "beams": BEAMS, "model": decoder.about(), "same_captions": same,
        "images_per_second": {name: spread(values) for name, values in found.items()},
    }  # fmt: skip
    return measured, spread_of(found["ours"], found["usual"])


def peak_memory() -> dict[str, float]:
    """MiB that a step of training takes at most, beyond what its process had before it; a process each."""
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
            bench.ours_step(rows, bench.captions[rows])
        elif name == "usual":
            bench.usual_step(rows, bench.captions[rows, 0])
        else:
            bench.usual_step(rows.repeat(EACH), bench.captions[rows].flatten(0, 1))
        return (_most_memory() - before) / 1024


def _most_memory() -> int:
    """KiB this process has held at most. (``ru_maxrss`` would begin with what its parent held.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def spread(values: list[float]) -> dict:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def spread_of(ours: list[float], others: list[float]) -> dict:
    """Of the rounds' ratios."""
    return spread([a / b for a, b in zip(ours, others, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a trained model with an LSTM, for the search")
    parser.add_argument("--images", type=int, default=100, help="of the search of the model in RUN")
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
            "shape": {"channels": SHAPE.channels, "words": SHAPE.words, "hidden": SHAPE.hidden},
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
        # Random weights end no caption: all are of the greatest length.
        found = searching(bench.ours, bench.read(np.arange(SEARCHED)), options.rounds)
        result["search"], result["ratios"][f"{SEARCH}, ResNet-101's shape, random weights"] = found
    result["peak_memory_MiB"] = peak_memory()
    if captioner:
        found = searching(captioner.decoder, dev_grids(captioner, options.images), options.rounds)
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
            raise SystemExit("the two searches wrote different captions: see same_captions")


if __name__ == "__main__":
    main()
