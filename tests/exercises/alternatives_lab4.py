"""Other right ways to write Lab 4's answers: text, images, the model, batches. The rest is beside the tests."""

from __future__ import annotations

import inspect
import random
import re
from collections import Counter
from itertools import chain, pairwise, takewhile

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2

from captionlab.captioning.encoders import GridEncoder
from captionlab.exercises import load_lab

LAB = load_lab("lab4")
ALTERNATIVES = []


def alternative(implementation, name=None):
    """A right answer to the exercise that its name begins with; the rest, after two underscores, says how.

    If the exercise is a class, a function is its ``forward``.
    """
    name = name or implementation.__name__
    reference = LAB.exercises[name.partition("__")[0]].load_reference()
    if inspect.isclass(reference) and not inspect.isclass(implementation):
        implementation = type(name, (reference,), {"forward": implementation})
    implementation.__name__ = name
    ALTERNATIVES.append(implementation)
    return implementation


def alternatives(name, **by_way):
    """Several short ones, by what comes after the two underscores."""
    for way, implementation in by_way.items():
        alternative(implementation, f"{name}__{way}")


# --- text


@alternative
def tokenize__a_loop_over_the_characters(caption):
    caption, kept = f" {caption.lower()} ", ""
    for before, one, after in zip(caption, caption[1:], caption[2:], strict=False):
        inside = one == "'" and before.isalnum() and after.isalnum()
        kept += one if one.isalnum() or inside else " "
    return kept.split()


@alternative
def tokenize__split_and_stripped(caption):
    words = re.split(r"[^\w']|_", caption.lower())
    return [word.strip("'") for word in words if word.strip("'")]


@alternative
def tokenize__matches_one_by_one(caption):
    return [match.group() for match in re.finditer(r"[^\W_]+('[^\W_]+)*", caption.casefold())]


@alternative
def choose_words__two_stable_sorts(captions, min_word_freq=1, max_vocab_size=None):
    counts = {}
    for word in chain.from_iterable(captions):
        counts[word] = counts.get(word, 0) + 1
    words = sorted(word for word in counts if counts[word] >= min_word_freq)
    words.sort(key=counts.get, reverse=True)
    return words[:max_vocab_size]


@alternative
def choose_words__most_common_of_the_sorted(captions, min_word_freq=1, max_vocab_size=None):
    counts = Counter(sorted(chain.from_iterable(captions)))
    return [word for word, count in counts.most_common(max_vocab_size) if count >= min_word_freq]


@alternative
def encode__an_array_filled(tokens, word_to_id, max_length):
    if max_length < 2:
        raise ValueError("too short")
    token_ids = np.full(max_length, word_to_id["<pad>"])
    words = ["<start>", *tokens[: max_length - 2], "<end>"]
    token_ids[: len(words)] = [word_to_id[word] if word in word_to_id else word_to_id["<unk>"] for word in words]
    return token_ids.tolist()


@alternative
def encode__words_before_ids(tokens, word_to_id, max_length):
    if not max_length >= 2:
        raise ValueError(max_length)
    tokens = ["<start>", *tokens]
    del tokens[max_length - 1 :]
    tokens.append("<end>")
    while len(tokens) < max_length:
        tokens.append("<pad>")
    return [word_to_id.get(token, word_to_id["<unk>"]) for token in tokens]


@alternative
def decode__cut_at_the_first_end(token_ids, words):
    end, skipped = words.index("<end>"), (words.index("<pad>"), words.index("<start>"))
    if end in token_ids:
        token_ids = token_ids[: token_ids.index(end)]
    return [words[token_id] for token_id in token_ids if token_id not in skipped]


alternatives(
    "decode",
    takewhile=lambda token_ids, words: [words[n] for n in takewhile(lambda n: n != 2, token_ids) if n > 1],
)


@alternative
def split_by_image__an_array_split(image_ids, fractions, seed):
    images = np.unique(image_ids)
    random.Random(seed).shuffle(images)
    ends = np.cumsum([int(fraction * len(images) + 0.5) for fraction in fractions])
    dev, test, train = np.split(images, ends)
    return sorted(train), sorted(dev), np.sort(test)


@alternative
def split_by_image__taken_off_the_front(image_ids, fractions, seed):
    images = list(dict.fromkeys(sorted(image_ids)))
    sizes = [round(len(images) * fraction) for fraction in fractions]
    random.Random(seed).shuffle(images)
    dev, test = [{images.pop(0) for _ in range(size)} for size in sizes]
    return sorted(set(images)), sorted(dev), sorted(test)


