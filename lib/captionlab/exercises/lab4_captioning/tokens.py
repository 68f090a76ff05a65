"""From captions to words, and the words a model knows: probes and misconceptions."""

from __future__ import annotations

import re
from collections import Counter

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, PLACES, draw_words, lab


@lab.exercise("captionlab.captioning.text:tokenize", points=1, minutes=10, difficulty=1, importance=3)
def probe_tokenize(tokenize, rng):
    one, other, third = draw_words(rng, NOUNS, 3)
    color, place = draw_words(rng, COLORS, 1)[0], draw_words(rng, PLACES, 1)[0]
    count, more = draw_different(rng, 2, 40, 2)
    captions = [
        f"Two {one}s , one {color} and one white , play in the {place} .",
        f"A {other}'s {color} T-shirt isn't clean.",
        f"{count} {one}s and {more} people at the {place.upper()}",
        f"\tThe {third}s' toys:  a ball,a 'frisbee' ({color})!\n",
        f"{one.title()}/{other.title()}-racing & {third}_show; 1st of {count}",
        f"A café, a {third}… and I",
    ]
    for at, caption in enumerate(captions):
        yield f"caption {at + 1}: {caption!r}", tokenize(caption)
    yield "a caption without any word: ' . , ! '", [tokenize(" . , ! "), tokenize(f"a {one}")]
    yield "an empty caption", [tokenize(caption=""), tokenize(f"{color}.")]


@lab.misconception("tokenize", hint='"A" and "a" become two words of your vocabulary: bring everything to lower case.')
def keeps_capitals(caption):
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", caption)


@lab.misconception(
    "tokenize",
    hint='You split at spaces only, so "dog" and "dog." are two words and "," is one as well. Whatever is neither '
    "letter nor digit separates.",
)
def splits_at_spaces(caption):
    return caption.lower().split()


@lab.misconception(
    "tokenize",
    hint="Punctuation marks come out as words of their own. In captions they tell the model nothing: leave them out.",
)
def keeps_punctuation(caption):
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]|_", caption.lower())


@lab.misconception(
    "tokenize",
    hint='An apostrophe inside a word belongs to it: "isn\'t" is one word, and the rest behind the apostrophe is none.',
)
def cuts_at_apostrophes(caption):
    return re.findall(r"[^\W_]+", caption.lower())


@lab.misconception(
    "tokenize",
    hint="Apostrophes at the edge of a word stay on it: 'frisbee' in quotes and frisbee become two words. Only one "
    "between two letters belongs to the word.",
)
def keeps_apostrophes_outside(caption):
    return re.findall(r"(?:[^\W_]|')+", caption.lower())


@lab.misconception(
    "tokenize",
    hint='Letters are more than a to z: "café" falls apart. \\w matches letters of every language.',
)
def knows_english_letters_only(caption):
    return re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)*", caption.lower())


@lab.misconception(
    "tokenize",
    hint="Two things: apostrophes at the edge of a word stay on it ('frisbee' in quotes), and letters are more than a "
    'to z: "café" falls apart.',
)
def english_letters_and_apostrophes(caption):
    return re.findall(r"[a-z0-9']+", caption.lower())


@lab.misconception(
    "tokenize",
    hint="Two things: apostrophes at the edge of a word stay on it ('frisbee' in quotes), and \\w also matches the "
    "underscore, which separates.",
)
def word_characters_and_apostrophes(caption):
    return re.findall(r"[\w']+", caption.lower())


@lab.misconception(
    "tokenize",
    hint='Two things: an apostrophe inside a word belongs to it ("isn\'t" is one word), and \\w also matches the '
    "underscore, which separates.",
)
def word_characters_only(caption):
    return re.findall(r"\w+", caption.lower())


@lab.misconception(
    "tokenize",
    hint='You delete punctuation instead of separating at it: "T-shirt" becomes "tshirt" and "ball,a" becomes "balla".',
)
def glues_words_together(caption):
    return "".join(one for one in caption.lower() if one.isalnum() or one.isspace()).split()


@lab.misconception("tokenize", hint="Numbers get lost: a word is a run of letters and digits.")
def drops_digits(caption):
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", caption.lower())


@lab.misconception(
    "tokenize",
    hint='You leave out words of a single letter. "a" is the commonest word of all captions; a model that never sees '
    "it cannot write it.",
)
def drops_single_letters(caption):
    return [word for word in re.findall(r"[^\W_]+(?:'[^\W_]+)*", caption.lower()) if len(word) > 1]


@lab.misconception(
    "tokenize",
    hint="There are empty strings among your words: splitting leaves them where a separator is at either end.",
)
def keeps_empty_strings(caption):
    return re.split(r"(?:[^\w']|_|(?<!\w)'|'(?!\w))+", caption.lower())


