"""Searching: hand-made decoders whose best captions are known, and properties of random ones."""

import itertools

import pytest
import torch

from captionlab.captioning.batched_search import beam_search, greedy, sample
from captionlab.captioning.search import beam_step, best_caption, greedy_search, sample_word

WORDS, END = 6, 2


def table_step(tables):
    """A decoder whose next word depends on the last word and the image alone: tables (images, words, words).

    Its attention weights name the row they belong to: the image and the last word.
    """

    def step(token_ids, state):
        images = state[0].long()
        return tables[images, token_ids], state, torch.stack([images, token_ids], dim=1).float()

    return step, (torch.arange(len(tables)).float(),)


def without_attention(step):
    """The step function as greedy_search takes it."""
    return lambda token_ids, state: step(token_ids, state)[:2]


def log_prob_of(table, caption):
    """Of the caption and <end> after it."""
    logs = torch.log_softmax(table, dim=1)
    return sum(logs[a, b].item() for a, b in itertools.pairwise([1, *caption, END]))


def simple_beam(table, beams, max_words, length_penalty=0.0):
    """Beam search from beam_step and best_caption, for one image: what beam_search must do for many."""
    logs = torch.log_softmax(table, dim=1)
    running, totals, finished = [[1]], torch.zeros(1), []
    for _ in range(max_words + 1):
        k = min(beams - len(finished), len(running) * WORDS)
        parents, words, totals = beam_step(logs[[words[-1] for words in running]], totals, k)
        grown = [[*running[parent], word] for parent, word in zip(parents.tolist(), words.tolist(), strict=True)]
        ended = [words[-1] == END for words in grown]
        finished += [(totals[row].item(), words[1:-1]) for row, words in enumerate(grown) if ended[row]]
        running = [words for row, words in enumerate(grown) if not ended[row]]
        totals = totals[[not one for one in ended]]
        if not running:
            break
    rest = [(total, words[1 : max_words + 1]) for total, words in zip(totals.tolist(), running, strict=True)]
    return best_caption(finished, rest, length_penalty)


@pytest.mark.parametrize("beams", [1, 2, 3, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 0.7])
def test_beam_search_of_many_images_is_beam_step_and_best_caption_for_each(beams, length_penalty):
    tables = torch.randn(20, WORDS, WORDS, generator=torch.Generator().manual_seed(beams)) * 2
    step, state = table_step(tables)
    found = beam_search(step, state, beams, max_length=9, length_penalty=length_penalty)
    assert [one.token_ids for one in found] == [simple_beam(table, beams, 7, length_penalty) for table in tables]


def never_ending(tables):
    """The same decoder, which gives <end> a probability so small that it is never chosen."""
    tables = tables.clone()
    tables[:, :, END] = -30.0
    return tables


@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("change", [lambda tables: tables, never_ending], ids=["ends", "cut"])
def test_searches_return_the_attention_and_the_probability_of_their_captions(beams, change):
    tables = change(torch.randn(20, WORDS, WORDS, generator=torch.Generator().manual_seed(beams)) * 2)
    step, state = table_step(tables)
    found = beam_search(step, state, beams, max_length=7)
    assert any(one.token_ids for one in found)
    if beams == 1:
        assert [one.token_ids for one in found] == [one.token_ids for one in greedy(step, state, max_length=7)]
        found = [*found, *greedy(step, state, max_length=7)]
        tables = torch.cat([tables, tables])
    for row, (table, one) in enumerate(zip(tables, found, strict=True)):
        # Each word was predicted after the word before it, from the caption's own image.
        expected = [[row % 20, word] for word in [1, *one.token_ids][: len(one.token_ids)]]
        assert one.alphas.tolist() == expected
        assert one.log_prob == pytest.approx(log_prob_of(table, one.token_ids), abs=1e-4)


