"""The seven methods that Lab 3 compares, each a function of a context and a seed.

Every method chooses and stops on training images only: the SVM's C by cross-validation on them, the epoch of a
network on a fifth of them that it was not trained on. The test images are predicted once, at the end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from PIL import Image
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from captionlab.common.progress import track
from captionlab.experiments.bees_ants.data import BeesAnts, eval_transform, transform_all
from captionlab.experiments.bees_ants.recipes import Recipe
from captionlab.transfer.augmentation import make_transforms
from captionlab.transfer.backbones import AugmentedViews, predict_batched, split_backbone
from captionlab.transfer.baselines import feature_svm, forest, pixel_svm, raw_pixels
from captionlab.transfer.fine_tuning import FineTuneSettings, TrainResult, fine_tune
from captionlab.transfer.heads import get_head, replace_head
from captionlab.transfer.splitting import split_train_validation

VALIDATION_SHARE = 0.2
VIEWS_SEED = 0  # of the augmented views, shared by all seeds of an experiment


@dataclass
class Result:
    """What a method gave on one seed.

    Attributes:
        accuracy: on the test images, by method; a method that trains by epochs gives two: with validation, and on all
            training images for the number of epochs that the recipe fixes.
        validation: accuracy by which the method made its choice, on training images; None if it made none.
        details: what it chose, as JSON values.
        history: the epochs of the training with validation, if there was one.
    """

    accuracy: dict[str, float]
    validation: float | None = None
    details: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


class MethodContext:
    """A network and the images, with everything computed that does not depend on the seed.

    Attributes:
        images: the bees and ants.
        recipe: how the network is adapted.
        views: output of the frozen layers for augmented views of the training images, ``(views, n, ...)``.
        view_features: features of the whole frozen network for the same views, ``(views, n, features)``.
        train_plain, test_plain: output of the frozen layers for plain images: one tensor per test size and mirroring.
        train_features, test_features: features of the whole frozen network, likewise.
    """

    def __init__(
        self,
        model: nn.Module,
        images: BeesAnts,
        recipe: Recipe,
        fresh: Callable[[], nn.Module],
        progress: bool = True,
    ) -> None:
        """Compute what all seeds share; for photographs this takes minutes.

        Args:
            model: the pretrained network; it is copied.
            images: the bees and ants.
            recipe: how the network is adapted.
            fresh: makes the same network with random weights, for training from scratch.
            progress: show how far it has come.
        """
        self.images, self.recipe, self.fresh, self.progress = images, recipe, fresh, progress
        self.model = replace_head(copy.deepcopy(model), len(images.classes)).to(memory_format=torch.channels_last)
        self.labels = torch.as_tensor(images.train_labels, dtype=torch.int64)
        self.backbone, rest = split_backbone(self.model, recipe.num_frozen_stages)
        self._to_features = _headless(rest)
        self.train_plain, self.test_plain = [], []
        for side in track(recipe.test_sizes, "features of plain images", unit="sizes", progress=progress):
            self.train_plain += self._both_ways(images.train, side)
            self.test_plain += self._both_ways(images.test, side)
        self.train_features = [predict_batched(self._to_features, maps) for maps in self.train_plain]
        self.test_features = [predict_batched(self._to_features, maps) for maps in self.test_plain]
        self.views = self._augmented(recipe.size, recipe.views, self.backbone)
        self.view_features = torch.stack([predict_batched(self._to_features, view) for view in self.views])

    def split(self, seed: int) -> tuple[list[int], list[int]]:
        """Indices of the training images to train on, and of those to validate on."""
        return split_train_validation(self.labels, VALIDATION_SHARE, seed)

    def scratch_views(self) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs for training from scratch: augmented views ``(views, n, 3, size, size)``, plain and test images."""
        size, count = self.recipe.scratch_size, min(self.recipe.views, 6)
        plain = make_transforms(size)[1]
        views = self._augmented(size, count, nn.Identity())
        return views, transform_all(self.images.train, plain), transform_all(self.images.test, plain)

    def accuracy(self, logits: list[Tensor]) -> float:
        """Share of the test images classified correctly by the mean of several views' logits, ``(n, classes)`` each."""
        predicted = torch.stack(logits).mean(dim=0).argmax(dim=1).numpy()
        return float(accuracy_score(self.images.test_labels, predicted))

    def _both_ways(self, images: list[Image.Image], side: int) -> list[Tensor]:
        usual = side == self.recipe.size
        inputs = transform_all(images, eval_transform(side, margin=8 / 7 if usual else 1.0))
        return [predict_batched(self.backbone, inputs), predict_batched(self.backbone, inputs.flip(3))]

    def _augmented(self, size: int, count: int, network: nn.Module) -> Tensor:
        training = make_transforms(size)[0]
        with _seeded(VIEWS_SEED):
            views = track(range(count), "features of augmented views", unit="views", progress=self.progress)
            return torch.stack([predict_batched(network, transform_all(self.images.train, training)) for _ in views])


def _headless(rest: nn.Sequential) -> nn.Module:
    """The layers after the split without the last linear layer; all others are shared."""
    last = rest[-1]
    return nn.Sequential(*rest[:-1], last[:-1]) if isinstance(last, nn.Sequential) else rest[:-1]


def raw_svm(context: MethodContext, seed: int) -> Result:
    """Linear SVM on the pixels of images resized to 32 x 32."""
    return _raw("raw pixels, SVM", pixel_svm, context, seed)


