"""The vocabulary, captions as token ids, and back: probes and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, END, NOUNS, PAD, SPECIALS, START, draw_words, lab
from captionlab.grading.probe_helpers import outcome_of


def _captions_with(rng, counts: dict[str, int]) -> list[list[str]]:
    """Captions in which each word occurs as often as ``counts`` says, sometimes twice in one caption."""
    words = [word for word, count in counts.items() for _ in range(count)]
    words = [words[at] for at in rng.permutation(len(words))]
    # Equally frequent words first occur neither in alphabetical order nor from z to a, but as in b, c, a.
    order = sorted(counts)
    words.sort(key=lambda word: (word == min(one for one in order if counts[one] == counts[word]), word))
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
    yield "2 captions: a dog, a cat", choose_words([["a", "dog"], ["a", "cat"]])
    yield "2 captions: a dog, a cat, max_vocab_size=2", choose_words([["a", "dog"], ["a", "cat"]], max_vocab_size=2)
    captions = _captions_with(rng, counts)
    label = f"{len(captions)} captions with 11 different words"
    yield f"{label}: all of them", choose_words(captions)
    yield f"{label}: min_word_freq=2", choose_words(captions, min_word_freq=2)
    yield f"{label}: min_word_freq=4", choose_words(captions, 4)
    kept = draw(rng, 7, 8)
    yield f"{label}: max_vocab_size={kept}", choose_words(captions, max_vocab_size=kept)
    yield f"{label}: min_word_freq=2, max_vocab_size={kept - 1}", choose_words(captions, 2, kept - 1)
    yield (
        f"{label}: min_word_freq=4, max_vocab_size=20",
        choose_words(captions=captions, min_word_freq=4, max_vocab_size=20),
    )
    yield "one caption that has a word twice", choose_words([[nouns[0], colors[0], nouns[0]]], min_word_freq=2)


lab.misconceptions(
    "choose_words",
    ties_as_they_come=(
        "Equally frequent words come in the order of their first occurrence (as most_common returns them), so the "
        "vocabulary depends on the order of the captions. Sort ties alphabetically.",
        {"counts.items()": "counts.most_common()", "kept.sort": ""},
    ),
    ties_from_z_to_a=(
        "Equally frequent words come from z to a: `reverse=True` reverses both the frequencies and the "
        "alphabet. Negate the frequencies instead.",
        {"(-counts[word], word)": "(counts[word], word), reverse=True"},
    ),
    cuts_before_it_sorts=(
        "You limit the number of words before they are in order, so the wrong ones get lost. Sort first, then cut.",
        {
            "kept.sort": "kept = kept if max_vocab_size is None else kept[:max_vocab_size]\n    kept.sort",
            "return kept if max_vocab_size is None else kept[:max_vocab_size]": "return kept",
        },
    ),
    ignores_the_limit=(
        "`max_vocab_size` has no effect: keep at most that many words.",
        {" if max_vocab_size is None else kept[:max_vocab_size]": ""},
    ),
    ignores_the_minimum=(
        "`min_word_freq` has no effect: drop words that occur less often than that.",
        {"count >= min_word_freq and ": ""},
    ),
    more_often_than_the_minimum=(
        "You drop words that occur exactly min_word_freq times. Keep them: it is the lowest frequency that is "
        "still allowed.",
        {">= min_word_freq": "> min_word_freq"},
    ),
    counts_captions=(
        "You count the captions that contain a word. A word that occurs twice in one caption counts twice.",
        {"for word in caption)": "for word in set(caption))"},
    ),
    by_the_alphabet=(
        "Your words are in alphabetical order. The most frequent comes first; the alphabet only decides ties.",
        {"(-counts[word], word)": "word"},
    ),
    adds_the_special_words=(
        "<pad>, <start>, <end> and <unk> are in your list. They are added elsewhere, where words get their ids.",
        {"return kept if max_vocab_size is None else ": 'return ["<pad>", "<start>", "<end>", "<unk>"] + '},
    ),
    makes_room_for_special_words=(
        "With max_vocab_size your list is four words short: the special words do not count toward it.",
        {"kept[:max_vocab_size]": "kept[: max_vocab_size - 4]"},
    ),
    gives_the_counts_too=(
        "You return pairs of a word and its frequency. Return the words only.",
        {
            "return kept if max_vocab_size is None else kept": "return [(word, counts[word]) for word in kept]",
        },
    ),
    rarest_first=(
        "The rarest words come first. Sorting is ascending by default: negate the frequencies.",
        {"-counts[word]": "counts[word]"},
    ),
)


@lab.exercise("captionlab.captioning.vocabulary:encode", points=2, minutes=15, difficulty=2, importance=4)
def probe_encode(encode, rng):
    encode = on_copies(encode)
    words = draw_words(rng, NOUNS, 5) + draw_words(rng, COLORS, 4)
    word_to_id = {word: number for number, word in enumerate([*SPECIALS, *(words[at] for at in rng.permutation(9))])}
    strange = f"{words[0]}fish"
    count = draw(rng, 4, 6)
    caption = words[:count]
    spare = draw(rng, 2, 4)
    small = {**{word: number for number, word in enumerate(SPECIALS)}, "a": 4, "dog": 5}
    yield "a dog runs, max_length=6; runs is unknown", encode(["a", "dog", "runs"], small, max_length=6), 1.5
    yield "a dog runs, max_length=4", encode(["a", "dog", "runs"], small, max_length=4), 2
    yield f"{count} words, max_length={count + 2 + spare}", encode(caption, word_to_id, count + 2 + spare)
    yield f"{count} words, max_length={count + 2}", encode(caption, word_to_id, count + 2)
    yield f"{count} words, max_length={count + 1}", encode(caption, word_to_id, count + 1)
    yield f"{count} words, max_length={count - 1}", encode(caption, word_to_id, max_length=count - 1)
    known = draw(rng, 0, 2)
    caption = [*words[:known], strange, *words[known:4], strange]
    yield (
        f"word {known + 1} and the last one unknown, max_length=12",
        encode(tokens=caption, word_to_id=word_to_id, max_length=12),
        2,
    )
    yield "no words, max_length=4", encode([], word_to_id, 4)
    others = {word: number for number, word in enumerate([*words, *SPECIALS[::-1]])}
    label = ", ".join(f"{word} {others[word]}" for word in SPECIALS)
    yield (
        f"a vocabulary with the ids {label}: two words, one of them unknown, max_length=6",
        encode([words[1], strange], others, 6),
        2,
    )
    yield "two words, max_length=2", encode(words[:2], word_to_id, 2)
    yield "two words, max_length=1", outcome_of(encode, words[:2], word_to_id, 1)


PADDING = '[word_to_id["<pad>"]] * (max_length - len(token_ids))'  # in the reference

lab.misconceptions(
    "encode",
    cuts_the_end_off=(
        "A caption that is too long loses its <end>, and the model learns that captions may just stop. Truncate the "
        "words, then add <end>.",
        {"tokens[: max_length - 2]": "tokens", 'word_to_id["<end>"]]': 'word_to_id["<end>"]][:max_length]'},
    ),
    does_not_count_start_and_end=(
        "Your captions have max_length words, and <start> and <end> in addition: max_length counts these two as well.",
        {"tokens[: max_length - 2]": "tokens[:max_length]", "(max_length - len": "(max_length + 2 - len"},
    ),
    does_not_pad=(
        "Short captions stay short. All need max_length ids to fit into one tensor: fill up with <pad>.",
        {f"token_ids + {PADDING}": "token_ids"},
    ),
    pads_in_front=(
        "The padding comes before the caption. It belongs after <end>.",
        {f"token_ids + {PADDING}": f"{PADDING} + token_ids"},
    ),
    ends_after_the_padding=(
        "<end> comes after the padding: it belongs directly after the last word, where the caption ends.",
        {', word_to_id["<end>"]]': "]", "len(token_ids))": 'len(token_ids) - 1) + [word_to_id["<end>"]]'},
    ),
    drops_unknown_words=(
        "Unknown words disappear from the caption. They keep their place as <unk>: there was a word.",
        {
            'word_to_id.get(token, word_to_id["<unk>"]) for token in tokens[': "word_to_id[token] for token in tokens "
            "if token in word_to_id][",
            "max_length - 2]]": "max_length - 2]",
        },
    ),
    unknown_words_as_padding=(
        "Unknown words become <pad>, as if there were no word. They get the id of <unk>.",
        {'word_to_id["<unk>"]': "0"},
    ),
    forgets_start=(
        "There is no <start>. The decoder reads it before the first word: it needs something to begin with.",
        {"max_length - 2": "max_length - 1", 'word_to_id["<start>"], ': ""},
    ),
    ids_built_in=(
        "The ids 0 to 3 of <pad>, <start>, <end> and <unk> are built into your code. Another vocabulary has others: "
        "look them up in `word_to_id`.",
        {
            'word_to_id["<unk>"]': "3",
            'word_to_id["<start>"]': "1",
            'word_to_id["<end>"]]': "2]",
            'word_to_id["<pad>"]': "0",
        },
    ),
    cuts_one_word_less=(
        "A caption that is too long gets one id too many: two ids are needed besides its words, <start> and <end>.",
        {"max_length - 2]": "max_length - 1]"},
    ),
    cuts_one_word_more=(
        "A caption that is too long loses one word too many: only two ids are needed besides its words.",
        {"max_length - 2]": "max(0, max_length - 3)]"},
    ),
    never_cuts=(
        "You do not truncate captions that are too long. Drop their last words, so that max_length ids "
        "remain, including <start> and <end>.",
        {"tokens[: max_length - 2]": "tokens"},
    ),
    forgets_the_end=(
        "There is no <end>. Without it the model never learns to stop.",
        {"max_length - 2]": "max_length - 1]", ', word_to_id["<end>"]]': "]"},
    ),
    accepts_any_length=(
        "A max_length below 2 must be refused: <start> and <end> do not fit. Raise a ValueError.",
        {"if max_length < 2": "", "max_length - 2": "max(0, max_length - 2)"},
    ),
)


@lab.exercise("captionlab.captioning.vocabulary:decode", points=1, minutes=10, difficulty=1, importance=4)
def probe_decode(decode, rng):
    decode = on_copies(decode)
    words = [*SPECIALS, *draw_words(rng, NOUNS, 6), *draw_words(rng, COLORS, 6)]
    inside = draw_different(rng, 4, 15, draw(rng, 5, 6))
    after = draw_different(rng, 4, 15, 3)
    small = [*SPECIALS, "a", "dog"]
    yield f"[1, 4, 5, 3, 2, 5, 0] of the words {', '.join(small)}", decode([1, 4, 5, 3, 2, 5, 0], small), 2
    yield "a caption with <start>, <end> and padding", decode([1, *inside, 2, 0, 0, 0], words)
    yield "a caption that continues after <end>", decode([*inside[:4], 2, *after, 2, 0], words), 2
    yield "a caption without <end>", outcome_of(decode, token_ids=[1, *after], words=words), 2
    yield "a caption with an unknown word in the middle", decode([1, *inside[:2], 3, inside[2], 2], words), 2
    yield "a caption with padding in front and <start> twice", decode([0, 0, 1, 1, *inside[1:4], 2], words)
    yield "nothing but <start> and <end>, then three words", [decode([1, 2], words), decode([1, *after, 2], words)]


@lab.misconception(
    "decode",
    hint="A caption without <end> fails: `index` raises a ValueError if there is none. All its ids count then.",
)
def needs_an_end(token_ids, words):
    ids = list(token_ids)
    return [words[at] for at in ids[: ids.index(END)] if at not in (PAD, START)]


lab.misconceptions(
    "decode",
    keeps_the_end=(
        "<end> is in your captions. It marks the end of the caption and is not one of its words.",
        {
            'if words[token_id] == "<end>"': "",
            "kept.append(words[token_id])": "kept.append(words[token_id])\n"
            '        if words[token_id] == "<end>":\n'
            "            break",
        },
    ),
    reads_on_after_the_end=(
        "You continue after <end>: what the decoder writes after it is not part of the caption. Stop at the first "
        "<end>.",
        {"break": "continue"},
    ),
    keeps_the_start=(
        "<start> is in your captions: the decoder reads it first, but it is not a word.",
        {'("<pad>", "<start>")': '("<pad>",)'},
    ),
    keeps_the_padding=(
        "<pad> is among your words if it comes before <end>: leave it out everywhere.",
        {'("<pad>", "<start>")': '("<start>",)'},
    ),
    drops_unknown=(
        "Unknown words are dropped. Keep <unk> in its place, to show that the model had no word for something.",
        {'"<start>")': '"<start>", "<unk>")'},
    ),
    keeps_all_before_the_end=(
        "Everything before <end> is kept, <start> and <pad> too: these two are not words of the caption.",
        {'if words[token_id] not in ("<pad>", "<start>")': "if True"},
    ),
    gives_ids=(
        "You return ids. Look up the word of each id in `words`.",
        {"kept.append(words[token_id])": "kept.append(token_id)"},
    ),
    stops_at_padding=(
        "You stop at the first <pad>. Only <end> ends a caption; padding is skipped.",
        {'== "<end>"': 'in ("<pad>", "<end>")'},
    ),
    joins_the_words=(
        "Return a list of words, not one string. BLEU would take the letters of a string for words.",
        {"return kept": 'return " ".join(kept)'},
    ),
    drops_the_first=(
        "You drop the first id without checking what it is. It may be a word: leave out <start> wherever it occurs.",
        {"in token_ids:": "in token_ids[1:]:"},
    ),
)
