"""How fast features are extracted from image files, against the bare network and against the loop most students write.

    CAPTIONLAB_MIRROR=MIRROR python bench/feature_extraction.py --out results

All are measured in one run and in turn, A B C D A B C D ..., so that a busy machine slows them alike; ratios are the
median of the rounds'. Ours and the loop start from files, the bare network from tensors that lie ready in memory.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from captionlab.convnets.classifiers import MIRROR_VARIABLE, load_classifier
from captionlab.convnets.images import prepare_image
from captionlab.provenance import cores, provenance
from captionlab.transfer import extraction
from captionlab.transfer.extraction import Recipe, extract, prepare, read_batch, run
from captionlab.transfer.scene_data import Scenes, layers_of, load_scenes

BATCH = 32  # of the bare network: what is usual
OURS, BARE, LOOP, CEILING = (
    "ours, from files",
    "bare network, ready tensors",
    "one at a time, from files",
    "ours, no files",
)
WHAT = {
    OURS: "decoding included; a batch of 2 a core, channels last, compiled, no gradients",
    BARE: f"same layers as the model has them; batches of {BATCH}, channels last, all cores on each, no gradients",
    LOOP: "prepare_image and the model for each image; default layout, all cores, gradients recorded",
    CEILING: "our network and our threads on tensors that lie ready: what decoding costs is the difference",
}


class Pooled(nn.Module):
    """The model up to its last features, averaged over positions, with nothing changed in it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.features = model.features if hasattr(model, "features") else nn.Sequential(*list(model.children())[:-2])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.features(images).mean(dim=(2, 3))


def contenders(model: nn.Module, files: list[Path], recipe: Recipe) -> dict[str, Callable[[], object]]:
    """What is compared, each a function that computes the features of all files once."""
    ready = torch.cat([read_batch([file], recipe) for file in files]).to(memory_format=torch.channels_last)
    bare = Pooled(copy.deepcopy(model)).to(memory_format=torch.channels_last).eval()
    loop = Pooled(copy.deepcopy(model)).eval()
    ours = prepare(model, recipe)
    stored = {file: ready[at : at + 1] for at, file in enumerate(files)}

    def bare_network() -> None:
        with torch.inference_mode():
            for batch in ready.split(BATCH):
                bare(batch)

    def one_at_a_time() -> None:
        for file in files:
            with Image.open(file) as image:
                loop(prepare_image(image, recipe.size))

    def without_files() -> None:
        read = extraction.read_batch
        extraction.read_batch = lambda part, _: torch.cat([stored[file] for file in part])
        try:
            run(ours, files, recipe, progress=False)
        finally:
            extraction.read_batch = read

    return {
        OURS: lambda: run(ours, files, recipe, progress=False),
        BARE: bare_network,
        LOOP: one_at_a_time,
        CEILING: without_files,
    }


def measure(functions: dict[str, Callable[[], object]], images: int, rounds: int) -> dict[str, list[float]]:
    """Images a second of each function in each round, after a round that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            if turn:
                rates[name].append(images / (time.perf_counter() - begin))
    return rates


def measure_cache(model: nn.Module, files: list[Path], recipe: Recipe) -> dict:
    """Seconds of a first run, which computes and keeps the features, and of a second one, which reads them."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for _ in range(2):
            begin = time.perf_counter()
            extract(model, files, recipe, folder, progress=False)
            seconds.append(time.perf_counter() - begin)
    share = seconds[1] / seconds[0]
    return {"images": len(files), "first_s": seconds[0], "second_s": seconds[1], "second_share_of_first": share}


