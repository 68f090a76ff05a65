"""Greedy search: probe and misconceptions, and the decoders it is probed with."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import GlobalGenerators


class ScriptedDecoder:
    """A decoder that writes given captions, one per image, as long as it is asked correctly; it counts its calls.

    The state is one number per image, the step, which must be passed on. If the decoder is given another word than the
    last one it wrote, it writes ``confused``, or the id after it if that word is not ``start``.
    """

    def __init__(self, captions: list[list[int]], vocab_size: int, confused: int, rng, start: int = 1):
        self.captions, self.confused, self.start = captions, confused, start
        self.noise = draw_tensor(rng, vocab_size).clamp(-2, 2)
        self.calls = 0

    def initial_state(self) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(len(self.captions), 1),)

    def __call__(self, words: torch.Tensor, state: tuple) -> tuple[torch.Tensor, tuple]:
        self.calls += 1
        if self.calls > 200:
            raise RuntimeError("the search does not end")
        steps = state[0][:, 0].long().tolist()
        if len(words) != len(steps):
            raise ValueError(f"step was given {len(words)} words and a state of {len(steps)} rows")
        logits = self.noise.repeat(len(steps), 1)
        for row, (step, word) in enumerate(zip(steps, words.tolist(), strict=True)):
            written = [self.start, *self.captions[row]]
            known = step < len(written) - 1 and word == written[step]
            logits[row, written[step + 1] if known else self.confused + (word != self.start)] += 4.5
        return logits, (state[0] + 1,)


def _captions(rng, lengths: list[int], end: int = 2) -> list[list[int]]:
    return [[*draw_different(rng, 4, 14, length), end] for length in lengths]


@lab.exercise("captionlab.captioning.search:greedy_search", points=3, minutes=30, difficulty=3, importance=5)
def probe_greedy_search(greedy_search, rng):
    generators = GlobalGenerators()

    def search(captions, start=1, **more):
        decoder = ScriptedDecoder(captions, 20, 15, rng, start)
        ids = {"start": start} if start != 1 else {}
        found = generators.call(greedy_search, decoder, decoder.initial_state(), **ids, **more)
        return [list(map(int, caption)) for caption in found], decoder.calls

    def count_up(words, state):
        return torch.nn.functional.one_hot((words + 1) % 8, 8).float(), state

    length = draw(rng, 4, 6)
    label = f"one image, a caption of {length} words: "
    found, calls = search(_captions(rng, [length]))
    yield label + "the token ids", found
    yield label + "the number of calls of step", calls
    shortest, middle, longest = sorted(draw_different(rng, 2, 7, 3))
    lengths = [middle, shortest, longest]
    label = f"three images, captions of {', '.join(map(str, lengths))} words: "
    found, calls = search(_captions(rng, lengths))
    yield label + "the token ids", found, 3
    yield label + "the number of calls of step", calls
    yield "a caption without words next to one of 3", search(_captions(rng, [0, 3]))[0]
    most = draw(rng, 3, 4)
    label = f"captions of 2 and 8 words, max_words={most}: "
    found, calls = search(_captions(rng, [2, 8]), max_words=most)
    yield label + "the token ids", found, 2
    yield label + "the number of calls of step", calls
    yield "captions of 5, 5 and 4 words, max_words=5", search(_captions(rng, [5, 5, 4]), max_words=5)[0]
    endless = [draw(rng, 4, 14) for _ in range(25)]
    yield "a caption of 25 words: the number of words, max_words not given", len(search([endless])[0][0]), 0.5
    yield "<end> has id 19", search([[7, 8, 19], [9, 19]], end=19, max_words=6)[0]
    yield "<start> has id 18", search([[7, 8, 2], [9, 2]], start=18, max_words=6)[0]
    found = generators.call(greedy_search, count_up, (torch.zeros(1, 1),), start=4, end=7)
    yield "a decoder that counts up, start=4, end=7", [list(map(int, caption)) for caption in found], 0.5


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


# In the reference.
UPDATE = "running[row] = running[row] and word != end"
ROWS = "for row, word in enumerate(words.tolist()):"
STOP = "if not any(running)"

lab.misconceptions(
    "greedy_search",
    keeps_the_end=(
        "<end> is the last word of your captions. It marks the end and is not one of the words.",
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
    keeps_all_it_wrote=(
        "Your captions contain <end> and what the decoder wrote after it while other captions were still running. "
        "Nothing from the first <end> on belongs to a caption.",
        {"if running[row]:": "if True:"},
    ),
    pads_to_one_length=(
        "Captions that ended early are filled up to the length of the longest. Each list has the words of its own "
        "caption only.",
        {
            "captions[row].append(word)": "captions[row].append(word)\n            else:\n"
            "                captions[row].append(0)"
        },
    ),
    stops_at_the_first_end=(
        "All captions stop when the first one ends. Continue until all of them have ended.",
        {"if running[row]:": "if word != end:", STOP: "if not all(running)"},
    ),
    only_the_first_image_decides=(
        "The search stops when the first image's caption has ended. Continue until all of them have ended.",
        {STOP: "if not running[0]"},
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
        "You continue up to `max_words` although all captions have ended. Stop then.",
        {STOP: ""},
    ),
    never_gives_up=(
        "Your result ignores `max_words`: a caption that does not end in time is cut there, and the search stops.",
        {"for _ in range(max_words):": "while True:"},
    ),
    one_word_short=(
        "Your captions have at most max_words - 1 words. They may have max_words: <start> and <end> do not count.",
        {"range(max_words)": "range(max_words - 1)"},
    ),
    two_words_short=(
        "Your captions have at most max_words - 2 words. They may have max_words: <start> and <end> do not count.",
        {"range(max_words)": "range(max_words - 2)"},
    ),
    one_word_more=(
        "Your captions have up to max_words + 1 words. They may have max_words: stop one step earlier.",
        {"range(max_words)": "range(max_words + 1)"},
    ),
    asks_once_more=(
        "You call `step` once more than a caption may have words, for an <end> that changes "
        "nothing. Stop after `max_words` calls.",
        {
            "range(max_words)": "range(max_words + 1)",
            "return captions": "return [caption[:max_words] for caption in captions]",
        },
    ),
    drops_the_unfinished=(
        "A caption that does not end within `max_words` is missing or empty. Return the words it has.",
        {"return captions": "return [[] if one else caption for caption, one in zip(captions, running)]"},
    ),
    one_list_for_all=(
        "All your captions are one and the same list, to which every image adds its words: [[]] * n repeats one list. "
        "Make a new list for each image.",
        {"[[] for _ in words]": "[[]] * len(words)"},
    ),
    samples_the_words=(
        "You draw the next word at random. Greedy search takes the most probable one.",
        {"logits.argmax(dim=1)": "torch.multinomial(torch.softmax(logits, dim=1), num_samples=1).squeeze(1)"},
    ),
    takes_the_lowest=(
        "You take the word with the lowest logit. The most probable one has the highest.",
        {"argmax": "argmin"},
    ),
    end_is_always_two=(
        "You compare with the id 2, whatever `end` is. Use the argument.",
        {"word != end": "word != 2"},
    ),
    start_is_always_one=(
        "The decoder first reads the id 1, whatever `start` is. Use the argument.",
        {"(len(state[0]),), start)": "(len(state[0]),), 1)"},
    ),
)
lab.other_spellings(
    "greedy_search",
    stops_at_the_first_end=[
        {ROWS: f"if bool((words == end).any()):\n            break\n        {ROWS}"},
        {
            "(len(state[0]),), start)": "(len(state[0]),), 1)",
            ROWS: f"if bool((words == 2).any()):\n            break\n        {ROWS}",
        },
        {STOP: "if not all(running)"},
    ],
    continues_after_the_end=[{"if running[row]:": "if word != end:", STOP: ""}],
    keeps_all_it_wrote=[{"if running[row]:": "if True:", STOP: ""}],
    keeps_the_end=[
        {
            UPDATE: "",
            "captions[row].append(word)": f"captions[row].append(word)\n            {UPDATE}",
            "return captions": "return [[start, *caption] for caption in captions]",
        },
        {
            "if running[row]:": "if True:",
            "return captions": "return [caption[: caption.index(end) + 1] if end in "
            "caption else caption for caption in captions]",
            STOP: "",
        },
    ],
    one_list_for_all=[{"[[] for _ in words]": "[[]] * len(words)", "if running[row]:": "if word != end:"}],
)


@lab.misconception(
    "greedy_search",
    hint="You search image by image. `step` knows the images by their rows: given one row, it answers for the first "
    "image. Give it the whole batch each time.",
)
def one_image_after_the_other(step, state, start=1, end=2, max_words=20):
    captions = []
    for row in range(len(state[0])):
        word, one, caption = start, tuple(part[row : row + 1] for part in state), []
        for _ in range(max_words):
            logits, one = step(torch.tensor([word]), one)
            word = int(logits.argmax(dim=1))
            if word == end:
                break
            caption.append(word)
        captions.append(caption)
    return captions
