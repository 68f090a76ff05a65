"""The loop most captioning code starts from, written out faithfully: what bench/captioning.py compares with.

A 14x14 grid blown up from the network's 7x7; one caption a row, each with its own copy of the image's grid; at every
step the grid is projected anew, and the output layer runs; a beam search treats one image at a time. It takes its
weights from our decoder, so both must give the same numbers wherever they do the same mathematics.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from captionlab.captioning.decoder import Decoder

SIDE = 14


def blown_up(grids: Tensor) -> Tensor:
    """(n, 49, channels) to (n, 14, 14, channels): adaptive pooling upwards, which copies each vector four times."""
    side = round(grids.shape[1] ** 0.5)
    maps = grids.transpose(1, 2).reshape(len(grids), grids.shape[2], side, side)
    return F.adaptive_avg_pool2d(maps, SIDE).permute(0, 2, 3, 1)


class UsualDecoder(nn.Module):
    """The decoder of that loop, with the weights of one of ours (LSTM, ReLU attention, no projection)."""

    def __init__(self, ours: Decoder) -> None:
        super().__init__()
        self.words = ours.settings.words
        self.encoder_attention = ours.attention.from_positions
        self.state_attention = ours.attention.from_state
        self.full_attention = ours.attention.score
        self.embedding, self.output, self.dropout = ours.embedding, ours.output, ours.dropout
        self.decode_step, self.first, self.beta = ours.cell, ours.initial, ours.gate.linear

    def attend(self, encoder_out: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """encoder_out (batch, 196, channels), hidden (batch, hidden): context and weights."""
        projected = self.encoder_attention(encoder_out) + self.state_attention(hidden).unsqueeze(1)
        alpha = torch.softmax(self.full_attention(torch.relu(projected)).squeeze(2), dim=1)
        return (encoder_out * alpha.unsqueeze(2)).sum(dim=1), alpha

    def forward(self, encoder_out: Tensor, captions: Tensor) -> tuple[Tensor, Tensor, list[int], Tensor]:
        """encoder_out (batch, 14, 14, channels), captions (batch, length), <start> to <end>, then padding.

        Returns:
            scores (batch, steps, words), captions sorted, their lengths without <start>, alphas (batch, steps, 196).
        """
        batch, channels = len(encoder_out), encoder_out.shape[-1]
        encoder_out = encoder_out.view(batch, -1, channels)
        lengths, order = (captions != 0).sum(dim=1).sort(dim=0, descending=True)
        encoder_out, captions = encoder_out[order], captions[order]
        embedded = self.embedding(captions)
        hidden, memory = self.first(encoder_out)
        lengths = (lengths - 1).tolist()
        scores = torch.zeros(batch, max(lengths), self.words)
        alphas = torch.zeros(batch, max(lengths), encoder_out.shape[1])
        for step in range(max(lengths)):
            active = sum(length > step for length in lengths)
            context, alpha = self.attend(encoder_out[:active], hidden[:active])
            context = torch.sigmoid(self.beta(hidden[:active])) * context
            read = torch.cat([self.dropout(embedded[:active, step]), context], dim=1)
            hidden, memory = self.decode_step(read, (hidden[:active], memory[:active]))
            scores[:active, step] = self.output(self.dropout(hidden))
            alphas[:active, step] = alpha
        return scores, captions, lengths, alphas

    def loss(self, encoder_out: Tensor, captions: Tensor, penalty: float = 1.0) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of a word, and the same with the doubly stochastic penalty (mean over positions)."""
        scores, captions, lengths, alphas = self(encoder_out, captions)
        packed = pack_padded_sequence(scores, lengths, batch_first=True).data
        targets = pack_padded_sequence(captions[:, 1:], lengths, batch_first=True).data
        words = F.cross_entropy(packed, targets)
        return words, words + penalty * ((1.0 - alphas.sum(dim=1)) ** 2).mean()

    @torch.no_grad()
    def beam_search(self, encoder_out: Tensor, k: int, longest: int) -> list[int]:
        """The best caption of one image; encoder_out (1, 14, 14, channels)."""
        channels = encoder_out.shape[-1]
        encoder_out = encoder_out.view(1, -1, channels).expand(k, -1, channels)
        sequences, totals = torch.ones(k, 1, dtype=torch.int64), torch.zeros(k, 1)
        hidden, memory = self.first(encoder_out)
        complete: list[tuple[float, list[int]]] = []
        for step in range(longest + 1):
            context, _ = self.attend(encoder_out, hidden)
            context = torch.sigmoid(self.beta(hidden)) * context
            read = torch.cat([self.embedding(sequences[:, -1]), context], dim=1)
            hidden, memory = self.decode_step(read, (hidden, memory))
            scores = self.output(hidden)
            scores[:, [0, 1, 3]] = -torch.inf  # <pad>, <start> and <unk> are no words to write
            scores = totals.expand(-1, self.words) + torch.log_softmax(scores, dim=1)
            best, places = (scores[0] if step == 0 else scores.flatten()).topk(k)
            beams, words = places // self.words, places % self.words
            sequences = torch.cat([sequences[beams], words.unsqueeze(1)], dim=1)
            going = [place for place, word in enumerate(words.tolist()) if word != 2]
            done = sorted(set(range(k)) - set(going))
            complete += [(best[place].item(), sequences[place, 1:-1].tolist()) for place in done]
            k -= len(done)
            if k == 0:
                break
            sequences, totals = sequences[going], best[going].unsqueeze(1)
            hidden, memory, encoder_out = hidden[beams[going]], memory[beams[going]], encoder_out[beams[going]]
        if not complete:
            return sequences[totals.argmax(), 1 : longest + 1].tolist()
        return max(complete, key=lambda each: each[0])[1]
