"""Find the bug: a score of captions that were corrected after every word. Probe and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.lab4_captioning.search import ScriptedDecoder, right_search


def draw_true_captions(rng, images, captions, longest):
    """True captions as token ids, ``(images, captions, longest)``; the first of each image is the longest."""
    token_ids = torch.zeros(images, captions, longest, dtype=torch.int64)
    for image in range(images):
        for caption in range(captions):
            length = longest - 2 if caption == 0 else draw(rng, 2, longest - 2)
            token_ids[image, caption, : length + 2] = torch.tensor([1, *draw_different(rng, 4, 14, length), 2])
    return token_ids


def say(label, observed):
    """Candidates, references and the result as three checks."""
    candidates, references, result = observed
    yield f"{label}: the candidates that are scored", candidates, 3
    yield f"{label}: the references", references, 2
    yield f"{label}: the result, if score returns 0.75, 0.5, 0.25, 0.125", result, 0.5


@lab.exercise(
    "captionlab.captioning.teacher_forcing:free_running_bleu",
    points=2,
    minutes=25,
    difficulty=3,
    importance=5,
    starter="under_teacher_forcing",
)
def probe_free_running_bleu(free_running_bleu, rng):
    def search(step, state):
        return right_search(step, state, end=2, max_words=12)

    def case(written, true, search=search):
        """What is scored: candidates and references; and what is returned."""
        decoder = ScriptedDecoder([[*caption, 2] for caption in written], 20, 15, rng)
        return scored(decoder, decoder.initial_state(), true, search)

    def scored(step, state, true, search):
        calls = []

        def score(candidates, references):
            calls.append((candidates, references))
            return [0.75, 0.5, 0.25, 0.125]

        result = free_running_bleu(step, state, true, search, score)
        if len(calls) == 1:
            return (*calls[0], result)
        times = f"score was called {len(calls)} times"
        return times, times, result

    true = torch.tensor([[[1, 5, 6, 2, 0], [1, 5, 3, 7, 2]]])
    label = "one image, true captions [1, 5, 6, 2, 0] and [1, 5, 3, 7, 2], the decoder writes 5, 8, 6"
    yield from say(label, case([[5, 8, 6]], true))
    images, captions = draw(rng, 2, 3), draw(rng, 3, 5)
    written = [draw_different(rng, 4, 14, draw(rng, 3, 5)) for _ in range(images)]
    true = draw_true_captions(rng, images, captions, 8)
    true[0, 0, 2] = true[0, 1, 1] = 3  # <unk>: a word that people wrote
    yield from say(f"{images} images with {captions} captions each", case(written, true))
    written = [one[0, 1:7].tolist() for one in draw_true_captions(rng, 2, 1, 8)]
    written[0][3] = 3
    yield from say(
        "2 images, captions longer than the first true ones", case(written, draw_true_captions(rng, 2, 2, 7))
    )
    true = draw_true_captions(rng, 2, 4, 7)
    true[1, 2:] = 0
    yield from say("2 images, the second with 2 captions and 2 rows of padding", case([[5, 6], [7, 8, 9]], true))
    fixed = [[int(rng.integers(4, 15))], draw_different(rng, 4, 14, 3)]
    another = case([[5], [6]], draw_true_captions(rng, 2, 5, 6), lambda step, state: fixed)
    yield from say(f"another search, which returns {fixed}", another)
    true = torch.tensor([[[1, 5, 6, 2, 0], [1, 5, 3, 7, 2]]])
    candidates, references, _ = scored(None, None, true, lambda step, state: [[5, 6]])
    yield "a search that needs no decoder: step and state are None", [candidates, references]


# In the reference.
SCORED = "search(step, state), references"
CLEANED = "token_id not in (0, 1, 2)"
WRITTEN_ALONG = """first = true_captions[:, 0]
    candidates, words = [[] for _ in first], first[:, 0]
    for t in range(1, first.shape[1]):
        logits, state = step({read}, state)
        words = logits.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            if first[row, t] not in (0, 2):
                candidates[row].append(word)
    references = []"""

lab.misconceptions(
    "free_running_bleu",
    under_teacher_forcing=(
        "This does the same as the code you were given. Which words does the decoder read at step t? A "
        "decoder that is corrected after every word, and told when to stop, does not write captions of its "
        "own.",
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
        "The decoder is told when to stop: each caption is as long as the first true one. Let `search` write "
        "the captions; it knows when they end.",
        {"references = []": WRITTEN_ALONG.format(read="words"), "search(step, state)": "candidates"},
    ),
    cuts_to_the_true_length=(
        "You cut the captions to the length of a true caption, which tells the decoder when to stop. Score "
        "them as they are.",
        {
            "search(step, state)": "[words[: len(captions[0])] for words, captions in "
            "zip(search(step, state), references)]"
        },
    ),
    first_reference_only=(
        "You compare each image with its first caption only. All of its captions count.",
        {"[caption for caption in words if caption]": "words[:1]"},
    ),
    leaves_special_words_in=(
        "The references still contain <start>, <end> or padding. None of 0, 1 and 2 is a word.",
        {f" if {CLEANED}": ""},
    ),
    cuts_off_the_ends_only=(
        "You cut off the first and the last id of each true caption. Before <end> padding may follow: leave "
        "out every 0, 1 and 2, wherever they occur.",
        {f"for token_id in caption if {CLEANED}": "for token_id in caption[1:-1]"},
    ),
    leaves_unknown_words_out=(
        "You remove <unk>, id 3, from the references. It stands for a word; only 0, 1 and 2 do not.",
        {CLEANED: "token_id > 3"},
    ),
    changes_the_generated_ones=(
        "You remove <unk>, id 3, from the generated captions. It counts as a wrong word: score what `search` returns.",
        {"search(step, state)": "[[token_id for token_id in words if token_id > 3] for words in search(step, state)]"},
    ),
    once_for_each_caption=(
        "You score each image once for each of its captions. It counts once, with all its captions as references.",
        {
            f"return score({SCORED})": "candidates = search(step, state)\n"
            "    pairs = [(words, one) for words, captions in zip(candidates, references) for one in captions]\n"
            "    return score([words for words, _ in pairs], [[one] for _, one in pairs])",
        },
    ),
    image_by_image=(
        "You call `score` for each image and take the mean. BLEU counts over all images together: one call, with all "
        "candidates and all references.",
        {
            f"return score({SCORED})": "scores = [score([words], [captions]) "
            "for words, captions in zip(search(step, state), references)]\n"
            "    return [sum(each) / len(each) for each in zip(*scores)]",
        },
    ),
    references_in_one_list=(
        "The references of all images are in one list. `score` wants one list of captions per image.",
        {"references.append([caption": "references.extend([caption"},
    ),
    keeps_empty_references=(
        "The rows of padding of an image with fewer captions became references without a word. Leave them out.",
        {"[caption for caption in words if caption]": "words"},
    ),
    swaps_the_two=(
        "Candidates and references are swapped: the generated captions come first, then the references.",
        {SCORED: "references, search(step, state)"},
    ),
    returns_bleu_4_only=(
        "You return only one of the numbers. Return all that `score` returns.",
        {f"score({SCORED})": f"score({SCORED})[-1]"},
    ),
)
lab.other_spellings(
    "free_running_bleu",
    leaves_special_words_in=[
        {CLEANED: "token_id not in (0, 1)"},
        {CLEANED: "token_id not in (0, 2)"},
        {CLEANED: "token_id != 0"},
        {CLEANED: "token_id not in (1, 2)"},
    ],
    leaves_unknown_words_out=[{CLEANED: "token_id > 3", "[caption for caption in words if caption]": "words"}],
    first_reference_only=[{"[caption for caption in words if caption]": "[words[0]] if words[0] else []"}],
    told_the_length=[
        {
            "references = []": WRITTEN_ALONG.format(read="words").replace("first[row, t] not in (0, 2)", "word != 2"),
            "search(step, state)": "candidates",
        },
        {
            "references = []": WRITTEN_ALONG.format(read="words").replace("not in (0, 2)", "!= 0"),
            "search(step, state)": "candidates",
        },
    ],
    under_teacher_forcing=[
        {
            "references = []": WRITTEN_ALONG.format(read="first[:, t - 1]").replace(
                "first[row, t] not in (0, 2)", "word != 2"
            ),
            "search(step, state)": "candidates",
        },
    ],
)


@lab.misconception(
    "free_running_bleu",
    hint="You do not use the `search` that was passed in, so another search, such as beam search, would get "
    "the score of yours. Call it.",
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