def bfloat16(model: nn.Module, files: list[Path], recipe: Recipe, rounds: int) -> dict:
    """Images a second in bfloat16, where the processor computes in it; where it must imitate it, there is no gain."""
    has = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _says_cpuinfo("avx512_bf16", "amx_bf16", "bf16")
    found = {"processor_has_it": has, "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    if has:
        rough = replace(recipe, dtype="bfloat16")
        network, exact = prepare(model, rough), prepare(model, recipe)
        pair = {
            "float32": lambda: run(exact, files, recipe, progress=False),
            "bfloat16": lambda: run(network, files, rough, progress=False),
        }
        found["images_per_second"] = {name: _spread(v) for name, v in measure(pair, len(files), rounds).items()}
    return found


def _says_cpuinfo(*flags: str) -> bool:
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return any(flag in words for flag in flags)


def _spread(values: list[float]) -> dict:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="scene15, embedded or a folder; default: the photographs if fetched")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cached", type=int, default=600, help="images of the first and second run")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    torch.set_num_threads(cores())
    result = compare(load_scenes(options.data), options.images, options.rounds, options.cached)
    show(result)
    prefix = f"{MIRROR_VARIABLE}=MIRROR " if os.environ.get(MIRROR_VARIABLE) else ""
    words = f"--images {options.images} --rounds {options.rounds} --cached {options.cached} --out results"
    command = f"{prefix}python bench/feature_extraction.py {words}"
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bench_feature_extraction.json"
    path.write_text(json.dumps(_rounded({**result, **provenance(command, None)}), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def compare(scenes: Scenes, images: int, rounds: int, cached: int) -> dict:
    """All measurements, as JSON values."""
    classifier = load_classifier("tiny_vgg" if scenes.source == "embedded" else "mobilenet_v2")
    layer = "features.15" if scenes.source == "embedded" else layers_of(classifier)[-1]
    recipe = Recipe((layer,), classifier.input_size)
    everything = scenes.files["train"]
    files = everything[:: max(1, len(everything) // images)][:images]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    begin = time.perf_counter()
    functions = contenders(classifier.model, files, recipe)
    preparing = time.perf_counter() - begin
    rates = measure(functions, len(files), rounds)
    pairs = {name: zip(rates[OURS], rates[name], strict=True) for name in (BARE, LOOP, CEILING)}
    ratios = {f"ours / {name}": _spread([a / b for a, b in pair]) for name, pair in pairs.items()}
    decoding = decoding_share(files, recipe, functions[OURS])
    return {
        "data": scenes.source,
        "network": classifier.name,
        "weights": classifier.weights_source,
        "size": recipe.size,
        "images": len(files),
        "rounds": rounds,
        "what": WHAT,
        "images_per_second": {name: _spread(values) for name, values in rates.items()},
        "ratios": ratios,
        "preparing_s": preparing,
        "decoding_share_of_processor_time": decoding,
        "bound_by": "the network's arithmetic" if decoding < 0.5 else "decoding and resizing",
        "cache": measure_cache(classifier.model, everything[:cached], recipe),
        "bfloat16": bfloat16(classifier.model, files, recipe, rounds),
        "load_average_before": load,
    }


def decoding_share(files: list[Path], recipe: Recipe, ours: Callable[[], object]) -> float:
    """Which part of the processor time from file to feature goes into reading, decoding, resizing and normalising."""
    begin = time.process_time()
    ours()
    whole = time.process_time() - begin
    begin = time.process_time()
    for at in range(0, len(files), 2):
        read_batch(files[at : at + 2], recipe)
    return (time.process_time() - begin) / whole


def show(result: dict) -> None:
    """The table on the terminal."""
    for name, rate in result["images_per_second"].items():
        print(f"{name:<30}{rate['median']:8.1f} images/s  ({rate['lowest']:.1f} to {rate['highest']:.1f})")
    for name, ratio in result["ratios"].items():
        print(f"{name:<42}{ratio['median']:6.2f}  ({ratio['lowest']:.2f} to {ratio['highest']:.2f})")
    cache = result["cache"]
    print(f"cache: {cache['first_s']:.1f} s, then {cache['second_s']:.3f} s = {cache['second_share_of_first']:.2%}")
    if not result["bfloat16"]["processor_has_it"]:
        print(
            f"bfloat16: not measured, this processor ({result['bfloat16']['cpu_capability']}) has no such instructions"
        )
    share = result["decoding_share_of_processor_time"]
    print(f"bound by {result['bound_by']}: decoding takes {share:.0%} of the processor time")
    print(f"load average before: {result['load_average_before']:.1f} on {cores()} cores")


def _rounded(value):
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value


if __name__ == "__main__":
    main()
