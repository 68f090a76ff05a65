"""``captionlab caption``: train a captioning model, evaluate it, and describe images with it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from captionlab.captioning.configurations import load_configuration, packaged_names
from captionlab.captioning.setting_names import OLD_KEYS, OTHER_UNITS, nearest_setting
from captionlab.captioning.settings import DECODER_NAMES, DecoderSettings, RunSettings, TrainingSettings
from captionlab.commands.options import BEAMS, EXTRA_DATA, SPLIT, dataset_option
from captionlab.commands.running import user_errors
from captionlab.common.files import write_atomically

RUN = click.argument("run", type=click.Path(path_type=Path))
FILE = click.Path(path_type=Path, dir_okay=False)
LENGTH_PENALTY = click.option(
    "--length-penalty",
    type=click.FloatRange(0, 2),
    default=0.6,
    show_default=True,
    metavar="POWER",
    help="Divide log-probabilities by the length to this power: 0 favors short captions, 1 long ones.",
)


class CaptionCommand(click.Command):
    """A command that knows what flags of earlier versions are called now, and the nearest one to a misspelled flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.removeprefix("--").removeprefix("no-").replace("-", "_")
            known = {parameter.name for parameter in self.params if isinstance(parameter, click.Option)}
            if OLD_KEYS.get(name) in known:
                message = f"{error.option_name} is now called {_flag(OLD_KEYS[name])}{OTHER_UNITS.get(name, '')}"
            elif nearest := nearest_setting(name, [each for each in known if each]):
                message = f"No such option {error.option_name!r}. Did you mean {_flag(nearest)!r}?"
            else:
                raise
            raise click.UsageError(message, ctx) from None


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@click.group()
def caption() -> None:
    """Show, Attend and Tell: train a captioning model, evaluate it, describe images."""


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for each setting of a run."""
    for owner in (TrainingSettings, DecoderSettings, RunSettings):
        for each in reversed(fields(owner)):
            if each.metadata and (owner is not DecoderSettings or each.name in DECODER_NAMES):
                command = _option(each)(command)
    return command


def _option(each: Field[Any]) -> Callable[..., Any]:
    flag, choices = _flag(each.name), each.metadata["choices"]
    text = each.metadata["text"] + ("" if each.default is None else f"  [default: {each.default}]")
    text = text[:1].upper() + text[1:]
    if "bool" in str(each.type):
        return click.option(f"{flag}/--no-{flag[2:]}", default=None, help=text)
    # Choices are checked with the other settings, so that flags and configuration files give the same messages.
    kind = {"int": int, "float": float}.get(str(each.type).removesuffix(" | None"), str)
    metavar = f"[{'|'.join(choices)}]" if choices else None
    return click.option(flag, type=kind, default=None, metavar=metavar, help=text)


@caption.command(cls=CaptionCommand, short_help="Train a model, or resume a training.")
@RUN
@click.option("--config", metavar="NAME|FILE", help=f"{', '.join(packaged_names())}, or a TOML or JSON file.")
@settings_options
@click.option(
    "--init-from",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Start the new run from the weights and settings of the run OLD; other flags change its settings.",
)
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard's files into RUN.")
def train(run: Path, config: str | None, init_from: Path | None, tensorboard: bool, **flags: Any) -> None:
    """Train a model into the folder RUN, or resume the training that was stopped there.

    Flags override the configuration. RUN then holds captioner.safetensors (the best epoch), training.safetensors
    (to resume from) and history.csv. To fine-tune the encoder of a model that was trained with a frozen one:
    captionlab caption train NEW --init-from OLD --finetune-blocks 1
    """
    with user_errors():
        given = {name: value for name, value in flags.items() if value is not None}
        given = {**(load_configuration(config) if config else {}), **given}
        if init_from:
            from captionlab.captioning.warm_start import settings_of_run

            settings = settings_of_run(init_from, given)
        else:
            settings = RunSettings.from_flat(given)
        from captionlab.captioning.runs import train as train_run

        train_run(settings, run, init_from=init_from, tensorboard=tensorboard)


@caption.command(cls=CaptionCommand, short_help="BLEU, top-5 accuracy and loss of a model.")
@RUN
@dataset_option("flickr8k|flickr30k|coco|embedded|FOLDER", "Another dataset than the one it was trained on.")
@SPLIT
@EXTRA_DATA
@BEAMS
@LENGTH_PENALTY
@click.option("--json", "json_file", type=FILE, help="Write scores and captions to this JSON file.")
def evaluate(
    run: Path,
    dataset: str | None,
    split: str,
    extra_data: str | None,
    beams: int,
    length_penalty: float,
    json_file: Path | None,
) -> None:
    """BLEU-1 to BLEU-4, top-5 accuracy and loss of the model in RUN on a split of a dataset."""
    with user_errors():
        from captionlab.captioning.runs import evaluate as evaluate_run

        result = evaluate_run(run, dataset, split, extra_data, beams, length_penalty)
        scores = "  ".join(f"BLEU-{n} {value:.4f}" for n, value in enumerate(result["bleu"], start=1))
        click.echo(f"{result['dataset']} {split}, {result['images']} images, {beams} beams: {scores}")
        click.echo(f"with teacher forcing: top-5 {result['top5']:.4f}, loss {result['loss']:.3f} nats per word")
        if json_file:
            write_atomically(json_file, (json.dumps(result, indent=1) + "\n").encode())
            click.echo(f"wrote {json_file}")


@caption.command(cls=CaptionCommand, short_help="Captions of image files.")
@RUN
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@BEAMS
@LENGTH_PENALTY
@click.option("--attention", type=click.Path(path_type=Path, file_okay=False), help="Folder for attention figures.")
@click.option("--csv", "csv_file", type=FILE, help="Write the captions to this CSV file.")
def describe(
    run: Path,
    images: tuple[Path, ...],
    beams: int,
    length_penalty: float,
    attention: Path | None,
    csv_file: Path | None,
) -> None:
    """Captions for IMAGES, files or folders, by the model in RUN."""
    with user_errors():
        from captionlab.experiments.captions.describe import describe_files

        files, rows = [file for path in images for file in _image_files(path)], []
        for found in describe_files(run, files, beams, length_penalty, attention):
            if found.caption is None:
                click.echo(f"{found.file}: left out, {found.problem}")
                continue
            click.echo(f"{found.file}: {found.caption.text}")
            log_prob = round(found.caption.log_prob, 4)
            rows.append({"image": str(found.file), "caption": found.caption.text, "log_prob": log_prob})
        if csv_file:
            _write_csv(csv_file, rows)
            click.echo(f"wrote {csv_file}")
        if len(rows) < len(files):
            raise click.ClickException(f"{len(files) - len(rows)} of {len(files)} images could not be described")


def _image_files(path: Path) -> list[Path]:
    if path.is_dir():
        from captionlab.datasets.folders import find_images

        found, others = find_images(path)
        for file, reason in others:
            click.echo(f"{file}: left out, {reason}", err=True)
        if not found:
            raise FileNotFoundError(f"there is no image in {path}: expected files such as photo.jpg")
        return found
    if not path.is_file():
        raise FileNotFoundError(f"there is no image {path}: give a file or a folder")
    return [path]


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=["image", "caption", "log_prob"])
        table.writeheader()
        table.writerows(rows)
