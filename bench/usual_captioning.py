"""The usual loop of captioning code, written out faithfully: what bench/captioning.py compares with.

The network's 7x7 grid is upsampled to 14x14; each row of a batch is one caption with its own copy of the image's grid;
at every step the grid is projected again, and the output layer runs; a beam search processes one image at a time. The
weights are those of our decoder, so both must give the same numbers wherever they compute the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from captionlab.captioning.decoder import Decoder

SIDE = 14


def upsampled(features: Tensor) -> Tensor:
    """(n, 49, channels) to (n, 14, 14, channels): adaptive pooling to a larger size, which copies each vector."""
    side = round(features.shape[1] ** 0.5)
    maps = features.transpose(1, 2).reshape(len(features), features.shape[2], side, side)
    return F.adaptive_avg_pool2d(maps, SIDE).permute(0, 2, 3, 1)


class UsualDecoder(nn.Module):
    """The decoder of that loop, with the weights of one of ours (LSTM, ReLU attention, no projection)."""

    def __init__(self, ours: Decoder) -> None:
        super().__init__()
        self.vocab_size = ours.settings.vocab_size
        self.encoder_attention = ours.attention.encoder_att
        self.state_attention = ours.attention.decoder_att
        self.full_attention = ours.attention.full_att
        self.embedding, self.output, self.dropout = ours.embedding, ours.output, ours.dropout
        self.decode_step, self.init_state, self.beta = ours.cell, ours.init_state, ours.gate.linear

    def attend(self, encoder_out: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """encoder_out (batch, 196, channels), hidden (batch, hidden): context and weights."""
        projected = self.encoder_attention(encoder_out) + self.state_attention(hidden).unsqueeze(1)
        alpha = torch.softmax(self.full_attention(torch.relu(projected)).squeeze(2), dim=1)
        return (encoder_out * alpha.unsqueeze(2)).sum(dim=1), alpha

    def forward(self, encoder_out: Tensor, captions: Tensor) -> tuple[Tensor, Tensor, list[int], Tensor]:
        """encoder_out (batch, 14, 14, channels), captions (batch, length), <start> to <end>, then padding.

        Returns:
            logits (batch, steps, vocab_size), the sorted captions, their lengths without <start>, and alphas
            (batch, steps, 196).
        """
        batch, channels = len(encoder_out), encoder_out.shape[-1]
        encoder_out = encoder_out.view(batch, -1, channels)
        lengths, order = (captions != 0).sum(dim=1).sort(dim=0, descending=True)
        encoder_out, captions = encoder_out[order], captions[order]
        embedded = self.embedding(captions)
        hidden, memory = self.init_state(encoder_out)
        lengths = (lengths - 1).tolist()
        logits = torch.zeros(batch, max(lengths), self.vocab_size)
        alphas = torch.zeros(batch, max(lengths), encoder_out.shape[1])
        for step in range(max(lengths)):
            active = sum(length > step for length in lengths)
            context, alpha = self.attend(encoder_out[:active], hidden[:active])
            context = torch.sigmoid(self.beta(hidden[:active])) * context
            read = torch.cat([self.dropout(embedded[:active, step]), context], dim=1)
            hidden, memory = self.decode_step(read, (hidden[:active], memory[:active]))
            logits[:active, step] = self.output(self.dropout(hidden))
            alphas[:active, step] = alpha
        return logits, captions, lengths, alphas

    def loss(self, encoder_out: Tensor, captions: Tensor, penalty: float = 1.0) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy per word, and the same with the doubly stochastic penalty (mean over positions)."""
        logits, captions, lengths, alphas = self(encoder_out, captions)
        packed = pack_padded_sequence(logits, lengths, batch_first=True).data
        targets = pack_padded_sequence(captions[:, 1:], lengths, batch_first=True).data
        words = F.cross_entropy(packed, targets)
        return words, words + penalty * ((1.0 - alphas.sum(dim=1)) ** 2).mean()

    @torch.no_grad()
    def beam_search(self, encoder_out: Tensor, k: int, max_words: int) -> list[int]:
        """The best caption of one image; encoder_out (1, 14, 14, channels)."""
        channels = encoder_out.shape[-1]
        encoder_out = encoder_out.view(1, -1, channels).expand(k, -1, channels)
        sequences, totals = torch.ones(k, 1, dtype=torch.int64), torch.zeros(k, 1)
        hidden, memory = self.init_state(encoder_out)
        complete: list[tuple[float, list[int]]] = []
        for step in range(max_words + 1):
            context, _ = self.attend(encoder_out, hidden)
            context = torch.sigmoid(self.beta(hidden)) * context
            read = torch.cat([self.embedding(sequences[:, -1]), context], dim=1)
            hidden, memory = self.decode_step(read, (hidden, memory))
            scores = self.output(hidden)
            scores[:, [0, 1, 3]] = -torch.inf  # <pad>, <start> and <unk> cannot be generated
            scores = totals.expand(-1, self.vocab_size) + torch.log_softmax(scores, dim=1)
            best, indices = (scores[0] if step == 0 else scores.flatten()).topk(k)
            beams, words = indices // self.vocab_size, indices % self.vocab_size
            sequences = torch.cat([sequences[beams], words.unsqueeze(1)], dim=1)
            running = [row for row, word in enumerate(words.tolist()) if word != 2]
            done = sorted(set(range(k)) - set(running))
            complete += [(best[row].item(), sequences[row, 1:-1].tolist()) for row in done]
            k -= len(done)
            if k == 0:
                break
            sequences, totals = sequences[running], best[running].unsqueeze(1)
            hidden, memory, encoder_out = hidden[beams[running]], memory[beams[running]], encoder_out[beams[running]]
        if not complete:
            return sequences[totals.argmax(), 1 : max_words + 1].tolist()
        return max(complete, key=lambda each: each[0])[1]
