# Made by `captionlab build` from solutions/lab4_captioning/lab4_captioning.md, fingerprint ba09b564ce07eeec
"""Lab 4, Show, Attend and Tell: the functions and classes you write.

The notebook in this folder explains them, checks them, and puts them together into a model that describes images.
Everything you need is imported below. Save this file before you check.
"""

# ruff: noqa: F401, RUF100 (what the stubs do not use yet, your answers will)

import math
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from nltk.translate.bleu_score import corpus_bleu
from torch import nn

# --- 1. Text ----------------------------------------------------------------------------------------------------------


def tokenize(caption: str) -> list[str]:
    """Split a caption into lower-case words without punctuation.

    A word is a run of letters and digits. An apostrophe inside a word belongs to it; everything else separates words.

    Args:
        caption: one line of text.

    Returns:
        The words in order; an empty list if there are none.

    Example:
        >>> tokenize("A man's T-shirt , 2 dogs .")
        ['a', "man's", 't', 'shirt', '2', 'dogs']
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def choose_words(
    captions: Iterable[Sequence[str]], min_word_freq: int = 1, max_vocab_size: int | None = None
) -> list[str]:
    """Choose the words of a vocabulary, the most frequent first; ties are in alphabetical order.

    Args:
        captions: the words of each caption.
        min_word_freq: how often a word must occur, in all captions together, to be kept.
        max_vocab_size: keep at most this many words; None: no limit. Special words such as ``<pad>`` do not count.

    Returns:
        The words, without the special ones.

    Example:
        >>> choose_words([["a", "dog"], ["a", "cat"]])
        ['a', 'cat', 'dog']
        >>> choose_words([["a", "dog"], ["a", "cat"]], max_vocab_size=2)
        ['a', 'cat']
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def encode(tokens: Sequence[str], word_to_id: dict[str, int], max_length: int) -> list[int]:
    """Turn a caption into token ids: ``<start>``, its words, ``<end>``, and ``<pad>`` up to ``max_length`` ids.

    A caption that is too long loses its last words, never ``<end>``.

    Args:
        tokens: the words of the caption.
        word_to_id: the id of each word, of ``<pad>``, ``<start>``, ``<end>`` and ``<unk>`` too.
        max_length: the number of ids to return, at least 2: ``<start>`` and ``<end>`` count.

    Returns:
        ``max_length`` ids. A word that is not in ``word_to_id`` becomes ``<unk>``.

    Raises:
        ValueError: if ``max_length`` is below 2.

    Example:
        >>> word_to_id = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3, "a": 4, "dog": 5}
        >>> encode(["a", "dog", "runs"], word_to_id, max_length=6)
        [1, 4, 5, 3, 2, 0]
        >>> encode(["a", "dog", "runs"], word_to_id, max_length=4)
        [1, 4, 5, 2]
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def decode(token_ids: Iterable[int], words: Sequence[str]) -> list[str]:
    """Turn token ids back into words: everything before ``<end>``, without ``<pad>`` and ``<start>``.

    Args:
        token_ids: the ids of the caption; if there is no ``<end>``, all of them count.
        words: the word of each id; the first four are ``<pad>``, ``<start>``, ``<end>`` and ``<unk>``.

    Returns:
        The words of the caption; unknown words stay in place as ``<unk>``.

    Example:
        >>> decode([1, 4, 5, 3, 2, 5, 0], ["<pad>", "<start>", "<end>", "<unk>", "a", "dog"])
        ['a', 'dog', '<unk>']
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def split_by_image(
    image_ids: Iterable[str], fractions: tuple[float, float], seed: int
) -> tuple[list[str], list[str], list[str]]:
    """Split images into training, dev and test images, so that all captions of an image stay together.

    The images are sorted alphabetically, shuffled with ``random.Random(seed).shuffle``, and split: the first are dev
    images, the next test images, and the rest training images.

    Args:
        image_ids: the image each caption belongs to, so most images occur several times.
        fractions: shares of the images for dev and test; the numbers of images are rounded to the nearest integer.
        seed: of the shuffle.

    Returns:
        ``(train, dev, test)``: sorted image ids, each in exactly one of the lists.

    Example:
        >>> train, dev, test = split_by_image(["a", "a", "b", "b", "c", "c", "d", "d"], (0.25, 0.25), seed=0)
        >>> len(train), len(dev), len(test)
        (2, 1, 1)
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def embedding_matrix(
    words: Sequence[str], vectors: Mapping[str, Sequence[float] | np.ndarray], embed_dim: int, seed: int = 0
) -> np.ndarray:
    """Build an embedding matrix: the pretrained vector of each word that has one, random numbers for the others.

    ``<pad>`` gets zeros. Of the other words, in order, one with a pretrained vector (as it is written, or else in lower
    case) gets that vector. All others, special words included, get random numbers: normally distributed with mean 0
    and the standard deviation (``numpy.std``) of all numbers of the pretrained vectors that are used, or 0.1 if none
    is, drawn row by row from ``numpy.random.default_rng(seed)``.

    Args:
        words: the vocabulary; its first word is ``<pad>``.
        vectors: pretrained vectors of ``embed_dim`` numbers, by word.
        embed_dim: size of an embedding.
        seed: of the random numbers.

    Returns:
        ``(vocab_size, embed_dim)``, float32.

    Raises:
        ValueError: if a vector that is used has another length.

    Example:
        >>> embedding_matrix(["<pad>", "dog", "gnu"], {"dog": [1.0, -1.0]}, embed_dim=2)[:2]
        array([[ 0.,  0.],
               [ 1., -1.]], dtype=float32)
    """
    # YOUR CODE HERE
    raise NotImplementedError()


# --- 2. Images --------------------------------------------------------------------------------------------------------


def encoder_input(images: np.ndarray, size: int, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Prepare images as a network expects them: resized, scaled to 0..1, and normalized.

    Each network has its own numbers: most of torchvision's expect 224 pixels and ImageNet's mean and standard
    deviation. Inception v3 was trained on 299 pixels and values from -1 to 1 (mean and standard deviation 0.5).

    Args:
        images: ``(batch, height, width, 3)``, uint8: red, green and blue from 0 to 255.
        size: height and width the network expects, pixels; the aspect ratio is not kept.
        mean, std: three numbers each, one per color, for values from 0 to 1.

    Returns:
        ``(batch, 3, size, size)``, float32: values from 0 to 1, resized (bilinear with antialiasing:
        ``torch.nn.functional.interpolate`` with ``antialias=True``), minus the mean and divided by the standard
        deviation of their color.

    Example:
        >>> black = np.zeros((1, 10, 10, 3), dtype=np.uint8)
        >>> encoder_input(black, 2, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))[0, 0]
        tensor([[-1., -1.],
                [-1., -1.]])
    """
    # There is a bug below: find it, explain it, repair it.
    scaled = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255  # (batch, 3, height, width)
    resized = F.interpolate(scaled, size=(size, size), mode="bilinear", antialias=True)  # (batch, 3, size, size)
    return resized


