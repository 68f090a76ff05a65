"""The seven ways to tell bees from ants that Lab 3 compares, each a function of a bench and a seed.

Every method chooses and stops on training images only: the SVM's C by cross-validation on them, the epoch of a
network on a fifth of them that it was not trained on. The test pictures are predicted once, at the end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from tqdm import tqdm

from captionlab.experiments.insects.data import Insects, prepared, whole_picture
from captionlab.experiments.insects.recipes import Recipe
from captionlab.transfer.augmentation import make_transforms
from captionlab.transfer.backbones import DrawnViews, cut_network, run_frozen
from captionlab.transfer.baselines import feature_svm, forest, pixel_svm, raw_pixels
from captionlab.transfer.fine_tuning import Outcome, Settings, fine_tune
from captionlab.transfer.heads import head_of, replace_head
from captionlab.transfer.splitting import split_train_validation

VALIDATION_SHARE = 0.2
VIEWS_SEED = 0  # of the augmented views, which all seeds of an experiment share


@dataclass
class Result:
    """What a method gave on one seed.

    Attributes:
        accuracy: on the test pictures, by method; a training gives two: the one that was validated, and one of as
            many epochs as the recipe says on all training images.
        validation: accuracy by which the method made its choice, on training images; None where it had none.
        details: what it chose, as JSON values.
        history: the epochs of the validated training, if there was one.
    """

    accuracy: dict[str, float]
    validation: float | None = None
    details: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


class Bench:
    """A network and the images, with everything computed that does not depend on the seed.

    Attributes:
        views: (views, n, ...): the frozen part's output for augmented views of the training pictures.
        view_features: (views, n, features): what the whole frozen network makes of them.
        train_plain, test_plain: the frozen part's output for plain pictures: a tensor a test size and mirroring.
        train_features, test_features: the whole frozen network's features, likewise.
    """

    def __init__(
        self,
        model: nn.Module,
        insects: Insects,
        recipe: Recipe,
        fresh: Callable[[], nn.Module],
        progress: bool = True,
    ) -> None:
        """Prepare all pictures.

        Args:
            model: the pretrained network; it is copied.
            fresh: makes the same network with random weights, for training from scratch.
        """
        self.insects, self.recipe, self.fresh, self.progress = insects, recipe, fresh, progress
        self.model = replace_head(copy.deepcopy(model), len(insects.classes)).to(memory_format=torch.channels_last)
        self.labels = torch.as_tensor(insects.train_labels, dtype=torch.int64)
        self.trunk, rest = cut_network(self.model, recipe.kept)
        self._to_features = _headless(rest)
        sides = tqdm(recipe.test_sizes, desc="plain images", disable=None if progress else True)
        self.train_plain, self.test_plain = [], []
        for side in sides:
            self.train_plain += self._both_ways(insects.train, side)
            self.test_plain += self._both_ways(insects.test, side)
        self.train_features = [run_frozen(self._to_features, maps) for maps in self.train_plain]
        self.test_features = [run_frozen(self._to_features, maps) for maps in self.test_plain]
        self.views = self._augmented(recipe.size, recipe.views, self.trunk)
        self.view_features = torch.stack([run_frozen(self._to_features, view) for view in self.views])

    def split(self, seed: int) -> tuple[list[int], list[int]]:
        """Indices of the training pictures to train on, and of those to validate on."""
        return split_train_validation(self.labels, VALIDATION_SHARE, seed)

    def scratch_views(self) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs for training from scratch: augmented views (views, n, 3, size, size), plain, and test pictures."""
        size, count = self.recipe.scratch_size, min(self.recipe.views, 6)
        plain = make_transforms(size)[1]
        views = self._augmented(size, count, nn.Identity())
        return views, prepared(self.insects.train, plain), prepared(self.insects.test, plain)

    def accuracy(self, scores: list[Tensor]) -> float:
        """Share of the test pictures that are right, by the mean of several views' scores (n, classes)."""
        predicted = torch.stack(scores).mean(dim=0).argmax(dim=1).numpy()
        return float((predicted == self.insects.test_labels).mean())

    def _both_ways(self, pictures: list, side: int) -> list[Tensor]:
        usual = side == self.recipe.size
        inputs = prepared(pictures, whole_picture(side, margin=8 / 7 if usual else 1.0))
        return [run_frozen(self.trunk, inputs), run_frozen(self.trunk, inputs.flip(3))]

    def _augmented(self, size: int, count: int, network: nn.Module) -> Tensor:
        training = make_transforms(size)[0]
        with _seeded(VIEWS_SEED):
            numbers = tqdm(range(count), desc="augmented views", disable=None if self.progress else True)
            return torch.stack([run_frozen(network, prepared(self.insects.train, training)) for _ in numbers])


def _headless(rest: nn.Sequential) -> nn.Module:
    """The part after the cut without its last linear layer; it shares the other layers."""
    last = rest[-1]
    if isinstance(last, nn.Linear):
        return rest[:-1]
    return nn.Sequential(*rest[:-1], last[:-1])


def raw_svm(bench: Bench, seed: int) -> Result:
    """Linear SVM on the pixels of 32 by 32 pictures."""
    return _raw("raw pixels, SVM", pixel_svm, bench, seed)


def raw_forest(bench: Bench, seed: int) -> Result:
    """Random forest on the pixels of 32 by 32 pictures."""
    return _raw("raw pixels, forest", forest, bench, seed)


