"""From a grid of features to a caption, word by word: initial state, recurrent cell, and the decoder they make up.

Source: Xu et al. 2015, "Show, Attend and Tell", sections 3.1 and 4. The paper's deep output layer (equation 7), which
reads the last word and the context again beside the hidden state, is left out, as in widely used code.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from captionlab.captioning.attention import ATTENTIONS, Gate, batched_attention
from captionlab.captioning.batches import PaddedBatch, active_counts, sort_by_length
from captionlab.captioning.sampling import scheduled_words
from captionlab.captioning.settings import DecoderSettings
from captionlab.captioning.teacher_forcing import inputs_and_targets

Cell = nn.LSTMCell | nn.GRUCell | nn.RNNCell
CELLS: dict[str, type[Cell]] = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}


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
        mean = features.mean(dim=1)  # (batch, encoder_dim)
        return self.init_h(mean), self.init_c(mean)


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
    inputs = torch.cat([embedding, context], dim=1)  # (batch, embed_dim + encoder_dim)
    if isinstance(cell, nn.LSTMCell):
        h, c = cell(inputs, state)
        return h, (h, c)
    h = cell(inputs, state[0])
    return h, (h,)


@dataclass(frozen=True)
class DecoderOutput:
    """What teacher forcing gives for a batch; N is the number of real words to predict.

    Attributes:
        logits: (N, vocab_size); step by step, within a step the longest caption first.
        targets: (N,), int64: the right words.
        alphas: (captions, steps, positions): attention weights, zeros after the end of a caption; the longest caption
            first, rows of padding left out.
    """

    logits: Tensor
    targets: Tensor
    alphas: Tensor


@dataclass(frozen=True)
class EncodedImages:
    """A batch of images as the decoder sees them.

    Attributes:
        features: (images, positions, encoder_dim or projection_dim).
        projected: (images, positions, attention_dim): the part of the attention that does not depend on the words.
    """

    features: Tensor
    projected: Tensor

    def select(self, indices: Tensor) -> EncodedImages:
        """Some of the images, by index."""
        return EncodedImages(self.features[indices], self.projected[indices])


class Decoder(nn.Module):
    """The decoder of "Show, Attend and Tell".

    Each step reads the last word and the state, attends to the image, and predicts the next word from the new hidden
    state alone (the paper's output layer also reads the last word and the context). All captions of an image go through
    it together: what depends on the image alone is computed once.
    """

    mean: Tensor
    std: Tensor
    init_state: InitialState
    gate: Gate
    cell: Cell

    def __init__(self, settings: DecoderSettings) -> None:
        super().__init__()
        self.settings = settings
        size = settings.projection_dim or settings.encoder_dim
        if settings.standardize:
            self.register_buffer("mean", torch.zeros(settings.encoder_dim))
            self.register_buffer("std", torch.ones(settings.encoder_dim))
        if settings.projection_dim:
            self.projection = nn.Linear(settings.encoder_dim, size)
        self.embedding = nn.Embedding(settings.vocab_size, settings.embed_dim, padding_idx=0)
        if settings.init_state == "mean":
            self.init_state = InitialState(size, settings.decoder_dim)
        self.attention = ATTENTIONS[settings.activation](size, settings.decoder_dim, settings.attention_dim)
        if settings.gate:
            self.gate = Gate(settings.decoder_dim, size)
        self.cell = CELLS[settings.cell](settings.embed_dim + size, settings.decoder_dim)
        self.dropout = nn.Dropout(settings.dropout)
        if settings.fc_dim:
            self.fc = nn.Linear(settings.decoder_dim, settings.fc_dim)
        self.output = nn.Linear(settings.fc_dim or settings.decoder_dim, settings.vocab_size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def config(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self.settings)

    def fit_normalization(self, features: Tensor) -> None:
        """Compute the mean and standard deviation of each channel, for `standardize`.

        Args:
            features: (images, positions, encoder_dim), of training images.
        """
        self.mean.copy_(features.mean(dim=(0, 1)))
        self.std.copy_(features.std(dim=(0, 1)).clamp(min=1e-3))

    def encode(self, features: Tensor) -> EncodedImages:
        """Compute everything that depends on the images alone; features: (images, positions, encoder_dim)."""
        if self.settings.standardize:
            features = (features - self.mean) / self.std
        if self.settings.projection_dim:
            features = self.dropout(torch.relu(self.projection(features)))
        return EncodedImages(features, self.attention.encoder_att(features))

    def init_hidden_state(self, encoded: EncodedImages) -> tuple[Tensor, ...]:
        """The state before the first word: (h, c) or (h,), each (images, decoder_dim)."""
        if self.settings.init_state == "zero":
            hidden = memory = encoded.features.new_zeros(len(encoded.features), self.settings.decoder_dim)
        else:
            hidden, memory = self.init_state(encoded.features)
        return (hidden, memory) if self.settings.cell == "lstm" else (hidden,)

    def forward(
        self,
        features: Tensor,
        token_ids: Tensor,
        sampling_prob: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> DecoderOutput:
        """Predict each word of each caption from the words before it (teacher forcing).

        Args:
            features: (images, positions, encoder_dim).
            token_ids: (images, captions, length), int64: <start> to <end>, then <pad>; an image with fewer captions
                than the others has rows of padding.
            sampling_prob: how often the decoder reads its own last word instead (scheduled sampling).
            generator: for the random numbers of scheduled sampling.
        """
        images, captions_per_image, _ = token_ids.shape
        rows = token_ids.flatten(0, 1)  # (captions, length)
        rows, order, lengths = sort_by_length(rows, torch.arange(len(rows), device=rows.device))
        inputs, targets = inputs_and_targets(rows)  # both (captions, length - 1)
        encoded = self.encode(features)
        state = tuple(
            part.repeat_interleave(captions_per_image, dim=0)[order] for part in self.init_hidden_state(encoded)
        )
        embedded = self.dropout(self.embedding(rows))
        outputs: list[Tensor] = []
        alphas, all_images, counts = [], torch.arange(images, device=rows.device), active_counts(lengths)
        for step, count in enumerate(counts):
            words = embedded[:count, step]
            if sampling_prob and step:
                words = self._scheduled(inputs[:count, step], outputs[-1][:count], sampling_prob, generator)
            state = tuple(part[:count] for part in state)
            batch = PaddedBatch(all_images, captions_per_image, order[:count])
            context, alpha = self._attend(encoded, state[0], batch)
            output, state = decoder_step(self.cell, words, context, state)
            outputs.append(output)
            alphas.append(nn.functional.pad(alpha, (0, 0, 0, counts[0] - count)))
        return DecoderOutput(
            self._logits(torch.cat(outputs)),
            torch.cat([targets[:count, step] for step, count in enumerate(counts)]),
            torch.stack(alphas, dim=1),  # (captions, steps, positions)
        )

    def _attend(self, encoded: EncodedImages, hidden: Tensor, batch: PaddedBatch) -> tuple[Tensor, Tensor]:
        """Attention and gate for captions with the hidden states (captions, decoder_dim)."""
        if len(batch.images) < len(encoded.features):
            encoded = encoded.select(batch.images)
        context, alpha = batched_attention(self.attention, encoded.features, encoded.projected, batch.pad(hidden))
        context, alpha = batch.unpad(context), batch.unpad(alpha)
        return (self.gate(context, hidden) if self.settings.gate else context), alpha

    def _logits(self, outputs: Tensor) -> Tensor:
        """Logits (n, vocab_size) from hidden states (n, decoder_dim)."""
        if self.settings.fc_dim:
            outputs = self.fc(outputs)
        return self.output(self.dropout(outputs))

    def _scheduled(
        self, inputs: Tensor, outputs: Tensor, sampling_prob: float, generator: torch.Generator | None
    ) -> Tensor:
        """Embeddings of the next words to read: the right ones or, by chance, the decoder's own."""
        with torch.no_grad():
            predicted = self._logits(outputs).argmax(dim=1)
            uniform = torch.rand(len(inputs), generator=generator).to(inputs.device)
        return self.dropout(self.embedding(scheduled_words(inputs, predicted, uniform, sampling_prob)))

    def step(
        self, encoded: EncodedImages, token_ids: Tensor, state: tuple[Tensor, ...], images: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """Predict the next words of captions that are being generated.

        Args:
            encoded: the images.
            token_ids: (captions,), int64: the last word of each caption.
            state: tensors (captions, decoder_dim).
            images: (captions,), int64: index of each caption's image, in ascending order.

        Returns:
            logits (captions, vocab_size), the new state, and alpha (captions, positions).
        """
        context, alpha = self._attend(encoded, state[0], PaddedBatch.of(images))
        output, state = decoder_step(self.cell, self.dropout(self.embedding(token_ids)), context, state)
        return self._logits(output), state, alpha