@lab.misconception(
    "tokenize", hint="\\w also matches the underscore, which is neither a letter nor a digit: it separates words."
)
def keeps_underscores(caption):
    return re.findall(r"\w+(?:'\w+)*", caption.lower())


def _captions_with(rng, counts: dict[str, int]) -> list[list[str]]:
    """Captions in which each word is as often as wanted; words that are twice in one caption are among them."""
    words = [word for word, count in counts.items() for _ in range(count)]
    words = [words[at] for at in rng.permutation(len(words))]
    # Equally frequent words first come up against the alphabet.
    words.sort(key=lambda word: -ord(word[0]))
    captions = [words[:1], *(words[at : at + 4] for at in range(1, len(words), 4))]
    return [caption for caption in captions if caption]


@lab.exercise("captionlab.captioning.vocabulary:choose_words", points=1, minutes=10, difficulty=1, importance=3)
def probe_choose_words(choose_words, rng):
    choose_words = on_copies(choose_words)
    nouns, colors = draw_words(rng, NOUNS, 4), draw_words(rng, COLORS, 3)
    often = draw(rng, 7, 9)
    counts = {
        "a": often + 2,
        "runs": often,
        **dict.fromkeys(nouns, 4),
        **dict.fromkeys(colors, 2),
        "zebra": 1,
        "quay": 1,
    }
    captions = _captions_with(rng, counts)
    label = f"{len(captions)} captions with 11 words"
    yield f"{label}: all of them", choose_words(captions)
    yield f"{label}: those that are there twice or more", choose_words(captions, min_frequency=2)
    yield f"{label}: four times or more", choose_words(captions, 4)
    kept = draw(rng, 7, 8)
    yield f"{label}: the {kept} most frequent", choose_words(captions, most_frequent=kept)
    yield f"{label}: twice or more, the {kept - 1} most frequent", choose_words(captions, 2, kept - 1)
    yield f"{label}: four times or more, at most 20", choose_words(captions=captions, min_frequency=4, most_frequent=20)
    yield "one caption, twice the same word", choose_words([[nouns[0], colors[0], nouns[0]]], min_frequency=2)


def _sorted(counts: Counter, kept: list[str]) -> list[str]:
    return sorted(kept, key=lambda word: (-counts[word], word))


@lab.misconception(
    "choose_words",
    hint="Equally frequent words come in the order they first appear (most_common does that), so the "
    "vocabulary depends on the order of the captions. Sort ties by the alphabet.",
)
def ties_as_they_come(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    return [word for word, count in counts.most_common() if count >= min_frequency][:most_frequent]


@lab.misconception(
    "choose_words", hint="A word that is there exactly min_frequency times is to be kept: at least, not more than."
)
def more_often_than_the_minimum(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    return _sorted(counts, [word for word in counts if counts[word] > min_frequency])[:most_frequent]


@lab.misconception(
    "choose_words",
    hint="You count the captions that have a word. A word that is twice in one caption counts twice.",
)
def counts_captions(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in set(caption))
    return _sorted(counts, [word for word in counts if counts[word] >= min_frequency])[:most_frequent]


@lab.misconception(
    "choose_words", hint="The words come by the alphabet. The most frequent comes first; the alphabet is for ties."
)
def by_the_alphabet(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    return sorted(word for word in counts if counts[word] >= min_frequency)[:most_frequent]


@lab.misconception(
    "choose_words",
    hint="<pad>, <start>, <end> and <unk> are in your list. They come on top of it, and get their numbers elsewhere.",
)
def adds_the_special_words(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    kept = _sorted(counts, [word for word in counts if counts[word] >= min_frequency])[:most_frequent]
    return ["<pad>", "<start>", "<end>", "<unk>", *kept]


@lab.misconception(
    "choose_words",
    hint="Your list is four words short where most_frequent is given: the special words do not count among these.",
)
def makes_room_for_special_words(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    kept = _sorted(counts, [word for word in counts if counts[word] >= min_frequency])
    return kept if most_frequent is None else kept[: most_frequent - 4]


@lab.misconception(
    "choose_words", hint="You give pairs of a word and how often it is there. Only the words are wanted."
)
def gives_the_counts_too(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    kept = _sorted(counts, [word for word in counts if counts[word] >= min_frequency])[:most_frequent]
    return [(word, counts[word]) for word in kept]


@lab.misconception(
    "choose_words", hint="The rarest words come first. Sorting goes upwards by itself: the frequencies need a minus."
)
def rarest_first(captions, min_frequency=1, most_frequent=None):
    counts = Counter(word for caption in captions for word in caption)
    kept = [word for word in counts if counts[word] >= min_frequency]
    return sorted(kept, key=lambda word: (counts[word], word))[:most_frequent]