def _raw(name: str, fit: Callable, bench: Bench, seed: int) -> Result:
    insects = bench.insects
    fitted = fit(raw_pixels(insects.train), insects.train_labels, seed)
    return _classical(name, fitted, raw_pixels(insects.test), insects.test_labels)


def frozen_svm(bench: Bench, seed: int) -> Result:
    """Linear SVM on the frozen network's features, averaged over plain sizes and mirrorings."""
    return _on_features("frozen features, SVM", feature_svm, bench, seed)


def frozen_forest(bench: Bench, seed: int) -> Result:
    """Random forest on the same features."""
    return _on_features("frozen features, forest", forest, bench, seed)


def _on_features(name: str, fit: Callable, bench: Bench, seed: int) -> Result:
    train, test = (torch.stack(part).mean(dim=0).numpy() for part in (bench.train_features, bench.test_features))
    return _classical(name, fit(train, bench.insects.train_labels, seed), test, bench.insects.test_labels)


def _classical(name: str, fitted, test: np.ndarray, labels: np.ndarray) -> Result:
    if not hasattr(fitted, "best_params_"):
        return Result({name: float(fitted.score(test, labels))})
    details = {"C": fitted.best_params_["linearsvc__C"]}
    return Result({name: float(fitted.score(test, labels))}, float(fitted.best_score_), details)


def frozen_head(bench: Bench, seed: int) -> Result:
    """A linear layer on the frozen network's features, trained by gradient descent on augmented views."""
    train, validation = bench.split(seed)
    head, outcome = _train_head(bench, seed, train, validation)
    on_all, _ = _train_head(bench, seed, None, None)
    name = "frozen, new head"
    accuracies = [bench.accuracy([run_frozen(each, part) for part in bench.test_features]) for each in (head, on_all)]
    return _trained(name, accuracies, outcome)


def _train_head(
    bench: Bench, seed: int, train: list[int] | None, validation: list[int] | None
) -> tuple[nn.Linear, Outcome]:
    old = head_of(bench.model)
    with _seeded(seed):
        head = nn.Linear(old.in_features, old.out_features)
    held_out = validation and TensorDataset(bench.train_features[0][validation], bench.labels[validation])
    settings = replace(bench.recipe.head, seed=seed)
    training = DrawnViews(bench.view_features, bench.labels, train)
    return head, fine_tune(head, training, held_out, settings, head=head, device="cpu", progress=bench.progress)


def fine_tuned(bench: Bench, seed: int) -> Result:
    """The network's last stages and its head, trained together from the head on frozen features."""
    train, validation = bench.split(seed)
    rest, outcome = _tune(bench, seed, train, validation)
    on_all, _ = _tune(bench, seed, None, None)
    accuracies = [bench.accuracy([run_frozen(each, part) for part in bench.test_plain]) for each in (rest, on_all)]
    return _trained("fine-tuned", accuracies, outcome)


def _tune(
    bench: Bench, seed: int, train: list[int] | None, validation: list[int] | None
) -> tuple[nn.Sequential, Outcome]:
    model = copy.deepcopy(bench.model)  # each seed begins with the pretrained weights
    _, rest = cut_network(model, bench.recipe.kept)
    head, _ = _train_head(bench, seed, train, validation)
    head_of(model).load_state_dict(head.state_dict())
    held_out = validation and TensorDataset(bench.train_plain[0][validation], bench.labels[validation])
    settings = replace(bench.recipe.tuned, seed=seed)
    training = DrawnViews(bench.views, bench.labels, train)
    outcome = fine_tune(rest, training, held_out, settings, head=head_of(model), progress=bench.progress)
    return rest.cpu(), outcome


def from_scratch(bench: Bench, seed: int) -> Result:
    """The same network with random weights, all of it trained."""
    train, validation = bench.split(seed)
    with _seeded(seed):
        model = replace_head(bench.fresh(), len(bench.insects.classes)).to(memory_format=torch.channels_last)
    views, plain, test = bench.scratch_views()
    settings: Settings = replace(bench.recipe.scratch, seed=seed)
    held_out = TensorDataset(plain[validation], bench.labels[validation])
    training = DrawnViews(views, bench.labels, train)
    outcome = fine_tune(model, training, held_out, settings, progress=bench.progress)
    accuracy = bench.accuracy([run_frozen(model.cpu(), images) for images in (test, test.flip(3))])
    return _trained("from scratch", [accuracy], outcome)


def _trained(name: str, accuracies: list[float], outcome: Outcome) -> Result:
    best = outcome.history[outcome.best_epoch - 1]
    names = [name, f"{name}, all images"]
    return Result(
        dict(zip(names, accuracies, strict=False)),
        best["validation_accuracy"],
        {"best_epoch": outcome.best_epoch, "epochs": len(outcome.history)},
        outcome.history,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's generator inside the block, and afterwards leave it as found."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


METHODS: dict[str, Callable[[Bench, int], Result]] = {
    "fine-tuned": fine_tuned,
    "frozen, new head": frozen_head,
    "frozen features, SVM": frozen_svm,
    "frozen features, forest": frozen_forest,
    "from scratch": from_scratch,
    "raw pixels, SVM": raw_svm,
    "raw pixels, forest": raw_forest,
}
