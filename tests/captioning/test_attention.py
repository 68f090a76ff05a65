"""Attention: weights, context, gate; and that several captions at once get what each would alone."""

import pytest
import torch

from captionlab.captioning.attention import ATTENTIONS, Gate, batched_attention


@pytest.fixture(params=ATTENTIONS)
def attention(request):
    torch.manual_seed(0)
    return ATTENTIONS[request.param](encoder_dim=6, decoder_dim=5, attention_dim=4)


def test_weights_sum_to_one_over_the_positions_and_context_is_their_mean(attention):
    positions, state = torch.randn(3, 7, 6), torch.randn(3, 5)
    context, alpha = attention(positions, state)
    assert alpha.shape == (3, 7)
    assert (alpha > 0).all()
    torch.testing.assert_close(alpha.sum(1), torch.ones(3))
    torch.testing.assert_close(context, torch.einsum("bl,blc->bc", alpha, positions))


def test_the_two_forms_differ_by_their_activation_only():
    torch.manual_seed(1)
    relu, tanh = ATTENTIONS["relu"](6, 5, 4), ATTENTIONS["tanh"](6, 5, 4)
    tanh.load_state_dict(relu.state_dict())
    positions, state = torch.randn(2, 7, 6), torch.randn(2, 5)
    assert not torch.allclose(relu(positions, state)[1], tanh(positions, state)[1])


def test_order_of_the_positions_does_not_matter(attention):
    positions, state, order = torch.randn(2, 7, 6), torch.randn(2, 5), torch.randperm(7)
    context, alpha = attention(positions, state)
    turned, turned_alpha = attention(positions[:, order], state)
    torch.testing.assert_close(context, turned)
    torch.testing.assert_close(alpha[:, order], turned_alpha)


def test_together_gives_what_each_caption_gets_alone(attention):
    positions, states = torch.randn(3, 7, 6), torch.randn(3, 4, 5)
    context, alpha = batched_attention(attention, positions, attention.encoder_att(positions), states)
    for caption in range(4):
        alone, alone_alpha = attention(positions, states[:, caption])
        torch.testing.assert_close(context[:, caption], alone)
        torch.testing.assert_close(alpha[:, caption], alone_alpha)


def test_a_14x14_grid_made_from_7x7_by_adaptive_pooling_gives_the_same_context(attention):
    """Why the course keeps 7x7: each position is there four times, with a quarter of the weight each."""
    maps, state = torch.randn(2, 6, 7, 7), torch.randn(2, 5)
    blown_up = torch.nn.functional.adaptive_avg_pool2d(maps, 14)
    small, _ = attention(maps.flatten(2).transpose(1, 2), state)
    large, _ = attention(blown_up.flatten(2).transpose(1, 2), state)
    torch.testing.assert_close(small, large)


def test_gate_weakens_and_never_strengthens():
    torch.manual_seed(2)
    gate, context, state = Gate(5, 6), torch.randn(3, 6), torch.randn(3, 5)
    gated = gate(context, state)
    assert (gated.abs() < context.abs()).all()
    assert (gated.sign() == context.sign()).all()
