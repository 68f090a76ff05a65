"""How fast features are extracted from image files, compared with the bare network and with the usual simple loop.

    CAPTIONLAB_MIRROR=MIRROR python bench/feature_extraction.py

All are measured in one run and in turn, A B C D A B C D ..., so that a busy machine slows them alike; a ratio is the
median over the rounds. Ours and the loop start from files, the bare network from tensors in memory.

On a processor made for bfloat16, ours in bfloat16 is then measured in the same way against the same float32 network
and loop, and what the lower precision does to the features and to the classifier of Lab 2.
"""

from __future__ import annotations

import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image
from torch import nn

from captionlab.commands.options import output_options
from captionlab.common.files import write_atomically
from captionlab.common.provenance import available_cores, collect_provenance, format_json
from captionlab.datasets.paths import MIRROR_VARIABLE
from captionlab.experiments.scenes.data import Scenes, layers_of, load_scenes
from captionlab.transfer.svm import choose_C, scene_classifier
from captionlab.vision import extraction
from captionlab.vision.classifiers import load_classifier
from captionlab.vision.extraction import ExtractionConfig, FeatureExtractor, extract, read_batch
from captionlab.vision.images import prepare_image

BATCH_SIZE = 32  # of the bare network: a usual one
OURS, BARE, LOOP, CEILING = (
    "ours, from files",
    "bare network, ready tensors",
    "one at a time, from files",
    "ours, no files",
)
WHAT = {
    OURS: "decoding included; a batch of 2 per core, channels last, compiled, no gradients",
    BARE: f"the layers as the model has them; batches of {BATCH_SIZE}, channels last, all cores on each, no gradients",
    LOOP: "prepare_image and the model for each image; default layout, all cores, gradients recorded",
    CEILING: "our network and our threads on tensors in memory: the difference is what decoding costs",
}
BFLOAT16 = "ours in bfloat16, from files"


class Pooled(nn.Module):
    """The unchanged model up to its last feature maps, averaged over positions."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.features = model.features if hasattr(model, "features") else nn.Sequential(*list(model.children())[:-2])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.features(images).mean(dim=(2, 3))


def contenders(model: nn.Module, files: list[Path], config: ExtractionConfig) -> dict[str, Callable[[], object]]:
    """What is compared, each a function that computes the features of all files once."""
    ready = torch.cat([read_batch([file], config) for file in files]).to(memory_format=torch.channels_last)
    bare = Pooled(copy.deepcopy(model)).to(memory_format=torch.channels_last).eval()
    loop = Pooled(copy.deepcopy(model)).eval()
    ours = FeatureExtractor(model, config)
    stored = {file: ready[at : at + 1] for at, file in enumerate(files)}

    def bare_network() -> None:
        with torch.inference_mode():
            for batch in ready.split(BATCH_SIZE):
                bare(batch)

    def one_at_a_time() -> None:
        for file in files:
            with Image.open(file) as image:
                loop(prepare_image(image, config.preprocessing.height))

    def without_files() -> None:
        read = extraction.read_batch
        extraction.read_batch = lambda part, _: torch.cat([stored[file] for file in part])
        try:
            ours(files)
        finally:
            extraction.read_batch = read

    return {
        OURS: lambda: ours(files),
        BARE: bare_network,
        LOOP: one_at_a_time,
        CEILING: without_files,
    }


def measure(functions: dict[str, Callable[[], object]], images: int, rounds: int) -> dict[str, list[float]]:
    """Images per second of each function in each round, after a round that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            if turn:
                rates[name].append(images / (time.perf_counter() - begin))
    return rates


