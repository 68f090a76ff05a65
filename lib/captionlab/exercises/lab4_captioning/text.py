"""From captions to words: probe and misconceptions."""

from __future__ import annotations

import string

from captionlab.exercises.drawing import draw_different
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, PLACES, draw_words, lab


@lab.exercise("captionlab.captioning.text:tokenize", points=1, minutes=10, difficulty=1, importance=3)
def probe_tokenize(tokenize, rng):
    one, other, third = draw_words(rng, NOUNS, 3)
    color, place = draw_words(rng, COLORS, 1)[0], draw_words(rng, PLACES, 1)[0]
    count, more = draw_different(rng, 2, 40, 2)
    yield 'caption: "A man\'s T-shirt , 2 dogs ."', tokenize("A man's T-shirt , 2 dogs ."), 3
    captions = [
        f"Two {one}s , one {color} and one white , play in the {place} .",
        f"A {other}'s {color} T-shirt isn't clean.",
        f"{count} {one}s and {more} people at the {place.upper()}",
        f"\tThe {third}s' toys:  a ball,a 'frisbee' ({color})!\n",
        f"{one.title()}/{other.title()}-racing & {third}_show; 1st of {count}",
        f"A café, a {third}… and I: rock'n'roll",
    ]
    for at, caption in enumerate(captions):
        yield f"caption {at + 1}: {caption!r}", tokenize(caption)
    yield "a caption without any word: ' . , ! '", [tokenize(" . , ! "), tokenize(f"a {one}")]
    yield "an empty caption", [tokenize(caption=""), tokenize(f"{color}.")]


WORD = r"[^\W_]+(?:'[^\W_]+)*"  # the reference's pattern

lab.misconceptions(
    "tokenize",
    keeps_capitals=(
        '"A" and "a" become different words: convert everything to lower case.',
        {"caption.lower()": "caption"},
    ),
    splits_at_spaces=(
        'You split at spaces only, so "dog" and "dog." are different words, and "," is a word too. Anything '
        "that is neither a letter nor a digit separates words.",
        {f're.findall(r"{WORD}", caption.lower())': "caption.lower().split()"},
    ),
    keeps_punctuation=(
        "Punctuation marks come out as words of their own. They are no use to a caption model: leave them out.",
        {WORD: WORD + r"|[^\w\s]|_"},
    ),
    cuts_at_apostrophes=(
        'An apostrophe inside a word belongs to it: "isn\'t" is one word, not two.',
        {WORD: r"[^\W_]+"},
    ),
    keeps_apostrophes_outside=(
        "Apostrophes at the edge of a word stay on it: 'frisbee' in quotes and frisbee become two words. Only one "
        "between two letters belongs to the word.",
        {WORD: r"(?:[^\W_]|')+"},
    ),
    knows_english_letters_only=(
        'There are more letters than a to z: "café" falls apart. \\w matches letters of every language.',
        {WORD: r"[a-z0-9]+(?:'[a-z0-9]+)*"},
    ),
    english_letters_and_apostrophes=(
        "Apostrophes at the edge of a word stay on it ('frisbee' in quotes), and there are more letters than "
        'a to z: "café" falls apart.',
        {WORD: r"[a-z0-9']+"},
    ),
    word_characters_and_apostrophes=(
        "Apostrophes at the edge of a word stay on it ('frisbee' in quotes), and \\w also matches the "
        "underscore, which separates words.",
        {WORD: r"[\w']+"},
    ),
    word_characters_only=(
        'An apostrophe inside a word belongs to it ("isn\'t" is one word); also, \\w matches the underscore, '
        "which separates words.",
        {WORD: r"\w+"},
    ),
    drops_digits=(
        "Numbers get lost: a word is a run of letters and digits.",
        {WORD: r"[^\W\d_]+(?:'[^\W\d_]+)*"},
    ),
    drops_single_letters=(
        'You leave out one-letter words. "a" is the most common word of all captions; a model that never sees it '
        "cannot write it.",
        {"return ": "return [word for word in ", "caption.lower())": "caption.lower()) if len(word) > 1]"},
    ),
    keeps_empty_strings=(
        "There are empty strings among your words: splitting leaves them if a caption begins or ends with a separator.",
        {"findall": "split", WORD: r"(?:[^\w']|_|(?<!\w)'|'(?!\w))+"},
    ),
    keeps_underscores=(
        "\\w also matches the underscore, which is neither a letter nor a digit: it separates words.",
        {WORD: r"\w+(?:'\w+)*"},
    ),
)


lab.misconceptions(
    "tokenize",
    one_apostrophe_only=(
        "A word may have several apostrophes inside, as rock'n'roll does: your pattern allows only one.",
        {WORD: r"[^\W_]+(?:'[^\W_]+)?"},
    ),
    strips_the_edges_only=(
        "You split at spaces and remove punctuation only at the edges. Inside, it separates words too: "
        '"T-shirt" is two words, and so is "ball,a".',
        {
            f're.findall(r"{WORD}", caption.lower())': "[word for one in caption.lower().split() "
            r"""if (word := re.sub(r"^[\W_]+|[\W_]+$", "", one))]"""
        },
    ),
    every_word_once=(
        "A word that occurs twice in a caption comes out once. Return all words, in order.",
        {"re.findall(": "list(dict.fromkeys(re.findall(", "caption.lower())": "caption.lower())))"},
    ),
)


@lab.misconception(
    "tokenize",
    hint='You delete punctuation instead of splitting at it: "T-shirt" becomes "tshirt" and "ball,a" becomes "balla".',
)
def glues_words_together(caption):
    return "".join(one for one in caption.lower() if one.isalnum() or one.isspace()).split()


@lab.misconception("tokenize", another="glues_words_together")
def glues_words_but_for_apostrophes(caption):
    return "".join(one for one in caption.lower() if one.isalnum() or one.isspace() or one == "'").split()


@lab.misconception("tokenize", another="glues_words_together")
def glues_words_of_ascii(caption):
    return "".join(one for one in caption.lower() if one not in string.punctuation).split()


@lab.misconception("tokenize", another="splits_at_spaces")
def splits_at_each_space(caption):
    return caption.lower().split(" ")
