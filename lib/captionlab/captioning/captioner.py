"""A trained model as a function from images to captions.

captioner = Captioner.load("runs/flickr8k")
captioner("photo.jpg")                                 # 'two dogs play in the snow'
caption = captioner.generate(["photo.jpg"], beams=5)[0]
caption.words, caption.alphas.shape                    # ('two', 'dogs', ...), (words, height, width)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from captionlab.captioning.decoder import Decoder
from captionlab.captioning.encoders import Encoder, flatten_grids, load_encoder, on_first_grid, split_last_blocks
from captionlab.captioning.evaluation import EVAL_BATCH_SIZE, LENGTH_PENALTY, CaptionModel, generate
from captionlab.captioning.grid_features import GridFeatureExtractor
from captionlab.captioning.setting_names import refuse_old_keys
from captionlab.captioning.settings import DecoderSettings
from captionlab.captioning.training import BEST
from captionlab.captioning.vocabulary import Vocabulary
from captionlab.common.checkpoints import damaged_metadata, load_checkpoint, load_weights
from captionlab.vision.feature_cache import fingerprint
from captionlab.vision.sources import ImageSource

FORMAT = 2  # of the checkpoint's metadata
PARTS = {"vocabulary", "encoder", "decoder", "run"}
ENCODER_KEYS = {"name", "layers", "input_size", "second_input_size", "fingerprint", "finetune_blocks"}


@dataclass(frozen=True)
class Caption:
    """A generated caption and the attention behind it.

    Attributes:
        words: of the caption.
        alphas: (words, height, width): the attention weights of each word over the cells of the grid, of the first
            grid if the model uses two.
        log_prob: log-probability of the whole caption, its end included, in nats.
    """

    words: tuple[str, ...]
    alphas: Tensor
    log_prob: float

    @property
    def text(self) -> str:
        """The words on one line."""
        return " ".join(self.words)


def checkpoint_metadata(
    vocabulary: Vocabulary, encoder: Encoder, run: dict[str, Any], finetune_blocks: int = 0
) -> dict[str, Any]:
    """What the checkpoint of a captioner says about itself, as JSON values.

    Args:
        run: the settings of the run.
        finetune_blocks: blocks of the encoder that are fine-tuned; the checkpoint then holds their weights too.
    """
    preprocessing = encoder.classifier.preprocessing
    return {
        "captioner": FORMAT,
        "vocabulary": vocabulary.to_json(),
        "encoder": {**encoder_metadata(encoder), "finetune_blocks": finetune_blocks},
        "preprocessing": {
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "resize": f"{preprocessing.interpolation}, whole image",
        },
        "run": run,
    }


def encoder_metadata(encoder: Encoder) -> dict[str, Any]:
    """What a checkpoint keeps of its encoder; an encoder that is used with it must have the same values."""
    return {
        "name": encoder.classifier.name,
        "layers": list(encoder.layers),
        "input_size": encoder.input_size,
        "second_input_size": encoder.second_input_size,
        "fingerprint": fingerprint(encoder.classifier.model),
    }


class Captioner:
    """An encoder, a decoder and a vocabulary that belong together.

    Attributes:
        run: the settings of the training.
    """

    def __init__(self, encoder: Encoder, model: CaptionModel, vocabulary: Vocabulary, run: dict[str, Any]) -> None:
        self.encoder, self.vocabulary, self.run = encoder, vocabulary, run
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.eval().to(self.device)
        self._extractor = GridFeatureExtractor(encoder)

    @property
    def decoder(self) -> Decoder:
        """The model's decoder."""
        return self.model.decoder

    @classmethod
    def load(cls, path: Path | str, encoder: Encoder | None = None) -> Captioner:
        """Load a trained model.

        Args:
            path: the folder of a run, or the file ``captioner.safetensors`` in it.
            encoder: the network to use if its weights are not found automatically.

        Raises:
            FileNotFoundError: if there is no checkpoint, or no weights of its encoder.
            ValueError: if it is damaged, of another version, or was trained with other weights of the encoder.
        """
        path, tensors, metadata = load_run(Path(path))
        expected = metadata["encoder"]
        blocks = expected["finetune_blocks"]
        with damaged_metadata(path):
            decoder = Decoder(DecoderSettings(**metadata["decoder"]))
            vocabulary = Vocabulary.from_json(metadata["vocabulary"])
        if len(vocabulary) != decoder.settings.vocab_size:
            raise ValueError(
                f"{path.name} has a vocabulary of {len(vocabulary)} words and a decoder for "
                f"{decoder.settings.vocab_size}: they do not belong together, train it again"
            )
        encoder = encoder or load_encoder(
            expected["name"], expected["input_size"], expected["layers"], expected["second_input_size"]
        )
        if blocks:
            encoder = replace(encoder, layers=tuple(expected["layers"]))  # of its frozen part
        for name, found in encoder_metadata(encoder).items():
            if found != expected[name]:
                raise ValueError(
                    f"{path.name} was trained on the features of another encoder: {name} {expected[name]!r}, found "
                    f"{found!r}; give the encoder it was trained with, or train again"
                )
        finetuned = split_last_blocks(encoder.classifier.model, blocks)[1] if blocks else None
        model = CaptionModel(decoder, finetuned)
        load_weights(model, tensors, path.name)
        return cls(encoder, model, vocabulary, metadata["run"])

    def __call__(self, image: ImageSource, beams: int = 5) -> str:
        """The caption of an image: a file, or an object with ``read()``."""
        return self.generate([image], beams)[0].text

    def generate(
        self, images: Sequence[ImageSource], beams: int = 5, length_penalty: float = LENGTH_PENALTY
    ) -> list[Caption]:
        """Captions of several images, with the attention weights of each word.

        Raises:
            FileNotFoundError, ValueError: if an image does not exist or is not readable.
        """
        captions = []
        with torch.inference_mode():
            for start in range(0, len(images), EVAL_BATCH_SIZE):
                grids = self.grids(images[start : start + EVAL_BATCH_SIZE])
                shapes = [(grid.shape[1], grid.shape[2]) for grid in grids]
                encoded = self.decoder.encode(flatten_grids(grids))
                for found in generate(self.decoder, encoded, beams, length_penalty):
                    words = tuple(self.vocabulary.decode(found.token_ids))
                    alphas = on_first_grid(found.alphas.cpu(), shapes)
                    captions.append(Caption(words, alphas, found.log_prob))
        return captions

    def grids(self, images: Sequence[ImageSource]) -> list[Tensor]:
        """The encoder's output, (images, height, width, channels), for each of its input sizes."""
        with torch.inference_mode():
            # Each image alone, so that its features do not depend on the others; in half precision, as on disk.
            grids = [torch.cat(same_size) for same_size in zip(*map(self._encode, images), strict=True)]
            return self.model.grids(grids)

    def _encode(self, image: ImageSource) -> list[Tensor]:
        return [grid.half().float() for grid in self._extractor([image])]