def measure_cache(model: nn.Module, files: list[Path], config: ExtractionConfig) -> dict:
    """Seconds of a first run, which computes and caches the features, and of a second one, which reads them."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for _ in range(2):
            begin = time.perf_counter()
            extract(model, files, config, folder, progress=False)
            seconds.append(time.perf_counter() - begin)
    share = seconds[1] / seconds[0]
    return {"images": len(files), "first_s": seconds[0], "second_s": seconds[1], "second_share_of_first": share}


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16; emulating them gains nothing."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _says_cpuinfo("avx512_bf16", "amx_bf16", "bf16")


def bfloat16(
    model: nn.Module,
    files: list[Path],
    labels: np.ndarray,
    config: ExtractionConfig,
    functions: dict[str, Callable[[], object]],
    rounds: int,
) -> dict:
    """Ours in bfloat16 against ours, the bare network and the loop, all in float32; and how far the features differ."""
    extractor = FeatureExtractor(model, replace(config, dtype="bfloat16"))
    turns: dict[str, Callable[[], object]] = {BFLOAT16: lambda: extractor(files)}
    rates = measure({**turns, **{name: functions[name] for name in (OURS, BARE, LOOP)}}, len(files), rounds)
    (layer,) = config.layers
    return {
        "what": "as ours, not compiled, arithmetic in bfloat16; the others compute in float32",
        "images_per_second": {name: _spread(values) for name, values in rates.items()},
        "ratios": ratios_to(BFLOAT16, (OURS, BARE, LOOP), rates),
        **agreement(functions[OURS]()[layer], turns[BFLOAT16]()[layer], labels),
    }


def agreement(exact: np.ndarray, rough: np.ndarray, labels: np.ndarray) -> dict:
    """How bfloat16 changes the features of the same images, and the predictions of the classifier of Lab 2.

    Args:
        exact, rough: (images, d), features in float32 and in bfloat16.
        labels: (images,), their classes.
    """
    difference = np.linalg.norm(rough - exact, axis=1) / np.linalg.norm(exact, axis=1)
    folds = min(5, int(np.unique(labels, return_counts=True)[1].min()))
    accuracies = None  # a class with a single image cannot be both trained and tested on
    if folds > 1:
        accuracies = {
            name: choose_C(rows, labels, [1.0], folds)[1][0] for name, rows in (("float32", exact), ("bfloat16", rough))
        }
    classifier = scene_classifier().fit(exact, labels)
    return {
        "largest_difference_to_norm": float(difference.max()),
        "folds": folds,
        "cv_accuracy": accuracies,
        "equal_predictions": float((classifier.predict(exact) == classifier.predict(rough)).mean()),
    }


def ratios_to(ours: str, others: tuple[str, ...], rates: dict[str, list[float]]) -> dict[str, dict]:
    """In each round, our rate divided by each of the others."""
    pairs = {name: zip(rates[ours], rates[name], strict=True) for name in others}
    first = "ours" if ours == OURS else ours
    return {f"{first} / {name}": _spread([a / b for a, b in pair]) for name, pair in pairs.items()}


def _says_cpuinfo(*flags: str) -> bool:
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return any(flag in words for flag in flags)


def _spread(values: list[float]) -> dict:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


@click.command(help=__doc__)
@click.option("--dataset", help="scene15, embedded or a folder.  [default: scene15 if fetched, else embedded]")
@click.option("--images", type=click.IntRange(1), default=64, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--cached", type=click.IntRange(1), default=600, show_default=True, help="Images of the cached runs.")
@click.option("--emulate-bf16", is_flag=True, help="Measure bfloat16 on any processor; its times then mean nothing.")
@output_options("bench")
def main(dataset: str | None, images: int, rounds: int, cached: int, emulate_bf16: bool, out: Path) -> None:
    torch.set_num_threads(available_cores())
    result = compare(load_scenes(dataset), images, rounds, cached, emulate_bf16)
    show(result)
    prefix = f"{MIRROR_VARIABLE}=MIRROR " if os.environ.get(MIRROR_VARIABLE) else ""
    options = f"--images {images} --rounds {rounds} --cached {cached}" + (" --emulate-bf16" if emulate_bf16 else "")
    command = f"{prefix}python bench/feature_extraction.py {options}"
    path = out / "bench_feature_extraction.json"
    write_atomically(path, format_json({**result, **collect_provenance(command, None)}).encode())
    print(f"wrote {path}")


def compare(scenes: Scenes, images: int, rounds: int, cached: int, emulate: bool = False) -> dict:
    """All measurements, as JSON values."""
    classifier = load_classifier("tiny_vgg" if scenes.source == "embedded" else "mobilenet_v2")
    layer = "features.15" if scenes.source == "embedded" else layers_of(classifier)[-1]
    config = ExtractionConfig((layer,), classifier.preprocessing)
    everything = scenes.files["train"]
    step = max(1, len(everything) // images)
    files, labels = everything[::step][:images], scenes.labels["train"][::step][:images]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    begin = time.perf_counter()
    functions = contenders(classifier.model, files, config)
    preparing = time.perf_counter() - begin
    rates = measure(functions, len(files), rounds)
    ratios = ratios_to(OURS, (BARE, LOOP, CEILING), rates)
    decoding = decoding_share(files, config, functions[OURS])
    rough = {"processor_has_it": has_bfloat16(), "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    if rough["processor_has_it"] or emulate:
        rough |= bfloat16(classifier.model, files, labels, config, functions, rounds)
    if rough["processor_has_it"]:  # times of an emulation mean nothing
        ratios |= rough["ratios"]
    return {
        "data": scenes.source,
        "network": classifier.name,
        "weights": classifier.weights_source,
        "size": config.preprocessing.height,
        "images": len(files),
        "rounds": rounds,
        "what": WHAT,
        "images_per_second": {name: _spread(values) for name, values in rates.items()},
        "ratios": ratios,
        "preparing_s": preparing,
        "decoding_share_of_processor_time": decoding,
        "bound_by": "the network's arithmetic" if decoding < 0.5 else "decoding and resizing",
        "cache": measure_cache(classifier.model, everything[:cached], config),
        "bfloat16": rough,
        "load_average_before": load,
    }


def decoding_share(files: list[Path], config: ExtractionConfig, ours: Callable[[], object]) -> float:
    """The share of processor time from file to feature spent on reading, decoding, resizing and normalizing."""
    begin = time.process_time()
    ours()
    whole = time.process_time() - begin
    begin = time.process_time()
    for at in range(0, len(files), 2):
        read_batch(files[at : at + 2], config)
    return (time.process_time() - begin) / whole


def show(result: dict) -> None:
    """Print the results."""
    show_rates(result["images_per_second"], result["ratios"])
    cache = result["cache"]
    print(f"cache: {cache['first_s']:.1f} s, then {cache['second_s']:.3f} s = {cache['second_share_of_first']:.2%}")
    show_bfloat16(result["bfloat16"])
    share = result["decoding_share_of_processor_time"]
    print(f"bound by {result['bound_by']}: decoding takes {share:.0%} of the processor time")
    print(f"load average before: {result['load_average_before']:.1f} on {available_cores()} cores")


def show_rates(rates: dict, ratios: dict) -> None:
    """Print images per second, then ratios, one per line."""
    for name, rate in rates.items():
        print(f"{name:<30}{rate['median']:8.1f} images/s  ({rate['lowest']:.1f} to {rate['highest']:.1f})")
    for name, ratio in ratios.items():
        print(f"{name:<58}{ratio['median']:6.2f}  ({ratio['lowest']:.2f} to {ratio['highest']:.2f})")


def show_bfloat16(found: dict) -> None:
    """Print the part on bfloat16, or why there is none."""
    lacking = f"this processor ({found['cpu_capability']}) has no such instructions"
    if "ratios" not in found:
        return print(f"bfloat16: not measured, {lacking}")
    print("bfloat16:" if found["processor_has_it"] else f"bfloat16, emulated, times mean nothing: {lacking}")
    show_rates(found["images_per_second"], found["ratios"])
    print(
        f"largest difference of an image's features, relative to their norm: {found['largest_difference_to_norm']:.2g}"
    )
    if found["cv_accuracy"]:
        accuracies = ", ".join(f"{value:.3f} in {name}" for name, value in found["cv_accuracy"].items())
        print(f"accuracy of Lab 2's classifier in {found['folds']} folds: {accuracies}")
    print(f"equal predictions of the classifier trained in float32: {found['equal_predictions']:.1%}")


if __name__ == "__main__":
    main()
