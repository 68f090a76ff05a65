"""Greedy search, and words that are sampled: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


class ScriptedDecoder:
    """A decoder that writes given captions, one per image, as long as it is asked correctly; it counts its calls.

    The state is one number per image, the step, which must be passed on. If the decoder is given another word than the
    last one it wrote, it writes ``confused``, or the id after it if that word is not ``<start>``.
    """

    def __init__(self, captions: list[list[int]], vocab_size: int, confused: int, rng):
        self.captions, self.confused = captions, confused
        self.noise = draw_tensor(rng, vocab_size).clamp(-2, 2)
        self.calls = 0

    def initial_state(self) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(len(self.captions), 1),)

    def __call__(self, words: torch.Tensor, state: tuple) -> tuple[torch.Tensor, tuple]:
        self.calls += 1
        if self.calls > 200:
            raise RuntimeError("the search does not end")
        steps = state[0][:, 0].long().tolist()
        logits = self.noise.repeat(len(steps), 1)
        for row, (step, word) in enumerate(zip(steps, words.tolist(), strict=True)):
            written = [1, *self.captions[row]]
            known = step < len(written) - 1 and word == written[step]
            logits[row, written[step + 1] if known else self.confused + (word != 1)] += 9
        return logits, (state[0] + 1,)


def _captions(rng, lengths: list[int], end: int = 2) -> list[list[int]]:
    return [[*draw_different(rng, 4, 14, length), end] for length in lengths]


@lab.exercise("captionlab.captioning.search:greedy_search", points=3, minutes=30, difficulty=3, importance=5)
def probe_greedy_search(greedy_search, rng):
    def search(captions, **more):
        decoder = ScriptedDecoder(captions, 20, 15, rng)
        found = greedy_search(decoder, decoder.initial_state(), **more)
        return [[list(map(int, caption)) for caption in found], decoder.calls]

    length = draw(rng, 4, 6)
    label = "the token ids, and the number of calls of step"
    yield f"one image, a caption of {length} words: {label}", search(_captions(rng, [length]))
    lengths = draw_different(rng, 2, 7, 3)
    yield f"three images, captions of {', '.join(map(str, lengths))} words: {label}", search(_captions(rng, lengths))
    most = draw(rng, 3, 4)
    endless = _captions(rng, [8, 2])
    yield f"one of two captions never ends, max_words={most}: {label}", search(endless, max_words=most)
    yield "a caption without words next to one of 3", search(_captions(rng, [0, 3]))
    exact = _captions(rng, [5, 5, 4])
    yield "captions of 5, 5 and 4 words, max_words=5", search(exact, max_words=5)
    yield "<end> has another id", search([[7, 8, 19], [9, 19]], start=1, end=19, max_words=6)


def right_search(step, state, end, max_words):
    """A correct search, for probes and misconceptions that need one."""
    words = torch.full((len(state[0]),), 1)
    captions, running = [[] for _ in words], [True] * len(words)
    for _ in range(max_words):
        logits, state = step(words, state)
        words = logits.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            running[row] = running[row] and word != end
            if running[row]:
                captions[row].append(word)
        if not any(running):
            break
    return captions


UPDATE = "running[row] = running[row] and word != end"  # in the reference

lab.misconceptions(
    "greedy_search",
    keeps_the_end=(
        "<end> is the last word of your captions. It says that there are no further words.",
        {UPDATE: "", "captions[row].append(word)": f"captions[row].append(word)\n            {UPDATE}"},
    ),
    keeps_the_start=(
        "Your captions begin with <start>. The decoder reads it but did not write it.",
        {"return captions": "return [[start, *caption] for caption in captions]"},
    ),
    continues_after_the_end=(
        "A caption that has ended gets further words: what the decoder writes after <end>, while other captions are "
        "still running, is not part of it.",
        {"if running[row]:": "if word != end:"},
    ),
    stops_at_the_first_end=(
        "All captions stop when the first one ends. Continue until all of them have ended.",
        {"if running[row]:": "if word != end:", "if not any(running)": "if not all(running)"},
    ),
    forgets_the_state=(
        "Each step starts from the initial state again: pass the new state on to the next step.",
        {"logits, state = step": "logits, _ = step"},
    ),
    reads_start_every_time=(
        "The decoder reads <start> in every step. From the second step on it reads the word it has just written.",
        {"step(words, state)": "step(torch.full_like(words, start), state)"},
    ),
    never_stops_early=(
        "The words are right, but you continue up to `max_words` although all captions have ended. Stop then.",
        {"if not any(running)": ""},
    ),
    one_word_short=(
        "Your captions have at most max_words - 1 words. They may have max_words: <start> and <end> do not count.",
        {"range(max_words)": "range(max_words - 1)"},
    ),
    asks_once_more=(
        "The words are right, but you call `step` once more than a caption may have words, for an <end> that changes "
        "nothing. Stop after `max_words` calls.",
        {
            "range(max_words)": "range(max_words + 1)",
            "return captions": "return [caption[:max_words] for caption in captions]",
        },
    ),
    takes_the_lowest=(
        "You take the word with the lowest logit. The most probable one has the highest.",
        {"argmax": "argmin"},
    ),
)


@lab.misconception(
    "greedy_search",
    hint="You search image by image. `step` knows the images by their rows: given one row, it answers for the first "
    "image. Give it the whole batch each time.",
)
def one_image_after_the_other(step, state, start=1, end=2, max_words=20):
    return [
        right_search(step, tuple(part[row : row + 1] for part in state), end, max_words)[0]
        for row in range(len(state[0]))
    ]


@lab.exercise("captionlab.captioning.search:sample_word", points=2, minutes=20, difficulty=3, importance=3)
def probe_sample_word(sample_word, rng):
    vocab_size = draw(rng, 5, 7)

    def case(count, words, **more):
        # The random numbers lie in the middle of each word's part, so that rounding decides nothing.
        logits = draw_tensor(rng, count, vocab_size, scale=1.5)
        probabilities = torch.softmax(logits / more.get("temperature", 1.0), dim=1)
        middles = probabilities.cumsum(dim=1) - probabilities / 2
        uniform = middles.gather(1, torch.tensor(words).unsqueeze(1)).squeeze(1)
        return sample_word(logits, uniform, **more)

    yield f"5 captions, a vocabulary of {vocab_size}", case(5, draw_different(rng, 0, vocab_size - 1, 5))
    label = "the same, temperature "
    yield label + "0.5", case(5, draw_different(rng, 0, vocab_size - 1, 5), temperature=0.5)
    yield label + "3", case(5, draw_different(rng, 0, vocab_size - 1, 5), temperature=3.0)
    equal = torch.zeros(4, 4)
    uniform = torch.tensor([0.0, 0.25, 0.5, 0.75])[torch.from_numpy(rng.permutation(4))]
    yield "four equally probable words, random numbers on the bounds of their parts", sample_word(equal, uniform)
    logits = torch.tensor([[0.0, draw(rng, 2, 4), -1.0]] * 3)
    yield (
        "temperature 0.01, random numbers 0.1, 0.5, 0.9",
        sample_word(logits=logits, uniform=torch.tensor([0.1, 0.5, 0.9]), temperature=0.01),
    )
    edge = torch.tensor([1 - 2**-24, 0.0])
    logits = _summing_below_one(rng)
    yield (
        "random numbers just below 1 (is there such a word?) and 0; temperatures 0 and -1",
        [
            bool(sample_word(logits, edge)[0] < logits.shape[1]),
            sample_word(logits, edge)[1],
            str(outcome_of(sample_word, equal, uniform, 0.0))[:17],
            str(outcome_of(sample_word, equal, uniform, -1.0))[:17],
        ],
    )


def _summing_below_one(rng):
    """Logits of 300 words for two captions; after rounding, the probabilities of the first add up to less than 1."""
    while True:
        logits = draw_tensor(rng, 2, 300)
        if torch.softmax(logits, dim=1).cumsum(dim=1)[0, -1] <= 1 - 2**-24:
            return logits


lab.misconceptions(
    "sample_word",
    multiplies_by_the_temperature=(
        "You multiply by the temperature: a high one then makes probable words even more probable. Divide.",
        {"logits / temperature": "logits * temperature"},
    ),
    ignores_the_temperature=(
        "Your result ignores the temperature: divide the logits by it before the softmax.",
        {"logits / temperature": "logits"},
    ),
    always_the_most_probable=(
        "You take the most probable word, whatever the random number is: that is greedy search, which gives the same "
        "caption every time.",
        {"(bounds <= uniform.unsqueeze(1)).sum(dim=1).clamp(max=logits.shape[1] - 1)": "logits.argmax(dim=1)"},
    ),
    bounds_to_the_lower_word=(
        "A random number on the bound between two words belongs to the upper one: a part includes its lower bound and "
        "not its upper bound, as 0 can be drawn and 1 cannot.",
        {"bounds <= uniform": "bounds < uniform"},
    ),
    runs_past_the_last_word=(
        "Probabilities in float32 may add up to slightly less than 1, and a random number just below 1 then lies past "
        "the last word: there is no such word. Return the last one.",
        {".clamp(max=logits.shape[1] - 1)": ""},
    ),
    accepts_any_temperature=(
        "Everything is right except for a temperature of 0 or below, which must be refused with a ValueError.",
        {"if temperature <= 0": "", "dim=1).cumsum": "dim=1).nan_to_num(1.0).cumsum"},
    ),
)


@lab.misconception(
    "sample_word",
    hint="Your parts are sorted by probability, the most probable word first. They are in vocabulary order.",
)
def sorted_by_probability(logits, uniform, temperature=1.0):
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}")
    probabilities, words = torch.softmax(logits / temperature, dim=1).sort(dim=1, descending=True)
    ranks = (probabilities.cumsum(dim=1) <= uniform.unsqueeze(1)).sum(dim=1).clamp(max=logits.shape[1] - 1)
    return words.gather(1, ranks.unsqueeze(1)).squeeze(1)
