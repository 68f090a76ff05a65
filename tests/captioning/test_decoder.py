"""The decoder: each cell, teacher forcing without padding, and the plain loop it must agree with."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from captionlab.captioning.decoder import CELLS, Decoder, InitialState, decoder_step
from captionlab.captioning.loss import attention_penalty, caption_loss
from captionlab.captioning.metrics import top_k_accuracy
from captionlab.captioning.settings import DENSE_DECODER, DecoderSettings
from captionlab.captioning.teacher_forcing import inputs_and_targets

SMALL = {"encoder_dim": 6, "vocab_size": 11, "embed_dim": 4, "decoder_dim": 5, "attention_dim": 3, "dropout": 0.0}
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
    initial, features = InitialState(6, 5), torch.randn(2, 7, 6)
    hidden, memory = initial(features)
    assert not torch.allclose(hidden, memory)
    torch.testing.assert_close(initial(features.flip(1)), (hidden, memory))


def plain_loop(decoder: Decoder, features, caption):
    """One caption of one image by the references: attention, gate, initial state, one decoder_step after the other."""
    if decoder.settings.projection_dim:
        features = torch.relu(decoder.projection(features))
    state = decoder.init_state(features)
    state = state if decoder.settings.cell == "lstm" else state[:1]
    logits, alphas = [], []
    inputs, _ = inputs_and_targets(caption[None])
    for word in inputs[0]:
        context, alpha = decoder.attention(features, state[0])
        if decoder.settings.gate:
            context = decoder.gate(context, state[0])
        output, state = decoder_step(decoder.cell, decoder.embedding(word[None]), context, state)
        logits.append(decoder.output(output))
        alphas.append(alpha)
    return torch.cat(logits), torch.cat(alphas)


@pytest.mark.parametrize(
    "changes", [{}, {"cell": "gru"}, {"cell": "rnn"}, {"activation": "tanh"}, {"gate": False}, {"projection_dim": 4}]
)
def test_all_captions_together_give_what_each_gives_alone(changes):
    decoder, features = small(**changes).eval(), torch.randn(2, 7, 6)
    output = decoder(features, CAPTIONS)
    logits, targets, alphas = torch.zeros(3, 4, 11), torch.zeros(3, 4, dtype=torch.int64), torch.zeros(3, 4, 7)
    for row, (image, place) in enumerate(((0, 0), (1, 0), (0, 1))):  # the longest first, as the decoder sorts them
        caption = CAPTIONS[image, place]
        caption = caption[caption != 0]
        steps = len(caption) - 1
        logits[row, :steps], alphas[row, :steps] = plain_loop(decoder, features[image : image + 1], caption)
        targets[row, :steps] = caption[1:]
    assert len(output.targets) == 4 + 3 + 2
    # The loss that training computes without padding is the reference's on padded captions.
    torch.testing.assert_close(F.cross_entropy(output.logits, output.targets), caption_loss(logits, targets))
    torch.testing.assert_close(caption_loss(output.logits[None], output.targets[None]), caption_loss(logits, targets))
    assert len(output.alphas) == 3  # the row of padding is not a caption
    torch.testing.assert_close(output.alphas, alphas)
    top5 = top_k_accuracy(output.logits.unsqueeze(0), output.targets.unsqueeze(0))
    assert top5 == pytest.approx(top_k_accuracy(logits, targets))


def test_start_is_never_a_target_and_padding_never_counts():
    output = small()(torch.randn(2, 7, 6), CAPTIONS)
    assert sorted(output.targets.tolist()) == sorted([4, 5, 6, 2, 7, 2, 8, 9, 2])


def test_gradients_reach_every_parameter():
    decoder = small(projection_dim=4, fc_dim=6)
    output = decoder(torch.randn(2, 7, 6), CAPTIONS)
    (F.cross_entropy(output.logits, output.targets) + output.alphas.sum(1).pow(2).sum()).backward()
    without = [name for name, one in decoder.named_parameters() if one.grad is None or not one.grad.any()]
    # The bias is the same for all positions, so the softmax does not depend on it.
    assert without in ([], ["attention.full_att.bias"])


def test_a_step_gives_what_teacher_forcing_gives():
    decoder, features = small().eval(), torch.randn(1, 7, 6)
    captions = CAPTIONS[:1, :1]
    output, encoded = decoder(features, captions), decoder.encode(features)
    state = decoder.init_hidden_state(encoded)
    for step in range(4):
        logits, state, alpha = decoder.step(encoded, captions[0, :, step], state, torch.tensor([0]))
        torch.testing.assert_close(logits[0], output.logits[step])
        torch.testing.assert_close(alpha[0], output.alphas[0, step])


def test_the_dense_decoder_starts_from_zeros_and_has_no_gate():
    decoder = small(**{**DENSE_DECODER, "projection_dim": 4, "fc_dim": 6})
    encoded = decoder.encode(torch.randn(2, 7, 6))
    assert isinstance(decoder.cell, nn.GRUCell)
    assert not hasattr(decoder, "gate")
    (hidden,) = decoder.init_hidden_state(encoded)
    assert not hidden.any()


def test_with_its_own_words_the_decoder_reads_what_it_predicted():
    decoder, features = small().eval(), torch.randn(2, 7, 6)
    forced = decoder(features, CAPTIONS)
    own = decoder(features, CAPTIONS, sampling_prob=1.0, generator=torch.Generator().manual_seed(0))
    first = 3  # captions have a first step, in which <start> is always read
    torch.testing.assert_close(own.logits[:first], forced.logits[:first])
    assert not torch.allclose(own.logits[first:], forced.logits[first:])


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "elman"},
        {"activation": "gelu"},
        {"decoder_dim": 0},
        {"dropout": 1.0},
        {"projection_dim": -1},
        {"init_state": "none"},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        DecoderSettings(**SMALL | changes)


def test_rows_of_padding_count_neither_in_the_loss_nor_in_the_penalty():
    """An image with fewer captions than the others has rows of padding."""
    torch.manual_seed(0)
    decoder = Decoder(DecoderSettings(6, 20, embed_dim=4, decoder_dim=8, attention_dim=4)).eval()
    features = torch.rand(2, 9, 6)
    captions = torch.tensor([[[1, 5, 6, 2], [1, 7, 2, 0]], [[1, 8, 9, 2], [0, 0, 0, 0]]])
    both, first, second = (
        decoder(features, captions),
        decoder(features[:1], captions[:1]),
        decoder(features[1:], captions[1:, :1]),
    )
    assert len(both.alphas) == 3
    steps = 3
    summed = attention_penalty(first.alphas, "sum") * 2 + attention_penalty(second.alphas, "sum")
    assert both.alphas.shape[1] == steps
    torch.testing.assert_close(attention_penalty(both.alphas, "sum") * 3, summed)
