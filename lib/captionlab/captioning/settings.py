"""Every setting of a captioning run, with its default and what it does; nothing heavy is imported here.

Three groups: the decoder's shape, how it is trained, and on what. ``captionlab caption train`` has a flag for each, and
a configuration file names them without the groups: ``hidden = 512``.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

CELLS, FORMS, STARTS = ("lstm", "gru", "rnn"), ("relu", "tanh"), ("mean", "zero")
SCHEDULES, MEASURES = ("plateau", "cosine"), ("bleu4", "loss")
REDUCTIONS, PRECISIONS = ("sum", "mean"), ("auto", "float32", "bfloat16")


def setting(default: Any, text: str, known: tuple[str, ...] = (), low: float | None = None, high: float | None = None):
    """A field with its explanation and what it may be: one of ``known``, or a number from ``low`` to below ``high``."""
    given = {} if default is ... else {"default": default}
    return field(**given, metadata={"text": text, "known": known, "low": low, "high": high})


KINDS = {
    "int": ("a whole number", int),
    "float": ("a number", (int, float)),
    "bool": ("true or false", bool),
    "str": ("a word", str),
    "dict": ("names and values", dict),
}


def check(settings: Any) -> None:
    """Refuse values of another type, and such that make no sense.

    Raises:
        ValueError: naming the setting, what was found, and what to give.
    """
    for each in fields(settings):
        value, rule = getattr(settings, each.name), each.metadata
        kind, _, optional = str(each.type).partition(" | ")
        if optional and value is None:
            continue
        words, types = KINDS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
            raise ValueError(f"{each.name} is {value!r}: give {words}")
        if rule.get("known") and value not in rule["known"]:
            raise ValueError(f"{each.name} is {value!r}: give one of {', '.join(rule['known'])}")
        low, high = rule.get("low"), rule.get("high")
        if low is not None and not (value >= low and (high is None or value < high)):
            below = "" if high is None else f" and below {high:g}"
            raise ValueError(f"{each.name} is {value}: give a number of at least {low:g}{below}")


SMALLEST = 1e-9  # for numbers that must be above 0


@dataclass(frozen=True)
class DecoderSettings:
    """The shape of a decoder; ``channels`` are the grid's features at each position, ``words`` the vocabulary's size.

    Raises:
        ValueError: if a value makes no sense.
    """

    channels: int = setting(..., "features at each position of the grid", low=1)
    words: int = setting(..., "of the vocabulary, special ones among them", low=1)
    embedding: int = setting(256, "size of a word's embedding", low=1)
    hidden: int = setting(512, "size of the recurrent state", low=1)
    attention: int = setting(256, "size of the attention's inner layer", low=1)
    cell: str = setting("lstm", "recurrent cell", CELLS)
    form: str = setting("relu", "of the attention: relu, as in well-known code, or Bahdanau's tanh", FORMS)
    gate: bool = setting(True, "a gate weakens what is seen, word by word")
    standardize: bool = setting(False, "bring each feature to mean 0 and spread 1 over the training images first")
    projection: int = setting(0, "bring the features to this size first, by a linear layer and ReLU; 0: no", low=0)
    initial: str = setting("mean", "first state: computed from the mean feature, or zeros", STARTS)
    dense: int = setting(0, "size of a layer between state and output layer; 0: none", low=0)
    dropout: float = setting(0.5, "on embeddings, projected features, and before the output layer", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)


# Another published decoder, without the gate: projected features, zero initial state, a GRU, and a dense layer before
# the vocabulary. Source: TensorFlow's tutorial "Image captioning with visual attention".
DENSE_DECODER = {
    "projection": 256, "initial": "zero", "cell": "gru", "form": "tanh", "gate": False,
    "hidden": 512, "dense": 512, "dropout": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingSettings:
    """How a captioning model is trained.

    Raises:
        ValueError: if a value makes no sense.
    """

    epochs: int = setting(30, "at most", low=1)
    images: int = setting(32, "images a batch, each with all its captions", low=1)
    rate: float = setting(4e-4, "learning rate of Adam for the decoder", low=SMALLEST)
    encoder_rate: float = setting(1e-4, "learning rate for the encoder's blocks that learn", low=SMALLEST)
    schedule: str = setting("plateau", "cut the rate on a plateau, or let it fall to 0 as a cosine does", SCHEDULES)
    factor: float = setting(0.8, "the rate is multiplied by this on a plateau", low=SMALLEST, high=1)
    plateau: int = setting(3, "epochs without improvement that are a plateau", low=1)
    warmup: int = setting(100, "first updates, in which the rate rises from 0", low=0)
    clip: float = setting(5.0, "greatest length of the gradient", low=SMALLEST)
    penalty: float = setting(1.0, "lambda of the doubly stochastic penalty on attention; 0: none", low=0)
    reduction: str = setting("mean", "of the penalty over positions: sum (the paper) or mean", REDUCTIONS)
    smoothing: float = setting(0.0, "label smoothing: share of a target spread over all words", low=0, high=1)
    slope: float = setting(0.0, "scheduled sampling: growth of its probability an epoch; 0: none", low=0)
    highest: float = setting(0.25, "scheduled sampling: where the probability stops growing", low=0, high=1)
    reward_epochs: int = setting(0, "last epochs, trained on the BLEU-4 of captions the model draws; 0: none", low=0)
    reward_rate: float = setting(1e-4, "learning rate in these epochs", low=SMALLEST)
    draws: int = setting(5, "captions drawn an image in these epochs", low=2)
    average: float = setting(
        0.0, "decay of a moving average of the weights, which is evaluated; 0: none", low=0, high=1
    )
    patience: int = setting(20, "epochs without improvement after which training stops", low=1)
    measure: str = setting("bleu4", "what tells the best epoch, on dev", MEASURES)
    beams: int = setting(1, "of the search for BLEU after each epoch", low=1)
    by_length: float = setting(0.6, "and the power of the length that log-probabilities are divided by", low=0)
    minutes: float = setting(0.0, "stop after the epoch in which training has taken this long; 0: no limit", low=0)
    precision: str = setting("auto", "arithmetic; auto: bfloat16 on a GPU, float32 on a processor", PRECISIONS)
    seed: int = setting(0, "of weights, order, dropout and chances", low=0)

    def __post_init__(self) -> None:
        check(self)
        if self.reward_epochs >= self.epochs:
            raise ValueError(
                f"reward_epochs is {self.reward_epochs} of {self.epochs} epochs: what is drawn is nonsense before the "
                "words are learnt, so give fewer"
            )


@dataclass(frozen=True)
class RunSettings:
    """What a model is trained on and how: with these everything a run depends on.

    Attributes:
        shape: of the decoder, names and values of `DecoderSettings`.
        training: names and values of `TrainingSettings`.
    """

    corpus: str = setting("flickr8k", "flickr8k, flickr30k, coco, embedded (drawn scenes), or a folder like theirs")
    extra: str | None = setting(None, "second folder or zip archive whose lists, captions and images are added")
    network: str | None = setting(None, "encoder; by default mobilenet_v2, for drawn scenes tiny_resnet")
    size: int | None = setting(None, "images are resized to this; by default the network's own", low=1)
    second_size: int = setting(0, "and to this many for a second grid beside the first; 0: none", low=0)
    layers: str | None = setting(None, "where the grid is taken, with commas between; by default after the last block")
    min_frequency: int = setting(5, "a word of the vocabulary is in the training captions this often", low=1)
    most_frequent: int = setting(0, "at most this many words; 0: no limit", low=0)
    longest: int = setting(24, "captions are cut to this many numbers, <start> and <end> among them", low=3)
    mirrored: bool | None = setting(None, "train on mirror images too; by default yes, of drawn scenes no")
    train_images: int = setting(0, "use this many training images; 0: all", low=0)
    vectors: str | None = setting(None, "file of word vectors to begin with, or captions: Word2Vec on the captions")
    learnt: int = setting(0, "last blocks of the encoder that learn with the decoder; 0: frozen", low=0)
    shape: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)
        DecoderSettings(1, 1, **self.shape), TrainingSettings(**self.training)  # refuses what makes no sense
        if self.learnt and self.layers:
            raise ValueError(
                f"learnt is {self.learnt} and layers is {self.layers!r}: an encoder that learns ends at its last "
                "block; give one of the two"
            )

    @property
    def mirrors(self) -> bool:
        """Whether mirror images are trained on: not of drawn scenes, for there captions say left and right."""
        return self.corpus != "embedded" if self.mirrored is None else self.mirrored

    @classmethod
    def from_flat(cls, values: dict) -> RunSettings:
        """From one level of names, as flags and configuration files have them.

        Raises:
            ValueError: for a name that is none; the message has the nearest.
        """
        for name in values:
            if name not in (*OWN, *SHAPE, *TRAINING):
                near = difflib.get_close_matches(name, (*OWN, *SHAPE, *TRAINING), n=1)
                raise ValueError(f"there is no setting {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
        return cls(
            **{name: value for name, value in values.items() if name in OWN},
            shape={name: value for name, value in values.items() if name in SHAPE},
            training={name: value for name, value in values.items() if name in TRAINING},
        )


SHAPE = tuple(each.name for each in fields(DecoderSettings) if each.name not in ("channels", "words"))
TRAINING = tuple(each.name for each in fields(TrainingSettings))
OWN = tuple(each.name for each in fields(RunSettings) if each.name not in ("shape", "training"))


CONFIGURATIONS = Path(__file__).parent / "configurations"


def packaged_configuration(name: str) -> dict:
    """The names and values of a configuration of the package: "flickr8k", "flickr8k_short", "embedded"."""
    return read_configuration(CONFIGURATIONS / f"{name}.toml")


def read_configuration(path: Path) -> dict:
    """The names and values of a TOML or JSON file.

    Raises:
        ValueError: if it is not readable as that.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name a TOML or JSON file") from error
    except ValueError as error:
        raise ValueError(f"{path.name} is not readable as {path.suffix or 'TOML'}: {error}") from error
    if not isinstance(values, dict) or any(isinstance(value, (dict, list)) for value in values.values()):
        raise ValueError(f"{path.name} holds lists or tables: expected one name = value a line")
    return values
