"""Other right ways to write Lab 4's answers earn full points, as do references with the imports of the module."""

from __future__ import annotations

import ast
import math
import warnings
from collections import Counter
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from alternatives import (
    check_all_points,
    check_alternatives,
    check_careless,
    check_misconceptions,
    check_reference,
    check_starter,
)
from alternatives_lab4 import ALTERNATIVES, LAB, alternative, alternatives
from nltk.translate.bleu_score import corpus_bleu
from torch import nn

MODULE = Path(__file__).parents[2] / "labs" / LAB.name / LAB.module_filename
every_exercise = pytest.mark.parametrize("exercise", LAB.exercises.values(), ids=list(LAB.exercises))


@pytest.fixture(scope="module")
def given():
    """What the module that students complete imports."""
    imports = [one for one in ast.parse(MODULE.read_text()).body if isinstance(one, (ast.Import, ast.ImportFrom))]
    namespace = {}
    exec(compile(ast.Module(imports, []), LAB.module_filename, "exec"), namespace)
    return namespace


def test_the_module_has_them_in_this_order_too():
    definitions = [
        one.name for one in ast.parse(MODULE.read_text()).body if isinstance(one, (ast.FunctionDef, ast.ClassDef))
    ]
    assert definitions == list(LAB.exercises)


@every_exercise
def test_every_exercise_has_an_alternative(exercise):
    check_alternatives(exercise, ALTERNATIVES)


def test_alternatives_are_answers_to_exercises():
    assert {function.__name__.partition("__")[0] for function in ALTERNATIVES} <= set(LAB.exercises)


@every_exercise
def test_references_and_misconceptions_run_in_the_module(exercise, given):
    check_reference(exercise, given)
    check_misconceptions(exercise, given)


# Copies of a network's layers are not its own, and the targets of scheduled_words are observed themselves.
careless = [name for name in LAB.exercises if name not in ("cut_before_pooling", "scheduled_words")]


@pytest.mark.parametrize("name", careless)
def test_a_careless_answer_cannot_spoil_the_probe(name):
    check_careless(LAB.exercises[name])


@pytest.mark.parametrize("exercise", [one for one in LAB.exercises.values() if one.starter], ids=lambda one: one.name)
def test_the_code_that_a_bug_is_to_be_found_in_runs_and_earns_nothing(exercise, given):
    check_starter(exercise, given)


# --- training


@alternative
def caption_loss__gathered(logits, targets, pad=0):
    logarithms = F.log_softmax(logits, dim=-1).gather(2, targets.unsqueeze(2)).squeeze(2)
    real = (targets != pad).float()
    return -(logarithms * real).sum() / real.sum()


@alternative
def caption_loss__word_by_word(logits, targets, pad=0):
    losses = []
    for caption, words in zip(logits, targets.tolist(), strict=True):
        losses += [step.logsumexp(0) - step[word] for step, word in zip(caption, words, strict=True) if word != pad]
    return sum(losses) / len(losses)


@alternative
def caption_loss__packed(logits, targets, pad=0):
    lengths, pack = (targets != pad).sum(dim=1), nn.utils.rnn.pack_padded_sequence
    logits, targets = (pack(one, lengths, batch_first=True, enforce_sorted=False).data for one in (logits, targets))
    return nn.CrossEntropyLoss()(logits, targets)


alternatives(
    "caption_loss",
    ignored=lambda logits, targets, pad=0: F.cross_entropy(logits.mT, targets, ignore_index=pad),
    summed=lambda logits, targets, pad=0: (
        nn.NLLLoss(ignore_index=pad, reduction="sum")(
            logits.view(-1, logits.size(-1)).log_softmax(-1), targets.view(-1)
        )
        / (targets != pad).sum()
    ),
)


@alternative
def attention_penalty__mean_squared_error(alphas, reduction="sum"):
    seen = torch.einsum("btp->bp", alphas)
    if reduction == "mean":
        return F.mse_loss(seen, torch.ones_like(seen))
    if reduction == "sum":
        return F.mse_loss(seen, torch.ones_like(seen), reduction="sum") / len(seen)
    raise ValueError(reduction)


@alternative
def attention_penalty__caption_by_caption(alphas, reduction="sum"):
    reduce = {"sum": torch.sum, "mean": torch.mean}
    if reduction not in reduce:
        raise ValueError("sum or mean")
    penalties = [reduce[reduction](torch.square(sum(steps) - 1)) for steps in alphas]
    return sum(penalties) / len(penalties)


