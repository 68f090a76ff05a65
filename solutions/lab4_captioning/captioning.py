"""Lab 4, Show, Attend and Tell: the functions and classes you write.

The notebook beside this file explains them, checks them, and puts them together to a model that describes images.
Everything you need is imported below. Save this file before you check.
"""

# ruff: noqa: F401, RUF100 (what the stubs do not use yet, your answers will)

import math
import random
import re
import warnings
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from nltk.translate.bleu_score import corpus_bleu
from torch import nn

# --- 1. Text ----------------------------------------------------------------------------------------------------------


def tokenize(caption):
    """The words of a caption, in lower case, without punctuation.

    A word is a run of letters and digits; an apostrophe within a word belongs to it. Everything else separates words.

    Args:
        caption: a line of text.

    Returns:
        A list of str, which is empty where there is no word.

    Example::

        tokenize("A man's T-shirt , 2 dogs .")  # ['a', "man's", 't', 'shirt', '2', 'dogs']
    """
    ### BEGIN SOLUTION
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", caption.lower())
    ### END SOLUTION


def choose_words(captions, min_frequency=1, most_frequent=None):
    """The words a vocabulary keeps: frequent ones, the most frequent first; equally frequent ones by the alphabet.

    Args:
        captions: lists of words, one a caption.
        min_frequency: how often a word must be there, in all captions together, to be kept.
        most_frequent: keep at most this many; None: no limit. Special words such as ``<pad>`` come on top of these.

    Returns:
        A list of str, without the special words.

    Example::

        choose_words([["a", "dog"], ["a", "cat"]])  # ['a', 'cat', 'dog']
        choose_words([["a", "dog"], ["a", "cat"]], most_frequent=2)  # ['a', 'cat']
    """
    ### BEGIN SOLUTION
    counts = Counter(word for caption in captions for word in caption)
    kept = [word for word, count in counts.items() if count >= min_frequency and not word.startswith("<")]
    kept.sort(key=lambda word: (-counts[word], word))
    return kept if most_frequent is None else kept[:most_frequent]
    ### END SOLUTION


def encode(tokens, ids, max_length):
    """A caption as numbers: ``<start>``, its words, ``<end>``, and then ``<pad>`` up to ``max_length`` numbers.

    A caption that is too long loses words at its end; ``<end>`` stays the last number.

    Args:
        tokens: the words of the caption.
        ids: number of each word, a dict; it has ``<pad>``, ``<start>``, ``<end>`` and ``<unk>`` too.
        max_length: how many numbers to give, ``<start>`` and ``<end>`` among them; at least 2.

    Returns:
        A list of ``max_length`` int. A word without a number becomes ``<unk>``.

    Raises:
        ValueError: if ``max_length`` is below 2.

    Example::

        ids = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3, "a": 4, "dog": 5}
        encode(["a", "dog", "runs"], ids, 6)  # [1, 4, 5, 3, 2, 0]
        encode(["a", "dog", "runs"], ids, 4)  # [1, 4, 5, 2]
    """
    ### BEGIN SOLUTION
    if max_length < 2:
        raise ValueError(f"max_length is {max_length}: <start> and <end> alone take 2")
    words = [ids.get(token, ids["<unk>"]) for token in tokens[: max_length - 2]]
    numbers = [ids["<start>"], *words, ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))
    ### END SOLUTION


def decode(numbers, words):
    """The words of a caption from its numbers: up to ``<end>``, without ``<pad>`` and ``<start>``.

    Args:
        numbers: the numbers of the caption, a list of int; without ``<end>`` all of them count.
        words: the word of each number, a list that begins with ``<pad>``, ``<start>``, ``<end>``, ``<unk>``.

    Returns:
        A list of str; an unknown word stays in its place as ``<unk>``.

    Example::

        decode([1, 4, 5, 3, 2, 5, 0], ["<pad>", "<start>", "<end>", "<unk>", "a", "dog"])  # ['a', 'dog', '<unk>']
    """
    ### BEGIN SOLUTION
    kept = []
    for number in numbers:
        if words[number] == "<end>":
            break
        if words[number] not in ("<pad>", "<start>"):
            kept.append(words[number])
    return kept
    ### END SOLUTION


