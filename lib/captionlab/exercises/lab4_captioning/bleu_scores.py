"""How good captions are: BLEU. Probe and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, PLACES, draw_words, lab
from captionlab.grading.probe_helpers import outcome_of


def _scene(rng) -> tuple[list[str], list[list[str]]]:
    """A caption, and five that people might have written: it shares n-grams with several of them."""
    one, other = draw_words(rng, NOUNS, 2)
    color, shade, tint = draw_words(rng, COLORS, 3)
    place, elsewhere = draw_words(rng, PLACES, 2)
    written = (
        f"a {color} {one} runs in the {place}",
        f"a {color} {one} runs across the {place} today",
        f"a {one} is in the {place} near the {elsewhere}",
        f"one {one} and a {other} in the {place}",
    )
    candidate = written[draw(rng, 0, 3)].split()
    references = [
        f"a {color} {one} runs across the {place} with a {other}",
        f"the {shade} {one} is in the {place}",
        f"a {tint} {other} runs in the {place} near the {elsewhere}",
        f"one {one} and a {other} at the {elsewhere}",
        f"a {one} runs fast and far away today",
    ]
    return candidate, [references[at].split() for at in rng.permutation(5)]


@lab.exercise("captionlab.captioning.metrics:bleu", points=2, minutes=20, difficulty=2, importance=5)
def probe_bleu(bleu, rng):
    bleu = on_copies(bleu)

    def scenes(count, marked=False):
        pairs = [_scene(rng) for _ in range(count)]
        candidates, references = [list(part) for part in zip(*pairs, strict=True)]
        if marked:
            candidates = [["<start>", *words, "<end>", "<pad>"] for words in candidates]
            candidates[0][3] = "<unk>"  # a generated word, though a wrong one
            references = [[["<start>", *words, "<end>"] for words in each] for each in references]
        return candidates, references

    two, of_two = scenes(2)
    yield "one caption, references of two images", outcome_of(bleu, two[:1], of_two), 0.5
    dog = ["a", "dog", "runs", "fast"]
    yield (
        '"a dog runs fast", references "a dog runs fast" and "it runs"',
        list(bleu([dog], [[dog, ["it", "runs"]]])),
        0.5,
    )
    candidates = [["a", "cat", "runs", "fast"], ["a", "dog", "sits", "there"]]
    references = [[["a", "dog", "runs", "fast"]], [["a", "cat", "sits", "there"]]]
    yield (
        '"a cat runs fast", reference "a dog runs fast"; "a dog sits there", reference "a cat sits there"',
        list(bleu(candidates, references)),
    )
    count = draw(rng, 3, 5)
    yield f"{count} images with five references each", list(bleu(*scenes(count))), 2
    yield "3 images, captions with <start>, <end> and <pad>", list(bleu(*scenes(3, marked=True))), 5
    marked = [["<start>", "a", "dog", "sat", "down", "<end>"]], [[["<start>", "a", "dog", "ran", "down", "<end>"]]]
    yield '"<start> a dog sat down <end>", reference "<start> a dog ran down <end>"', list(bleu(*marked)), 4
    candidates, references = scenes(4)
    candidates[0] = candidates[0][:4]
    candidates[1] = candidates[1] * 2
    yield "4 images, one caption short and one long", list(bleu(candidates=candidates, references=references)), 2
    candidates, references = scenes(2)
    references[0] = references[0][:1]
    yield "2 images, the first with one reference", list(bleu(candidates, references))
    yield (
        '"a dog sat still", reference "a dog was here": no 4-gram in common',
        list(bleu([["a", "dog", "sat", "still"]], [[["a", "dog", "was", "here"]]])),
    )
    yield "2 images, one without references", outcome_of(bleu, two, [[], of_two[1]]), 0.5


# In the reference.
PLAIN_REFERENCES = "[[plain(words) for words in captions] for captions in references]"
CANDIDATES = "[plain(words) for words in candidates]"
WEIGHTS = "(1 / n,) * n"
PLAIN = 'word for word in words if word not in ("<start>", "<end>", "<pad>")'
SCORE = f"float(corpus_bleu(plain_references, hypotheses, weights={WEIGHTS}))"
NUMBERS, ALL = "if len(candidates) != len(references)", "if not all(references)"
SMOOTHING = '__import__("nltk.translate.bleu_score", fromlist=["bleu_score"]).SmoothingFunction()'
WITHOUT_CHECKS = {NUMBERS: "", ALL: ""}

lab.misconceptions(
    "bleu",
    counts_special_words=(
        "You count special words: nearly every caption has <start> and <end> in the right place. Remove <start>, "
        "<end> and <pad>, all three, from both sides.",
        {f"[{PLAIN}]": "list(words)"},
    ),
    cleans_one_side=(
        "You remove the special words from the generated captions only. The references have them as well.",
        {PLAIN_REFERENCES: "references"},
    ),
    cleans_the_references_only=(
        "You remove the special words from the references only. The generated captions have them as well.",
        {CANDIDATES: "list(candidates)"},
    ),
    cuts_off_both_ends=(
        "You cut off the first and the last word, whatever they are. Remove the words <start>, <end> and "
        "<pad> wherever they occur, and nothing else.",
        {f"[{PLAIN}]": "list(words[1:-1])"},
    ),
    one_reference=(
        "You compare with one reference per image. People describe an image in many ways: all of its references count, "
        "and published numbers use five.",
        {"for words in captions]": "for words in captions[:1]]"},
    ),
    references_are_not_nested=(
        "You give corpus_bleu one reference as a list of words where it expects a list of references: it takes each "
        "word for a reference, and its letters for words. Give all references of the image.",
        {PLAIN_REFERENCES: "[plain(captions[0]) for captions in references]"},
    ),
    swaps_the_arguments=(
        "corpus_bleu of nltk expects the references first (for each image a list of captions), then the generated "
        "captions; BLEU changes if the two are swapped, or it fails.",
        {
            CANDIDATES: "[plain(words) for words in candidates if words is not None]",
            "corpus_bleu(plain_references, hypotheses": "corpus_bleu([[words] for words in hypotheses], "
            "[captions[0] for captions in plain_references]",
        },
    ),
    compares_letters=(
        "You join the words to strings, so nltk counts n-grams of letters. Give it lists of words.",
        {f"[{PLAIN}]": f'" ".join({PLAIN})'},
    ),
    a_pair_for_each_reference=(
        "You pair the caption with each reference separately. An image counts once, with all its references together.",
        {
            CANDIDATES: "[plain(words) for words, captions in zip(candidates, references) for _ in captions]",
            PLAIN_REFERENCES: "[[plain(words)] for captions in references for words in captions]",
        },
    ),
    references_of_all_images=(
        "You compare each caption with the references of all images. Each image has its own references.",
        {PLAIN_REFERENCES: "[[plain(words) for captions in references for words in captions]] * len(candidates)"},
    ),
    mean_of_each_bleu=(
        "You compute the BLEU of each caption and then the mean. BLEU counts n-grams over all images together.",
        {
            SCORE: f"sum(corpus_bleu([captions], [words], weights={WEIGHTS}) "
            "for captions, words in zip(plain_references, hypotheses)) / len(hypotheses)",
        },
    ),
    n_grams_of_one_length=(
        "You compute the precisions of n-grams of exactly n words. BLEU-n is the geometric mean over n-grams "
        "of 1 to n words: weights (1/n, ..., 1/n).",
        {WEIGHTS: "(0,) * (n - 1) + (1,)"},
    ),
    weights_do_not_sum_to_one=(
        "Your weights do not sum to 1. BLEU-n is the geometric mean over n-grams of 1 to n words: weights 1/n each.",
        {WEIGHTS: "(1 / 4,) * n"},
    ),
    smooths=(
        "Your BLEU is smoothed: it is above 0 even if no 4-gram matches. Published scores are not smoothed.",
        {f"{WEIGHTS})": f"{WEIGHTS}, smoothing_function=SmoothingFunction().method1)"},
        "from nltk.translate.bleu_score import SmoothingFunction",
    ),
    leaves_unknown_words_out=(
        "You remove <unk> from the generated captions. It stands for a word the model wrote; without it a caption "
        "looks better than it is. Only <start>, <end> and <pad> are not words.",
        {CANDIDATES: '[[word for word in plain(words) if word != "<unk>"] for words in candidates]'},
    ),
    bleu_in_percent=("You return BLEU in percent. Return it as a number from 0 to 1.", {"[float(": "[100 * float("}),
    always_bleu_4=(
        "You return BLEU-4 four times. BLEU-n has weights for n-grams of 1 to n words.",
        {WEIGHTS: "(1 / 4,) * 4"},
    ),
    leaves_the_errors_to_nltk=(
        "You pass bad arguments on to nltk, which fails with its own AssertionError or KeyError. Before you "
        "call it, compare the numbers of images and look for an image without references, and raise a "
        "ValueError.",
        WITHOUT_CHECKS,
    ),
    accepts_other_numbers=(
        "If the numbers of images differ, captions are silently left out: zip stops at the shorter list. "
        "Raise a ValueError.",
        {
            NUMBERS: "",
            CANDIDATES: "[plain(words) for words, _ in zip(candidates, references)]",
            PLAIN_REFERENCES: f"{PLAIN_REFERENCES}[: len(candidates)]",
        },
    ),
    accepts_no_references=(
        "An image without references must be refused with a ValueError, not left out or scored 0.",
        {ALL: "", PLAIN_REFERENCES: "[[plain(words) for words in captions] or [[]] for captions in references]"},
    ),
)
lab.other_spellings(
    "bleu",
    counts_special_words=[
        {f"[{PLAIN}]": "list(words)", **WITHOUT_CHECKS},
        {'("<start>", "<end>", "<pad>")': '("<start>", "<pad>")'},
        {'("<start>", "<end>", "<pad>")': '("<pad>",)'},
        {'("<start>", "<end>", "<pad>")': '("<start>", "<end>")'},
    ],
    cleans_one_side=[{PLAIN_REFERENCES: "references", **WITHOUT_CHECKS}],
    one_reference=[{"for words in captions]": "for words in captions[-1:]]"}],
    references_are_not_nested=[{PLAIN_REFERENCES: "[plain(captions[0]) for captions in references]", **WITHOUT_CHECKS}],
    swaps_the_arguments=[
        {"corpus_bleu(plain_references, hypotheses": "corpus_bleu(hypotheses, plain_references"},
        {"corpus_bleu(plain_references, hypotheses": "corpus_bleu(hypotheses, plain_references", **WITHOUT_CHECKS},
    ],
    mean_of_each_bleu=[
        {
            SCORE: f"sum(corpus_bleu([captions], [words], weights={WEIGHTS}, smoothing_function={SMOOTHING}.method1) "
            "for captions, words in zip(plain_references, hypotheses)) / len(hypotheses)",
        },
    ],
    smooths=[{f"{WEIGHTS})": f"{WEIGHTS}, smoothing_function={SMOOTHING}.method{number})"} for number in (2, 3, 4, 7)],
    n_grams_of_one_length=[{WEIGHTS: "(0,) * (n - 1) + (1,)", **WITHOUT_CHECKS}],
)