def raw_forest(context: MethodContext, seed: int) -> Result:
    """Random forest on the pixels of images resized to 32 x 32."""
    return _raw("raw pixels, forest", forest, context, seed)


def _raw(name: str, fit: Callable, context: MethodContext, seed: int) -> Result:
    images = context.images
    fitted = fit(raw_pixels(images.train), images.train_labels, seed)
    return _classical(name, fitted, raw_pixels(images.test), images.test_labels)


def frozen_svm(context: MethodContext, seed: int) -> Result:
    """Linear SVM on the frozen network's features, averaged over plain sizes and mirrorings."""
    return _on_features("frozen features, SVM", feature_svm, context, seed)


def frozen_forest(context: MethodContext, seed: int) -> Result:
    """Random forest on the same features."""
    return _on_features("frozen features, forest", forest, context, seed)


def _on_features(name: str, fit: Callable, context: MethodContext, seed: int) -> Result:
    train, test = (torch.stack(part).mean(dim=0).numpy() for part in (context.train_features, context.test_features))
    return _classical(name, fit(train, context.images.train_labels, seed), test, context.images.test_labels)


def _classical(name: str, fitted: ClassifierMixin, test: np.ndarray, labels: np.ndarray) -> Result:
    if not hasattr(fitted, "best_params_"):
        return Result({name: float(fitted.score(test, labels))})
    details = {"C": fitted.best_params_["linearsvc__C"]}
    return Result({name: float(fitted.score(test, labels))}, float(fitted.best_score_), details)


def frozen_head(context: MethodContext, seed: int) -> Result:
    """A linear layer on the frozen network's features, trained by gradient descent on augmented views."""
    train, validation = context.split(seed)
    head, result = _train_head(context, seed, train, validation)
    on_all, _ = _train_head(context, seed, None, None)
    name = "frozen, new head"
    accuracies = [
        context.accuracy([predict_batched(each, part) for part in context.test_features]) for each in (head, on_all)
    ]
    return _trained(name, accuracies, result)


def _train_head(
    context: MethodContext, seed: int, train: list[int] | None, validation: list[int] | None
) -> tuple[nn.Linear, TrainResult]:
    old = get_head(context.model)
    with _seeded(seed):
        head = nn.Linear(old.in_features, old.out_features)
    held_out = _held_out(context.train_features[0], context.labels, validation)
    settings = replace(context.recipe.head, seed=seed)
    training = AugmentedViews(context.view_features, context.labels, train)
    return head, fine_tune(head, training, held_out, settings, head=head, device="cpu", progress=context.progress)


def _held_out(inputs: Tensor, labels: Tensor, validation: list[int] | None) -> TensorDataset | None:
    return TensorDataset(inputs[validation], labels[validation]) if validation else None


def fine_tuned(context: MethodContext, seed: int) -> Result:
    """The network's last stages and its head, trained together from the head on frozen features."""
    train, validation = context.split(seed)
    rest, result = _tune(context, seed, train, validation)
    on_all, _ = _tune(context, seed, None, None)
    accuracies = [
        context.accuracy([predict_batched(each, part) for part in context.test_plain]) for each in (rest, on_all)
    ]
    return _trained("fine-tuned", accuracies, result)


def _tune(
    context: MethodContext, seed: int, train: list[int] | None, validation: list[int] | None
) -> tuple[nn.Sequential, TrainResult]:
    model = copy.deepcopy(context.model)  # each seed starts from the pretrained weights
    _, rest = split_backbone(model, context.recipe.num_frozen_stages)
    head, _ = _train_head(context, seed, train, validation)
    get_head(model).load_state_dict(head.state_dict())
    held_out = _held_out(context.train_plain[0], context.labels, validation)
    settings = replace(context.recipe.tuned, seed=seed)
    training = AugmentedViews(context.views, context.labels, train)
    result = fine_tune(rest, training, held_out, settings, head=get_head(model), progress=context.progress)
    return rest.cpu(), result


def from_scratch(context: MethodContext, seed: int) -> Result:
    """The same network with random weights, all of it trained."""
    train, validation = context.split(seed)
    with _seeded(seed):
        model = replace_head(context.fresh(), len(context.images.classes)).to(memory_format=torch.channels_last)
    views, plain, test = context.scratch_views()
    settings: FineTuneSettings = replace(context.recipe.scratch, seed=seed)
    held_out = _held_out(plain, context.labels, validation)
    training = AugmentedViews(views, context.labels, train)
    result = fine_tune(model, training, held_out, settings, progress=context.progress)
    accuracy = context.accuracy([predict_batched(model.cpu(), images) for images in (test, test.flip(3))])
    return _trained("from scratch", [accuracy], result)


def _trained(name: str, accuracies: list[float], result: TrainResult) -> Result:
    best = result.history[result.best_epoch - 1]
    names = [name, f"{name}, all images"]
    return Result(
        dict(zip(names, accuracies, strict=False)),
        best["validation_accuracy"],
        {"best_epoch": result.best_epoch, "epochs": len(result.history)},
        result.history,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's generator inside the block and restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


METHODS: dict[str, Callable[[MethodContext, int], Result]] = {
    "fine-tuned": fine_tuned,
    "frozen, new head": frozen_head,
    "frozen features, SVM": frozen_svm,
    "frozen features, forest": frozen_forest,
    "from scratch": from_scratch,
    "raw pixels, SVM": raw_svm,
    "raw pixels, forest": raw_forest,
}