def split_by_image(image_ids, fractions, seed):
    """Split images into training, dev and test images; all captions of an image go where it goes.

    The images are put in alphabetical order, shuffled by ``random.Random(seed).shuffle``, and dealt out: first the
    dev images, then the test images, the rest is for training.

    Args:
        image_ids: of each caption the image it belongs to, so most are there several times.
        fractions: ``(dev, test)``: shares of the images; the number of images is rounded to the nearest.
        seed: of the shuffling.

    Returns:
        ``(train, dev, test)``: sorted lists of image ids, each id in exactly one.

    Example::

        split_by_image(["a", "a", "b", "b", "c", "c", "d", "d"], (0.25, 0.25), seed=0)  # two, one and one image
    """
    ### BEGIN SOLUTION
    images = sorted(set(image_ids))
    shuffled = list(images)
    random.Random(seed).shuffle(shuffled)
    dev, test = (round(fraction * len(images)) for fraction in fractions)
    return sorted(shuffled[dev + test :]), sorted(shuffled[:dev]), sorted(shuffled[dev : dev + test])
    ### END SOLUTION


def embedding_matrix(words, vectors, dimension, seed=0):
    """A row for each word: its pretrained vector where there is one.

    ``<pad>`` gets zeros. Of the other words, in order, one whose vector is known (as it is written, or in lower case)
    gets it; all others, special ones among them, get random numbers: normal with mean 0 and the standard deviation
    (``numpy.std``) of all numbers of the known vectors that are used, 0.1 if none is, drawn row after row from
    ``numpy.random.default_rng(seed)``.

    Args:
        words: the vocabulary, a list of str; ``<pad>`` is its first.
        vectors: a dict from words to vectors of ``dimension`` numbers.
        dimension: of the embedding.
        seed: of the random numbers.

    Returns:
        ``(words, dimension)``, a numpy array, float32.

    Raises:
        ValueError: if a vector that is used has another length.

    Example::

        embedding_matrix(["<pad>", "dog", "gnu"], {"dog": [1.0, -1.0]}, 2)[:2]  # [[0, 0], [1, -1]]
    """
    ### BEGIN SOLUTION
    found = {word: vectors.get(word, vectors.get(word.lower())) for word in words[1:]}
    known = {word: np.asarray(vector, dtype=np.float32) for word, vector in found.items() if vector is not None}
    for word, vector in known.items():
        if vector.shape != (dimension,):
            raise ValueError(f"the vector of {word!r} has {vector.size} numbers, expected {dimension}")
    spread = np.stack(list(known.values())).std() if known else 0.1
    draw = np.random.default_rng(seed)
    rows = [np.zeros(dimension)]
    for word in words[1:]:
        rows.append(known[word] if word in known else draw.normal(0, spread, dimension))
    return np.stack(rows).astype(np.float32)
    ### END SOLUTION


# --- 2. Images --------------------------------------------------------------------------------------------------------


def encoder_input(pixels, size, mean, std):
    """Pictures as the network expects them: of its size, and with the mean and spread it was trained on.

    Each network has its own: most of torchvision's want 224 pixels and ImageNet's mean and standard deviation.
    Inception v3 was trained on 299 pixels and values from -1 to 1 (mean and standard deviation 0.5).

    Args:
        pixels: ``(batch, height, width, 3)``, uint8 array: red, green, blue from 0 to 255.
        size: side of the images the network expects, pixels; the whole picture is resized, both ways.
        mean, std: of each color, three numbers each, for values from 0 to 1.

    Returns:
        ``(batch, 3, size, size)``, float32: values from 0 to 1, resized (bilinear, smoothed where it gets smaller, as
        ``torch.nn.functional.interpolate`` does with ``antialias=True``), minus the mean, divided by the standard
        deviation of their color.

    Example::

        gray = np.full((1, 10, 10, 3), 255, dtype=np.uint8)
        encoder_input(gray, 4, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # (1, 3, 4, 4), all 1.0
    """
    ### BEGIN SOLUTION
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (images - mean) / std
    ### END SOLUTION


def cut_before_pooling(network):
    """The part of a classification network that makes maps: everything before its last pooling and its classifier.

    A VGG or a MobileNet keeps its convolutions in ``network.features``; what follows (a VGG's adaptive pooling to 7x7,
    the classifier) is left away. A ResNet is a row of children, of which the last two, the average pooling and
    the classifier, are left away.

    Args:
        network: a torchvision VGG or MobileNet, with ``features``, or ResNet, with ``layer4``.

    Returns:
        A module that turns images ``(batch, 3, height, width)`` into maps ``(batch, channels, h, w)``, with the
        network's own layers (no copies). For 224x224 images VGG16 gives (batch, 512, 7, 7), ResNet-101
        (batch, 2048, 7, 7).

    Raises:
        TypeError: if the network is of neither kind.

    Example::

        vgg = torchvision.models.vgg16()
        cut_before_pooling(vgg)(torch.rand(1, 3, 448, 448)).shape  # (1, 512, 14, 14): no pooling to 7x7 at the end
    """
    ### BEGIN SOLUTION
    if hasattr(network, "features"):
        return network.features
    if hasattr(network, "layer4"):
        return nn.Sequential(*list(network.children())[:-2])
    raise TypeError(f"expected a network with features or layer4, found {type(network).__name__}")
    ### END SOLUTION


