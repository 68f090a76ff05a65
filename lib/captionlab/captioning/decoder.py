"""From a grid of features to a caption, word by word: initial state, recurrent cell, and the decoder they make up.

Source: Xu et al. 2015, "Show, Attend and Tell", sections 3.1 and 4.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from captionlab.captioning.attention import FORMS, Gate, batched_attention
from captionlab.captioning.batches import PaddedBatch, active_counts, sort_by_length
from captionlab.captioning.sampling import scheduled_words
from captionlab.captioning.settings import DecoderSettings

CELLS: dict[str, type[nn.Module]] = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}


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
        mean = positions.mean(dim=1)
        return self.hidden_layer(mean), self.cell_layer(mean)


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
    seen = torch.cat([word, context], dim=1)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, state)
        return hidden, (hidden, memory)
    hidden = cell(seen, state[0])
    return hidden, (hidden,)


@dataclass(frozen=True)
class DecoderOutput:
    """What teacher forcing gives for a batch; N is the number of real words to predict.

    Attributes:
        scores: (N, words), before any softmax; step by step, within a step the longest caption first.
        targets: (N,), int64: the right words.
        alphas: (captions, steps, positions): attention weights, zeros after a caption's end; the longest caption first,
            rows of padding left out.
    """

    scores: Tensor
    targets: Tensor
    alphas: Tensor


@dataclass(frozen=True)
class EncodedImages:
    """A batch of images as the decoder looks at them.

    Attributes:
        positions: (images, positions, channels or projection).
        projected: (images, positions, attention): the attention's part that does not depend on the words.
    """

    positions: Tensor
    projected: Tensor

    def select(self, images: Tensor) -> EncodedImages:
        """Some of the images, by number."""
        return EncodedImages(self.positions[images], self.projected[images])


class Decoder(nn.Module):
    """Show, Attend and Tell's decoder.

    A step reads the last word and the state, looks at the image, and predicts the next word. All captions of an image
    go through it together: what depends on the image alone is computed once.
    """

    def __init__(self, settings: DecoderSettings) -> None:
        super().__init__()
        self.settings = settings
        size = settings.projection or settings.channels
        if settings.standardize:
            self.register_buffer("mean", torch.zeros(settings.channels))
            self.register_buffer("spread", torch.ones(settings.channels))
        if settings.projection:
            self.projection = nn.Linear(settings.channels, size)
        self.embedding = nn.Embedding(settings.words, settings.embedding, padding_idx=0)
        if settings.initial == "mean":
            self.initial = InitialState(size, settings.hidden)
        self.attention = FORMS[settings.form](size, settings.hidden, settings.attention)
        if settings.gate:
            self.gate = Gate(settings.hidden, size)
        self.cell = CELLS[settings.cell](settings.embedding + size, settings.hidden)
        self.dropout = nn.Dropout(settings.dropout)
        if settings.dense:
            self.dense = nn.Linear(settings.hidden, settings.dense)
        self.output = nn.Linear(settings.dense or settings.hidden, settings.words)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def about(self) -> dict:
        """The settings as JSON values."""
        return asdict(self.settings)

    def fit_normalization(self, positions: Tensor) -> None:
        """Take mean and spread of each feature from grids, (images, positions, channels), for `standardize`."""
        self.mean.copy_(positions.mean(dim=(0, 1)))
        self.spread.copy_(positions.std(dim=(0, 1)).clamp(min=1e-3))

    def see(self, positions: Tensor) -> EncodedImages:
        """Everything that depends on the images alone; positions: (images, positions, channels)."""
        if self.settings.standardize:
            positions = (positions - self.mean) / self.spread
        if self.settings.projection:
            positions = self.dropout(torch.relu(self.projection(positions)))
        return EncodedImages(positions, self.attention.from_positions(positions))

    def begin(self, seen: EncodedImages) -> tuple[Tensor, ...]:
        """The state before the first word, one row an image: (h, c) or (h,), each (images, hidden)."""
        if self.settings.initial == "zero":
            hidden = memory = seen.positions.new_zeros(len(seen.positions), self.settings.hidden)
        else:
            hidden, memory = self.initial(seen.positions)
        return (hidden, memory) if self.settings.cell == "lstm" else (hidden,)

    def forward(
        self, positions: Tensor, captions: Tensor, probability: float = 0.0, generator: torch.Generator | None = None
    ) -> DecoderOutput:
        """Predict each word of each caption from the words before it (teacher forcing).

        Args:
            positions: (images, positions, channels).
            captions: (images, captions, length), int64: numbers of words from <start> to <end>, then <pad>; an image
                with fewer captions than the others has rows of padding.
            probability: how often the decoder reads its own last word instead (scheduled sampling).
            generator: for the chances of that.
        """
        _images, each, _ = captions.shape
        flat = captions.flatten(0, 1)
        flat, order, lengths = sort_by_length(flat, torch.arange(len(flat), device=flat.device))
        seen = self.see(positions)
        state = tuple(part.repeat_interleave(each, dim=0)[order] for part in self.begin(seen))
        embedded = self.dropout(self.embedding(flat))
        outputs, alphas, everything = [], [], torch.arange(len(positions), device=flat.device)
        counts = active_counts(lengths)
        for step, count in enumerate(counts):
            words = embedded[:count, step]
            if probability and step:
                words = self._own_words(flat[:count, step], outputs[-1][:count], probability, generator)
            state = tuple(part[:count] for part in state)
            context, alpha = self._look(seen, state[0], PaddedBatch(everything, each, order[:count]))
            output, state = decoder_step(self.cell, words, context, state)
            outputs.append(output)
            alphas.append(nn.functional.pad(alpha, (0, 0, 0, counts[0] - count)))
        targets = [flat[: len(output), step + 1] for step, output in enumerate(outputs)]
        return DecoderOutput(self._scores(torch.cat(outputs)), torch.cat(targets), torch.stack(alphas, dim=1))

    def _look(self, seen: EncodedImages, hidden: Tensor, table: PaddedBatch) -> tuple[Tensor, Tensor]:
        """Attention and gate for captions whose states are ``hidden``, (captions, hidden), and their places."""
        if len(table.images) < len(seen.positions):
            seen = seen.select(table.images)
        context, alpha = batched_attention(self.attention, seen.positions, seen.projected, table.fill(hidden))
        context, alpha = context.flatten(0, 1)[table.places], alpha.flatten(0, 1)[table.places]
        return (self.gate(context, hidden) if self.settings.gate else context), alpha

    def _scores(self, outputs: Tensor) -> Tensor:
        """Scores of all words, (n, words), from states (n, hidden)."""
        if self.settings.dense:
            outputs = self.dense(outputs)
        return self.output(self.dropout(outputs))

    def _own_words(self, truth: Tensor, outputs: Tensor, probability: float, generator) -> Tensor:
        with torch.no_grad():
            predicted = self._scores(outputs).argmax(dim=1)
            drawn = torch.rand(len(truth), generator=generator).to(truth.device)
        return self.dropout(self.embedding(scheduled_words(truth, predicted, drawn, probability)))

    def step(
        self, seen: EncodedImages, words: Tensor, state: tuple[Tensor, ...], images: Tensor
    ) -> tuple[Tensor, tuple, Tensor]:
        """A step on the decoder's own, for searching.

        Args:
            seen: of the images.
            words: (captions,), int64: the last word of each caption.
            state: tensors (captions, hidden).
            images: (captions,), int64: number of each caption's image, never falling.

        Returns:
            scores (captions, words) before any softmax, the new state, alpha (captions, positions).
        """
        context, alpha = self._look(seen, state[0], PaddedBatch.of(images))
        output, state = decoder_step(self.cell, self.dropout(self.embedding(words)), context, state)
        return self._scores(output), state, alpha
