"""Results of captioning experiments as files: all numbers (JSON), a table (CSV), a figure (PNG)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from matplotlib.figure import Figure

from captionlab.common.provenance import device, provenance, readable
from captionlab.plots.captioning import BLUE, GRAY, ORANGE, curves_figure


def as_row(variant: str, seed: int, history: list[dict], scores: dict) -> dict:
    """A run's numbers: BLEU of captions written freely, loss and top-5 with the true words given; its epochs."""
    best = max(history, key=lambda epoch: epoch["dev_bleu4"])
    lowest = min(history, key=lambda epoch: epoch["dev_loss"])
    return {
        "variant": variant,
        "seed": seed,
        **{f"bleu{n}": value for n, value in enumerate(scores["bleu"], start=1)},
        "top5": scores["top5"],
        "loss": scores["loss"],
        "parameters": scores["parameters"],
        "epochs": len(history),
        "minutes": history[-1]["seconds"] / 60,
        "best_epoch_by_bleu4": best["epoch"],
        "best_epoch_by_loss": lowest["epoch"],
        "bleu4_at_lowest_loss": lowest["dev_bleu4"],
        "history": history,
    }


def summary(rows: Sequence[dict]) -> list[dict]:
    """A row a variant: each number's mean over the seeds, and the spread of BLEU-4 (sample standard deviation)."""
    found = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        numbers = [name for name, value in mine[0].items() if isinstance(value, (int, float)) and name != "seed"]
        line = {"variant": variant, "runs": len(mine), **{name: mean(row[name] for row in mine) for name in numbers}}
        line["bleu4_spread"] = stdev(row["bleu4"] for row in mine) if len(mine) > 1 else None
        found.append(line)
    return found


def write_results(
    name: str, rows: Sequence[dict], about: dict, command: str, out: Path, seed: int | None = None
) -> list[Path]:
    """Results of runs: NAME.json, NAME.csv (a line a variant), NAME.png, and the runs' curves where there are some."""
    lines = summary(rows)
    figure = bars_figure(lines, rows, about["question"], about.get("split", "dev"))
    seeds = sorted({row["seed"] for row in rows if "seed" in row}) if seed is None else [seed]
    paths = write_table(name, lines, {**about, "seeds": seeds, "runs": list(rows)}, command, out, figure, seeds[0])
    if "history" in rows[0]:
        paths.append(out / f"{name}_curves.png")
        first = {row["variant"]: row["history"] for row in reversed(rows)}
        curves_figure(dict(reversed(first.items())), about["question"]).savefig(paths[-1], dpi=110)
    return paths


def write_table(
    name: str, lines: Sequence[dict], about: dict, command: str, out: Path, figure: Figure, seed: int
) -> list[Path]:
    """Write NAME.json, NAME.csv and NAME.png; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    record = {**about, "table": list(lines), **provenance(f"{command} --out results", seed, device())}
    paths = [out / f"{name}{ending}" for ending in (".json", ".csv", ".png")]
    paths[0].write_text(readable(record), encoding="utf-8")
    with paths[1].open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(lines[0]))
        table.writeheader()
        table.writerows({key: _short(value) for key, value in line.items()} for line in lines)
    figure.savefig(paths[2], dpi=110)
    return paths


def bars_figure(lines: Sequence[dict], rows: Sequence[dict], title: str, split: str = "dev") -> Figure:
    """BLEU-4 of each variant as a bar, and each run as a point."""
    figure = Figure(figsize=(8, 1.3 + 0.42 * len(lines)), layout="constrained")
    axes = figure.subplots()
    places = {line["variant"]: place for place, line in enumerate(lines)}
    axes.barh(list(places.values()), [line["bleu4"] for line in lines], color=BLUE, alpha=0.85, height=0.6)
    axes.plot([row["bleu4"] for row in rows], [places[row["variant"]] for row in rows], "o", color=ORANGE, markersize=5)
    for line in lines:
        axes.annotate(f"  {line['bleu4']:.4f}", (max(row["bleu4"] for row in rows if row["variant"] == line["variant"]),
                      places[line["variant"]]), va="center", color="black", fontsize=9)  # fmt: skip
    axes.set_yticks(list(places.values()), list(places))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(row["bleu4"] for row in rows) or 1)
    axes.set_xlabel(f"BLEU-4, {split} (a point a run)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.label.set_color(GRAY)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _short(value):
    return float(f"{value:.5g}") if isinstance(value, float) else value
