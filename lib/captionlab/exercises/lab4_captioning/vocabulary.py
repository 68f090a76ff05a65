"""Captions as numbers and back: probes and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, SPECIALS, draw_words, lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.captioning.vocabulary:encode", points=2, minutes=15, difficulty=2, importance=4)
def probe_encode(encode, rng):
    encode = on_copies(encode)
    words = draw_words(rng, NOUNS, 5) + draw_words(rng, COLORS, 4)
    ids = {word: number for number, word in enumerate([*SPECIALS, *(words[at] for at in rng.permutation(9))])}
    strange = f"{words[0]}fish"
    count = draw(rng, 4, 6)
    caption = words[:count]
    spare = draw(rng, 2, 4)
    yield f"{count} words, maximum length {count + 2 + spare}", encode(caption, ids, count + 2 + spare)
    yield f"{count} words, maximum length {count + 2}", encode(caption, ids, count + 2)
    yield f"{count} words, maximum length {count + 1}", encode(caption, ids, count + 1)
    yield f"{count} words, maximum length {count - 1}", encode(caption, ids, max_length=count - 1)
    known = draw(rng, 0, 2)
    caption = [*words[:known], strange, *words[known:4], strange]
    yield (
        f"word {known + 1} and the last one unknown, maximum length 12",
        encode(tokens=caption, ids=ids, max_length=12),
    )
    yield "no words, maximum length 4", encode([], ids, 4)
    yield "two words, maximum length 2", encode(words[:2], ids, 2)
    yield "two words, maximum length 1", outcome_of(encode, words[:2], ids, 1)


def _numbers(tokens, ids):
    return [ids.get(token, ids["<unk>"]) for token in tokens]


def _refuse(max_length):
    if max_length < 2:
        raise ValueError("there is no room for <start> and <end>")


@lab.misconception(
    "encode",
    hint="A caption that is too long loses its <end>, and the model learns that captions may just stop. Cut the words, "
    "then add <end>.",
)
def cuts_the_end_off(tokens, ids, max_length):
    _refuse(max_length)
    numbers = [ids["<start>"], *_numbers(tokens, ids), ids["<end>"]][:max_length]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))


@lab.misconception(
    "encode",
    hint="Your captions have max_length words and <start> and <end> besides: max_length counts these two as well.",
)
def does_not_count_start_and_end(tokens, ids, max_length):
    _refuse(max_length)
    numbers = [ids["<start>"], *_numbers(tokens, ids)[:max_length], ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length + 2 - len(numbers))


@lab.misconception(
    "encode", hint="Short captions stay short. All must have max_length numbers to fit in one tensor: fill with <pad>."
)
def does_not_pad(tokens, ids, max_length):
    _refuse(max_length)
    return [ids["<start>"], *_numbers(tokens, ids)[: max_length - 2], ids["<end>"]]


@lab.misconception("encode", hint="The padding comes before the caption. It belongs after <end>.")
def pads_in_front(tokens, ids, max_length):
    _refuse(max_length)
    numbers = [ids["<start>"], *_numbers(tokens, ids)[: max_length - 2], ids["<end>"]]
    return [ids["<pad>"]] * (max_length - len(numbers)) + numbers


@lab.misconception(
    "encode", hint="<end> comes after the padding: it belongs straight after the last word, where the caption ends."
)
def ends_after_the_padding(tokens, ids, max_length):
    _refuse(max_length)
    numbers = [ids["<start>"], *_numbers(tokens, ids)[: max_length - 2]]
    return numbers + [ids["<pad>"]] * (max_length - 1 - len(numbers)) + [ids["<end>"]]


@lab.misconception(
    "encode",
    hint="Unknown words disappear from the caption. They keep their place as <unk>: something was there.",
)
def drops_unknown_words(tokens, ids, max_length):
    _refuse(max_length)
    known = [ids[token] for token in tokens if token in ids]
    numbers = [ids["<start>"], *known[: max_length - 2], ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))


@lab.misconception(
    "encode", hint="Unknown words become <pad>, as if the caption had a hole. Their number is that of <unk>."
)
def unknown_words_as_padding(tokens, ids, max_length):
    _refuse(max_length)
    numbers = [ids["<start>"], *(ids.get(token, 0) for token in tokens[: max_length - 2]), ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))


@lab.misconception(
    "encode",
    hint="There is no <start>. The decoder reads it before the first word: there must be something to begin with.",
)
def forgets_start(tokens, ids, max_length):
    _refuse(max_length)
    numbers = [*_numbers(tokens, ids)[: max_length - 1], ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))


@lab.misconception(
    "encode", hint="All is right but for a max_length below 2: <start> and <end> do not fit. Raise a ValueError."
)
def accepts_any_length(tokens, ids, max_length):
    numbers = [ids["<start>"], *_numbers(tokens, ids)[: max(0, max_length - 2)], ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))


@lab.exercise("captionlab.captioning.vocabulary:decode", points=1, minutes=10, difficulty=1, importance=4)
def probe_decode(decode, rng):
    decode = on_copies(decode)
    words = [*SPECIALS, *draw_words(rng, NOUNS, 6), *draw_words(rng, COLORS, 6)]
    inside = draw_different(rng, 4, 15, draw(rng, 5, 6))
    after = draw_different(rng, 4, 15, 3)
    yield "a caption with <start>, <end> and padding", decode([1, *inside, 2, 0, 0, 0], words)
    yield "one that goes on after <end>", decode([*inside[:4], 2, *after, 2, 0], words)
    yield "one without <end>", decode(numbers=[1, *after], words=words)
    yield "an unknown word in the middle", decode([1, *inside[:2], 3, inside[2], 2], words)
    yield "padding in front, <start> twice", decode([0, 0, 1, 1, *inside[1:4], 2], words)
    yield "nothing but <start> and <end>, then three words", [decode([1, 2], words), decode([1, *after, 2], words)]


@lab.misconception("decode", hint="<end> is in your captions. It says that the caption is over, and is no word of it.")
def keeps_the_end(numbers, words):
    kept = []
    for number in numbers:
        if number not in (0, 1):
            kept.append(words[number])
        if number == 2:
            break
    return kept


@lab.misconception(
    "decode",
    hint="You go on after <end>: what the decoder writes then is not meant to be read. Stop at the first <end>.",
)
def reads_on_after_the_end(numbers, words):
    return [words[number] for number in numbers if number not in (0, 1, 2)]


@lab.misconception("decode", hint="<start> is in your captions: it is what the decoder reads first, and no word.")
def keeps_the_start(numbers, words):
    kept = []
    for number in numbers:
        if number == 2:
            break
        if number != 0:
            kept.append(words[number])
    return kept


@lab.misconception("decode", hint="<pad> is among your words where it stands before <end>: leave it out everywhere.")
def keeps_the_padding(numbers, words):
    kept = []
    for number in numbers:
        if number == 2:
            break
        if number != 1:
            kept.append(words[number])
    return kept


@lab.misconception(
    "decode",
    hint="Unknown words are dropped. Keep <unk> in its place, so that one sees that the model had no word for "
    "something.",
)
def drops_unknown(numbers, words):
    kept = []
    for number in numbers:
        if number == 2:
            break
        if number > 3:
            kept.append(words[number])
    return kept


@lab.misconception("decode", hint="You stop at the first <pad>. Only <end> ends a caption; padding is skipped.")
def stops_at_padding(numbers, words):
    kept = []
    for number in numbers:
        if number in (0, 2):
            break
        if number != 1:
            kept.append(words[number])
    return kept


@lab.misconception(
    "decode", hint="A list of words is wanted; you give one string. BLEU would take its letters for words."
)
def joins_the_words(numbers, words):
    kept = []
    for number in numbers:
        if number == 2:
            break
        if number not in (0, 1):
            kept.append(words[number])
    return " ".join(kept)


@lab.misconception("decode", hint="You cut off the first and the last number without looking at what they are.")
def cuts_both_ends(numbers, words):
    kept = []
    for number in numbers[1:]:
        if number == 2:
            break
        if number not in (0, 1):
            kept.append(words[number])
    return kept