def to_positions(maps):
    """A grid as a list of positions, for the attention: row after row, each position with all its channels.

    Args:
        maps: ``(batch, channels, height, width)``.

    Returns:
        ``(batch, height * width, channels)``; the position in row y and column x is number ``y * width + x``.

    Example::

        to_positions(torch.rand(2, 512, 7, 7)).shape  # (2, 49, 512)
    """
    ### BEGIN SOLUTION
    return maps.flatten(2).transpose(1, 2)
    ### END SOLUTION


class GridEncoder(nn.Module):
    """An encoder as part of a captioning model: frozen, or with its last blocks trained on.

    Whatever is trained, batch normalization keeps the statistics of the images it was pretrained on: its layers stay in
    evaluation mode also while the model trains. The frozen blocks stay in evaluation mode altogether.

    Attributes:
        network: a network that gives maps, a row of blocks: ``nn.Sequential``, as ``cut_before_pooling`` gives.

    Example::

        encoder = GridEncoder(cut_before_pooling(torchvision.models.resnet50()))  # frozen
        encoder(torch.rand(2, 3, 224, 224)).shape  # (2, 49, 2048)
        encoder.fine_tune(3)  # layer2, layer3 and layer4 of the ResNet learn with the decoder
    """

    def __init__(self, network):
        ### BEGIN SOLUTION
        super().__init__()
        self.network = network
        self.fine_tune(0)
        ### END SOLUTION

    def fine_tune(self, blocks=1):
        """Let the last ``blocks`` children of the network be trained, and no others; 0: none. Modes follow at once."""
        ### BEGIN SOLUTION
        children = list(self.network.children())
        self.trained = children[len(children) - blocks :]
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for block in self.trained:
            for parameter in block.parameters():
                parameter.requires_grad = True
        self.train(self.training)
        ### END SOLUTION

    def train(self, mode=True):
        """Training mode for the blocks that are trained, without their batch normalization; evaluation mode else."""
        ### BEGIN SOLUTION
        super().train(False)
        self.training = mode
        for block in self.trained:
            for layer in block.modules():
                layer.training = mode and not isinstance(layer, nn.BatchNorm2d)
        return self
        ### END SOLUTION

    def forward(self, images):
        """Images ``(batch, 3, height, width)`` to positions ``(batch, positions, channels)``."""
        return self.network(images).flatten(2).transpose(1, 2)


# --- 3. The model -----------------------------------------------------------------------------------------------------