def test_a_search_calls_the_decoder_once_per_word():
    tables = torch.randn(8, WORDS, WORDS, generator=torch.Generator().manual_seed(0))
    step, state = table_step(tables)
    calls = []

    def counting_step(token_ids, state):
        calls.append(len(token_ids))
        return step(token_ids, state)

    beam_search(counting_step, state, 3, max_length=7)
    assert len(calls) <= 5 + 1  # one more than there may be words, for the end
    assert sum(calls) <= 8 + 5 * 8 * 3


def test_one_beam_is_greedy_search():
    tables = torch.randn(50, WORDS, WORDS, generator=torch.Generator().manual_seed(0))
    step, state = table_step(tables)
    captions = greedy_search(without_attention(step), state, max_words=8)
    assert [one.token_ids for one in beam_search(step, state, 1, max_length=10)] == captions
    assert [one.token_ids for one in greedy(step, state, max_length=10)] == captions


def test_more_beams_find_a_more_probable_caption_than_greedy_search():
    table = torch.full((1, WORDS, WORDS), -9.0)
    table[0, 1, 3], table[0, 1, 4] = 1.0, 0.8  # greedy search begins with 3, after which all words are equally probable
    table[0, 3] = 0.0
    table[0, 4, END] = 9.0
    step, state = table_step(table)
    assert greedy(step, state, max_length=6)[0].token_ids[0] == 3
    assert beam_search(step, state, 2, max_length=6)[0].token_ids == [4]


def test_a_caption_that_never_ends_is_cut_and_still_a_caption():
    table = torch.zeros(2, WORDS, WORDS)
    table[:, :, END], table[:, :, 5] = -torch.inf, 4.0
    step, state = table_step(table)
    assert [one.token_ids for one in beam_search(step, state, 3, max_length=6)] == [[5] * 4] * 2
    assert [one.token_ids for one in greedy(step, state, max_length=6)] == [[5] * 4] * 2


def test_max_length_counts_start_and_end_in_every_search():
    table = torch.zeros(1, WORDS, WORDS)
    table[:, :, 5] = 50.0
    step, state = table_step(table)
    assert greedy(step, state, max_length=5)[0].token_ids == [5] * 3
    assert beam_search(step, state, 2, max_length=5)[0].token_ids == [5] * 3
    assert sample(step, state, torch.Generator().manual_seed(0), max_length=5) == [[5] * 3]


def test_with_a_length_penalty_a_longer_caption_may_win():
    assert best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], []) == [7, 8]
    assert best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [], length_penalty=1) == [7, 8, 9, 10]
    assert best_caption([], [(-2.0, [5, 5]), (-1.0, [5])]) == [5]
    with pytest.raises(ValueError, match="no caption"):
        best_caption([], [])


def test_beam_step_names_beam_and_word():
    logs = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
    beams, words, totals = beam_step(logs, torch.log(torch.tensor([0.5, 0.5])), 3)
    assert beams.tolist() == [0, 1, 1]
    assert words.tolist() == [2, 0, 1]
    torch.testing.assert_close(totals.exp(), torch.tensor([0.35, 0.25, 0.15]))
    assert beams.dtype == torch.int64


def test_zero_beams_are_refused():
    step, state = table_step(torch.zeros(1, WORDS, WORDS))
    with pytest.raises(ValueError, match="at least 1"):
        beam_search(step, state, 0)


def test_sampling_uses_the_probabilities_and_a_low_temperature_is_greedy():
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]])).expand(10_000, 3)
    uniform = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
    shares = sample_word(logits, uniform).bincount(minlength=3) / 10_000
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.5, 0.3]), atol=0.02, rtol=0)
    assert (sample_word(logits, uniform, temperature=0.01) == 1).all()
    assert sample_word(logits[:1], torch.tensor([1.0])).item() == 2  # rounding may leave a sum just below 1
    with pytest.raises(ValueError, match="above 0"):
        sample_word(logits, uniform, 0)


def test_the_same_generator_gives_the_same_samples():
    step, state = table_step(torch.randn(5, WORDS, WORDS, generator=torch.Generator().manual_seed(3)))
    one, two = (sample(step, state, torch.Generator().manual_seed(7), max_length=8) for _ in range(2))
    assert one == two
    assert any(one)
