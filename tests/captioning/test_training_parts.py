"""Loss, penalty, sorting, scheduled sampling, clipping: small functions with known values."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from captionlab.captioning.batches import active_counts, sort_by_length
from captionlab.captioning.loss import attention_penalty, caption_loss
from captionlab.captioning.optimization import best_epoch, clip_grad_norm
from captionlab.captioning.sampling import sampling_probability, scheduled_words


def test_loss_is_the_mean_over_real_words_only():
    scores, targets = torch.randn(2, 3, 5), torch.tensor([[4, 2, 0], [3, 0, 0]])
    logs = torch.log_softmax(scores, 2)
    expected = -(logs[0, 0, 4] + logs[0, 1, 2] + logs[1, 0, 3]) / 3
    torch.testing.assert_close(caption_loss(scores, targets), expected)


@pytest.mark.parametrize(("steps", "reduction", "expected"), [(4, "sum", 0), (2, "sum", 1), (2, "mean", 0.25)])
def test_penalty_of_even_attention(steps, reduction, expected):
    assert attention_penalty(torch.full((3, steps, 4), 0.25), reduction).item() == pytest.approx(expected)


def test_penalty_refuses_another_reduction():
    with pytest.raises(ValueError, match="sum"):
        attention_penalty(torch.zeros(1, 1, 1), "none")


@given(st.lists(st.integers(2, 9), min_size=1, max_size=8))
def test_sorting_moves_captions_and_features_alike_and_counts_every_word(lengths):
    captions = torch.zeros(len(lengths), 9, dtype=torch.int64)
    for row, length in enumerate(lengths):
        captions[row, :length] = row + 1
    ordered, features, found = sort_by_length(captions, torch.arange(len(lengths)))
    assert found.tolist() == sorted(lengths, reverse=True)
    assert (ordered[:, 0] == features + 1).all()  # each caption's words are its number plus one
    ties = list(zip(found.tolist(), features.tolist(), strict=True))
    assert ties == sorted(ties, key=lambda pair: (-pair[0], pair[1]))
    assert sum(active_counts(found)) == sum(length - 1 for length in lengths)


def test_active_counts():
    assert active_counts([4, 3, 3]) == [3, 3, 1]
    assert active_counts([]) == []
    with pytest.raises(ValueError, match="longest"):
        active_counts([3, 4])


def test_scheduled_words_at_both_ends_and_between():
    truth, own = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 7])
    drawn = torch.tensor([0.0, 0.4, 0.99])
    assert scheduled_words(truth, own, drawn, 0).tolist() == [5, 6, 7]
    assert scheduled_words(truth, own, drawn, 1).tolist() == [8, 9, 7]
    assert scheduled_words(truth, own, drawn, 0.25).tolist() == [8, 6, 7]
    assert [sampling_probability(epoch, 0.05, 0.25) for epoch in (0, 1, 4, 20)] == pytest.approx([0, 0.05, 0.2, 0.25])


def test_clipping_shortens_the_whole_gradient_and_keeps_its_direction():
    one, two, unused = (nn.Parameter(torch.zeros(2)) for _ in range(3))
    one.grad, two.grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    assert clip_grad_norm([one, two, unused], 10.0) == pytest.approx(5)
    assert one.grad.tolist() == [3, 0]
    assert clip_grad_norm(iter([one, two, unused]), 1.0) == pytest.approx(5)
    torch.testing.assert_close(torch.cat([one.grad, two.grad]), torch.tensor([0.6, 0, 0, 0.8]))
    assert clip_grad_norm([unused], 1.0) == 0


def test_best_epoch_is_the_first_lowest():
    assert best_epoch([3.18, 2.92, 2.82, 2.776, 2.778, 2.79, 2.84]) == 4
    assert best_epoch([2.0, 1.0, 1.0]) == 2
    assert best_epoch([math.nan, 1.0]) == 2
    assert best_epoch([]) == 0