class SoftAttention(nn.Module):
    """Soft attention: a weighted mean over the positions of a grid, the weights depending on the decoder's state.

    With a_i the features at position i and h the state, each position gets a score and the scores become weights::

        e_i = w . relu(W_a a_i + W_h h)      alpha = softmax over the positions of e      context = sum_i alpha_i a_i

    Attributes:
        from_positions: W_a, ``nn.Linear(channels, size)``.
        from_state: W_h, ``nn.Linear(hidden, size)``.
        score: w, ``nn.Linear(size, 1)``.

    Example::

        attention = SoftAttention(channels=512, hidden=256, size=128)
        context, alpha = attention(torch.rand(2, 49, 512), torch.rand(2, 256))
        context.shape, alpha.shape  # (2, 512) and (2, 49)
        alpha.sum(dim=1)  # 1 for each image

    Source: Xu et al. 2015, equations 4 to 6 and 13.
    """

    def __init__(self, channels, hidden, size):
        super().__init__()
        self.from_positions = nn.Linear(channels, size)
        self.from_state = nn.Linear(hidden, size)
        self.score = nn.Linear(size, 1)

    def forward(self, positions, state):
        """Look once.

        Args:
            positions: ``(batch, positions, channels)``: the grid's features, a row a position.
            state: ``(batch, hidden)``: the decoder's state before the word.

        Returns:
            ``(context, alpha)``: the mean of the features with the weights ``(batch, channels)``, and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        ### BEGIN SOLUTION
        seen = torch.relu(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        alpha = torch.softmax(self.score(seen).squeeze(2), dim=1)
        context = (alpha.unsqueeze(2) * positions).sum(dim=1)
        return context, alpha
        ### END SOLUTION


class AdditiveAttention(nn.Module):
    """Bahdanau's attention: as :class:`SoftAttention`, with tanh in the place of relu.

    With a_i the features at position i and h the state::

        e_i = w . tanh(W_a a_i + W_h h)      alpha = softmax over the positions of e      context = sum_i alpha_i a_i

    Attributes:
        from_positions: W_a, ``nn.Linear(channels, size)``.
        from_state: W_h, ``nn.Linear(hidden, size)``.
        score: w, ``nn.Linear(size, 1)``.

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """

    def __init__(self, channels, hidden, size):
        super().__init__()
        self.from_positions = nn.Linear(channels, size)
        self.from_state = nn.Linear(hidden, size)
        self.score = nn.Linear(size, 1)

    def forward(self, positions, state):
        """Look once.

        Args:
            positions: ``(batch, positions, channels)``: the grid's features, a row a position.
            state: ``(batch, hidden)``: the decoder's state before the word.

        Returns:
            ``(context, alpha)``: the mean of the features with the weights ``(batch, channels)``, and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        ### BEGIN SOLUTION
        seen = torch.tanh(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        alpha = torch.softmax(self.score(seen).squeeze(2), dim=1)
        context = (alpha.unsqueeze(2) * positions).sum(dim=1)
        return context, alpha
        ### END SOLUTION


class Gate(nn.Module):
    """The gate behind the attention: how much of what is seen counts for the next word, channel by channel.

    Some words need the image ("dog"), others follow from the words before ("of"). The gate is
    ``z = sigmoid(W h) * context``, its weights W learnt like all others.

    Attributes:
        linear: ``nn.Linear(hidden, channels)``.

    Example::

        gate = Gate(hidden=256, channels=512)
        gate(torch.rand(2, 512), torch.rand(2, 256)).shape  # (2, 512)

    Source: Xu et al. 2015, section 4.2.1, there one number for all channels; one a channel in well-known PyTorch code.
    """

    def __init__(self, hidden, channels):
        super().__init__()
        self.linear = nn.Linear(hidden, channels)

    def forward(self, context, state):
        """Weaken what is seen.

        Args:
            context: ``(batch, channels)``: what the attention gives.
            state: ``(batch, hidden)``: the decoder's state before the word.

        Returns:
            ``(batch, channels)``.
        """
        ### BEGIN SOLUTION
        return torch.sigmoid(self.linear(state)) * context
        ### END SOLUTION


class InitialState(nn.Module):
    """The decoder's state before the first word, from the mean of the features over all positions.

    ``h0 = W_h mean(a) + b_h`` and ``c0 = W_c mean(a) + b_c``: a layer for the hidden state, another for the cell.

    Attributes:
        hidden_layer: ``nn.Linear(channels, hidden)``.
        cell_layer: ``nn.Linear(channels, hidden)``.

    Example::

        initial = InitialState(channels=512, hidden=256)
        h0, c0 = initial(torch.rand(2, 49, 512))  # both (2, 256)

    Source: Xu et al. 2015, section 3.1.2; each there a small network, here as in most code one linear layer.
    """

    def __init__(self, channels, hidden):
        super().__init__()
        self.hidden_layer = nn.Linear(channels, hidden)
        self.cell_layer = nn.Linear(channels, hidden)

    def forward(self, positions):
        """Look at all of the image once.

        Args:
            positions: ``(batch, positions, channels)``.

        Returns:
            ``(h0, c0)``, both ``(batch, hidden)``.
        """
        ### BEGIN SOLUTION
        mean = positions.mean(dim=1)
        return self.hidden_layer(mean), self.cell_layer(mean)
        ### END SOLUTION


def decoder_step(cell, word, context, state):
    """One step of the decoder: the last word and what is seen go into the recurrent cell.

    The cell reads the word's embedding and the context side by side, in this order.

    Args:
        cell: ``nn.LSTMCell``, ``nn.GRUCell`` or ``nn.RNNCell`` with ``embedding + channels`` inputs.
        word: ``(batch, embedding)``: the last word's embedding.
        context: ``(batch, channels)``: what is seen, weakened by the gate.
        state: a tuple: ``(h, c)`` for an LSTM, which has a hidden state and a cell; ``(h,)`` for a GRU or a plain RNN,
            which have a hidden state only. Each ``(batch, hidden)``.

    Returns:
        ``(output, state)``: the new hidden state ``(batch, hidden)``, from which the next word is predicted, and the
        new state, a tuple like the one that came in.

    Example::

        output, state = decoder_step(nn.GRUCell(7, 5), torch.rand(2, 3), torch.rand(2, 4), (torch.zeros(2, 5),))
        output.shape, len(state)  # (2, 5) and 1
    """
    ### BEGIN SOLUTION
    seen = torch.cat([word, context], dim=1)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, state)
        return hidden, (hidden, memory)
    hidden = cell(seen, state[0])
    return hidden, (hidden,)
    ### END SOLUTION