@alternative
def embedding_matrix__filled_row_by_row(words, vectors, embed_dim, seed=0):
    matrix = np.zeros((len(words), embed_dim), dtype=np.float32)
    known = np.zeros(len(words), dtype=bool)
    for row, word in enumerate(words[1:], 1):
        if word not in vectors:
            word = word.lower()
        if word in vectors:
            matrix[row], known[row] = vectors[word], True  # another length: a ValueError of NumPy's
    std = matrix[known].std() if known.any() else 0.1
    known[0] = True
    matrix[~known] = np.random.default_rng(seed).normal(0, std, (np.sum(~known), embed_dim))
    return matrix


@alternative
def embedding_matrix__a_dict_of_rows(words, vectors, embed_dim, seed=0):
    rows = {"<pad>": [0.0] * embed_dim}
    for word in words[1:]:
        for form in (word.lower(), word):
            if form in vectors:
                rows[word] = list(vectors[form])
    if any(len(row) != embed_dim for row in rows.values()):
        raise ValueError(f"vectors of {embed_dim} numbers are expected")
    numbers = [number for word, row in rows.items() if word != "<pad>" for number in row]
    std = torch.tensor(numbers).std(correction=0).item() if numbers else 0.1
    rng = np.random.default_rng(seed)
    return np.array([rows[w] if w in rows else std * rng.standard_normal(embed_dim) for w in words], dtype=np.float32)


# --- images


@alternative
def encoder_input__torchvision(images, size, mean, std):
    scaled = torch.stack([torch.tensor(image).permute(2, 0, 1) for image in images]) / 255
    return v2.functional.normalize(v2.functional.resize(scaled, [size, size], antialias=True), mean, std)


