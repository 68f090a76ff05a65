"""Find the bug: a score of captions that were corrected after every word. Probe and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.lab4_captioning.search import ScriptedDecoder, right_search


@lab.exercise(
    "captionlab.captioning.teacher_forcing:free_running_bleu",
    points=2,
    minutes=25,
    difficulty=3,
    importance=5,
    starter="under_teacher_forcing",
)
def probe_free_running_bleu(free_running_bleu, rng):
    def score(candidates, references):
        return [candidates, references]

    def search(step, state):
        return right_search(step, state, end=2, max_words=12)

    def true_captions(images, captions, longest):
        token_ids = torch.zeros(images, captions, longest, dtype=torch.int64)
        for image in range(images):
            for caption in range(captions):
                length = longest - 2 if caption == 0 else draw(rng, 2, longest - 2)
                token_ids[image, caption, : length + 2] = torch.tensor([1, *draw_different(rng, 4, 14, length), 2])
        return token_ids

    def case(written, true, search=search):
        decoder = ScriptedDecoder([[*caption, 2] for caption in written], 20, 15, rng)
        return free_running_bleu(decoder, decoder.initial_state(), true, search, score)

    images, captions = draw(rng, 2, 3), draw(rng, 3, 5)
    written = [draw_different(rng, 4, 14, draw(rng, 3, 5)) for _ in range(images)]
    true = true_captions(images, captions, 8)
    true[0, 0, 2] = 3  # <unk>: a word that people wrote
    label = f"{images} images with {captions} captions each: "
    yield label + "the candidates and references that are scored", case(written, true)
    written = [one[0, 1:7].tolist() for one in true_captions(2, 1, 8)]
    yield "2 images, another decoder", case(written, true_captions(2, 2, 7))
    true = true_captions(2, 4, 7)
    true[1, 2:] = 0
    yield "an image with fewer captions than the other", case([[5, 6], [7, 8, 9]], true)
    fixed = [[int(rng.integers(4, 15))], draw_different(rng, 4, 14, 3)]
    yield "another search", case([[5], [6]], true_captions(2, 5, 6), lambda step, state: fixed)


lab.misconceptions(
    "free_running_bleu",
    under_teacher_forcing=(
        "This is the code you were given. Which words does the decoder read at step t? A decoder that is corrected "
        "after every word, and told when to stop, does not write captions of its own.",
        {
            "references = []": """first = true_captions[:, 0]
    candidates = [[] for _ in first]
    for t in range(1, first.shape[1]):
        logits, state = step(first[:, t - 1], state)
        for row, word in enumerate(logits.argmax(dim=1).tolist()):
            if first[row, t] not in (0, 2):
                candidates[row].append(word)
    references = []""",
            "search(step, state)": "candidates",
        },
    ),
    told_the_length=(
        "The decoder reads its own words now, but is still told when to stop: each caption is as long as the first "
        "true one. Let `search` write the captions; it knows when they end.",
        {
            "references = []": """first = true_captions[:, 0]
    candidates, words = [[] for _ in first], first[:, 0]
    for t in range(1, first.shape[1]):
        logits, state = step(words, state)
        words = logits.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            if first[row, t] not in (0, 2):
                candidates[row].append(word)
    references = []""",
            "search(step, state)": "candidates",
        },
    ),
    first_reference_only=(
        "The decoder writes on its own now, but you compare each image with its first caption only. All of them count.",
        {"[caption for caption in words if caption]": "words[:1]"},
    ),
    leaves_special_words_in=(
        "The decoder writes on its own now, but the references still contain <start>, <end> or padding.",
        {"state), references)": "state), true_captions.tolist())"},
    ),
    leaves_unknown_words_out=(
        "You remove <unk>, id 3, from the references. It stands for a word; only 0, 1 and 2 do not.",
        {"token_id not in (0, 1, 2)": "token_id > 3"},
    ),
    once_for_each_caption=(
        "You score each image once for each of its captions. It counts once, with all its captions as references.",
        {
            "return score(search(step, state), references)": "candidates = search(step, state)\n"
            "    pairs = [(words, one) for words, captions in zip(candidates, references) for one in captions]\n"
            "    return score([words for words, _ in pairs], [[one] for _, one in pairs])",
        },
    ),
    keeps_empty_references=(
        "The rows of padding of an image with fewer captions became references without a word. Leave them out.",
        {"[caption for caption in words if caption]": "words"},
    ),
    swaps_the_two=(
        "Candidates and references are swapped: first the generated captions, then those of people.",
        {"search(step, state), references": "references, search(step, state)"},
    ),
)


@lab.misconception(
    "free_running_bleu",
    hint="The captions are the decoder's own, but not those of the `search` that was passed in: another search, "
    "such as one with beams, would get the score of yours. Call it.",
)
def with_a_search_of_its_own(step, state, true_captions, search, score):
    words = [[[one for one in row if one > 2] for row in rows] for rows in true_captions.tolist()]
    references = [[row for row in rows if row] for rows in words]
    ids, captions = torch.full((len(references),), 1), [[] for _ in references]
    for _ in range(20):
        logits, state = step(ids, state)
        ids = logits.argmax(dim=1)
        captions = [[*caption, one] for caption, one in zip(captions, ids.tolist(), strict=True)]
    return score([caption[: caption.index(2)] if 2 in caption else caption for caption in captions], references)
