"""A training run from its settings: corpus, vocabulary, grids, model, trainer.

settings = RunSettings(corpus="flickr8k", shape={"projection": 512}, training={"epochs": 12})
train(settings, Path("runs/flickr8k"))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from captionlab.captioning.caption_dataset import CaptionDataset, caption_set
from captionlab.captioning.captioner import Captioner, checkpoint_metadata
from captionlab.captioning.datasets import DatasetSplits, load_dataset
from captionlab.captioning.decoder import Decoder
from captionlab.captioning.embeddings import embedding_matrix, read_vectors, train_word2vec
from captionlab.captioning.encoders import Encoder, encode_grids, last_blocks, load_encoder, split_by_size
from captionlab.captioning.evaluation import LENGTH_PENALTY, CaptionModel, evaluate_generation, evaluate_teacher_forcing
from captionlab.captioning.grid_features import compute_grids
from captionlab.captioning.settings import DecoderSettings, RunSettings, TrainingSettings
from captionlab.captioning.training import Trainer
from captionlab.captioning.vocabulary import Vocabulary
from captionlab.datasets.drawn_captions import SIZE
from captionlab.datasets.paths import data_root
from captionlab.vision.extraction import Picture

Transform = Callable[[str, Picture], Picture]

MEASURED = 500  # images whose grids tell the features' mean and spread


@dataclass(frozen=True)
class RunData:
    """A corpus made ready for a model.

    Attributes:
        sets: the caption sets, by split.
        corpus: where they come from, without the images of splits that were not asked for.
    """

    corpus: DatasetSplits
    encoder: Encoder
    vocabulary: Vocabulary
    sets: dict[str, CaptionDataset]


def encoder_for(settings: RunSettings) -> Encoder:
    """The encoder asked for, its frozen part where blocks of it learn.

    For drawn scenes it is the embedded network, which was trained on drawings.
    """
    network = settings.network or ("tiny_resnet" if settings.corpus == "embedded" else None)
    size = settings.size or (SIZE if settings.corpus == "embedded" else None)
    layers = settings.layers.split(",") if settings.layers else None
    encoder = load_encoder(network, size, layers, settings.second_size)
    if settings.learnt:
        return replace(encoder, layers=(last_blocks(encoder.classifier.model, settings.learnt)[0],))
    return encoder


def prepare_data(
    settings: RunSettings,
    splits: tuple[str, ...] = ("train", "dev"),
    vocabulary: Vocabulary | None = None,
    cache: Path | None = None,
    progress: bool = True,
    transform: Transform | None = None,
) -> RunData:
    """Read the corpus, choose the vocabulary on the training captions, compute the grids.

    Args:
        transform: changes every picture before it is looked at, as noise does; given its name and the picture.
        vocabulary: of a trained model; None: a new one.
        cache: folder of the grids; by default ``grids`` below the folder of all data.

    Raises:
        DataError, FileNotFoundError, ValueError: what is missing or makes no sense.
    """
    corpus, encoder = load_dataset(settings.corpus, settings.extra), encoder_for(settings)
    images = {split: corpus.require(split) for split in splits}
    if settings.train_images and "train" in images:
        images["train"] = images["train"][: settings.train_images]
    captions = {split: [image.tokens() for image in each] for split, each in images.items()}
    if vocabulary is None:
        words = (caption for each in captions["train"] for caption in each)
        vocabulary = Vocabulary.from_captions(words, settings.min_frequency, settings.most_frequent or None)
    sets = {}
    for split, each in images.items():
        names = [image.name for image in each]
        pictures = [transform(image.name, image.picture) if transform else image.picture for image in each]
        variants = ("plain", "mirrored") if settings.mirrors and split == "train" else ("plain",)
        folder = cache or data_root() / "grids"
        source = compute_grids(names, pictures, encoder, folder, variants=variants, progress=progress)
        sets[split] = caption_set(names, captions[split], source, vocabulary, settings.longest)
    return RunData(corpus, encoder, vocabulary, sets)


def make_model(settings: RunSettings, task: RunData, report: Callable[[str], None] = print) -> CaptionModel:
    """A new model with seeded weights, its word embeddings from vectors where the settings name some."""
    seed = settings.training.get("seed", TrainingSettings.seed)
    torch.manual_seed(seed)
    encoder = last_blocks(task.encoder.classifier.model, settings.learnt)[1].eval() if settings.learnt else None
    train, sizes = task.sets["train"], task.encoder.sizes
    with torch.no_grad():
        seen = [
            train.batch(range(start, min(start + 50, len(train)))) for start in range(0, min(MEASURED, len(train)), 50)
        ]
        seen = torch.cat([encode_grids(encoder, part, sizes) if encoder else part for part in seen])
    split_by_size(seen, sizes)  # refuses sizes whose grids could not be told apart later
    decoder = Decoder(DecoderSettings(seen.shape[2], len(task.vocabulary), **settings.shape))
    if decoder.settings.standardize:
        decoder.fit_normalization(seen)
    if settings.vectors:
        size, words = decoder.settings.embedding, task.vocabulary.words
        if settings.vectors == "captions":
            captions = [caption for each in task.sets["train"].references for caption in each]
            vectors = train_word2vec(captions, size, seed)
        else:
            vectors = read_vectors(Path(settings.vectors), words)
        known = sum(word in vectors or word.lower() in vectors for word in words[1:])
        report(f"{known} of the vocabulary's {len(words)} words begin with a vector of {settings.vectors}")
        with torch.no_grad():
            decoder.embedding.weight.copy_(torch.from_numpy(embedding_matrix(words, vectors, size, seed)))
    return CaptionModel(decoder, encoder, sizes)


def make_trainer(settings: RunSettings, task: RunData, folder: Path, **options) -> Trainer:
    """A trainer for the task; ``options``: see `Trainer`."""
    about = {**asdict(settings), "extra": None}
    return Trainer(
        make_model(settings, task, options.get("report", print)),
        task.vocabulary,
        task.sets["train"],
        task.sets["dev"],
        TrainingSettings(**settings.training),
        folder,
        checkpoint_metadata(task.vocabulary, task.encoder, about, settings.learnt),
        **options,
    )


def train(settings: RunSettings, folder: Path, transform: Transform | None = None, **options) -> list[dict]:
    """Prepare the task and train, or go on training, into a folder; returns the history."""
    return make_trainer(settings, prepare_data(settings, transform=transform), folder, **options).run()


def load_settings(captioner: Captioner, corpus: str | None = None, extra: str | None = None) -> RunSettings:
    """The settings with which a trained model looks at images; of its own corpus, unless another is named."""
    return RunSettings(
        corpus=corpus or captioner.about["corpus"],
        extra=extra,
        network=captioner.encoder.classifier.name,
        size=captioner.encoder.size,
        second_size=captioner.encoder.second_size,
        layers=",".join(captioner.encoder.layers),
        longest=captioner.about.get("longest", RunSettings.longest),
        mirrored=False,
    )


def evaluate(
    folder: Path,
    corpus: str | None = None,
    split: str = "dev",
    extra: str | None = None,
    beams: int = 5,
    by_length: float = LENGTH_PENALTY,
    transform: Transform | None = None,
) -> dict:
    """Scores of a trained model on a split, and the captions it wrote; JSON values.

    Args:
        corpus: None: the one it was trained on.
    """
    captioner = Captioner.load(folder)
    settings = load_settings(captioner, corpus, extra)
    task = prepare_data(settings, (split,), captioner.vocabulary, transform=transform)
    captions = task.sets[split]
    forced = evaluate_teacher_forcing(captioner.model, captions)
    free = evaluate_generation(captioner.model, captioner.vocabulary, captions, beams, by_length)
    written = {name: " ".join(words) for name, words in zip(captions.names, free.captions, strict=True)}
    return {
        "corpus": task.corpus.name, "split": split, "images": len(captions), "beams": beams, "by_length": by_length,
        "bleu": list(free.bleu), "top5": forced.top5, "loss": forced.loss, "captions": written,
        "images_a_second": len(captions) / free.seconds,
        "parameters": sum(parameter.numel() for parameter in captioner.model.parameters()),
    }  # fmt: skip
