"""What several probes observe besides values: dtypes, gradients, and whether global random generators were used."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from captionlab.exercises.drawing import torch_seed

NOT_USED = "none was used"


def dtype_of(value: Any) -> str:
    """The dtype of a tensor or array, such as "int64", or the type of anything else."""
    return str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")


def gradient_of(loss: Any, inputs: torch.Tensor, again: bool = False) -> Any:
    """The gradient of a loss for its inputs, or a text if the loss has none; ``again``: that of others comes next."""
    if not isinstance(loss, torch.Tensor):
        return f"no gradient: the result is of type {type(loss).__name__}"
    if not loss.requires_grad:
        return "no gradient: the result does not require one"
    (gradient,) = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=again)
    return "no gradient: none flows back to the inputs" if gradient is None else gradient


def part_of(gradient: Any, at: int) -> Any:
    """The part of a gradient that belongs to one row; a text that says there is none stays as it is."""
    return gradient if isinstance(gradient, str) else gradient[at]


class GlobalGenerators:
    """Calls functions with seeded global generators of torch, NumPy and Python, and remembers which ones they used.

    Functions that are given random numbers need none; those that draw their own give the same result for a seed.
    """

    def __init__(self) -> None:
        self.used = NOT_USED

    def call(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """What the function returns; the generators are as before afterwards."""
        numpy_state, python_state = np.random.get_state(), random.getstate()
        with torch_seed(0):
            np.random.seed(0)
            random.seed(0)
            before = self._states()
            try:
                return function(*args, **kwargs)
            finally:
                names = [name for name, state in self._states().items() if state != before[name]]
                if names and self.used == NOT_USED:
                    self.used = f"{' and '.join(names)} used"
                np.random.set_state(numpy_state)
                random.setstate(python_state)

    @staticmethod
    def _states() -> dict[str, Any]:
        torchs, numpys = torch.get_rng_state().numpy().tobytes(), np.random.get_state(legacy=False)["state"]
        return {
            "torch's": torchs,
            "NumPy's": (numpys["key"].tobytes(), numpys["pos"]),
            "Python's": random.getstate(),
        }