@alternative
def scheduled_words__written_over(targets, predicted, uniform, probability):
    words, own = targets.clone(), uniform < probability
    words[own] = predicted[own]
    return words


alternatives(
    "scheduled_words",
    reckoned=lambda targets, predicted, uniform, probability: (
        targets + (uniform < probability).long() * (predicted - targets)
    ),
    numpy=lambda targets, predicted, uniform, probability: torch.from_numpy(
        np.where(uniform.numpy() >= probability, targets, predicted)
    ),
)


@alternative
def clip_grad_norm__torchs_own(parameters, max_norm):
    return nn.utils.clip_grad_norm_(parameters, max_norm=max_norm).item()


@alternative
def clip_grad_norm__new_gradients(parameters, max_norm):
    present = [one for one in parameters if one.grad is not None]
    norm = torch.linalg.vector_norm(torch.cat([one.grad.flatten() for one in present])).item()
    for one in present:
        one.grad = one.grad * min(1.0, max_norm / norm)
    return norm


alternatives(
    "best_epoch",
    index=lambda losses: losses.index(min(losses)) + 1 if losses else 0,
    numpy=lambda losses: np.argmin(losses) + 1 if len(losses) else 0,
    enumerated=lambda losses: min(enumerate(losses, 1), key=lambda pair: pair[1], default=(0, None))[0],
)


# --- writing captions


@alternative
def greedy_search__a_table_cut_afterwards(step, state, start=1, end=2, max_words=20):
    words = torch.tensor([start] * state[0].shape[0])
    ended, written = torch.zeros_like(words, dtype=torch.bool), []
    while len(written) < max_words and not ended.all():
        logits, state = step(words.masked_fill(ended, 0), state)
        words = logits.max(dim=1).indices
        written.append(words)
        ended |= words == end
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]


@alternative
def greedy_search__a_set_of_those_that_continue(step, state, start=1, end=2, max_words=20):
    words = [start] * len(state[0])
    captions, running = {row: [] for row in range(len(words))}, set(range(len(words)))
    for _ in range(max_words):
        logits, state = step(torch.LongTensor(words), state)
        words = [int(np.argmax(row)) for row in logits.numpy()]
        running = {row for row in running if words[row] != end}
        for row in running:
            captions[row].append(words[row])
        if not running:
            break
    return list(captions.values())


@alternative
def sample_word__searched(logits, uniform, temperature=1.0):
    if not temperature > 0:
        raise ValueError
    bounds = F.softmax(logits.div(temperature), dim=-1).cumsum(-1)
    return torch.searchsorted(bounds, uniform[:, None], right=True)[:, 0].clamp(max=logits.size(1) - 1)


@alternative
def sample_word__the_last_bound_is_one(logits, uniform, temperature=1.0):
    if temperature <= 0:
        raise ValueError("expected a temperature above 0")
    bounds = np.cumsum(nn.Softmax(dim=1)(logits / temperature).numpy(), axis=1)
    bounds[:, -1] = 1
    return (bounds > uniform.numpy()[:, None]).argmax(axis=1)


@alternative
def sample_word__subtracted_part_by_part(logits, uniform, temperature=1.0):
    if temperature <= 0:
        raise ValueError(temperature)
    words = []
    for probabilities, number in zip(torch.softmax(logits / temperature, 1).tolist(), uniform.tolist(), strict=True):
        words.append(0)
        while number >= probabilities[words[-1]] and words[-1] < len(probabilities) - 1:
            number -= probabilities[words[-1]]
            words[-1] += 1
    return torch.tensor(words)


@alternative
def beam_step__rounded_down(log_probs, totals, k):
    longer = log_probs + totals[..., None]
    totals, indices = torch.topk(longer.reshape(*totals.shape[:-1], -1), k)
    beams = torch.div(indices, longer.size(-1), rounding_mode="floor")
    return beams, indices - beams * longer.size(-1), totals


