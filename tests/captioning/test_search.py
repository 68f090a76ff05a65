"""Searching: hand-made decoders whose best captions are known, and properties for random ones."""

import itertools

import pytest
import torch

from captionlab.captioning.search import (
    beam_search,
    beam_step,
    best_caption,
    greedy_search,
    sample_word,
    sample,
)

WORDS, END = 6, 2


def table_step(tables):
    """A decoder whose next word depends on the last word and the image alone: tables (images, words, words)."""

    def step(words, state):
        return tables[state[0].long(), words], state

    return step, (torch.arange(len(tables)).float(),)


def total_of(table, caption, ended=True):
    logs = torch.log_softmax(table, dim=1)
    path = [1, *caption, *([END] if ended else [])]
    return sum(logs[a, b].item() for a, b in itertools.pairwise(path))


def simple_beam(table, k, longest):
    """One image, plain Python: what beam_search must do for many."""
    logs = torch.log_softmax(table, dim=1).tolist()
    running, finished = [(0.0, [1])], []
    for _ in range(longest + 1):
        grown = [(total + logs[words[-1]][word], [*words, word]) for total, words in running for word in range(WORDS)]
        kept = sorted(grown, key=lambda one: -one[0])[: k - len(finished)]
        finished += [(total, words[1:-1]) for total, words in kept if words[-1] == END]
        running = [one for one in kept if one[1][-1] != END]
        if not running:
            break
    return best_caption(finished, [(total, words[1 : longest + 1]) for total, words in running])


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_beam_search_of_many_images_gives_what_each_gives_alone(k):
    tables = torch.randn(20, WORDS, WORDS, generator=torch.Generator().manual_seed(k)) * 2
    step, state = table_step(tables)
    assert beam_search(step, state, k, longest=7) == [simple_beam(table, k, 7) for table in tables]


def test_one_beam_is_greedy_search():
    tables = torch.randn(50, WORDS, WORDS, generator=torch.Generator().manual_seed(0))
    step, state = table_step(tables)
    assert beam_search(step, state, 1, longest=8) == greedy_search(step, state, longest=8)


def test_more_beams_find_a_likelier_caption_than_greedy():
    table = torch.full((1, WORDS, WORDS), -9.0)
    table[0, 1, 3], table[0, 1, 4] = 1.0, 0.8  # greedy begins with 3, whose continuations are all alike
    table[0, 3] = 0.0
    table[0, 4, END] = 9.0
    step, state = table_step(table)
    assert greedy_search(step, state, longest=4)[0][0] == 3
    assert beam_search(step, state, 2, longest=4) == [[4]]


def test_a_caption_that_never_ends_is_cut_and_still_a_caption():
    table = torch.zeros(2, WORDS, WORDS)
    table[:, :, END], table[:, :, 5] = -torch.inf, 4.0
    step, state = table_step(table)
    assert beam_search(step, state, 3, longest=4) == [[5] * 4] * 2
    assert greedy_search(step, state, longest=4) == [[5] * 4] * 2


def test_by_length_a_longer_caption_may_win():
    assert best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], []) == [7, 8]
    assert best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [], by_length=1) == [7, 8, 9, 10]
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


def test_no_beam_is_refused():
    step, state = table_step(torch.zeros(1, WORDS, WORDS))
    with pytest.raises(ValueError, match="at least 1"):
        beam_search(step, state, 0)


def test_sampling_draws_with_the_probabilities_and_cold_is_greedy():
    scores = torch.log(torch.tensor([[0.2, 0.5, 0.3]])).expand(10_000, 3)
    drawn = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
    shares = sample_word(scores, drawn).bincount(minlength=3) / 10_000
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.5, 0.3]), atol=0.02, rtol=0)
    assert (sample_word(scores, drawn, temperature=0.01) == 1).all()
    assert sample_word(scores[:1], torch.tensor([1.0])).item() == 2  # rounding may leave a sum just below 1
    with pytest.raises(ValueError, match="above 0"):
        sample_word(scores, drawn, 0)


def test_sampled_search_is_the_same_for_the_same_generator():
    step, state = table_step(torch.randn(5, WORDS, WORDS, generator=torch.Generator().manual_seed(3)))
    one, two = (sample(step, state, torch.Generator().manual_seed(7), longest=6) for _ in range(2))
    assert one == two
    assert any(one)
