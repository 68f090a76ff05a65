"""Training on the BLEU of sampled captions: rewards are BLEU's derivative, and good captions become more probable."""

from __future__ import annotations

import math

import pytest
import torch

from captionlab.captioning.decoder import Decoder
from captionlab.captioning.evaluation import CaptionModel, evaluate_generation
from captionlab.captioning.self_critical import (
    _counts,
    advantages,
    rewards,
    sample_captions,
    self_critical_loss,
    to_batch,
)
from captionlab.captioning.settings import DecoderSettings, TrainingSettings

REFERENCES = [[[4, 5, 6, 7, 8], [4, 5, 9, 9, 9, 9]], [[6, 7, 8, 9, 4, 5], [6, 7, 8, 8, 8]]]


def log_bleu(counts) -> float:
    """From the sums of matching n-grams, n-grams, lengths, and lengths of the nearest references."""
    matches, ngrams, length, nearest = counts[:4], counts[4:8], counts[8], counts[9]
    return sum(math.log(a / b) for a, b in zip(matches, ngrams, strict=True)) / 4 + min(0.0, 1 - nearest / length)


@pytest.mark.parametrize("short", [False, True])
def test_a_share_is_the_derivative_of_the_logarithm_of_bleu(short):
    samples = [[4, 5, 6, 7, 9], [4, 5, 9, 9, 5, 6], [6, 7, 8, 9, 4, 9], [9, 6, 7, 8, 8, 4, 4]]
    if short:
        samples = [caption[:4] for caption in samples]
    shares = rewards(samples, REFERENCES, num_samples=2, length_margin=1.0).flatten() / len(samples)
    counts = [_counts(caption, REFERENCES[row // 2]) for row, caption in enumerate(samples)]
    sums = torch.tensor(counts, dtype=torch.float64).sum(0)
    assert (sums[8] < sums[9]) == short
    for row, mine in enumerate(counts):
        step = 1e-5
        more = [total + step * own for total, own in zip(sums.tolist(), mine, strict=True)]
        less = [total - step * own for total, own in zip(sums.tolist(), mine, strict=True)]
        assert shares[row].item() == pytest.approx((log_bleu(more) - log_bleu(less)) / (2 * step), abs=1e-4)


def test_counts_clip_repeated_words_and_take_the_nearest_length():
    assert _counts([4, 4, 4], [[4, 5, 6, 7], [4, 4]]) == [3, 2, 1, 0, 4, 3, 2, 1, 4, 3]  # 4 4 4 <end>
    assert _counts([], [[4, 5]]) == [1, 0, 0, 0, 1, 0, 0, 0, 1, 3]


def test_a_caption_is_compared_with_the_others_of_its_image():
    scores = torch.tensor([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])
    expected = [[1 - 4.0, 2 - 3.5, 6 - 1.5], [0, 0, 0]]
    torch.testing.assert_close(advantages(scores), torch.tensor(expected))


def test_sampled_captions_as_a_batch():
    assert to_batch([[7, 8], [], [9], [4, 5]], 2).tolist() == [
        [[1, 7, 8, 2], [1, 2, 0, 0]],
        [[1, 9, 2, 0], [1, 4, 5, 2]],
    ]


def test_good_captions_become_more_probable_and_bad_ones_less():
    """An untrained model's samples become better, though it is never shown a reference."""
    torch.manual_seed(0)
    decoder = Decoder(DecoderSettings(6, 10, embed_dim=8, decoder_dim=16, attention_dim=8, dropout=0.1))
    features, generator = torch.rand(4, 9, 6), torch.Generator().manual_seed(0)
    references = [[[4, 5, 6, 7]]] * 4
    optimizer, scores = torch.optim.Adam(decoder.parameters(), 0.02), []
    for _ in range(120):
        loss, _ = self_critical_loss(decoder, features, references, 8, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        samples = sample_captions(decoder, decoder.encode(features), 4, generator)
        scores.append(sum(len({4, 5, 6, 7} & set(caption)) for caption in samples) / len(samples))
    assert sum(scores[-10:]) > 1.4 * sum(scores[:10])
    assert decoder.training


def test_reward_epochs_raise_what_they_train_on(toy, tmp_path):
    from captionlab.captioning.training import Trainer

    vocabulary, train, dev = toy
    torch.manual_seed(3)
    decoder = Decoder(DecoderSettings(7, len(vocabulary), embed_dim=12, decoder_dim=24, attention_dim=8, dropout=0.1))
    settings = TrainingSettings(
        epochs=10, reward_epochs=4, batch_size=16, lr=0.02, reward_lr=2e-3, warmup_steps=2, seed=3
    )
    made = Trainer(CaptionModel(decoder), vocabulary, train, dev, settings, tmp_path, {"run": {}}, progress=False)
    history = made.run()
    assert [row["train_reward"] is None for row in history] == [True] * 6 + [False] * 4
    assert history[-1]["train_reward"] > history[6]["train_reward"]
    assert evaluate_generation(made.model, vocabulary, dev).bleu[0] >= history[5]["dev_bleu1"]
    with pytest.raises(ValueError, match="reward_epochs is 3 of 3 epochs"):
        TrainingSettings(epochs=3, reward_epochs=3)