def cut_before_pooling(network: nn.Module) -> nn.Module:
    """Take the convolutional part of a classification network: everything before its last pooling and its classifier.

    A VGG or a MobileNet keeps its convolutions in ``network.features``; what follows (in a VGG an adaptive pooling to
    7x7 and the classifier) is dropped. VGG's last max pooling is a part of ``features`` and stays; Xu et al. drop it,
    too, for a grid of 14x14. A ResNet is a sequence of children, of which the last two, the average pooling
    and the classifier, are dropped.

    Args:
        network: a torchvision VGG or MobileNet, which has ``features``, or a ResNet, which has ``layer4``.

    Returns:
        A module from images ``(batch, 3, height, width)`` to feature maps ``(batch, channels, h, w)``, made of the
        network's own layers (no copies). For 224x224 images VGG16 gives ``(batch, 512, 7, 7)`` and ResNet-101
        ``(batch, 2048, 7, 7)``.

    Raises:
        TypeError: if the network has neither ``features`` nor ``layer4``.

    Example:
        >>> from torchvision.models import resnet18
        >>> cut_before_pooling(resnet18())(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 512, 2, 3])
    """
    # There is a bug below: find it, explain it, repair it.
    if not hasattr(network, "features") and not hasattr(network, "layer4"):
        raise TypeError(f"expected a network with features or layer4, found {type(network).__name__}")
    # The last child is the classifier: everything before it gives feature maps.
    return nn.Sequential(*list(network.children())[:-1])


