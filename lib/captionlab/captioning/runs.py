"""A training run from its settings: dataset, vocabulary, features, model, trainer.

settings = RunSettings(dataset="flickr8k", decoder={"projection_dim": 512}, training={"epochs": 12})
train(settings, Path("runs/flickr8k"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from captionlab.captioning.caption_dataset import CaptionDataset
from captionlab.captioning.captioned_images import DatasetSplits
from captionlab.captioning.captioner import Captioner, checkpoint_metadata
from captionlab.captioning.datasets import load_dataset
from captionlab.captioning.decoder import Decoder
from captionlab.captioning.embeddings import embedding_matrix, read_vectors, train_word2vec
from captionlab.captioning.encoders import (
    Encoder,
    GridEncoder,
    encode_grids,
    flatten_grids,
    load_encoder,
    split_last_blocks,
)
from captionlab.captioning.evaluation import (
    LENGTH_PENALTY,
    CaptionModel,
    evaluate_generation,
    evaluate_teacher_forcing,
)
from captionlab.captioning.grid_features import extract_grid_features
from captionlab.captioning.resuming import check_resumable
from captionlab.captioning.settings import DecoderSettings, RunSettings, TrainingSettings
from captionlab.captioning.training import Trainer
from captionlab.captioning.vocabulary import Vocabulary
from captionlab.captioning.warm_start import init_weights, load_vocabulary
from captionlab.common.logs import logger
from captionlab.datasets.drawn_captions import SIZE
from captionlab.datasets.paths import data_root
from captionlab.vision.sources import ImageSource

Transform = Callable[[str, ImageSource], ImageSource]  # from the name of an image and the image to another image

NORMALIZATION_IMAGES = 500  # training images whose features give the mean and the standard deviation


@dataclass(frozen=True)
class RunData:
    """A dataset that is ready for a model.

    Attributes:
        dataset: where the images and captions come from.
        encoder: the network behind the features, cut before the blocks that are fine-tuned.
        vocabulary: of the training captions, or of a trained model.
        splits: the captions and features of each split.
    """

    dataset: DatasetSplits
    encoder: Encoder
    vocabulary: Vocabulary
    splits: dict[str, CaptionDataset]


def encoder_for(settings: RunSettings) -> Encoder:
    """The encoder that the settings name, cut before the blocks that are fine-tuned.

    For drawn scenes the default is an embedded network that was trained on drawings.
    """
    name = settings.encoder or ("tiny_resnet" if settings.dataset == "embedded" else None)
    size = settings.input_size or (SIZE if settings.dataset == "embedded" else None)
    layers = settings.layers.split(",") if settings.layers else None
    encoder = load_encoder(name, size, layers, settings.second_input_size)
    if settings.finetune_blocks:
        return replace(encoder, layers=(split_last_blocks(encoder.classifier.model, settings.finetune_blocks)[0],))
    return encoder


def prepare_data(
    settings: RunSettings,
    splits: Iterable[str] = ("train", "dev"),
    vocabulary: Vocabulary | None = None,
    cache: Path | None = None,
    progress: bool = True,
    transform: Transform | None = None,
) -> RunData:
    """Load a dataset, choose the vocabulary from the training captions, and compute the features.

    Args:
        settings: of the run.
        splits: the splits to prepare.
        vocabulary: of a trained model; None: a new one.
        cache: folder of the features; by default ``grids`` in the folder of all data.
        progress: show how far the computation of the features has come.
        transform: changes each image before its features are computed, such as added noise.

    Raises:
        DataError, FileNotFoundError, ValueError: if data are missing, or a setting does not fit them.
    """
    dataset, encoder = load_dataset(settings.dataset, settings.extra_data), encoder_for(settings)
    images = {split: dataset.require(split) for split in splits}
    if settings.train_images and "train" in images:
        images["train"] = images["train"][: settings.train_images]
    captions = {split: [image.tokens() for image in each] for split, each in images.items()}
    if vocabulary is None:
        words = (caption for each in captions["train"] for caption in each)
        vocabulary = Vocabulary.from_captions(words, settings.min_word_freq, settings.max_vocab_size or None)
    prepared = {}
    for split, each in images.items():
        names = [image.name for image in each]
        sources = [transform(image.name, image.image) if transform else image.image for image in each]
        variants = ("original", "hflip") if settings.uses_hflip and split == "train" else ("original",)
        folder = cache or data_root() / "grids"
        grids = extract_grid_features(names, sources, encoder, folder, variants=variants, progress=progress)
        prepared[split] = CaptionDataset.from_captions(names, captions[split], grids, vocabulary, settings.max_length)
    return RunData(dataset, encoder, vocabulary, prepared)


def make_model(settings: RunSettings, data: RunData) -> CaptionModel:
    """A new model with seeded weights, and with pretrained word embeddings if the settings name some."""
    seed = settings.training.get("seed", TrainingSettings.seed)
    torch.manual_seed(seed)
    blocks = settings.finetune_blocks
    encoder = split_last_blocks(data.encoder.classifier.model, blocks)[1].eval() if blocks else None
    with torch.no_grad():
        features = _some_features(data.splits["train"], encoder)
    decoder = Decoder(DecoderSettings(features.shape[2], len(data.vocabulary), **settings.decoder))
    if decoder.settings.standardize:
        decoder.fit_normalization(features)
    if settings.pretrained_embeddings:
        _load_embeddings(decoder, settings.pretrained_embeddings, data, seed)
    return CaptionModel(decoder, encoder)


def _some_features(dataset: CaptionDataset, encoder: GridEncoder | None) -> Tensor:
    """The features of the first images, (images, positions, channels)."""
    count = min(NORMALIZATION_IMAGES, len(dataset))
    parts = (dataset.grids(slice(start, min(start + 50, count))) for start in range(0, count, 50))
    return torch.cat([flatten_grids(encode_grids(encoder, grids)) for grids in parts])


def _load_embeddings(decoder: Decoder, name: str, data: RunData, seed: int) -> None:
    """Replace the embeddings of a decoder by word vectors from a file, or trained on the captions."""
    size, words = decoder.settings.embed_dim, data.vocabulary.words
    if name == "captions":
        captions = [caption for each in data.splits["train"].references for caption in each]
        logger.info("training word vectors on %d captions", len(captions))
        vectors = train_word2vec(captions, size, seed)
    else:
        vectors = read_vectors(Path(name), words, size)
    known = sum(word in vectors or word.lower() in vectors for word in words[1:])
    logger.info("%d of the %d words in the vocabulary have a pretrained vector (%s)", known, len(words), name)
    with torch.no_grad():
        decoder.embedding.weight.copy_(torch.from_numpy(embedding_matrix(words, vectors, size, seed)))


def make_trainer(
    settings: RunSettings,
    data: RunData,
    folder: Path,
    *,
    init_from: Path | None = None,
    progress: bool = True,
    tensorboard: bool = False,
) -> Trainer:
    """A trainer for the data, of a new model or one with the weights of an earlier run; see `Trainer` and `train`."""
    run = {**asdict(settings), "extra_data": None}
    model = make_model(settings, data)
    if init_from:
        init_weights(model, data.encoder, settings.finetune_blocks, init_from)
    return Trainer(
        model,
        data.vocabulary,
        data.splits["train"],
        data.splits["dev"],
        TrainingSettings(**settings.training),
        folder,
        checkpoint_metadata(data.vocabulary, data.encoder, run, settings.finetune_blocks),
        progress=progress,
        tensorboard=tensorboard,
    )


def train(
    settings: RunSettings,
    folder: Path,
    transform: Transform | None = None,
    *,
    init_from: Path | None = None,
    progress: bool = True,
    tensorboard: bool = False,
) -> list[dict[str, Any]]:
    """Prepare the data and train into a folder, or resume the training that is in it; returns the history.

    Args:
        settings: of the run.
        folder: for checkpoints and history.
        transform: see `prepare_data`.
        init_from: the folder of an earlier run, whose vocabulary and weights a new run starts with; see
            :func:`captionlab.captioning.warm_start.settings_of_run` for its settings.
        progress, tensorboard: see `Trainer`.

    Raises:
        ValueError: if the folder holds a run with other settings, or is the one to start from.
        FloatingPointError: if the loss is no longer finite.
    """
    check_resumable(folder, settings)
    if init_from and folder.resolve() == init_from.resolve():
        raise ValueError(f"{folder} is the run to start from: give another folder for the new run")
    vocabulary = load_vocabulary(init_from) if init_from else None
    data = prepare_data(settings, vocabulary=vocabulary, transform=transform, progress=progress)
    trainer = make_trainer(settings, data, folder, init_from=init_from, progress=progress, tensorboard=tensorboard)
    return trainer.run()


def load_settings(captioner: Captioner, dataset: str | None = None, extra_data: str | None = None) -> RunSettings:
    """The settings with which data are prepared for a trained model; of its own dataset unless another is named."""
    return RunSettings(
        dataset=dataset or captioner.run["dataset"],
        extra_data=extra_data,
        encoder=captioner.encoder.classifier.name,
        input_size=captioner.encoder.input_size,
        second_input_size=captioner.encoder.second_input_size,
        layers=",".join(captioner.encoder.layers),
        max_length=captioner.run["max_length"],
        hflip=False,
    )


def evaluate(
    folder: Path,
    dataset: str | None = None,
    split: str = "dev",
    extra_data: str | None = None,
    beams: int = 5,
    length_penalty: float = LENGTH_PENALTY,
    transform: Transform | None = None,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """The scores of a trained model on a split, and the captions it generated, as JSON values.

    Args:
        folder: of the run.
        dataset: None: the one it was trained on.
        split: "train", "dev" or "test".
        extra_data: see :func:`captionlab.captioning.datasets.load_dataset`.
        beams: of the search.
        length_penalty: see :func:`captionlab.captioning.search.best_caption`.
        transform: see `prepare_data`.
        progress: show how far features and captions have come.
    """
    captioner = Captioner.load(folder)
    settings = load_settings(captioner, dataset, extra_data)
    data = prepare_data(settings, (split,), captioner.vocabulary, progress=progress, transform=transform)
    captions = data.splits[split]
    forced = evaluate_teacher_forcing(captioner.model, captions)
    generated = evaluate_generation(
        captioner.model, captioner.vocabulary, captions, beams, length_penalty, progress=progress
    )
    return {
        "dataset": data.dataset.name,
        "split": split,
        "images": len(captions),
        "beams": beams,
        "length_penalty": length_penalty,
        "bleu": list(generated.bleu),
        "top5": forced.top5,
        "loss": forced.loss,
        "captions": {name: " ".join(each) for name, each in zip(captions.names, generated.captions, strict=True)},
        "images_per_second": len(captions) / generated.seconds,
        "parameters": sum(parameter.numel() for parameter in captioner.model.parameters()),
    }
