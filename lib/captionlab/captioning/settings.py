"""Every setting of a captioning run, with its default and its help text; nothing heavy is imported here.

There are three groups: the architecture of the decoder, the training, and the data. ``captionlab caption train`` has a
flag for each setting, and a configuration file names them without the groups: ``decoder_dim = 512``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from captionlab.captioning.setting_names import refuse_unknown
from captionlab.common.suggestions import did_you_mean

CELLS, ACTIVATIONS, INIT_STATES = ("lstm", "gru", "rnn"), ("relu", "tanh"), ("mean", "zero")
SCHEDULES, MONITORS = ("plateau", "cosine"), ("bleu4", "loss")
REDUCTIONS, PRECISIONS = ("sum", "mean"), ("auto", "float32", "bfloat16")
POSITIVE = 1e-9  # the smallest value of settings that must be above 0


def setting(
    default: Any,
    text: str,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field with its help text and its valid values.

    Args:
        default: the default; ``...`` makes the setting required.
        text: the help text of its flag.
        choices: the valid values of a text setting.
        minimum, below: a number must be at least ``minimum`` and less than ``below``.
    """
    metadata = {"text": text, "choices": choices, "minimum": minimum, "below": below}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "int": ("a whole number", int),
    "float": ("a number", (int, float)),
    "bool": ("true or false", bool),
    "str": ("a text value", str),
    "dict": ("names and values", dict),
}


