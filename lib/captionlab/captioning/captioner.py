"""A trained model as a function from photographs to captions.

caption = Captioner.load("runs/flickr8k")
caption("photo.jpg")                                   # 'two dogs play in the snow'
told = caption.generate(["photo.jpg"], beams=5)[0]
told.words, told.alphas.shape                          # ('two', 'dogs', ...), (words, positions)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from captionlab.captioning.decoder import Decoder, EncodedImages
from captionlab.captioning.encoders import Encoder, last_blocks, load_encoder, on_first_grid
from captionlab.captioning.evaluation import EVAL_BATCH_SIZE, LENGTH_PENALTY, CaptionModel, search, mask_special_tokens
from captionlab.captioning.grid_features import GridNetwork, grid_recipe
from captionlab.captioning.settings import DecoderSettings
from captionlab.captioning.training import BEST
from captionlab.captioning.vocabulary import END, PAD, START, Vocabulary
from captionlab.common.checkpoints import load_checkpoint, load_weights
from captionlab.vision.extraction import Picture
from captionlab.vision.feature_cache import fingerprint

FORMAT = 1  # of the checkpoint_metadata


@dataclass(frozen=True)
class Caption:
    """A caption with the attention behind it.

    Attributes:
        words: of the caption.
        alphas: (words, positions): where the model looked for each word; the positions row after row of the grid,
            of the first one where it looked at two.
        log_probability: of the whole caption, its end included; nats.
    """

    words: tuple[str, ...]
    alphas: Tensor
    log_probability: float

    @property
    def caption(self) -> str:
        """The words as a line."""
        return " ".join(self.words)


def checkpoint_metadata(vocabulary: Vocabulary, encoder: Encoder, about: dict, learnt: int = 0) -> dict:
    """What a checkpoint of a captioner says about itself, as JSON values.

    Args:
        about: of the training: corpus, settings, whatever helps whoever reads it.
        learnt: blocks of the encoder that were trained on; the checkpoint then holds these too.
    """
    recipe = grid_recipe(encoder)
    return {
        "captioner": FORMAT,
        "vocabulary": vocabulary.to_json(),
        "encoder": {
            **_description(encoder),
            "learnt": learnt,
        },
        "preprocessing": {"mean": list(recipe.mean), "std": list(recipe.std), "resize": "bilinear, whole picture"},
        "about": about,
    }


def _description(encoder: Encoder) -> dict:
    """What a checkpoint keeps of its encoder, and what one must agree in that is used with it."""
    return {
        "network": encoder.classifier.name,
        "layers": list(encoder.layers),
        "size": encoder.size,
        "second_size": encoder.second_size,
        "fingerprint": fingerprint(encoder.classifier.model),
    }


class Captioner:
    """An encoder, a decoder and a vocabulary that belong together.

    Attributes:
        about: what the checkpoint says of its training.
    """

    def __init__(self, encoder: Encoder, model: CaptionModel, vocabulary: Vocabulary, about: dict) -> None:
        self.encoder, self.vocabulary, self.about = encoder, vocabulary, about
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.eval().to(self.device)
        self._network = GridNetwork(encoder)

    @property
    def decoder(self) -> Decoder:
        """The model's decoder."""
        return self.model.decoder

    @classmethod
    def load(cls, path: Path | str, encoder: Encoder | None = None) -> Captioner:
        """Read what training left in a folder.

        Args:
            path: the folder, or the file ``captioner.safetensors`` in it.
            encoder: the network to use, where its weights are not found by themselves.

        Raises:
            FileNotFoundError: if there is no checkpoint, or no weights of its encoder.
            ValueError: if it is damaged, of another format, or trained with other weights of the encoder.
        """
        path = Path(path) / BEST if Path(path).is_dir() else Path(path)
        tensors, about = load_checkpoint(path)
        if about.get("captioner") != FORMAT:
            found = f"format {about['captioner']}" if "captioner" in about else "no captioner"
            raise ValueError(f"{path.name} is {found}, expected a captioner of format {FORMAT}: train it again")
        if lacking := {"vocabulary", "encoder", "decoder", "about"} - set(about):
            raise ValueError(f"{path.name} says nothing of its {', '.join(sorted(lacking))}: train it again")
        wanted = about["encoder"]
        if lacking := {"network", "layers", "size", "fingerprint", "learnt"} - set(wanted):
            raise ValueError(f"{path.name} says nothing of its encoder's {', '.join(sorted(lacking))}: train it again")
        encoder = encoder or load_encoder(
            wanted["network"], wanted["size"], wanted["layers"], wanted.get("second_size", 0)
        )
        if wanted["learnt"]:
            encoder = replace(encoder, layers=tuple(wanted["layers"]))  # of its frozen part
        for name, value in _description(encoder).items():
            trained = wanted.get(name, 0)
            if value != trained:
                raise ValueError(
                    f"{path.name} was trained on grids of another encoder: {name} {trained!r}, found {value!r}; "
                    "give the encoder it was trained with, or train again"
                )
        decoder, grown = Decoder(DecoderSettings(**about["decoder"])), None
        if wanted["learnt"]:
            _, grown = last_blocks(encoder.classifier.model, wanted["learnt"])
        model = CaptionModel(decoder, grown, encoder.sizes)
        load_weights(model, tensors, path.name)
        vocabulary = Vocabulary.from_json(about["vocabulary"])
        if len(vocabulary) != decoder.settings.words:
            raise ValueError(
                f"{path.name} has a vocabulary of {len(vocabulary)} words and a decoder for {decoder.settings.words}: "
                "they do not belong together, train it again"
            )
        return cls(encoder, model, vocabulary, about["about"])

    def __call__(self, picture: Picture, beams: int = 5) -> str:
        """The caption of a picture: a file, or an object with ``read()``."""
        return self.generate([picture], beams)[0].caption

    def generate(self, pictures: Sequence[Picture], beams: int = 5, by_length: float = LENGTH_PENALTY) -> list[Caption]:
        """Captions of several pictures, with the attention behind each word.

        Raises:
            FileNotFoundError, ValueError: if a picture is not there or not readable.
        """
        told = []
        with torch.inference_mode():
            for start in range(0, len(pictures), EVAL_BATCH_SIZE):
                seen = self.decoder.see(self.positions(pictures[start : start + EVAL_BATCH_SIZE]))
                written = search(self.decoder, seen, beams, by_length)
                told += _retrace(self.decoder, seen, written, self.vocabulary, self.encoder.sizes)
        return told

    def positions(self, pictures: Sequence[Picture]) -> Tensor:
        """What the decoder looks at, (pictures, positions, channels)."""
        with torch.inference_mode():
            # Each by itself, so that one's numbers do not depend on the others; in half precision, as on disk.
            grids = torch.cat([self._network.of_pictures([picture]) for picture in pictures])
            return self.model.positions(grids.half().float())


def _retrace(
    decoder: Decoder, seen: EncodedImages, written: list[list[int]], vocabulary: Vocabulary, sizes: tuple[int, ...]
) -> list[Caption]:
    """Read the captions once more, together, for the attention of each word and the captions' probabilities."""
    length = max(map(len, written)) + 1
    device = seen.positions.device
    read = torch.tensor([[START, *words, *[PAD] * (length - 1 - len(words))] for words in written], device=device)
    state, alphas, logs = decoder.begin(seen), [], []
    images = torch.arange(len(written), device=device)
    for step in range(length):
        scores, state, alpha = decoder.step(seen, read[:, step], state, images)
        alphas.append(alpha)
        logs.append(torch.log_softmax(mask_special_tokens(scores), dim=1))
    told = []
    for image, words in enumerate(written):
        targets = [*words, END]
        total = sum(logs[step][image, word].item() for step, word in enumerate(targets))
        rows = torch.stack([alpha[image] for alpha in alphas])[: len(words)].cpu()
        told.append(Caption(tuple(vocabulary.decode(words)), on_first_grid(rows, sizes), total))
    return told