# --- 4. Training ------------------------------------------------------------------------------------------------------


def inputs_and_targets(captions):
    """What the decoder reads and what it is to predict, step by step, when the true words are given.

    In step t it reads number t of the caption and predicts number t + 1. So ``<start>`` is read and never predicted,
    and the last number is predicted and never read.

    Args:
        captions: ``(batch, length)``, int64: from ``<start>`` to ``<end>``, then padding.

    Returns:
        ``(inputs, targets)``, both ``(batch, length - 1)``.

    Example::

        inputs_and_targets(torch.tensor([[1, 5, 6, 2]]))  # ([[1, 5, 6]], [[5, 6, 2]]): read <start>, predict 5, ...

    Source: Williams and Zipser 1989, "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks".
    """
    ### BEGIN SOLUTION
    return captions[:, :-1], captions[:, 1:]
    ### END SOLUTION


def sort_by_length(captions, features, pad=0):
    """Sort a batch by the length of its captions, the longest first; features move along with their captions.

    Args:
        captions: ``(batch, max_length)``, int64: numbers of words, ``pad`` after the end.
        features: ``(batch, ...)``: row i belongs to caption i.
        pad: number of the padding.

    Returns:
        ``(captions, features, lengths)``: both sorted alike, and the lengths ``(batch,)``, int64, falling: words of a
        caption, with ``<start>`` and ``<end>``. Captions of the same length keep their order.

    Example::

        captions = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]])
        captions, features, lengths = sort_by_length(captions, torch.tensor([[0.5], [0.25]]))
        lengths  # tensor([4, 3]); features is now [[0.25], [0.5]]
    """
    ### BEGIN SOLUTION
    lengths = (captions != pad).sum(dim=1)
    lengths, order = torch.sort(lengths, descending=True, stable=True)
    return captions[order], features[order], lengths
    ### END SOLUTION


def active_counts(lengths):
    """How many captions of a sorted batch still have a word to predict, step by step.

    A caption of n words, ``<start>`` and ``<end>`` among them, has n - 1 steps: each of its words but the last is read
    and the next one predicted. As the batch is sorted, the captions that go on are always the first ones, and a step
    computes on those alone.

    Args:
        lengths: lengths of the captions, falling: a list or ``(batch,)``, int64.

    Returns:
        A list of int, one a step; as long as the longest caption has steps.

    Raises:
        ValueError: if the lengths rise somewhere.

    Example::

        active_counts([4, 3, 3])  # [3, 3, 1]
    """
    ### BEGIN SOLUTION
    lengths = [int(length) for length in lengths]
    if lengths != sorted(lengths, reverse=True):
        raise ValueError(f"lengths are {lengths}: sort the captions first, the longest in front")
    return [sum(length - 1 > step for length in lengths) for step in range(lengths[0] - 1)] if lengths else []
    ### END SOLUTION


def caption_loss(scores, targets, pad=0):
    """Mean cross-entropy of the real words; padding counts neither in the sum nor in the number of words.

    Args:
        scores: ``(batch, steps, words)``: scores of all words of the vocabulary at each step, before any softmax.
        targets: ``(batch, steps)``, int64: the word that is right at each step, ``pad`` where the caption has ended.
        pad: number of the padding.

    Returns:
        A tensor without dimensions, in nats a word. Every real word of the batch counts the same, in a short caption
        as in a long one.

    Example::

        scores, targets = torch.zeros(1, 3, 10), torch.tensor([[4, 2, 0]])
        caption_loss(scores, targets)  # log(10) = 2.3026: ten words, none likelier than another
    """
    ### BEGIN SOLUTION
    real = targets != pad
    return F.cross_entropy(scores[real], targets[real])
    ### END SOLUTION