def validate(settings: Any) -> None:
    """Check the types and the ranges of all values of a settings dataclass.

    Raises:
        ValueError: with the name of the setting, the value found, and the values that are valid.
    """
    for each in fields(settings):
        value, rule = getattr(settings, each.name), each.metadata
        kind, _, optional = str(each.type).partition(" | ")
        if optional and value is None:
            continue
        expected, types = TYPES[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
            raise ValueError(f"{each.name} is {value!r}: give {expected}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{each.name} is {value}: give a finite number")
        choices = rule.get("choices")
        if choices and value not in choices:
            guess = did_you_mean(value, choices)
            raise ValueError(f"{each.name} is {value!r}: give one of {', '.join(choices)}{guess}")
        minimum, below = rule.get("minimum"), rule.get("below")
        if minimum is not None and not (value >= minimum and (below is None or value < below)):
            limit = "" if below is None else f" and below {below:g}"
            raise ValueError(f"{each.name} is {value}: give a number of at least {minimum:g}{limit}")


@dataclass(frozen=True)
class DecoderSettings:
    """The architecture of a decoder.

    Raises:
        ValueError: if a value is not valid.
    """

    encoder_dim: int = setting(..., "number of channels of the encoder's feature maps", minimum=1)
    vocab_size: int = setting(..., "number of words in the vocabulary, special tokens included", minimum=1)
    embed_dim: int = setting(256, "size of the word embeddings", minimum=1)
    decoder_dim: int = setting(512, "size of the recurrent cell's hidden state", minimum=1)
    attention_dim: int = setting(256, "size of the attention's hidden layer", minimum=1)
    cell: str = setting("lstm", "recurrent cell", CELLS)
    activation: str = setting(
        "relu", "activation in the attention: relu, as in widely used code, or tanh, as in the paper's", ACTIVATIONS
    )
    gate: bool = setting(True, "gate the attention context")
    standardize: bool = setting(
        False, "scale each feature to mean 0 and standard deviation 1 over the training images first"
    )
    projection_dim: int = setting(0, "project the features to this size with a linear layer and ReLU; 0: no", minimum=0)
    init_state: str = setting("mean", "initial state: computed from the mean feature vector, or zeros", INIT_STATES)
    fc_dim: int = setting(0, "size of a fully connected layer before the output layer; 0: none", minimum=0)
    dropout: float = setting(
        0.5, "dropout on embeddings, projected features and the output layer's input", minimum=0, below=1
    )

    def __post_init__(self) -> None:
        validate(self)


# Another published decoder, without the gate: projected features, zero initial state, a GRU, and a dense layer before
# the vocabulary. Source: TensorFlow's tutorial "Image captioning with visual attention".
DENSE_DECODER = {
    "projection_dim": 256, "init_state": "zero", "cell": "gru", "activation": "tanh", "gate": False,
    "decoder_dim": 512, "fc_dim": 512, "dropout": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingSettings:
    """How a captioning model is trained.

    Raises:
        ValueError: if a value is not valid.
    """

    epochs: int = setting(30, "maximum number of epochs", minimum=1)
    batch_size: int = setting(160, "captions per batch, at most; captions of an image share a batch", minimum=1)
    captions_per_image: int = setting(0, "captions of each image per epoch, drawn at random; 0: all", minimum=0)
    lr: float = setting(4e-4, "learning rate of Adam for the decoder", minimum=POSITIVE)
    encoder_lr: float = setting(1e-4, "learning rate for the fine-tuned blocks of the encoder", minimum=POSITIVE)
    schedule: str = setting("plateau", "reduce the learning rate on a plateau, or to 0 along a cosine", SCHEDULES)
    lr_factor: float = setting(0.8, "factor of the reduction on a plateau", minimum=POSITIVE, below=1)
    lr_patience: int = setting(3, "epochs without improvement before the reduction", minimum=1)
    warmup_steps: int = setting(100, "first updates, in which the learning rate rises from 0", minimum=0)
    max_grad_norm: float = setting(5.0, "maximum norm of the gradient", minimum=POSITIVE)
    attention_reg: float = setting(
        1.0, "weight of the attention penalty beside the mean loss per word; 0: none", minimum=0
    )
    attention_reg_reduction: str = setting("mean", "penalty over positions: sum (the paper) or mean", REDUCTIONS)
    label_smoothing: float = setting(0.0, "probability spread evenly over all words", minimum=0, below=1)
    sampling_prob_growth: float = setting(
        0.0, "scheduled sampling: increase of the probability per epoch; 0: none", minimum=0
    )
    max_sampling_prob: float = setting(0.25, "scheduled sampling: maximum probability", minimum=0, below=1)
    reward_epochs: int = setting(0, "last epochs, trained on the BLEU-4 of sampled captions; 0: none", minimum=0)
    reward_lr: float = setting(1e-4, "learning rate in these epochs", minimum=POSITIVE)
    num_samples: int = setting(5, "captions sampled per image in these epochs", minimum=2)
    ema_decay: float = setting(
        0.0, "decay of a moving average of the weights, which is then evaluated; 0: none", minimum=0, below=1
    )
    patience: int = setting(20, "epochs without improvement after which training stops", minimum=1)
    monitor: str = setting("bleu4", "metric on the dev split that selects the best epoch", MONITORS)
    beams: int = setting(1, "beams of the search for BLEU after each epoch", minimum=1)
    length_penalty: float = setting(0.6, "that search divides log-probabilities by the length to this power", minimum=0)
    max_minutes: float = setting(0.0, "stop after the epoch that exceeds this training time; 0: no limit", minimum=0)
    precision: str = setting("auto", "number format; auto: bfloat16 on a GPU, float32 on a CPU", PRECISIONS)
    seed: int = setting(0, "seed of weights, order, dropout and sampling", minimum=0)

    def __post_init__(self) -> None:
        validate(self)
        if self.reward_epochs >= self.epochs:
            raise ValueError(
                f"reward_epochs is {self.reward_epochs} of {self.epochs} epochs: sampled captions are nonsense before "
                "the words are learned, so give fewer"
            )
        if self.captions_per_image > self.batch_size:
            raise ValueError(
                f"batch_size is {self.batch_size} and captions_per_image {self.captions_per_image}: captions of an "
                "image share a batch, so give a batch size at least as large"
            )


@dataclass(frozen=True)
class RunSettings:
    """Everything a run depends on: the data, the encoder, the decoder and the training.

    Attributes:
        decoder: names and values of `DecoderSettings`.
        training: names and values of `TrainingSettings`.
    """

    dataset: str = setting("flickr8k", "the images: flickr8k, flickr30k, coco, embedded (drawn scenes), or a folder")
    extra_data: str | None = setting(None, "second folder or zip archive with more lists, captions and images")
    encoder: str | None = setting(None, "pretrained network  [default: mobilenet_v2; for drawn scenes tiny_resnet]")
    input_size: int | None = setting(None, "images are resized to this  [default: the encoder's own size]", minimum=1)
    second_input_size: int = setting(0, "size for a second grid of features beside the first; 0: none", minimum=0)
    layers: str | None = setting(None, "layers of the grid, separated by commas  [default: the last block]")
    min_word_freq: int = setting(5, "keep words that occur this often in the training captions", minimum=1)
    max_vocab_size: int = setting(0, "keep this many words, special tokens not counted; 0: no limit", minimum=0)
    max_length: int = setting(24, "cut captions to this many tokens, <start> and <end> included", minimum=3)
    hflip: bool | None = setting(None, "train on mirrored images too  [default: yes; for drawn scenes no]")
    train_images: int = setting(0, "use this many training images; 0: all", minimum=0)
    pretrained_embeddings: str | None = setting(
        None, "file of word vectors, or captions: Word2Vec on the training captions"
    )
    finetune_blocks: int = setting(0, "last blocks of the encoder that are fine-tuned; 0: frozen", minimum=0)
    decoder: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate(self)
        DecoderSettings(1, 1, **self.decoder), TrainingSettings(**self.training)  # raises for invalid values
        if self.finetune_blocks and self.layers:
            raise ValueError(
                f"finetune_blocks is {self.finetune_blocks} and layers is {self.layers!r}: the output of a fine-tuned "
                "encoder is that of its last block; give one of the two"
            )

    @property
    def uses_hflip(self) -> bool:
        """Whether mirrored images are trained on: not for drawn scenes, whose captions say left and right."""
        return self.dataset != "embedded" if self.hflip is None else self.hflip

    @classmethod
    def from_flat(cls, values: dict[str, Any]) -> RunSettings:
        """Make settings from names on one level, as flags and configuration files have them.

        Raises:
            ValueError: for an unknown name, with the nearest known one, and for an old name, with the new one.
        """
        refuse_unknown(values, (*DATA_NAMES, *DECODER_NAMES, *TRAINING_NAMES))
        return cls(
            **{name: value for name, value in values.items() if name in DATA_NAMES},
            decoder={name: value for name, value in values.items() if name in DECODER_NAMES},
            training={name: value for name, value in values.items() if name in TRAINING_NAMES},
        )


DECODER_NAMES = tuple(each.name for each in fields(DecoderSettings) if each.name not in ("encoder_dim", "vocab_size"))
TRAINING_NAMES = tuple(each.name for each in fields(TrainingSettings))
DATA_NAMES = tuple(each.name for each in fields(RunSettings) if each.name not in ("decoder", "training"))
