"""The decoder: each cell, teacher forcing without padding, and the plain loop it must agree with."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from captionlab.captioning.decoder import CELLS, Decoder, InitialState, decoder_step
from captionlab.captioning.loss import attention_penalty
from captionlab.captioning.settings import DENSE_DECODER, DecoderSettings

SMALL = {"channels": 6, "words": 11, "embedding": 4, "hidden": 5, "attention": 3, "dropout": 0.0}
CAPTIONS = torch.tensor([[[1, 4, 5, 6, 2], [1, 7, 2, 0, 0]], [[1, 8, 9, 2, 0], [0, 0, 0, 0, 0]]])


def small(**changes) -> Decoder:
    torch.manual_seed(0)
    return Decoder(DecoderSettings(**SMALL | changes))


@pytest.mark.parametrize("kind", CELLS)
def test_a_step_of_each_cell(kind):
    torch.manual_seed(0)
    cell, word, context = CELLS[kind](7, 5), torch.randn(2, 3), torch.randn(2, 4)
    state = tuple(torch.randn(2, 5) for _ in range(2 if kind == "lstm" else 1))
    output, after = decoder_step(cell, word, context, state)
    expected = cell(torch.cat([word, context], 1), state if kind == "lstm" else state[0])
    assert len(after) == len(state)
    torch.testing.assert_close(output, expected[0] if kind == "lstm" else expected)
    torch.testing.assert_close(after[0], output)


def test_initial_state_has_two_layers_and_forgets_the_order_of_positions():
    initial, positions = InitialState(6, 5), torch.randn(2, 7, 6)
    hidden, memory = initial(positions)
    assert not torch.allclose(hidden, memory)
    torch.testing.assert_close(initial(positions.flip(1)), (hidden, memory))


def plain_loop(decoder: Decoder, positions, caption):
    """One caption of one image by the modules' own forward: the textbook, one step after the other."""
    if decoder.settings.projection:
        positions = torch.relu(decoder.projection(positions))
    state = decoder.initial(positions)
    state = state if decoder.settings.cell == "lstm" else state[:1]
    scores, alphas = [], []
    for word in caption[:-1]:
        context, alpha = decoder.attention(positions, state[0])
        if decoder.settings.gate:
            context = decoder.gate(context, state[0])
        output, state = decoder_step(decoder.cell, decoder.embedding(word[None]), context, state)
        scores.append(decoder.output(output))
        alphas.append(alpha)
    return torch.cat(scores), torch.cat(alphas)


@pytest.mark.parametrize(
    "changes", [{}, {"cell": "gru"}, {"cell": "rnn"}, {"form": "tanh"}, {"gate": False}, {"projection": 4}]
)
def test_all_captions_together_give_what_each_gives_alone(changes):
    decoder, positions = small(**changes).eval(), torch.randn(2, 7, 6)
    decoded = decoder(positions, CAPTIONS)
    total, words, sums = 0.0, 0, []
    for image, place in ((0, 0), (1, 0), (0, 1)):  # the longest first, as the decoder sorts them
        caption = CAPTIONS[image, place]
        caption = caption[caption != 0]
        scores, alphas = plain_loop(decoder, positions[image : image + 1], caption)
        total += F.cross_entropy(scores, caption[1:], reduction="sum").item()
        words += len(caption) - 1
        sums.append(alphas.sum(0))
    assert len(decoded.targets) == words
    loss = F.cross_entropy(decoded.scores, decoded.targets, reduction="sum").item()
    assert loss == pytest.approx(total, rel=1e-5)
    torch.testing.assert_close(decoded.alphas.sum(1)[:3], torch.stack(sums))
    assert len(decoded.alphas) == 3  # the row of padding is no caption


def test_start_is_never_a_target_and_padding_never_counts():
    decoded = small()(torch.randn(2, 7, 6), CAPTIONS)
    assert sorted(decoded.targets.tolist()) == sorted([4, 5, 6, 2, 7, 2, 8, 9, 2])


def test_gradients_reach_every_parameter():
    decoder = small(projection=4, dense=6)
    decoded = decoder(torch.randn(2, 7, 6), CAPTIONS)
    (F.cross_entropy(decoded.scores, decoded.targets) + decoded.alphas.sum(1).pow(2).sum()).backward()
    without = [name for name, one in decoder.named_parameters() if one.grad is None or not one.grad.any()]
    # The constant of the scores moves all of them alike: softmax takes no notice.
    assert without in ([], ["attention.score.bias"])


def test_next_word_continues_as_teacher_forcing_does():
    decoder, positions = small().eval(), torch.randn(1, 7, 6)
    captions = CAPTIONS[:1, :1]
    decoded, seen = decoder(positions, captions), decoder.see(positions)
    state = decoder.begin(seen)
    for step in range(4):
        scores, state, alpha = decoder.step(seen, captions[0, :, step], state, torch.tensor([0]))
        torch.testing.assert_close(scores[0], decoded.scores[step])
        torch.testing.assert_close(alpha[0], decoded.alphas[0, step])


def test_the_dense_decoder_starts_from_zeros_and_has_no_gate():
    decoder = small(**{**DENSE_DECODER, "projection": 4, "dense": 6})
    seen = decoder.see(torch.randn(2, 7, 6))
    assert isinstance(decoder.cell, nn.GRUCell)
    assert not hasattr(decoder, "gate")
    (hidden,) = decoder.begin(seen)
    assert not hidden.any()


def test_with_its_own_words_the_decoder_reads_what_it_predicted():
    decoder, positions = small().eval(), torch.randn(2, 7, 6)
    truth = decoder(positions, CAPTIONS)
    own = decoder(positions, CAPTIONS, probability=1.0, generator=torch.Generator().manual_seed(0))
    first = 3  # captions have a first step, in which <start> is read whatever is drawn
    torch.testing.assert_close(own.scores[:first], truth.scores[:first])
    assert not torch.allclose(own.scores[first:], truth.scores[first:])


@pytest.mark.parametrize(
    "changes",
    [{"cell": "elman"}, {"form": "dot"}, {"hidden": 0}, {"dropout": 1.0}, {"projection": -1}, {"initial": "none"}],
)
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        DecoderSettings(**SMALL | changes)


def test_rows_of_padding_count_neither_in_the_loss_nor_in_the_penalty():
    """An image with fewer captions than the others has rows of padding."""
    torch.manual_seed(0)
    decoder = Decoder(DecoderSettings(6, 20, embedding=4, hidden=8, attention=4)).eval()
    grids = torch.rand(2, 9, 6)
    captions = torch.tensor([[[1, 5, 6, 2], [1, 7, 2, 0]], [[1, 8, 9, 2], [0, 0, 0, 0]]])
    both, first, second = (
        decoder(grids, captions),
        decoder(grids[:1], captions[:1]),
        decoder(grids[1:], captions[1:, :1]),
    )
    assert len(both.alphas) == 3
    steps = 3
    summed = attention_penalty(first.alphas, "sum") * 2 + attention_penalty(second.alphas, "sum")
    assert both.alphas.shape[1] == steps
    torch.testing.assert_close(attention_penalty(both.alphas, "sum") * 3, summed)