def attention_penalty(alphas, reduction="sum"):
    """The doubly stochastic penalty: over a whole caption every position should be looked at about once.

    The weights of one step sum to 1 over the positions by construction. The penalty asks the same over the steps::

        penalty = sum_i (1 - sum_t alpha_ti)^2

    It is averaged over the captions of the batch. The paper sums over the positions i; well-known code takes their
    mean, which makes the penalty smaller by the number of positions: on a grid of 7x7 a factor lambda of 1 with "mean"
    is one of 1/49 with "sum".

    Args:
        alphas: ``(batch, steps, positions)``: attention weights, zeros at steps after the end of a caption.
        reduction: "sum" or "mean", over the positions.

    Returns:
        A tensor without dimensions.

    Raises:
        ValueError: for another ``reduction``.

    Example::

        attention_penalty(torch.full((1, 4, 4), 0.25))  # 0: four steps, each position seen once in sum
        attention_penalty(torch.full((1, 2, 4), 0.25))  # 1: four times (1 - 0.5)^2
        attention_penalty(torch.full((1, 2, 4), 0.25), reduction="mean")  # 0.25

    Source: Xu et al. 2015, "Show, Attend and Tell", equation 14.
    """
    ### BEGIN SOLUTION
    if reduction not in ("sum", "mean"):
        raise ValueError(f'reduction is {reduction!r}: give "sum" or "mean"')
    missing = (1 - alphas.sum(dim=1)) ** 2
    if reduction == "sum":
        return missing.sum(dim=1).mean()
    return missing.mean()
    ### END SOLUTION


def scheduled_words(truth, predicted, drawn, probability):
    """The words a decoder reads next: for each caption its own last word or the true one, by chance.

    Args:
        truth: ``(batch,)``, int64: the words of the captions.
        predicted: ``(batch,)``, int64: the words the decoder itself chose for these places.
        drawn: ``(batch,)``: a number for each caption, drawn uniformly from [0, 1).
        probability: how often the decoder's own word is read: 0 never (teacher forcing), 1 always.

    Returns:
        ``(batch,)``, int64: ``predicted`` where the number drawn is smaller than ``probability``, else ``truth``.

    Example::

        truth, predicted = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 7])
        scheduled_words(truth, predicted, torch.tensor([0.1, 0.4, 0.9]), 0.25)  # tensor([8, 6, 7])
    """
    ### BEGIN SOLUTION
    return torch.where(drawn < probability, predicted, truth)
    ### END SOLUTION


def clip_gradients(parameters, limit):
    """Shorten the gradient where it is longer than ``limit``: all parameters' gradients together, as one long vector.

    Its direction stays. Recurrent networks have, now and then, gradients that are many times longer than the usual
    ones; one step along such a gradient would undo much of what was learnt.

    Args:
        parameters: an iterable of parameters; those without a gradient (``grad`` is None) are left out.
        limit: the greatest length allowed, above 0.

    Returns:
        The length before clipping, a Python float.

    Example::

        weight = nn.Parameter(torch.zeros(2))
        weight.grad = torch.tensor([3.0, 4.0])
        clip_gradients([weight], 1.0)  # 5.0; weight.grad is now [0.6, 0.8]

    Source: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks".
    """
    ### BEGIN SOLUTION
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return 0.0
    length = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    if length > limit:
        for gradient in gradients:
            gradient.mul_(limit / length)
    return length
    ### END SOLUTION


def best_epoch(losses):
    """The epoch with the lowest validation loss, counted from 1; the first of equals.

    Args:
        losses: the validation loss of each epoch, in order.

    Returns:
        An int; 0 if there are no losses.

    Example::

        best_epoch([0.9, 0.7, 0.8])  # 2
    """
    ### BEGIN SOLUTION
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if loss < lowest:
            best, lowest = epoch, loss
    return best
    ### END SOLUTION


# --- 5. Writing captions ----------------------------------------------------------------------------------------------


def greedy_search(step, state, start=1, end=2, longest=20):
    """Take the likeliest word each time, for a batch of images.

    A caption ends with ``end``; one that never does is cut after ``longest`` words. The search stops when all have
    ended; ``step`` is called at most ``longest`` times.

    Args:
        step: ``step(words, state)`` gives ``(scores, state)``: for the last words ``(batch,)``, int64, and the state
            before them the scores ``(batch, words)`` of the next words, and the state after them. It knows the images
            by their rows, so it is given the whole batch each time.
        state: the state before the first word: a tuple of tensors ``(batch, ...)``.
        start, end: numbers of ``<start>``, which is read first, and ``<end>``.
        longest: words a caption may have, ``<end>`` not counted.

    Returns:
        A list of lists of int, one an image: the numbers of the words, without ``start`` and ``end``.

    Example::

        def counting(words, state):  # a decoder whose next word is always the number after the last one
            return torch.nn.functional.one_hot((words + 1) % 8, 8).float(), state

        greedy_search(counting, (torch.zeros(1, 1),), start=4, end=7)  # [[5, 6]]
    """
    ### BEGIN SOLUTION
    words = torch.full((len(state[0]),), start)
    captions = [[] for _ in words]
    going = [True] * len(captions)
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            going[row] = going[row] and word != end
            if going[row]:
                captions[row].append(word)
        if not any(going):
            break
    return captions
    ### END SOLUTION