@alternative
def encoder_input__normalized_first(images, size, mean, std):
    scaled = (np.moveaxis(images, 3, 1) / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    return F.interpolate(torch.from_numpy(scaled).float(), size, mode="bilinear", align_corners=False, antialias=True)


@alternative
def cut_before_pooling__until_the_pooling(network):
    maps = getattr(network, "features", None)
    if maps is None and not hasattr(network, "layer4"):
        raise TypeError("neither a VGG nor a ResNet")
    return maps or nn.Sequential(*takewhile(lambda layer: layer is not network.avgpool, network.children()))


@alternative
def cut_before_pooling__a_module_of_its_own(network):
    class Maps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleDict(dict(network.named_children()))
            del self.layers["avgpool"], self.layers["fc"]

        def forward(self, images):
            for layer in self.layers.values():
                images = layer(images)
            return images

    try:
        return Maps() if not hasattr(network, "features") else nn.Sequential(*network.features)
    except KeyError as error:
        raise TypeError(type(network)) from error


alternatives(
    "to_positions",
    permuted=lambda feature_maps: feature_maps.permute(0, 2, 3, 1).reshape(
        len(feature_maps), -1, feature_maps.shape[1]
    ),
    numpy=lambda feature_maps: np.stack(
        [np.stack([one.ravel() for one in image], axis=-1) for image in feature_maps.numpy()]
    ),
    one_by_one=lambda feature_maps: torch.stack(
        [column for row in feature_maps.unbind(2) for column in row.unbind(2)], dim=1
    ),
)


@alternative
class GridEncoder__modes_by_what_is_trained(nn.Module):
    forward = GridEncoder.forward

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.fine_tune(num_blocks=0)

    def fine_tune(self, num_blocks=1):
        for number, block in enumerate(self.network):
            block.requires_grad_(number >= len(self.network) - num_blocks)
        self.train(self.training)

    def train(self, mode=True):
        super().train(mode)
        for block in self.network:
            if not any(parameter.requires_grad for parameter in block.parameters()):
                block.eval()
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        return self


@alternative
class GridEncoder__a_slice_that_is_trained(nn.Module):
    forward = GridEncoder.forward

    def __init__(self, network):
        super().__init__()
        self.network, self.learning = network.requires_grad_(False).eval(), nn.ModuleList()

    def fine_tune(self, num_blocks=1):
        self.network.requires_grad_(False)
        self.learning = nn.ModuleList(list(self.network)[::-1][:num_blocks]).requires_grad_()
        self.train(self.training)

    def train(self, mode=True):
        self.training = mode
        self.network.eval()
        self.learning.train(mode)
        self.learning.apply(lambda layer: layer.eval() if isinstance(layer, nn.BatchNorm2d) else layer)
        return self


# --- the model


@alternative
def SoftAttention__matrix_products(self, features, hidden):
    combined = F.relu(self.encoder_att(features) + self.decoder_att(hidden)[:, None])
    alpha = F.softmax(self.full_att(combined), dim=1)
    return torch.bmm(alpha.mT, features).squeeze(1), alpha[..., 0]


@alternative
def SoftAttention__einsum_and_exponentials(self, features, hidden):
    combined = self.encoder_att(features)
    combined += self.decoder_att(hidden).unsqueeze(1).expand_as(combined)
    scores = nn.ReLU(inplace=True)(combined) @ self.full_att.weight[0] + self.full_att.bias
    weights = (scores - scores.amax(dim=1, keepdim=True)).exp()
    alpha = weights / weights.sum(dim=1, keepdim=True)
    return torch.einsum("bp,bpc->bc", alpha, features), alpha


@alternative
def SoftAttention__position_by_position(self, features, hidden):
    positions = features.unbind(dim=1)
    scores = [self.full_att((self.encoder_att(one) + self.decoder_att(hidden)).clamp(min=0)) for one in positions]
    alpha = torch.cat(scores, dim=1).softmax(dim=1)
    return sum(alpha[:, at].unsqueeze(1) * one for at, one in enumerate(positions)), alpha


@alternative
def BahdanauAttention__image_by_image(self, features, hidden):
    results = []
    for grid, own in zip(features, hidden, strict=True):
        alpha = torch.log_softmax(self.full_att(nn.Tanh()(self.decoder_att(own) + self.encoder_att(grid))), 0).exp()
        results.append((alpha.T @ grid, alpha.T))
    context, alpha = (torch.cat(part) for part in zip(*results, strict=True))
    return context, alpha


alternatives(
    "Gate",
    module=lambda self, context, hidden: context.mul(nn.Sigmoid()(self.linear(hidden))),
    by_hand=lambda self, context, hidden: context / (1 + torch.exp(-self.linear(hidden))),
    in_place=lambda self, context, hidden: self.linear(hidden).sigmoid_() * context,
)
alternatives(
    "InitialState",
    layers_first=lambda self, features: [self.init_h(features).mean(-2), self.init_c(features).mean(-2)],
    pooled=lambda self, features: tuple(
        layer(F.adaptive_avg_pool1d(features.mT, 1).flatten(1)) for layer in (self.init_h, self.init_c)
    ),
)


@alternative
def decoder_step__by_the_number_of_states(cell, embedding, context, state):
    state = cell(torch.hstack((embedding, context)), state if len(state) == 2 else state[0])
    state = state if isinstance(state, tuple) else (state,)
    return state[0], state


@alternative
def decoder_step__by_the_cell(cell, embedding, context, state):
    inputs = torch.cat(tensors=(embedding, context), dim=-1)
    if isinstance(cell, (nn.GRUCell, nn.RNNCell)):
        (h,) = state
        h = cell(inputs, h)
        return h, (h,)
    h, c = state
    h, c = cell(inputs, (h, c))
    return h, (h, c)


# --- training

alternatives(
    "inputs_and_targets",
    narrowed=lambda captions: [captions.narrow(1, start, captions.shape[1] - 1) for start in (0, 1)],
    step_by_step=lambda captions: tuple(
        torch.stack(part, 1) for part in zip(*pairwise(captions.unbind(1)), strict=True)
    ),
)


@alternative
def sort_by_length__argsort(captions, features, pad=0):
    lengths = captions.shape[1] - captions.eq(pad).sum(1)
    order = torch.argsort(-lengths, stable=True)
    return captions.index_select(0, order), features.index_select(0, order), lengths.gather(0, order)


@alternative
def sort_by_length__pythons_sorted(captions, features, pad=0):
    lengths = [sum(number != pad for number in row) for row in captions.tolist()]
    rows = sorted(zip(lengths, captions, features, strict=True), key=lambda row: row[0], reverse=True)
    lengths, captions, features = zip(*rows, strict=True)
    return torch.stack(captions), torch.stack(features), torch.tensor(lengths)


@alternative
def active_counts__a_table(lengths):
    steps = torch.as_tensor(lengths) - 1
    if (steps.diff() > 0).any():
        raise ValueError("not sorted")
    return (steps.unsqueeze(1) > torch.arange(steps[0])).sum(dim=0).tolist()


@alternative
def active_counts__while_some_continue(lengths):
    if any(one < other for one, other in pairwise(lengths)):
        raise ValueError("rising")
    counts, step = [], 1
    while count := sum(length > step for length in lengths):
        counts.append(count)
        step += 1
    return counts
