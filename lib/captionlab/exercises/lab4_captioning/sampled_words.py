"""Words that are sampled: probe and misconceptions."""

from __future__ import annotations

import random

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import GlobalGenerators, dtype_of
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.captioning.search:sample_word", points=2, minutes=20, difficulty=3, importance=3)
def probe_sample_word(sample_word, rng):
    vocab_size = draw(rng, 5, 7)
    generators = GlobalGenerators()

    def sample(*args, **more):
        return generators.call(sample_word, *args, **more)

    def case(words, **more):
        # The random numbers lie in the middle of each word's part, so that rounding decides nothing.
        logits = draw_tensor(rng, len(words), vocab_size, scale=1.5)
        probabilities = torch.softmax(logits / more.get("temperature", 1.0), dim=1)
        middles = probabilities.cumsum(dim=1) - probabilities / 2
        uniform = middles.gather(1, torch.tensor(words).unsqueeze(1)).squeeze(1)
        return sample(logits, uniform, **more)

    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
    label = "one caption, probabilities 0.2, 0.5, 0.3, random number "
    for number in (0.1, 0.3, 0.9):
        words = sample(logits.clone(), torch.tensor([number]))
        yield f"{label}{number}", words, 0.5
    yield f"{label}0.9: the dtype", dtype_of(words), 0.5
    words = draw_different(rng, 0, vocab_size - 1, 5)
    yield f"5 captions, a vocabulary of {vocab_size}", case(words), 3
    label = "other numbers and 5 other captions, temperature "
    yield label + "0.5", case(draw_different(rng, 0, vocab_size - 1, 5), temperature=0.5), 2.5
    yield label + "3", case(draw_different(rng, 0, vocab_size - 1, 5), temperature=3.0), 2.5
    logits = torch.tensor([[0.0, draw(rng, 2, 4), -1.0]] * 3)
    yield (
        "temperature 0.01, random numbers 0.1, 0.5, 0.9",
        sample(logits=logits, uniform=torch.tensor([0.1, 0.5, 0.9]), temperature=0.01),
    )
    equal, order = torch.zeros(4, 4), torch.from_numpy(rng.permutation(4))
    uniform = torch.tensor([0.0, 0.25, 0.5, 0.75])[order]
    numbers = ", ".join(f"{number:g}" for number in uniform.tolist())
    yield f"four equally probable words, random numbers on the bounds of their parts: {numbers}", sample(equal, uniform)
    logits = _summing_below_one(rng)
    words = sample(logits, torch.tensor([1 - 2**-24, 0.0]))
    yield "300 words, a random number just below 1", words[0]
    yield "300 words, a random number of 0", words[1], 0.5
    yield "the global random generators that were used", generators.used, 0.5
    yield "temperature 0", outcome_of(sample_word, equal, uniform, 0.0), 0.5
    yield "temperature -1", outcome_of(sample_word, equal, uniform, -1.0), 0.5


def _summing_below_one(rng):
    """Logits of 300 words for two captions; after rounding, the probabilities of the first add up to less than 1."""
    while True:
        logits = draw_tensor(rng, 2, 300)
        if torch.softmax(logits, dim=1).cumsum(dim=1)[0, -1] <= 1 - 2**-24:
            return logits


