"""From a network's logits to probabilities and named classes."""

from __future__ import annotations

import torch

from captionlab.common.checking import check_list, checked, describe


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities from logits, along the last axis.

    The probabilities are proportional to the exponentials of the logits. The computation is stable:
    logits of 1000 or -1000 give no infinity and no NaN, in any row of a batch, regardless of the other rows.

    Args:
        logits: ``(..., categories)``, floating point, any number of axes before the last.

    Returns:
        ``(..., categories)``: values from 0 to 1 that sum to 1 along the last axis.

    Example:
        >>> softmax(torch.tensor([[0.0, 0.0], [1000.0, 0.0]]))
        tensor([[0.5000, 0.5000],
                [1.0000, 0.0000]])

    Source: Goodfellow, Bengio and Courville 2016, "Deep Learning", sections 4.1 and 6.2.2.3.
    """
    shifted = logits - logits.amax(dim=-1, keepdim=True)  # the largest is 0 now, and exp(0) does not overflow
    exponentials = shifted.exp()
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


def top_predictions(logits: torch.Tensor, categories: list[str], k: int = 5) -> list[tuple[str, float]]:
    """The most probable classes of one image, with their probabilities.

    Args:
        logits: ``(categories,)``, the raw output of the network for one image, not yet probabilities; all
            different.
        categories: name of each class, in the order of the logits.
        k: how many classes to return, at least 1 and at most the number of classes.

    Returns:
        ``(category, probability)`` of ``k`` classes, the most probable first: a string and a number from 0 to 1, from
        the softmax over all classes.

    Example:
        >>> logits = torch.tensor([1.0, 4.0, 1.5])
        >>> [(name, round(probability, 3)) for name, probability in top_predictions(logits, ["cat", "dog", "owl"], k=2)]
        [('dog', 0.883), ('owl', 0.073)]

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, section 4 (top-1 and top-5 error).
    """
    probabilities, indices = torch.softmax(logits, dim=-1).topk(k)
    return [(categories[index], value) for index, value in zip(indices.tolist(), probabilities.tolist(), strict=True)]


def _check_top_predictions(
    logits: torch.Tensor, categories: list[str], k: int = 5
) -> tuple[torch.Tensor, list[str], int]:
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point() or logits.ndim != 1:
        raise TypeError(f"logits is {describe(logits)}, expected a floating-point tensor (categories,) of one image")
    check_list(categories, "categories", "names")
    if len(categories) != len(logits):
        raise ValueError(f"found {len(logits)} logits and {len(categories)} categories: give the name of each class")
    if not 1 <= k <= len(logits):
        raise ValueError(f"k is {k}, expected a number from 1 to {len(logits)}, the number of classes")
    if logits.isnan().any():
        raise ValueError(f"{int(logits.isnan().sum())} of {len(logits)} logits are NaN, expected numbers")
    return logits, categories, k


# Names that are not those of the network's classes would be wrong without a word.
top_predictions = checked(top_predictions, _check_top_predictions)