def load_run(path: Path) -> tuple[Path, dict[str, Tensor], dict[str, Any]]:
    """Read the checkpoint of a trained model.

    Args:
        path: the folder of a run, or the file ``captioner.safetensors`` in it.

    Returns:
        The file, its tensors by name, and its metadata.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged, or of another version.
    """
    file = path if path.is_file() else path / BEST
    if not file.is_file():
        runs = sorted(each.parent.name for each in path.glob(f"*/{BEST}"))
        if not path.exists():
            advice = f"there is no folder {path}; give the folder of a run"
        elif runs:
            advice = f"give one of the runs in it: {', '.join(runs[:5])}"
        else:
            advice = "it is not the folder of a trained model; train first, captionlab caption train"
        raise FileNotFoundError(f"no checkpoint {BEST} in {path}: {advice}")
    tensors, metadata = load_checkpoint(file)
    with damaged_metadata(file):
        _check_metadata(metadata, file.name)
    return file, tensors, metadata


def _check_metadata(metadata: dict[str, Any], name: str) -> None:
    """Raise a ValueError unless the metadata are complete, and of this version."""
    if "captioner" not in metadata:
        raise ValueError(f"{name} is not a captioner: give the folder of a run of captionlab caption train")
    for part in ("decoder", "encoder", "about"):
        refuse_old_keys(metadata.get(part) or {}, name)
    if metadata["captioner"] != FORMAT:
        raise ValueError(
            f"{name} is of format {metadata['captioner']}, expected a captioner of format {FORMAT}: train it again"
        )
    missing = PARTS - set(metadata) or {f"encoder's {key}" for key in ENCODER_KEYS - set(metadata["encoder"])}
    if missing:
        raise ValueError(f"{name} has no {', '.join(sorted(missing))}: train it again")