# In the reference.
RETURNED = "(bounds <= uniform.unsqueeze(1)).sum(dim=1).clamp(max=logits.shape[1] - 1)"
SOFTMAX = "torch.softmax(logits / temperature, dim=1)"
REFUSED = "if temperature <= 0"

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
    divides_after_the_softmax=(
        "You apply the temperature to the probabilities, which then no longer sum to 1. Divide the logits by it, "
        "before the softmax.",
        {SOFTMAX: "(torch.softmax(logits, dim=1) / temperature)"},
    ),
    always_the_most_probable=(
        "You take the most probable word, whatever the random number is: that is greedy search, which gives the same "
        "caption every time.",
        {RETURNED: "logits.argmax(dim=1)"},
    ),
    draws_its_own_numbers=(
        "You draw random numbers yourself, so the result cannot be repeated. Use the ones you are given in "
        "`uniform`: find the word whose interval contains the number.",
        {RETURNED: f"torch.multinomial({SOFTMAX}, num_samples=1).squeeze(1)"},
    ),
    forgets_the_sum=(
        "You compare the random number with each word's own probability. The bounds of the parts are their cumulative "
        "sums.",
        {".cumsum(dim=1)": ""},
    ),
    forgets_the_softmax=(
        "You add up logits. The parts of the interval are probabilities: take the softmax first.",
        {SOFTMAX: "(logits / temperature)"},
    ),
    sums_over_the_batch=(
        "Your sums run over the captions. Each caption has its own interval: softmax and cumulative sum run over the "
        "words, the last axis.",
        {f"{SOFTMAX}.cumsum(dim=1)": "torch.softmax(logits / temperature, dim=0).cumsum(dim=0)"},
    ),
    one_number_for_all=(
        "The first random number decides for the whole batch. Each caption has a number of its own.",
        {"uniform.unsqueeze(1)": "uniform[0]"},
    ),
    one_word_too_low=(
        "Your words are one too low: the number of upper bounds that are not above the random number is the word "
        "itself, counted from 0.",
        {RETURNED: "((bounds <= uniform.unsqueeze(1)).sum(dim=1) - 1).clamp(min=0, max=logits.shape[1] - 1)"},
    ),
    one_word_too_high=(
        "Your words are one too high: the number of upper bounds that are not above the random number is the word "
        "itself, counted from 0.",
        {"(bounds <= uniform.unsqueeze(1)).sum(dim=1)": "((bounds <= uniform.unsqueeze(1)).sum(dim=1) + 1)"},
    ),
    counts_from_the_other_end=(
        "Your parts are in the wrong order, or you count the bounds above the random number: word 0 has the part that "
        "begins at 0.",
        {"bounds <= uniform": "bounds > uniform"},
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
    falls_back_to_the_first_word=(
        "Probabilities in float32 may add up to slightly less than 1, and a random number just below 1 then lies past "
        "the last word: there the last word is meant, not word 0.",
        {RETURNED: "(bounds > uniform.unsqueeze(1)).int().argmax(dim=1)"},
    ),
    accepts_any_temperature=(
        "A temperature of 0 or below must be refused with a ValueError.",
        {REFUSED: "", "dim=1).cumsum": "dim=1).nan_to_num(1.0).cumsum"},
    ),
    accepts_zero=(
        "A temperature of 0 must also be refused with a ValueError: it divides by zero.",
        {REFUSED: "if temperature < 0"},
    ),
    words_stay_a_column=(
        "Your result has one axis too many: one word per caption, (batch,), not (batch, 1).",
        {"return ": "return (", "logits.shape[1] - 1)": "logits.shape[1] - 1)).unsqueeze(1)"},
    ),
)
lab.other_spellings(
    "sample_word",
    draws_its_own_numbers=[
        {"uniform.unsqueeze(1)": "torch.rand(len(logits), 1)"},
        {RETURNED: f"torch.multinomial({SOFTMAX}, num_samples=1).squeeze(1)", REFUSED: ""},
        {RETURNED: f"torch.multinomial({SOFTMAX}, num_samples=1)"},
        {RETURNED: f"torch.multinomial({SOFTMAX}, num_samples=1)", REFUSED: ""},
        {RETURNED: "torch.distributions.Categorical(logits=logits / temperature).sample()"},
    ],
    multiplies_by_the_temperature=[{"logits / temperature": "logits * temperature", REFUSED: "if temperature < 0"}],
    accepts_any_temperature=[{REFUSED: ""}],
    sums_over_the_batch=[
        {SOFTMAX: "torch.softmax(logits / temperature, dim=0)"},
        {f"{SOFTMAX}.cumsum(dim=1)": f"{SOFTMAX}.cumsum(dim=0)"},
    ],
)


@lab.misconception("sample_word", another="draws_its_own_numbers")
def draws_with_python(logits, uniform, temperature=1.0):
    words = range(logits.shape[1])
    probabilities = torch.softmax(logits / temperature, dim=1).tolist()
    return torch.tensor([random.choices(words, weights=row)[0] for row in probabilities])


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


@lab.misconception(
    "sample_word",
    hint="You return the index of the word in a sorted list, not its id in the vocabulary. The parts are in "
    "vocabulary order: do not sort.",
)
def rank_instead_of_the_word(logits, uniform, temperature=1.0):
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}")
    probabilities = torch.softmax(logits / temperature, dim=1).sort(dim=1, descending=True).values
    return (probabilities.cumsum(dim=1) <= uniform.unsqueeze(1)).sum(dim=1).clamp(max=logits.shape[1] - 1)
