"""A new run from the weights of an earlier one, such as fine-tuning the encoder of a model that was trained frozen.

settings = settings_of_run(Path("runs/frozen"), {"finetune_blocks": 1, "epochs": 3})
train(settings, Path("runs/fine_tuned"), init_from=Path("runs/frozen"))
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from captionlab.captioning.captioner import encoder_metadata, load_run
from captionlab.captioning.encoders import Encoder
from captionlab.captioning.evaluation import CaptionModel
from captionlab.captioning.settings import DECODER_NAMES, DecoderSettings, RunSettings
from captionlab.captioning.vocabulary import Vocabulary
from captionlab.common.checkpoints import add_prefix, damaged_metadata, load_weights, select_prefix
from captionlab.common.logs import logger
from captionlab.vision.networks import get_network


def settings_of_run(run: Path, changes: dict[str, Any]) -> RunSettings:
    """The settings of a trained model, with changes.

    Args:
        run: the folder of the run.
        changes: names and values on one level, as :meth:`RunSettings.from_flat` takes them.

    Raises:
        FileNotFoundError, ValueError: if the run cannot be read, or a change is not valid.
    """
    path, _, metadata = load_run(run)
    with damaged_metadata(path):
        kept = dict(metadata["run"])
        values = {**kept.pop("decoder"), **kept.pop("training"), **kept}
        encoder = metadata["encoder"]
        values |= {"encoder": encoder["name"], "input_size": encoder["input_size"]}
    values |= {"pretrained_embeddings": None}  # the embeddings are among the weights
    if changes.get("finetune_blocks", values.get("finetune_blocks")):
        values |= {"layers": None}  # the output is that of the last block
    return RunSettings.from_flat(values | changes)


def load_vocabulary(run: Path) -> Vocabulary:
    """The vocabulary of a trained model."""
    path, _, metadata = load_run(run)
    with damaged_metadata(path):
        return Vocabulary.from_json(metadata["vocabulary"])


def init_weights(model: CaptionModel, encoder: Encoder, finetune_blocks: int, run: Path) -> None:
    """Replace the weights of a model by those of a trained one.

    If its encoder was frozen and the new one is fine-tuned, the new blocks keep their pretrained weights. Features
    that only the frozen one had, of earlier layers, are left out of the decoder's weights.

    Args:
        model: a new model, with the vocabulary of the trained one; changed in place.
        encoder: of the new model.
        finetune_blocks: blocks of the encoder that are fine-tuned now.
        run: the folder of the trained model.

    Raises:
        FileNotFoundError, ValueError: if the run cannot be read, or its weights do not fit the model.
    """
    path, tensors, metadata = load_run(run)
    with damaged_metadata(path):
        old_decoder, old_encoder = DecoderSettings(**metadata["decoder"]), metadata["encoder"]
        old_blocks = old_encoder["finetune_blocks"]
    _check_decoder(old_decoder, model.decoder.settings, run)
    _check_encoder(old_encoder, encoder, finetune_blocks, run)
    decoder = select_prefix("decoder", tensors)
    dropped = old_decoder.encoder_dim - model.decoder.settings.encoder_dim
    if dropped > 0 and finetune_blocks > old_blocks == 0:
        decoder = _without_first_channels(decoder, model.decoder.state_dict(), dropped)
        logger.info("%d channels of earlier layers are left out: a fine-tuned encoder gives its last block's", dropped)
    # The blocks that were fine-tuned are the last ones of the new model's.
    moved = {}
    for name, tensor in select_prefix("encoder.network", tensors).items():
        block, _, rest = name.partition(".")
        moved[f"encoder.network.{int(block) + finetune_blocks - old_blocks}.{rest}"] = tensor
    load_weights(model, {**model.state_dict(), **add_prefix("decoder", decoder), **moved}, str(path))
    logger.info("starting from the weights of %s", path)


def _check_decoder(old: DecoderSettings, new: DecoderSettings, run: Path) -> None:
    for name in DECODER_NAMES:
        found, given = asdict(old)[name], asdict(new)[name]
        if found != given and name != "dropout":
            raise ValueError(
                f"{run} holds a decoder with {name} {found!r}, the new run has {given!r}: its weights fit no other, "
                "leave the setting out"
            )


def _check_encoder(old: dict[str, Any], encoder: Encoder, finetune_blocks: int, run: Path) -> None:
    old_blocks, new = old["finetune_blocks"], encoder_metadata(encoder)
    for name in ("name", "fingerprint"):
        if old[name] != new[name]:
            raise ValueError(
                f"{run} was trained on the features of another encoder: {name} {old[name]!r}, found {new[name]!r}; its "
                "weights fit no other, leave the setting out"
            )
    if finetune_blocks < old_blocks:
        raise ValueError(
            f"finetune_blocks is {finetune_blocks}: {run} was trained with {old_blocks}, whose features its decoder "
            "needs; give as many or more"
        )
    last = get_network(old["name"]).grid_layers[-1:]
    fits = old["layers"] == new["layers"] if not finetune_blocks else old_blocks or tuple(old["layers"][-1:]) == last
    if not fits:
        raise ValueError(
            f"{run} was trained on the layers {', '.join(old['layers'])}, the new run has the output of "
            f"{', '.join(last if finetune_blocks else new['layers'])}: its weights fit no other layers, train the run "
            "again with these"
        )


def _without_first_channels(tensors: dict[str, Tensor], expected: dict[str, Tensor], dropped: int) -> dict[str, Tensor]:
    """A decoder's tensors without the weights of the first channels of the features."""
    kept = {}
    embed_dim = expected["embedding.weight"].shape[1]
    for name, tensor in tensors.items():
        for dim, size in enumerate(expected[name].shape if name in expected else ()):
            if tensor.shape[dim] - size == dropped:
                start = embed_dim if name == "cell.weight_ih" else 0  # its input is the embedding, then the features
                parts = tensor.split([start, dropped, tensor.shape[dim] - start - dropped], dim)
                tensor = torch.cat([parts[0], parts[2]], dim)
        kept[name] = tensor
    return kept