def sample_word(scores, drawn, temperature=1.0):
    """Draw the next words from their probabilities, softmax(scores / temperature).

    A low temperature makes likely words likelier still (towards 0: greedy search), a high one makes all words alike.
    The probabilities of the words are laid end to end on the line from 0 to 1, in the vocabulary's order; the word on
    whose piece the drawn number lies is taken. A piece includes its beginning and not its end.

    Args:
        scores: ``(batch, words)``, before any softmax.
        drawn: ``(batch,)``: a number for each caption, drawn uniformly from [0, 1).
        temperature: above 0.

    Returns:
        ``(batch,)``, int64.

    Raises:
        ValueError: if the temperature is not above 0.

    Example::

        scores = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
        [sample_word(scores, torch.tensor([number])).item() for number in (0.1, 0.3, 0.9)]  # [0, 1, 2]
    """
    ### BEGIN SOLUTION
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}: give a number above 0 (greedy search is its limit at 0)")
    ends = torch.softmax(scores / temperature, dim=1).cumsum(dim=1)
    return (ends <= drawn.unsqueeze(1)).sum(dim=1).clamp(max=scores.shape[1] - 1)
    ### END SOLUTION


def beam_step(log_probabilities, totals, k):
    """The k best ways to go on with the captions of a beam.

    Args:
        log_probabilities: ``(beams, words)``: logarithms of the probabilities of the next word, for each caption.
        totals: ``(beams,)``: the logarithm of each caption's probability so far.
        k: how many to keep.

    Returns:
        ``(beams, words, totals)``, each ``(k,)``, the best first: which caption goes on (int64), with which word
        (int64), and the logarithm of the probability of the longer caption.

    Example::

        log_probabilities = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
        beams, words, totals = beam_step(log_probabilities, torch.log(torch.tensor([0.5, 0.5])), k=2)
        beams, words  # tensor([0, 1]), tensor([2, 0])
        totals.exp()  # tensor([0.35, 0.25])

    Leading dimensions, such as one for images, are allowed; the search is done for each of them.
    """
    ### BEGIN SOLUTION
    words = log_probabilities.shape[-1]
    longer = (totals.unsqueeze(-1) + log_probabilities).flatten(-2)
    totals, places = longer.topk(k, dim=-1)
    return places // words, places % words, totals
    ### END SOLUTION


def best_caption(finished, running, by_length=0):
    """Choose the caption a beam search ends with.

    Args:
        finished: captions that have ended: a list of ``(total, words)``, the logarithm of the caption's probability and
            the list of its words' numbers.
        running: captions that had not ended when the search was stopped, likewise.
        by_length: compare totals divided by the number of words to this power. 0 compares the totals themselves, which
            favors short captions, for each word more makes a caption less probable; 1 compares means a word, which
            favors long ones; numbers between are a compromise. (A caption without words counts as one of one word.)

    Returns:
        The words of the best finished caption, of the best running one if none has finished. The first of equals.

    Raises:
        ValueError: if there is none at all.

    Example::

        best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [(-1.0, [5])])  # [7, 8]
        best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [], by_length=1)  # [7, 8, 9, 10]
        best_caption([], [(-2.0, [5, 5]), (-1.0, [5])])  # [5]

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7: powers of 0.6 to 0.7.
    """
    ### BEGIN SOLUTION
    candidates = finished or running
    if not candidates:
        raise ValueError("there is no caption to choose from: give at least one, finished or running")
    return max(candidates, key=lambda caption: caption[0] / max(1, len(caption[1])) ** by_length)[1]
    ### END SOLUTION


# --- 6. How good is it? -----------------------------------------------------------------------------------------------


def top_k_accuracy(scores, targets, k=5, pad=0):
    """How often the right word is among the k likeliest; the true words before it are given (teacher forcing).

    Args:
        scores: ``(batch, steps, words)``: scores of all words at each step.
        targets: ``(batch, steps)``, int64: the right words, ``pad`` where a caption has ended.
        k: how many of the likeliest words count.
        pad: number of the padding, which does not count at all.

    Returns:
        The share of the real words, a Python float from 0 to 1.

    Example::

        scores, targets = torch.tensor([[[0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]]]), torch.tensor([[2, 0]])
        top_k_accuracy(scores, targets, k=2)  # 1.0: one real word, second best
        top_k_accuracy(scores, targets, k=1)  # 0.0
    """
    ### BEGIN SOLUTION
    best = scores.topk(k, dim=2).indices
    hits = (best == targets.unsqueeze(2)).any(dim=2)
    return hits[targets != pad].float().mean().item()
    ### END SOLUTION


