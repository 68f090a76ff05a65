"""Make docs/results.md from results/: `python data_scripts/make_results_page.py`, with --check only to compare."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
TITLES = {
    "lab1_classify": "Lab 1: what a pretrained network sees",
    "lab2_scenes": "Lab 2: deep features and a linear SVM on 15-Scene",
    "lab2_layers": "Lab 2: the layer the features are taken from",
    "lab2_networks": "Lab 2: networks, and a bag of visual words",
    "lab2_c": "Lab 2: the SVM's C",
    "lab2_pca": "Lab 2: fewer dimensions",
    "lab2_head": "Lab 2: an SVM, or a new last layer",
    "lab2_best": "Lab 2: step by step to the best accuracy",
    "lab3_insects": "Lab 3: bees and ants, seven methods",
    "lab3_networks": "Lab 3: ResNet against VGG",
    "lab4_cells": "Lab 4: recurrent cells",
    "lab4_penalty": "Lab 4: doubly stochastic attention",
    "lab4_sampling": "Lab 4: scheduled sampling",
    "lab4_vectors": "Lab 4: word vectors",
    "lab4_encoders": "Lab 4: encoders",
    "lab4_beams": "Lab 4: the main model, and its number of beams",
    "lab4_batch-size": "Lab 4: batch size",
    "lab4_learning-rate": "Lab 4: learning rate",
    "lab4_training-images": "Lab 4: number of training images",
    "lab4_overfitting": "Lab 4: overfitting",
    "lab4_noise": "Lab 4: noisy images",
    "lab4_attention": "Lab 4: does it look at what it names?",
    "embedded_transfer": "Features of the embedded networks",
}
SPEED = {
    "bench_feature_extraction.json": "Speed: features of photographs",
    "bench_captioning.json": "Speed: training and searching captions",
}
ACCURACIES = {
    "accuracy": "accuracy",
    "mean_class_accuracy": "mean of the classes' accuracies",
    "test_accuracy_plain": "accuracy with the plain features",
}
MAX_COLUMNS = 9  # more do not fit on the page; the file has all
LEFT_OUT = ("weights", "seconds", "kept", "parameters", "minutes", "epochs", "runs")  # columns only in the file


def page(results: Path) -> str:
    """The page: for every table in the folder its rows, its figures, and the command and machine that gave it."""
    parts = [
        "# Results",
        "Each table is generated from the files in `results/`, which hold all numbers, settings and versions. The "
        "command below a table gives the same numbers and writes to `experiments/`; with `--publish` it replaces the "
        "files in `results/`. `data_scripts/make_results_page.py` generates this page.",
    ]
    found = sorted(results.glob("*.csv"), key=lambda path: (_place(path), path.name))
    for path in found:
        record = json.loads(path.with_suffix(".json").read_text("utf-8"))
        data = path.stem.removeprefix(_title_key(path)).strip("_")
        parts.append(f"## {TITLES.get(_title_key(path), path.stem)}{f' ({data})' if data else ''}")
        parts += [*_accuracies(record), _table(path), *_figures(path), _origin(record)]
    for path, title in SPEED.items():
        record = json.loads((results / path).read_text("utf-8"))
        parts += [f"## {title}", _ratios(record["ratios"]), _origin(record)]
    return "\n\n".join(parts) + "\n"


def _accuracies(record: dict) -> list[str]:
    """A line with a record's accuracies on all test images; none if it has none."""
    found = [f"{what} {record[key]:.4f}" for key, what in ACCURACIES.items() if key in record]
    return [f"Test images: {', '.join(found)}."] if found else []


def _figures(path: Path) -> list[str]:
    """All figures of a table; a figure belongs to the table with the longest name that its own starts with."""
    tables = sorted((table.stem for table in path.parent.glob("*.csv")), key=len)
    figures = [
        figure.stem
        for figure in sorted(path.parent.glob("*.png"), key=lambda each: each.stem)
        if [stem for stem in tables if f"{figure.stem}_".startswith(f"{stem}_")][-1:] == [path.stem]
    ]
    return [f"![{stem}](../results/{stem}.png)" for stem in figures]


def _origin(record: dict) -> str:
    machine, versions = record["machine"], record["versions"]
    seed = "" if record["seed"] is None else f"seed {record['seed']}, "
    return (
        f"`{record['command']}`, {seed}torch {versions['torch']}, torchvision {versions['torchvision']}; "
        f"{machine['cpu']}, {machine['cores']} core{'s' * (machine['cores'] > 1)}, {machine['device']}."
    )


def _ratios(ratios: dict) -> str:
    """A table of speed ratios, ours to the other's."""
    rows = [
        f"| {name} | {found['median']:.1f} | {found['lowest']:.1f} to {found['highest']:.1f} |"
        for name, found in ratios.items()
    ]
    return "\n".join(["| ratio of speeds | median over rounds | lowest to highest |", "| --- | --- | --- |", *rows])


def _title_key(path: Path) -> str:
    return next((key for key in sorted(TITLES, key=len, reverse=True) if path.stem.startswith(key)), path.stem)


def _place(path: Path) -> int:
    keys = list(TITLES)
    return keys.index(_title_key(path)) if _title_key(path) in keys else len(keys)


def _table(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name not in LEFT_OUT][:MAX_COLUMNS]
    lines = [columns, ["---"] * len(columns), *([row[name].replace("|", "/") for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the page is behind the results.")
def main(check: bool) -> None:
    """Make docs/results.md."""
    made = page(ROOT / "results")
    if check and made != (PAGE.read_text("utf-8") if PAGE.is_file() else ""):
        raise click.ClickException("docs/results.md is behind results/; run data_scripts/make_results_page.py")
    if not check:
        PAGE.write_text(made, "utf-8")


if __name__ == "__main__":
    main()
