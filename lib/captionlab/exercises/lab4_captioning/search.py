"""Greedy search, and words drawn by chance: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


class Script:
    """A decoder that was told what to write: image by image its words, whatever was read; it counts its calls.

    The state is one number an image, the step, which has to be handed on. Where it is given another word than the last
    one it wrote it writes ``confused``, and one more where that word is not ``<start>``.
    """

    def __init__(self, captions: list[list[int]], words: int, confused: int, rng):
        self.captions, self.words, self.confused = captions, words, confused
        self.noise = draw_tensor(rng, words).clamp(-2, 2)
        self.calls = 0

    def begin(self) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(len(self.captions), 1),)

    def __call__(self, words: torch.Tensor, state: tuple) -> tuple[torch.Tensor, tuple]:
        self.calls += 1
        if self.calls > 200:
            raise RuntimeError("the search does not end")
        steps = state[0][:, 0].long().tolist()
        scores = self.noise.repeat(len(steps), 1)
        for row, (step, word) in enumerate(zip(steps, words.tolist(), strict=True)):
            written = [1, *self.captions[row]]
            known = step < len(written) - 1 and word == written[step]
            scores[row, written[step + 1] if known else self.confused + (word != 1)] += 9
        return scores, (state[0] + 1,)


def _captions(rng, lengths: list[int], end: int = 2) -> list[list[int]]:
    return [[*draw_different(rng, 4, 14, length), end] for length in lengths]


@lab.exercise("captionlab.captioning.search:greedy_search", points=3, minutes=30, difficulty=3, importance=5)
def probe_greedy_search(greedy_search, rng):
    def search(captions, **more):
        script = Script(captions, 20, 15, rng)
        found = greedy_search(script, script.begin(), **more)
        return [[list(map(int, caption)) for caption in found], script.calls]

    length = draw(rng, 4, 6)
    label = "the words, and how often the decoder was asked"
    yield f"one image, a caption of {length} words: {label}", search(_captions(rng, [length]))
    lengths = draw_different(rng, 2, 7, 3)
    yield f"three images, captions of {', '.join(map(str, lengths))} words: {label}", search(_captions(rng, lengths))
    longest = draw(rng, 3, 4)
    endless = _captions(rng, [8, 2])
    yield f"one of two captions never ends, at most {longest} words: {label}", search(endless, longest=longest)
    yield "a caption without words beside one of 3", search(_captions(rng, [0, 3]))
    exact = _captions(rng, [5, 5, 4])
    yield "captions of 5, 5 and 4 words, at most 5", search(exact, longest=5)
    script = Script([[7, 8, 19], [9, 19]], 20, 15, rng)
    found = greedy_search(script, script.begin(), start=1, end=19, longest=6)
    yield "another number for <end>", [[list(map(int, caption)) for caption in found], script.calls]


def right_search(step, state, end, longest):
    """The right search, in a form that misconceptions change in one place."""
    words = torch.full((len(state[0]),), 1)
    captions, going = [[] for _ in words], [True] * len(words)
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            going[row] = going[row] and word != end
            if going[row]:
                captions[row].append(word)
        if not any(going):
            break
    return captions


@lab.misconception(
    "greedy_search",
    hint="<end> is the last word of your captions. It says that there is no further word.",
)
def keeps_the_end(step, state, start=1, end=2, longest=20):
    words = torch.full((len(state[0]),), start)
    captions, going = [[] for _ in words], [True] * len(words)
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            if going[row]:
                captions[row].append(word)
            going[row] = going[row] and word != end
        if not any(going):
            break
    return captions


@lab.misconception(
    "greedy_search",
    hint="Your captions begin with <start>. The decoder reads it; it is no word it wrote.",
)
def keeps_the_start(step, state, start=1, end=2, longest=20):
    return [[start, *caption] for caption in right_search(step, state, end, longest)]


@lab.misconception(
    "greedy_search",
    hint="A caption that has ended goes on: what the decoder writes after <end>, while others are still going, is not "
    "part of it.",
)
def goes_on_after_the_end(step, state, start=1, end=2, longest=20):
    words = torch.full((len(state[0]),), start)
    captions, ended = [[] for _ in words], [False] * len(words)
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            ended[row] = ended[row] or word == end
            if word != end:
                captions[row].append(word)
        if all(ended):
            break
    return captions


@lab.misconception(
    "greedy_search",
    hint="All captions stop when the first one ends. The search goes on until all of them have.",
)
def stops_at_the_first_end(step, state, start=1, end=2, longest=20):
    words = torch.full((len(state[0]),), start)
    captions = [[] for _ in words]
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            if word != end:
                captions[row].append(word)
        if (words == end).any():
            break
    return captions


@lab.misconception(
    "greedy_search",
    hint="Each step begins with the first state again: hand the new state on to the next step.",
)
def forgets_the_state(step, state, start=1, end=2, longest=20):
    return right_search(lambda words, _: (step(words, state)[0], state), state, end, longest)


@lab.misconception(
    "greedy_search",
    hint="The decoder reads <start> in every step. From the second step on it reads the word it has just written.",
)
def reads_start_every_time(step, state, start=1, end=2, longest=20):
    return right_search(lambda words, now: step(torch.full_like(words, start), now), state, end, longest)


@lab.misconception(
    "greedy_search",
    hint="The words are right, but you go on until `longest` although all captions have ended. Stop then.",
)
def never_stops_early(step, state, start=1, end=2, longest=20):
    words = torch.full((len(state[0]),), start)
    captions, going = [[] for _ in words], [True] * len(words)
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            going[row] = going[row] and word != end
            if going[row]:
                captions[row].append(word)
    return captions


@lab.misconception(
    "greedy_search",
    hint="Your captions may have one word less than `longest`: <start> and <end> do not count among its words.",
)
def one_word_short(step, state, start=1, end=2, longest=20):
    return right_search(step, state, end, longest - 1)


@lab.misconception(
    "greedy_search",
    hint="The words are right, but the decoder is asked once more than a caption may have words, for an <end> that "
    "changes nothing. Stop after `longest` questions.",
)
def asks_once_more(step, state, start=1, end=2, longest=20):
    return [caption[:longest] for caption in right_search(step, state, end, longest + 1)]


@lab.misconception(
    "greedy_search",
    hint="You search image by image. `step` knows the images by their rows: given one row it answers for the first "
    "image. Give it the whole batch each time.",
)
def one_image_after_the_other(step, state, start=1, end=2, longest=20):
    return [
        right_search(step, tuple(part[row : row + 1] for part in state), end, longest)[0]
        for row in range(len(state[0]))
    ]


@lab.misconception("greedy_search", hint="You take the word with the lowest score. The likeliest has the highest.")
def takes_the_lowest(step, state, start=1, end=2, longest=20):
    return right_search(lambda words, now: _negated(step(words, now)), state, end, longest)


def _negated(result):
    scores, state = result
    return -scores, state


@lab.exercise("captionlab.captioning.search:sample_word", points=2, minutes=20, difficulty=3, importance=3)
def probe_sample_word(sample_word, rng):
    words = draw(rng, 5, 7)

    def case(count, numbers, **more):
        # Numbers drawn lie in the middle of the pieces, so that rounding decides nothing.
        scores = draw_tensor(rng, count, words, scale=1.5)
        pieces = torch.softmax(scores / more.get("temperature", 1.0), dim=1)
        middles = pieces.cumsum(dim=1) - pieces / 2
        drawn = middles.gather(1, torch.tensor(numbers).unsqueeze(1)).squeeze(1)
        return sample_word(scores, drawn, **more)

    yield f"5 captions, {words} words", case(5, draw_different(rng, 0, words - 1, 5))
    yield "the same with a temperature of 0.5", case(5, draw_different(rng, 0, words - 1, 5), temperature=0.5)
    yield "the same with a temperature of 3", case(5, draw_different(rng, 0, words - 1, 5), temperature=3.0)
    quarters = torch.zeros(4, 4)
    drawn = torch.tensor([0.0, 0.25, 0.5, 0.75])[torch.from_numpy(rng.permutation(4))]
    yield "four words alike, numbers drawn on the edges of their pieces", sample_word(quarters, drawn)
    scores = torch.tensor([[0.0, draw(rng, 2, 4), -1.0]] * 3)
    yield (
        "a temperature of 0.01, any number drawn",
        sample_word(scores=scores, drawn=torch.tensor([0.1, 0.5, 0.9]), temperature=0.01),
    )
    edge = torch.tensor([1 - 2**-24, 0.0])
    scores = _summing_below_one(rng)
    yield (
        "numbers drawn just below 1 (is there such a word?), and 0; and a temperature of 0",
        [
            bool(sample_word(scores, edge)[0] < scores.shape[1]),
            sample_word(scores, edge)[1],
            str(outcome_of(sample_word, quarters, drawn, 0.0))[:17],
            str(outcome_of(sample_word, quarters, drawn, -1.0))[:17],
        ],
    )


def _summing_below_one(rng):
    """Scores of 300 words for two captions, whose probabilities add up to less than 1, as rounding has it."""
    while True:
        scores = draw_tensor(rng, 2, 300)
        if torch.softmax(scores, dim=1).cumsum(dim=1)[0, -1] <= 1 - 2**-24:
            return scores


def _pick(probabilities, drawn):
    ends = probabilities.cumsum(dim=1)
    return (ends <= drawn.unsqueeze(1)).sum(dim=1).clamp(max=probabilities.shape[1] - 1)


def _positive(temperature):
    if temperature <= 0:
        raise ValueError("temperature")


@lab.misconception(
    "sample_word",
    hint="You multiply by the temperature: a high one then makes likely words likelier still. Divide.",
)
def multiplies_by_the_temperature(scores, drawn, temperature=1.0):
    _positive(temperature)
    return _pick(torch.softmax(scores * temperature, dim=1), drawn)


@lab.misconception(
    "sample_word", hint="The temperature changes nothing with you: divide the scores by it before the softmax."
)
def ignores_the_temperature(scores, drawn, temperature=1.0):
    _positive(temperature)
    return _pick(torch.softmax(scores, dim=1), drawn)


@lab.misconception(
    "sample_word",
    hint="You take the likeliest word, whatever number is drawn: that is greedy search, and gives the same "
    "caption every time.",
)
def always_the_likeliest(scores, drawn, temperature=1.0):
    _positive(temperature)
    return scores.argmax(dim=1)


@lab.misconception(
    "sample_word",
    hint="A number drawn on the edge between two words belongs to the upper one: a piece includes its "
    "beginning, not its end, as 0 can be drawn and 1 cannot.",
)
def edges_to_the_lower_word(scores, drawn, temperature=1.0):
    _positive(temperature)
    ends = torch.softmax(scores / temperature, dim=1).cumsum(dim=1)
    return (ends < drawn.unsqueeze(1)).sum(dim=1).clamp(max=scores.shape[1] - 1)


@lab.misconception(
    "sample_word",
    hint="You lay out the likeliest word first. The pieces lie in the vocabulary's order.",
)
def sorted_by_probability(scores, drawn, temperature=1.0):
    _positive(temperature)
    probabilities, words = torch.softmax(scores / temperature, dim=1).sort(dim=1, descending=True)
    return words.gather(1, _pick(probabilities, drawn).unsqueeze(1)).squeeze(1)


@lab.misconception(
    "sample_word",
    hint="Probabilities in float32 may add up to a little less than 1, and then a number drawn just below 1 falls "
    "behind the last word: there is no such word. Give the last one.",
)
def falls_behind_the_last_word(scores, drawn, temperature=1.0):
    _positive(temperature)
    ends = torch.softmax(scores / temperature, dim=1).cumsum(dim=1)
    return (ends <= drawn.unsqueeze(1)).sum(dim=1)


@lab.misconception(
    "sample_word",
    hint="All is right but for a temperature of 0 or below, which must be refused with a ValueError.",
)
def accepts_any_temperature(scores, drawn, temperature=1.0):
    return _pick(torch.softmax(scores / temperature, dim=1).nan_to_num(1.0), drawn)
