"""Results of captioning runs as rows of a table, with the mean and the standard deviation over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from captionlab.common.provenance import device_name
from captionlab.experiments.results import write_results
from captionlab.plots.captioning import curves_figure
from captionlab.plots.training import method_bars


def as_row(variant: str, seed: int, history: list[dict], scores: dict) -> dict[str, Any]:
    """Numbers of one run: BLEU of generated captions, loss and top-5 accuracy with teacher forcing, its epochs."""
    best = max(history, key=lambda epoch: epoch["dev_bleu4"])
    lowest = min(history, key=lambda epoch: epoch["dev_loss"])
    return {
        "variant": variant,
        "seed": seed,
        **bleu_columns(scores),
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


def bleu_columns(scores: Mapping[str, Any]) -> dict[str, float]:
    """BLEU-1 to BLEU-4 as columns ``bleu1`` to ``bleu4``."""
    return {f"bleu{n}": value for n, value in enumerate(scores["bleu"], start=1)}


def summarize(rows: Sequence[dict]) -> list[dict]:
    """One row per variant: the mean of each number over the seeds, and the sample standard deviation of BLEU-4."""
    found = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        runs = [row for row in rows if row["variant"] == variant]
        numbers = [name for name, value in runs[0].items() if isinstance(value, (int, float)) and name != "seed"]
        line = {"variant": variant, "runs": len(runs), **{name: mean(run[name] for run in runs) for name in numbers}}
        line["bleu4_spread"] = stdev(run["bleu4"] for run in runs) if len(runs) > 1 else None
        found.append(line)
    return found


def write_runs(
    out: Path,
    name: str,
    runs: Sequence[dict],
    record: Mapping[str, Any],
    command: str,
    seed: int | None = None,
    curves: Mapping[str, Sequence[dict]] | None = None,
) -> list[Path]:
    """Write the results of runs: a table with one row per variant, their BLEU-4 as bars, and curves of training.

    Args:
        out, name: see :func:`captionlab.experiments.results.write_results`.
        runs: one row per run, with ``variant``, ``bleu4`` and, if there were several, ``seed``. If they have a
            ``history``, that of the first run of each variant is drawn.
        record: what the JSON file holds besides; ``question`` is the figure's title, ``split`` what was scored.
        command: the command line that gives the same numbers.
        seed: by default the first seed of the runs.
        curves: histories to draw instead of those of the runs.
    """
    first_runs: dict[str, Sequence[dict]] = {}
    for run in runs:
        if "history" in run:
            first_runs.setdefault(run["variant"], run["history"])
    curves = curves or first_runs
    table = summarize(runs)
    seeds = sorted({run["seed"] for run in runs if "seed" in run}) if seed is None else [seed]
    scores = {line["variant"]: [run["bleu4"] for run in runs if run["variant"] == line["variant"]] for line in table}
    limits = (0.0, 1.15 * max(0.01, *map(max, scores.values())))
    xlabel = f"BLEU-4, {record.get('split', 'dev')} (one dot per run)"
    figures = {"": method_bars(scores, record["question"], None, xlabel=xlabel, limits=limits, digits=4)}
    if curves:
        figures["_curves"] = curves_figure(curves, record["question"])
    full = {**record, "seeds": seeds, "runs": list(runs), "table": table}
    return write_results(out, name, table, figures, full, command=command, seed=seeds[0], device=device_name())
