"""Find the bug: a score of captions that were put right after every word. Probe and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.lab4_captioning.search import Script, right_search


@lab.exercise(
    "captionlab.captioning.teacher_forcing:free_running_bleu",
    points=2,
    minutes=25,
    difficulty=3,
    importance=5,
    starter="with_the_true_words_given",
)
def probe_free_running_bleu(free_running_bleu, rng):
    def score(candidates, references):
        return [candidates, references]

    def search(step, state):
        return right_search(step, state, end=2, longest=12)

    def truth(images, captions, longest):
        rows = torch.zeros(images, captions, longest, dtype=torch.int64)
        for image in range(images):
            for place in range(captions):
                length = longest - 2 if place == 0 else draw(rng, 2, longest - 2)
                rows[image, place, : length + 2] = torch.tensor([1, *draw_different(rng, 4, 14, length), 2])
        return rows

    def case(written, true, search=search):
        script = Script([[*caption, 2] for caption in written], 20, 15, rng)
        return free_running_bleu(script, script.begin(), true, search, score)

    images, captions = draw(rng, 2, 3), draw(rng, 3, 5)
    written = [draw_different(rng, 4, 14, draw(rng, 3, 5)) for _ in range(images)]
    true = truth(images, captions, 8)
    true[0, 0, 2] = 3  # <unk>: a word people wrote
    label = f"{images} images with {captions} captions each: "
    yield label + "what is scored (candidates, then references)", case(written, true)
    written = [one[0, 1:7].tolist() for one in truth(2, 1, 8)]
    yield "2 images, another decoder", case(written, truth(2, 2, 7))
    true = truth(2, 4, 7)
    true[1, 2:] = 0
    yield "an image with fewer captions than the other", case([[5, 6], [7, 8, 9]], true)
    fixed = [[int(rng.integers(4, 15))], draw_different(rng, 4, 14, 3)]
    yield "another search", case([[5], [6]], truth(2, 5, 6), lambda step, state: fixed)


def _references(truth):
    words = [[[number for number in row if number not in (0, 1, 2)] for row in rows] for rows in truth.tolist()]
    return [[row for row in rows if row] for rows in words]


@lab.misconception(
    "free_running_bleu",
    hint="This is the code you were given. Which words does the decoder read in step `at`? Whoever is put "
    "right after every word, and told when to stop, writes no caption of his own.",
)
def with_the_true_words_given(step, state, truth, search, score):
    first = truth[:, 0]
    candidates = [[] for _ in first]
    for at in range(1, first.shape[1]):
        scores, state = step(first[:, at - 1], state)
        for row, word in enumerate(scores.argmax(dim=1).tolist()):
            if first[row, at] not in (0, 2):
                candidates[row].append(word)
    references = []
    for captions in truth.tolist():
        words = [[number for number in caption if number not in (0, 1, 2)] for caption in captions]
        references.append([caption for caption in words if caption])
    return score(candidates, references)


@lab.misconception(
    "free_running_bleu",
    hint="The decoder writes on its own now, but each image is compared with its first caption only. All count.",
)
def first_reference_only(step, state, truth, search, score):
    return score(search(step, state), [rows[:1] for rows in _references(truth)])


@lab.misconception(
    "free_running_bleu",
    hint="The decoder writes on its own now, but the references still hold <start>, <end> or padding.",
)
def leaves_special_words_in(step, state, truth, search, score):
    return score(search(step, state), truth.tolist())


@lab.misconception(
    "free_running_bleu",
    hint="<unk>, number 3, gets lost from the references. It stands for a word; only 0, 1 and 2 are none.",
)
def leaves_unknown_words_out_of_references(step, state, truth, search, score):
    references = [[[number for number in row if number > 3] for row in rows] for rows in truth.tolist()]
    return score(search(step, state), [[row for row in rows if row] for rows in references])


@lab.misconception(
    "free_running_bleu",
    hint="Each image is scored once for each of its captions. It counts once, with all its captions as references.",
)
def once_for_each_caption(step, state, truth, search, score):
    candidates, references = search(step, state), _references(truth)
    pairs = [(words, one) for words, rows in zip(candidates, references, strict=True) for one in rows]
    return score([words for words, _ in pairs], [[one] for _, one in pairs])


@lab.misconception(
    "free_running_bleu",
    hint="The rows of padding of an image with fewer captions have become references without a word. Leave them out.",
)
def keeps_empty_references(step, state, truth, search, score):
    references = [[[number for number in row if number not in (0, 1, 2)] for row in rows] for rows in truth.tolist()]
    return score(search(step, state), references)


@lab.misconception(
    "free_running_bleu",
    hint="Candidates and references are exchanged: first the captions that were written, then those of people.",
)
def exchanges_the_two(step, state, truth, search, score):
    return score(_references(truth), search(step, state))


@lab.misconception(
    "free_running_bleu",
    hint="The decoder reads its own words now, but is still told when to stop: a caption is as long as the first true "
    "one. Let `search` write the captions; it knows when they end.",
)
def told_the_length(step, state, truth, search, score):
    first = truth[:, 0]
    candidates, words = [[] for _ in first], first[:, 0]
    for at in range(1, first.shape[1]):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            if first[row, at] not in (0, 2):
                candidates[row].append(word)
    return score(candidates, _references(truth))


@lab.misconception(
    "free_running_bleu",
    hint="The captions are the decoder's own, but not those of the `search` that was asked about: another search, such "
    "as one with beams, would be given the score of yours. Call it.",
)
def with_a_search_of_its_own(step, state, truth, search, score):
    return score(right_search(step, state, end=2, longest=20), _references(truth))
