"""``captionlab caption``: train a captioning model, measure it, describe pictures with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from captionlab.captioning.settings import (
    CONFIGURATIONS,
    SHAPE,
    DecoderSettings,
    RunSettings,
    TrainingSettings,
    read_configuration,
)
from captionlab.commands.running import said

PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
RUN = click.argument("run", type=click.Path(path_type=Path))
BEAMS = click.option("--beams", type=click.IntRange(1), default=5, show_default=True, help="Of the beam search.")
BY_LENGTH = click.option(
    "--by-length",
    type=click.FloatRange(0, 2),
    default=0.6,
    show_default=True,
    metavar="POWER",
    help="Divide log-probabilities by this power of the length: 0 compares captions, 1 their words.",
)


@click.group()
def caption() -> None:
    """Show, Attend and Tell: train a captioning model, evaluate it, describe pictures."""


def settings_options(command: Callable) -> Callable:
    """A flag for each setting of a run."""
    for owner in (TrainingSettings, DecoderSettings, RunSettings):
        for each in reversed(fields(owner)):
            if each.metadata and (owner is not DecoderSettings or each.name in SHAPE):
                command = _option(each)(command)
    return command


def _option(each) -> Callable:
    flag, known = each.name.replace("_", "-"), each.metadata["known"]
    text = each.metadata["text"] + ("" if each.default is None else f"  [default: {each.default}]")
    text = text[:1].upper() + text[1:]
    if "bool" in str(each.type):
        return click.option(f"--{flag}/--no-{flag}", default=None, help=text)
    number = {"int": int, "float": float}.get(str(each.type).removesuffix(" | None"), str)
    kind = click.Choice(known) if known else number
    return click.option(f"--{flag}", type=kind, default=None, help=text)


@caption.command()
@RUN
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML or JSON file of settings, or flickr8k, flickr8k_short or embedded.",
)
@settings_options
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard's files into RUN.")
def train(run: Path, config: Path | None, tensorboard: bool, **flags) -> None:
    """Train a model into the folder RUN, or go on where a training that was stopped left off.

    Flags win over the configuration file. RUN then holds captioner.safetensors (the best epoch), training.safetensors
    (to go on from) and history.csv.
    """
    with said():
        values = {**(read_configuration(_named(config)) if config else {}), **_given(flags)}
        settings = RunSettings.from_flat(values)
        from captionlab.captioning.runs import train as train_run

        train_run(settings, run, report=click.echo, log=tensorboard)


def _named(config: Path) -> Path:
    """A configuration of the package by its name, or the file."""
    packaged = CONFIGURATIONS / f"{config}.toml"
    return packaged if not config.is_file() and packaged.is_file() else config


def _given(flags: dict) -> dict:
    return {name: value for name, value in flags.items() if value is not None}


@caption.command()
@RUN
@click.option("--corpus", help="Another corpus than the one it was trained on.")
@click.option("--split", type=click.Choice(["train", "dev", "test"]), default="dev", show_default=True)
@click.option("--extra", help="Second folder or zip archive with lists, captions and images, such as the test split's.")
@BEAMS
@BY_LENGTH
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write scores and captions there (JSON).")
def evaluate(run: Path, corpus: str | None, split: str, extra: str | None, beams: int, by_length: float, out) -> None:
    """BLEU-1 to BLEU-4, top-5 accuracy and loss of the model in RUN on a split of a corpus."""
    with said():
        from captionlab.captioning.runs import evaluate as evaluate_run

        result = evaluate_run(run, corpus, split, extra, beams, by_length)
        words = "  ".join(f"BLEU-{n} {value:.4f}" for n, value in enumerate(result["bleu"], start=1))
        click.echo(f"{result['corpus']} {split}, {result['images']} images, {beams} beams: {words}")
        click.echo(f"with the true words given: top-5 {result['top5']:.4f}, loss {result['loss']:.3f} nats a word")
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            click.echo(f"wrote {out}")


@caption.command()
@RUN
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@BEAMS
@BY_LENGTH
@click.option("--attention", type=click.Path(path_type=Path, file_okay=False), help="Folder for attention pictures.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the captions there (CSV).")
def describe(run: Path, pictures, beams: int, by_length: float, attention: Path | None, out: Path | None) -> None:
    """Captions for PICTURES, files or folders, by the model in RUN."""
    with said():
        from captionlab.experiments.captions.describe import describe_files

        files = [file for path in pictures for file in _files(path)]
        rows = describe_files(run, files, beams, by_length, attention, click.echo)
        if out:
            _write_csv(out, rows)
            click.echo(f"wrote {out}")
        if len(rows) < len(files):
            raise click.ClickException(f"{len(files) - len(rows)} of {len(files)} pictures could not be described")


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES)
        if not found:
            raise FileNotFoundError(f"there is no picture in {path}: expected files such as photo.jpg")
        return found
    if not path.is_file():
        raise FileNotFoundError(f"there is no picture {path}: give a file or a folder")
    return [path]


def _write_csv(path: Path, rows: list[dict]) -> None:
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=["picture", "caption", "log_probability"])
        table.writeheader()
        table.writerows(rows)