@alternative
def beam_step__the_largest_again_and_again(log_probs, totals, k):
    longer, vocab_size, best = (log_probs + totals.unsqueeze(-1)).flatten(-2), log_probs.shape[-1], []
    for _ in range(k):
        total, index = longer.max(dim=-1)
        best.append((index // vocab_size, index % vocab_size, total))
        longer = longer.scatter(-1, index.unsqueeze(-1), -math.inf)
    return [torch.stack(part, dim=-1) for part in zip(*best, strict=True)]


@alternative
def best_caption__sorted(finished, running, length_penalty=0):
    if not finished:
        finished = running
    best_first = sorted(finished, key=lambda one: one[0] / (len(one[1]) or 1) ** length_penalty, reverse=True)
    if not best_first:
        raise ValueError("nothing")
    return best_first[0][1]


@alternative
def best_caption__a_loop(finished, running, length_penalty=0):
    best, highest = None, -math.inf
    for total, words in finished if len(finished) > 0 else running:
        score = total * max(len(words), 1) ** -length_penalty
        if score > highest:
            best, highest = words, score
    if best is None:
        raise ValueError("no caption")
    return best


alternatives(
    "best_caption",
    largest_of_nothing=lambda finished, running, length_penalty=0: max(
        finished or running, key=lambda caption: caption[0] / np.maximum(1, len(caption[1])) ** length_penalty
    )[1],
)


# --- how good is it


@alternative
def top_k_accuracy__ranks(logits, targets, k=5, pad=0):
    better = logits > logits.gather(2, targets.unsqueeze(2))
    real = targets != pad
    return ((better.sum(dim=2) < k) & real).sum().item() / real.sum().item()


def plain(words):
    return [word for word in words if word not in {"<pad>", "<start>", "<end>"}]


@alternative
def bleu__weights_of_the_tutorials(candidates, references):
    if not len(candidates) == len(references) or [] in references:
        raise ValueError("one caption and at least one reference per image")
    weights = [(1, 0, 0, 0), (0.5, 0.5, 0, 0), (1 / 3, 1 / 3, 1 / 3, 0), (0.25, 0.25, 0.25, 0.25)]
    with warnings.catch_warnings(action="ignore"):
        wanted = [list(map(plain, each)) for each in references]
        return corpus_bleu(wanted, list(map(plain, candidates)), weights=weights)


@alternative
def bleu__counted_by_hand(candidates, references):
    def n_grams(words, n):
        return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))

    right, every, length, wanted = [0] * 4, [0] * 4, 0, 0
    for words, each in zip(map(plain, candidates), references, strict=True):
        each = [plain(reference) for reference in each]
        length += len(words)
        wanted += min(map(len, each), key=lambda other: (abs(other - len(words)), other))
        for n in range(1, 5):
            most = Counter()
            for reference in each:
                most |= n_grams(reference, n)
            right[n - 1] += (n_grams(words, n) & most).total()
            every[n - 1] += n_grams(words, n).total()
    shares, short = np.divide(right, every), min(1, math.exp(1 - wanted / length))
    return [short * np.prod(shares[:n]) ** (1 / n) for n in range(1, 5)]


@alternative
def free_running_bleu__masks(step, state, true_captions, search, score):
    references = [[row[row > 2].tolist() for row in rows if (row > 2).any()] for rows in true_captions]
    return score(candidates=search(step=step, state=state), references=references)


@alternative
def free_running_bleu__cut_at_the_end(step, state, true_captions, search, score):
    written = search(step, state)
    people = [
        [list(takewhile(lambda token_id: token_id != 2, row[1:])) for row in rows if any(row)]
        for rows in true_captions.tolist()
    ]
    return score(written, people)


# --- where does it look


@alternative
def upsample_attention__a_layer(alpha, size):
    side = round(len(alpha) ** 0.5)
    if side**2 != len(alpha):
        raise ValueError("not a square")
    return nn.Upsample((size, size), mode="bilinear")(alpha.view(1, 1, side, side).float()).squeeze()


@alternative
def upsample_attention__by_hand(alpha, size):
    side = int(np.sqrt(len(alpha)))
    grid = np.reshape(alpha.numpy(), (side, side))  # no square: a ValueError of NumPy's
    middles = ((np.arange(size) + 0.5) * side / size - 0.5).clip(0, side - 1)
    weights = np.maximum(0, 1 - np.abs(middles[:, None] - np.arange(side)))
    return (weights @ grid @ weights.T).astype(np.float32)


@pytest.mark.parametrize("implementation", ALTERNATIVES, ids=[one.__name__ for one in ALTERNATIVES])
def test_an_alternative_earns_all_points(implementation):
    check_all_points(LAB, implementation)