def bleu(candidates, references):
    """BLEU-1 to BLEU-4 of captions a model wrote itself: nltk's ``corpus_bleu``, references first, no smoothing.

    BLEU-n counts how many of the captions' runs of 1 to n words are also in a caption people wrote, over all images
    together, a run at most as often as a reference has it. It is the geometric mean of these n shares (weights 1/n),
    made smaller where captions are too short. All references of an image count, and each image counts once.

    Args:
        candidates: of each image the words of its caption, a list of str.
        references: of each image the captions people wrote, a list of lists of str.
            ``<start>``, ``<end>`` and ``<pad>`` are no words of either and are left out first.

    Returns:
        A list of four floats from 0 to 1.

    Raises:
        ValueError: if there are not as many images in both, or one has no reference.

    Example::

        bleu([["a", "dog", "runs", "fast"]], [[["a", "dog", "runs", "fast"], ["it", "runs"]]])  # [1.0, 1.0, 1.0, 1.0]

    Source: Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation".
    """
    ### BEGIN SOLUTION
    if len(candidates) != len(references):
        raise ValueError(f"found {len(candidates)} captions and references of {len(references)} images")
    if not all(references):
        raise ValueError("an image has no reference: give at least one caption people wrote for each")

    def plain(words):
        return [word for word in words if word not in ("<start>", "<end>", "<pad>")]

    written = [plain(words) for words in candidates]
    wanted = [[plain(words) for words in each] for each in references]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns of every BLEU that is 0
        return [float(corpus_bleu(wanted, written, weights=(1 / n,) * n)) for n in (1, 2, 3, 4)]
    ### END SOLUTION


def free_running_bleu(step, state, truth, search, score):
    """BLEU of the captions a decoder writes on its own, compared with all captions people wrote for each image.

    Nothing of the true captions is shown to the decoder: it reads its own words. (With the true words given it is
    put right after every word, and told when to stop: whatever such a score is, it is none of captions it writes.)

    Args:
        step: the decoder, as for ``greedy_search``.
        state: its state before the first word, one row an image.
        truth: ``(images, captions, length)``, int64: the captions people wrote, as numbers: 1 is ``<start>``, 2 is
            ``<end>``, 0 is padding, 3 stands for any word that is not in the vocabulary. (A score that is to be
            published compares with captions as they were written, neither cut nor with 3 in them.) An image with fewer
            captions than the others has rows of padding alone.
        search: a function such as ``greedy_search``: ``search(step, state)`` gives a list of lists of int, one an
            image, the numbers of the words without ``<start>`` and ``<end>``.
        score: a function such as ``bleu``: ``score(candidates, references)``, with one caption an image, and a list
            of captions an image.

    Returns:
        What ``score`` gives for lists of numbers without ``<pad>``, ``<start>`` and ``<end>``, each image once, with
        all its captions.
    """
    ### BEGIN SOLUTION
    references = []
    for captions in truth.tolist():
        words = [[number for number in caption if number not in (0, 1, 2)] for caption in captions]
        references.append([caption for caption in words if caption])
    return score(search(step, state), references)
    ### END SOLUTION


# --- 7. Where does it look? -------------------------------------------------------------------------------------------


def enlarge_attention(alpha, size):
    """Attention weights of a square grid as a map as large as the image, interpolated between the positions.

    Args:
        alpha: ``(positions,)``: the weights, row after row of the grid; the number of positions is a square.
        size: side of the map, pixels.

    Returns:
        ``(size, size)``, float32: bilinear interpolation, each weight in the middle of its cell, as
        ``torch.nn.functional.interpolate`` does with ``align_corners=False``. Weights stay weights: values are not
        scaled.

    Raises:
        ValueError: if the number of positions is no square.

    Example::

        enlarge_attention(torch.eye(49)[24], 224).argmax()  # in the middle: the 25th of 49 positions has all the weight
    """
    ### BEGIN SOLUTION
    side = math.isqrt(len(alpha))
    if side * side != len(alpha):
        raise ValueError(f"found {len(alpha)} positions, expected a square number: 49 for a grid of 7x7")
    grid = torch.as_tensor(alpha, dtype=torch.float32).reshape(1, 1, side, side)
    return F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[0, 0]
    ### END SOLUTION