def to_positions(feature_maps: torch.Tensor) -> torch.Tensor:
    """Turn feature maps into a list of positions, row by row, each with the values of all channels.

    Args:
        feature_maps: ``(batch, channels, height, width)``.

    Returns:
        ``(batch, height * width, channels)``; row ``y`` and column ``x`` become position ``y * width + x``.

    Example:
        >>> to_positions(torch.rand(2, 512, 7, 7)).shape
        torch.Size([2, 49, 512])
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class GridEncoder(nn.Module):
    """The encoder of a captioning model: frozen, or with its last blocks fine-tuned.

    Batch normalization always keeps the statistics of the images it was pretrained on: its layers stay in evaluation
    mode even when their block is trained. Frozen blocks stay in evaluation mode altogether.

    Attributes:
        network: an ``nn.Sequential`` of blocks that gives feature maps, such as :func:`cut_before_pooling` returns.
        trained_blocks: the blocks that are fine-tuned; none at first.

    Example:
        >>> encoder = GridEncoder(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 1)))  # frozen
        >>> encoder(torch.rand(2, 3, 7, 7)).shape
        torch.Size([2, 49, 16])
        >>> encoder.fine_tune(1)  # the last block is trained together with the decoder
        >>> [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
        ['network.1.weight', 'network.1.bias']
    """

    def __init__(self, network: nn.Module):
        # There is a bug below: find it, explain it, repair it.
        super().__init__()
        self.network = network
        self.fine_tune()

    def fine_tune(self, num_blocks: int = 1) -> None:
        """Train the last ``num_blocks`` children of the network and freeze the others; sets their modes, too.

        Args:
            num_blocks: 0 freezes all of them.
        """
        children = list(self.network.children())
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for block in children[len(children) - num_blocks :]:
            for parameter in block.parameters():
                parameter.requires_grad = True

    def train(self, mode: bool = True) -> Self:
        """Put the trained blocks, except for batch normalization, into training mode, everything else into evaluation.

        Args:
            mode: False: everything is in evaluation mode.

        Returns:
            The encoder itself, as for every ``nn.Module``.
        """
        return super().train(mode)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Encode images.

        Args:
            images: ``(batch, 3, height, width)``.

        Returns:
            ``(batch, positions, channels)``, row by row.
        """
        return self.network(images).flatten(2).transpose(1, 2)  # (batch, positions, channels)


# --- 3. The model -----------------------------------------------------------------------------------------------------


class SoftAttention(nn.Module):
    """Soft attention: a weighted mean of the features at all positions; the weights depend on the decoder's state.

    With a_i the features at position i and h the decoder's hidden state, each position gets a score, and the scores
    become weights::

        e_i = w . relu(W_a a_i + W_h h)      alpha = softmax of e over the positions      context = sum_i alpha_i a_i

    Args:
        encoder_dim: channels of the features.
        decoder_dim: size of the decoder's hidden state.
        attention_dim: size of the hidden layer.

    Attributes:
        encoder_att: W_a, ``nn.Linear(encoder_dim, attention_dim)``.
        decoder_att: W_h, ``nn.Linear(decoder_dim, attention_dim)``.
        full_att: w, ``nn.Linear(attention_dim, 1)``.

    Example:
        >>> attention = SoftAttention(encoder_dim=512, decoder_dim=256, attention_dim=128)
        >>> context, alpha = attention(torch.rand(2, 49, 512), torch.rand(2, 256))
        >>> context.shape, alpha.shape
        (torch.Size([2, 512]), torch.Size([2, 49]))
        >>> torch.allclose(alpha.sum(dim=1), torch.ones(2))  # the weights of each image sum to 1
        True

    Source: Xu et al. 2015, equations 4 to 6 and 13. The paper leaves the network behind e open (its code has tanh, as
    :class:`BahdanauAttention`); relu is that of widely used PyTorch code.
    """

    def __init__(self, encoder_dim: int, decoder_dim: int, attention_dim: int):
        super().__init__()
        self.encoder_att = nn.Linear(encoder_dim, attention_dim)
        self.decoder_att = nn.Linear(decoder_dim, attention_dim)
        self.full_att = nn.Linear(attention_dim, 1)

    def forward(self, features: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attend to the features once.

        Args:
            features: ``(batch, positions, encoder_dim)``.
            hidden: ``(batch, decoder_dim)``: the decoder's hidden state before the next word.

        Returns:
            ``(context, alpha)``: the weighted mean of the features ``(batch, encoder_dim)`` and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class BahdanauAttention(nn.Module):
    """Bahdanau's attention, which is also that of the paper's code: :class:`SoftAttention` with tanh in place of relu.

    With a_i the features at position i and h the decoder's hidden state::

        e_i = w . tanh(W_a a_i + W_h h)      alpha = softmax of e over the positions      context = sum_i alpha_i a_i

    Args:
        encoder_dim: channels of the features.
        decoder_dim: size of the decoder's hidden state.
        attention_dim: size of the hidden layer.

    Attributes:
        encoder_att: W_a, ``nn.Linear(encoder_dim, attention_dim)``.
        decoder_att: W_h, ``nn.Linear(decoder_dim, attention_dim)``.
        full_att: w, ``nn.Linear(attention_dim, 1)``.

    Example:
        >>> attention = BahdanauAttention(encoder_dim=512, decoder_dim=256, attention_dim=128)
        >>> context, alpha = attention(torch.rand(2, 49, 512), torch.rand(2, 256))
        >>> context.shape, alpha.shape
        (torch.Size([2, 512]), torch.Size([2, 49]))

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """

    def __init__(self, encoder_dim: int, decoder_dim: int, attention_dim: int):
        super().__init__()
        self.encoder_att = nn.Linear(encoder_dim, attention_dim)
        self.decoder_att = nn.Linear(decoder_dim, attention_dim)
        self.full_att = nn.Linear(attention_dim, 1)

    def forward(self, features: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attend to the features once.

        Args:
            features: ``(batch, positions, encoder_dim)``.
            hidden: ``(batch, decoder_dim)``: the decoder's hidden state before the next word.

        Returns:
            ``(context, alpha)``: the weighted mean of the features ``(batch, encoder_dim)`` and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class Gate(nn.Module):
    """The gate behind the attention: how much of the context counts for the next word, channel by channel.

    Some words need the image ("dog"), others follow from the words before them ("of"). The gate is
    ``sigmoid(W h) * context``; its weights W are learned like all others.

    Args:
        decoder_dim: size of the decoder's hidden state.
        encoder_dim: channels of the context.

    Attributes:
        linear: ``nn.Linear(decoder_dim, encoder_dim)``.

    Example:
        >>> gate = Gate(decoder_dim=256, encoder_dim=512)
        >>> gate(torch.rand(2, 512), torch.rand(2, 256)).shape
        torch.Size([2, 512])

    Source: Xu et al. 2015, section 4.2.1, which has one number for all channels; widespread code has one per channel.
    """

    def __init__(self, decoder_dim: int, encoder_dim: int):
        super().__init__()
        self.linear = nn.Linear(decoder_dim, encoder_dim)

    def forward(self, context: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Apply the gate.

        Args:
            context: ``(batch, encoder_dim)``: the attention's result.
            hidden: ``(batch, decoder_dim)``: the decoder's hidden state before the next word.

        Returns:
            ``(batch, encoder_dim)``.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class InitialState(nn.Module):
    """The decoder's state before the first word, from the mean of the features over all positions.

    ``h0 = W_h mean(a) + b_h`` and ``c0 = W_c mean(a) + b_c``: one layer for the hidden state, another for the cell
    state.

    Args:
        encoder_dim: channels of the features.
        decoder_dim: size of both states.

    Attributes:
        init_h: ``nn.Linear(encoder_dim, decoder_dim)``.
        init_c: ``nn.Linear(encoder_dim, decoder_dim)``.

    Example:
        >>> h0, c0 = InitialState(encoder_dim=512, decoder_dim=256)(torch.rand(2, 49, 512))
        >>> h0.shape, c0.shape
        (torch.Size([2, 256]), torch.Size([2, 256]))

    Source: Xu et al. 2015, section 3.1.2, where each is a small network; here, as in most code, one linear layer.
    """

    def __init__(self, encoder_dim: int, decoder_dim: int):
        super().__init__()
        self.init_h = nn.Linear(encoder_dim, decoder_dim)
        self.init_c = nn.Linear(encoder_dim, decoder_dim)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the state from the whole image.

        Args:
            features: ``(batch, positions, encoder_dim)``.

        Returns:
            ``(h0, c0)``, both ``(batch, decoder_dim)``.
        """
        # There is a bug below: find it, explain it, repair it.
        mean = features.mean(dim=1)  # (batch, encoder_dim)
        h0 = self.init_h(mean)
        c0 = self.init_h(mean)
        return h0, c0


def decoder_step(
    cell: nn.LSTMCell | nn.GRUCell | nn.RNNCell,
    embedding: torch.Tensor,
    context: torch.Tensor,
    state: tuple[torch.Tensor, ...],
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Run one step of the decoder: the last word and the context go through the recurrent cell.

    The cell's input is the word's embedding and the context concatenated, in this order.

    Args:
        cell: its input size is ``embed_dim + encoder_dim``.
        embedding: ``(batch, embed_dim)``: the embedding of the last word.
        context: ``(batch, encoder_dim)``: what the attention and its gate give.
        state: ``(h, c)`` for an LSTM, which has a hidden state and a cell state; ``(h,)`` for a GRU or a plain RNN,
            which only have a hidden state. Each is ``(batch, decoder_dim)``.

    Returns:
        ``(output, state)``: the new hidden state ``(batch, decoder_dim)``, from which the next word is predicted, and
        the new state, a tuple of the same length as the one passed in.

    Example:
        >>> output, state = decoder_step(nn.GRUCell(7, 5), torch.rand(2, 3), torch.rand(2, 4), (torch.zeros(2, 5),))
        >>> output.shape, len(state)
        (torch.Size([2, 5]), 1)
    """
    # YOUR CODE HERE
    raise NotImplementedError()


# --- 4. Training ------------------------------------------------------------------------------------------------------


def inputs_and_targets(captions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split captions into what the decoder reads and what it predicts, step by step, under teacher forcing.

    At step t it reads token t of the caption and predicts token t + 1. So ``<start>`` is read and never predicted, and
    the last token is predicted and never read.

    Args:
        captions: ``(batch, length)``, int64: from ``<start>`` to ``<end>``, then padding.

    Returns:
        ``(inputs, targets)``, both ``(batch, length - 1)``.

    Example:
        >>> inputs_and_targets(torch.tensor([[1, 5, 6, 2]]))  # read <start>, predict 5; read 5, predict 6; ...
        (tensor([[1, 5, 6]]), tensor([[5, 6, 2]]))

    Source: Williams and Zipser 1989, "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks".
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def sort_by_length(
    captions: torch.Tensor, features: torch.Tensor, pad: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sort a batch by the length of its captions, longest first, and the features with them.

    Args:
        captions: ``(batch, max_length)``, int64: token ids, ``pad`` after the end.
        features: ``(batch, ...)``: row i belongs to caption i.
        pad: the id of the padding.

    Returns:
        ``(captions, features, lengths)``: both in the same new order, and the lengths ``(batch,)``, int64, descending:
        a caption's token ids, ``<start>`` and ``<end>`` included. Captions of the same length keep their order.
        Gradients flow back to ``features``, so that an encoder can be fine-tuned.

    Example:
        >>> captions = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]])
        >>> captions, features, lengths = sort_by_length(captions, torch.tensor([[0.5], [0.25]]))
        >>> lengths
        tensor([4, 3])
        >>> features
        tensor([[0.2500],
                [0.5000]])
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def active_counts(lengths: Sequence[int] | torch.Tensor) -> list[int]:
    """Count, step by step, the captions of a sorted batch that still have a word to predict.

    A caption of n token ids, ``<start>`` and ``<end>`` included, takes n - 1 steps: each id but the last is read, and
    the next one is predicted. Because the batch is sorted, the captions that continue are always the first rows, and
    each step computes those rows only. (In a ``PackedSequence`` of PyTorch these numbers are the ``batch_sizes``.)

    Args:
        lengths: lengths of the captions, descending; a list or ``(batch,)``, int64.

    Returns:
        One number per step of the longest caption.

    Raises:
        ValueError: if the lengths are not in descending order.

    Example:
        >>> active_counts([4, 3, 3])
        [3, 3, 1]
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def caption_loss(logits: torch.Tensor, targets: torch.Tensor, pad: int = 0) -> torch.Tensor:
    """Mean cross-entropy over the real words; padding adds nothing to the sum and is not counted.

    Args:
        logits: ``(batch, steps, vocab_size)``.
        targets: ``(batch, steps)``, int64: the correct word at each step, ``pad`` after the end of a caption.
        pad: the id of the padding.

    Returns:
        A scalar tensor, in nats per word. Every real word of the batch counts the same, in a short caption as in a
        long one.

    Example:
        >>> logits, targets = torch.zeros(1, 3, 10), torch.tensor([[4, 2, 0]])
        >>> caption_loss(logits, targets)  # log(10): ten words, all equally probable
        tensor(2.3026)
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def attention_penalty(alphas: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
    """The doubly stochastic penalty: over a whole caption, each position should get about the same total weight.

    The weights of one step sum to 1 over the positions by construction. The penalty asks for the same over the steps::

        penalty = sum_i (1 - sum_t alpha_ti)^2

    All weights of T steps sum to T, so on a grid of L positions the penalty is smallest if each position gets T / L;
    it is 0 only if T = L.

    It is averaged over the captions of the batch. The paper sums over the positions i; well-known code takes their
    mean, which divides the penalty by the number of positions: on a 7x7 grid, a factor lambda of 1 with "mean" is a
    factor of 1/49 with "sum". The factor also depends on the other part of the loss: the paper adds the penalty to the
    sum of -log p over the words of a caption. Beside a mean per word, as :func:`caption_loss` gives, the same factor
    weighs about T times as much.

    Args:
        alphas: ``(batch, steps, positions)``: attention weights, zeros at the steps after the end of a caption.
        reduction: over the positions, "sum" or "mean".

    Returns:
        A scalar tensor.

    Raises:
        ValueError: for any other ``reduction``.

    Example:
        >>> attention_penalty(torch.full((1, 4, 4), 0.25))  # four steps: each position gets 1 in total
        tensor(0.)
        >>> attention_penalty(torch.full((1, 2, 4), 0.25))  # four times (1 - 0.5)^2
        tensor(1.)
        >>> attention_penalty(torch.full((1, 2, 4), 0.25), reduction="mean")
        tensor(0.2500)

    Source: Xu et al. 2015, "Show, Attend and Tell", equation 14.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def scheduled_words(
    targets: torch.Tensor, predicted: torch.Tensor, uniform: torch.Tensor, probability: float
) -> torch.Tensor:
    """Choose what the decoder reads next: for each caption, at random, its own last word or the true one.

    Args:
        targets: ``(batch,)``, int64: the true words.
        predicted: ``(batch,)``, int64: the words that the decoder itself predicted in their place.
        uniform: ``(batch,)``: one random number per caption, uniform in [0, 1).
        probability: of reading the decoder's own word: 0 is teacher forcing.

    Returns:
        ``(batch,)``, int64: ``predicted`` where the random number is smaller than ``probability``, else ``targets``.
        ``targets`` itself stays as it is: the loss still needs the true words.

    Example:
        >>> targets, predicted = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 7])
        >>> scheduled_words(targets, predicted, torch.tensor([0.1, 0.4, 0.9]), 0.25)
        tensor([8, 6, 7])
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def clip_grad_norm(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale the gradients down, in place, if their norm is above ``max_norm``.

    The gradients of all parameters count as one long vector, whose direction stays the same. Recurrent networks now and
    then have gradients many times larger than usual; one step along such a gradient would undo much of what was
    learned.

    Args:
        parameters: those without a gradient (``grad`` is None) are skipped.
        max_norm: the largest norm allowed, above 0.

    Returns:
        The norm before clipping.

    Example:
        >>> weight = nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.tensor([3.0, 4.0])
        >>> clip_grad_norm([weight], max_norm=1.0)
        5.0
        >>> weight.grad
        tensor([0.6000, 0.8000])

    Source: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks".
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def best_epoch(losses: Iterable[float]) -> int:
    """The epoch with the lowest validation loss, counted from 1; the first one if several are equal.

    Args:
        losses: the validation loss of each epoch, in order.

    Returns:
        Its number; 0 if there are no losses.

    Example:
        >>> best_epoch([0.9, 0.7, 0.8])
        2
    """
    # There is a bug below: find it, explain it, repair it.
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        loss = float(f"{loss:.2f}")  # two digits are enough for a log
        if loss <= lowest:
            best, lowest = epoch, loss
    return best


# --- 5. Generating captions -------------------------------------------------------------------------------------------


def greedy_search(
    step: Callable, state: tuple[torch.Tensor, ...], start: int = 1, end: int = 2, max_words: int = 20
) -> list[list[int]]:
    """Take the most probable word at each step, for a batch of images.

    A caption ends with ``end``, or after ``max_words`` words. The search stops when all captions have ended; ``step``
    is called at most ``max_words`` times.

    Args:
        step: ``step(words, state)`` returns ``(logits, state)``: given the last words ``(batch,)``, int64, and the
            state before them, the logits ``(batch, vocab_size)`` of the next words and the state after them. Rows
            stand for images, so it is always given the whole batch.
        state: the state before the first word: a tuple of tensors ``(batch, ...)``.
        start, end: the ids of ``<start>``, which is read first, and ``<end>``.
        max_words: the longest caption, in words; ``<start>`` and ``<end>`` are not words.

    Returns:
        One list of token ids per image, without ``start`` and ``end``.

    Example:
        >>> def count_up(words, state):  # a decoder whose next word is always the last one plus 1
        ...     return torch.nn.functional.one_hot((words + 1) % 8, 8).float(), state
        >>> greedy_search(count_up, (torch.zeros(1, 1),), start=4, end=7)
        [[5, 6]]
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def sample_word(logits: torch.Tensor, uniform: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Draw the next words from their probabilities, softmax(logits / temperature).

    A low temperature favors probable words (towards 0: greedy search); a high one makes all words equally probable.
    The probabilities of the words, in vocabulary order, divide the interval from 0 to 1; the word whose part contains
    the random number is chosen. A part includes its lower bound and not its upper bound.

    Args:
        logits: ``(batch, vocab_size)``.
        uniform: ``(batch,)``: one random number per caption, uniform in [0, 1).
        temperature: above 0.

    Returns:
        ``(batch,)``, int64.

    Raises:
        ValueError: if the temperature is not above 0.

    Example:
        >>> logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
        >>> [sample_word(logits, torch.tensor([number])).item() for number in (0.1, 0.3, 0.9)]
        [0, 1, 2]
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def beam_step(log_probs: torch.Tensor, totals: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find the k best continuations of the captions in a beam.

    Leading dimensions, such as one for images, are allowed; the search is done for each of them.

    Args:
        log_probs: ``(beams, vocab_size)``: the log-probabilities of the next word of each caption.
        totals: ``(beams,)``: the log-probability of each caption so far.
        k: how many continuations to keep.

    Returns:
        ``(beams, words, totals)``, each ``(k,)``, best first: which caption continues (int64), with which word
        (int64), and the log-probability of the longer caption.

    Example:
        >>> log_probs = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
        >>> beams, words, totals = beam_step(log_probs, torch.log(torch.tensor([0.5, 0.5])), k=2)
        >>> beams, words
        (tensor([0, 1]), tensor([2, 0]))
        >>> totals.exp()
        tensor([0.3500, 0.2500])
    """
    # There is a bug below: find it, explain it, repair it.
    vocab_size = log_probs.shape[-1]
    longer = (totals.unsqueeze(-1) + log_probs).flatten(-2)  # (beams * vocab_size,)
    totals, indices = longer.topk(k, dim=-1)  # (k,)
    # Row by row: index 0 is word 0 of beam 0.
    return indices / vocab_size, indices % vocab_size, totals


def best_caption(
    finished: list[tuple[float, list[int]]], running: list[tuple[float, list[int]]], length_penalty: float = 0
) -> list[int]:
    """Choose the result of a beam search.

    Args:
        finished: captions that have ended: ``(total, words)``, the caption's log-probability and its token ids.
        running: captions that had not ended when the search stopped, in the same form.
        length_penalty: totals are divided by the number of words raised to this power before they are compared. 0
            compares the totals themselves, which favors short captions, because each further word makes a caption less
            probable; 1 compares the mean per word, which favors long ones; values in between are a compromise. (A
            caption without words counts as one of one word.)

    Returns:
        The token ids of the best finished caption, or of the best running one if none has finished. The first one if
        several are equal.

    Raises:
        ValueError: if there is no caption at all.

    Example:
        >>> best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [(-1.0, [5])])
        [7, 8]
        >>> best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [], length_penalty=1)
        [7, 8, 9, 10]
        >>> best_caption([], [(-2.0, [5, 5]), (-1.0, [5])])
        [5]

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7. The power of the length is the form
    they tried first, with 0.6 to 0.7; their final length penalty is ``((5 + length) / 6) ** alpha``.
    """
    # There is a bug below: find it, explain it, repair it.
    return max(finished, key=lambda caption: caption[0] / max(1, len(caption[1])) ** length_penalty)[1]


# --- 6. How good is it? -----------------------------------------------------------------------------------------------


def top_k_accuracy(logits: torch.Tensor, targets: torch.Tensor, k: int = 5, pad: int = 0) -> float:
    """How often the correct word is among the k most probable ones, given the true words before it.

    Args:
        logits: ``(batch, steps, vocab_size)``.
        targets: ``(batch, steps)``, int64: the correct words, ``pad`` after the end of a caption.
        k: how many of the most probable words count.
        pad: the id of the padding, which does not count at all.

    Returns:
        The fraction of the real words, from 0 to 1.

    Example:
        >>> logits = torch.tensor([[[0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]]])
        >>> targets = torch.tensor([[2, 0]])  # one real word, ranked second
        >>> top_k_accuracy(logits, targets, k=2)
        1.0
        >>> top_k_accuracy(logits, targets, k=1)
        0.0
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def bleu(candidates: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """BLEU-1 to BLEU-4 of generated captions: nltk's ``corpus_bleu``, references first, without smoothing.

    BLEU-n counts how many n-grams of 1 to n words of the generated captions also occur in a caption that people wrote,
    over all images together; an n-gram counts at most as often as one of the references has it. It is the geometric
    mean of these n precisions (weights 1/n), reduced if the captions are too short. All references of an image count,
    and each image counts once.

    Args:
        candidates: for each image, the words of the generated caption.
        references: for each image, the captions that people wrote. ``<start>``, ``<end>`` and ``<pad>`` are not words
            and are removed from both first.

    Returns:
        Four numbers from 0 to 1.

    Raises:
        ValueError: if the numbers of images differ, or an image has no reference.

    Example:
        >>> bleu([["a", "dog", "runs", "fast"]], [[["a", "dog", "runs", "fast"], ["it", "runs"]]])
        [1.0, 1.0, 1.0, 1.0]

    Source: Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation".
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def free_running_bleu(
    step: Callable,
    state: tuple[torch.Tensor, ...],
    true_captions: torch.Tensor,
    search: Callable,
    score: Callable[..., list[float]],
) -> list[float]:
    """BLEU of captions that a decoder generates on its own, compared with all true captions of each image.

    The decoder sees nothing of the true captions: it reads its own words. (Under teacher forcing it would be corrected
    after every word and told when to stop; a score obtained like that says nothing about the captions it generates.)

    Args:
        step: the decoder, as for ``greedy_search``.
        state: its state before the first word, one row per image.
        true_captions: ``(images, captions, length)``, int64: the captions that people wrote, as token ids: 1 is
            ``<start>``, 2 is ``<end>``, 0 is padding, and 3 stands for any word that is not in the vocabulary. An image
            with fewer captions than the others has rows of padding. (For a published score, captions are compared as
            they were written, neither truncated nor with 3 in them.)
        search: a function such as ``greedy_search``: ``search(step, state)`` returns one list of token ids per image,
            without ``<start>`` and ``<end>``.
        score: a function such as ``bleu``: ``score(candidates, references)``, with one caption per image and one list
            of captions per image.

    Returns:
        What ``score`` returns for lists of token ids without ``<pad>``, ``<start>`` and ``<end>``, each image once,
        with all its captions.

    Example:
        >>> def search(step, state):  # instead of a real search: the caption of one image
        ...     return [[5, 6]]
        >>> true_captions = torch.tensor([[[1, 5, 6, 2, 0], [1, 5, 3, 7, 2]]])
        >>> free_running_bleu(None, None, true_captions, search, score=lambda *arguments: arguments)
        ([[5, 6]], [[[5, 6], [5, 3, 7]]])
    """
    # There is a bug below: find it, explain it, repair it.
    first = true_captions[:, 0]
    candidates = [[] for _ in first]
    for t in range(1, first.shape[1]):
        logits, state = step(first[:, t - 1], state)
        for row, word in enumerate(logits.argmax(dim=1).tolist()):
            if first[row, t] not in (0, 2):
                candidates[row].append(word)
    references = []
    for captions in true_captions.tolist():
        words = [[token_id for token_id in caption if token_id not in (0, 1, 2)] for caption in captions]
        references.append([caption for caption in words if caption])
    return score(candidates, references)


# --- 7. Where does it look? -------------------------------------------------------------------------------------------


def upsample_attention(alpha: torch.Tensor, size: int) -> torch.Tensor:
    """Upsample the attention weights of a square grid to the size of the image, by interpolation.

    Args:
        alpha: ``(positions,)``: the weights, row by row of the grid; the number of positions is a square.
        size: height and width of the result, pixels.

    Returns:
        ``(size, size)``, float32: bilinear interpolation with each weight in the middle of its cell
        (``torch.nn.functional.interpolate`` with ``align_corners=False``). The values are not rescaled.

    Raises:
        ValueError: if the number of positions is not a square.

    Example:
        >>> upsample_attention(torch.tensor([0.0, 1.0, 0.0, 0.0]), 4)  # the upper right position has all the weight
        tensor([[0.0000, 0.2500, 0.7500, 1.0000],
                [0.0000, 0.1875, 0.5625, 0.7500],
                [0.0000, 0.0625, 0.1875, 0.2500],
                [0.0000, 0.0000, 0.0000, 0.0000]])
    """
    # There is a bug below: find it, explain it, repair it.
    side = math.isqrt(len(alpha))
    if side * side != len(alpha):
        raise ValueError(f"found {len(alpha)} positions, expected a square number, such as 49 for a grid of 7x7")
    grid = np.asarray(alpha, dtype=np.float32).reshape(side, side)
    return torch.from_numpy(np.resize(grid, (size, size)))
