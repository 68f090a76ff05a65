"""Other right ways to write Lab 2's answers earn full points, as do references in the notebook's own names."""

from __future__ import annotations

import copy

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
    first_cell,
)
from sklearn import metrics
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, normalize
from sklearn.svm import LinearSVC
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from captionlab.exercises import load_lab

LAB = load_lab("lab2")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GIVEN = first_cell(LAB.name)
every_exercise = pytest.mark.parametrize("exercise", LAB.exercises.values(), ids=list(LAB.exercises))
ALTERNATIVES = []


def alternative(implementation):
    """A right answer to the exercise that its name begins with; the rest, after two underscores, says how."""
    ALTERNATIVES.append(implementation)
    return implementation


@every_exercise
def test_every_exercise_has_an_alternative(exercise):
    check_alternatives(exercise, ALTERNATIVES)


def test_alternatives_are_answers_to_exercises():
    assert {function.__name__.partition("__")[0] for function in ALTERNATIVES} <= set(LAB.exercises)


@every_exercise
def test_references_run_in_the_notebook(exercise):
    check_reference(exercise, GIVEN)


@every_exercise
def test_misconceptions_run_in_the_notebook(exercise):
    check_misconceptions(exercise, GIVEN)


@pytest.mark.parametrize("name", ["gray_to_rgb", "extract_features", "features_at", "confusion_matrix"])
def test_a_careless_answer_cannot_spoil_the_probe(name):
    check_careless(LAB.exercises[name])


# --- the network


@alternative
def gray_to_rgb__concatenated(images):
    if images.dim() != 4 or images.size(1) not in {1, 3}:
        raise ValueError(f"not images: {list(images.size())}")
    return torch.cat([images] * 3, dim=1) if images.size(1) == 1 else images


@alternative
def gray_to_rgb__numpy(images):
    if len(images.shape) != 4 or images.shape[1] not in (1, 3):
        raise ValueError
    return np.repeat(images.numpy(), 3 // images.shape[1], axis=1)


@alternative
def gray_to_rgb__a_new_tensor(images):
    if images.ndim == 4 and images.shape[1] == 3:
        return images.clone()
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError("one or three channels")
    batch, _, height, width = images.shape
    colored = torch.empty((batch, 3, height, width), dtype=images.dtype)
    colored[:] = images
    return colored


@alternative
class VGG16relu7__layer_by_layer(nn.Module):
    def __init__(self, vgg):
        super().__init__()
        self.convolutions = copy.deepcopy(vgg.features)
        first, _, _, second, *_ = vgg.classifier
        self.fc6, self.fc7 = copy.deepcopy(first), copy.deepcopy(second)
        self.eval()

    def forward(self, images):
        maps = self.convolutions(images)
        return F.relu(self.fc7(F.relu(self.fc6(maps.view(len(maps), -1)))))


@alternative
class VGG16relu7__one_sequence(nn.Module):
    def __init__(self, vgg):
        super().__init__()
        layers = list(vgg.classifier.children())[:-1]  # the dropout at the end does nothing in evaluation mode
        self.network = copy.deepcopy(nn.Sequential(vgg.features, nn.Flatten(), *layers))
        self.eval()

    def forward(self, images):
        return self.network(images)


@alternative
class VGG16relu7__a_truncated_copy(nn.Module):
    def __init__(self, vgg):
        super().__init__()
        self.vgg = copy.deepcopy(vgg)
        self.vgg.avgpool = nn.Identity()
        self.vgg.classifier = self.vgg.classifier[:5]
        self.eval()

    @torch.no_grad()
    def forward(self, images):
        return self.vgg(images)


# --- features


@alternative
def extract_features__a_data_loader(model, images, batch_size=32):
    copied = copy.deepcopy(model).eval()
    loader = DataLoader(TensorDataset(images), batch_size=batch_size)
    with torch.inference_mode():
        return torch.cat([copied(batch) for (batch,) in loader], dim=0)


@alternative
def extract_features__a_loop_into_a_matrix(model, images, batch_size=32):
    modes = [one.training for one in model.modules()]
    model.eval()
    rows = []
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            rows.extend(model(images[start : start + batch_size]))
    for one, mode in zip(model.modules(), modes, strict=True):
        one.training = mode
    return torch.stack(rows)


@alternative
def extract_features__numpy(model, images, batch_size=32):
    training = {name for name, one in model.named_modules() if one.training}
    model.train(False)
    previous = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    features = np.concatenate([model(batch).numpy() for batch in torch.split(images, batch_size)])
    torch.set_grad_enabled(previous)
    for name, one in model.named_modules():
        one.training = name in training
    return features


@alternative
def l2_normalize__torchs_own(features):
    return F.normalize(features, p=2, dim=1)


@alternative
def l2_normalize__a_small_number_added(features):
    return features / (features.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10)


@alternative
def l2_normalize__scikit_learn(features):
    return normalize(features.numpy())


@alternative
def l2_normalize__row_by_row(features):
    rows = [row / row.norm() if row.norm() > 0 else row for row in features]
    return torch.stack(rows)


@alternative
def features_at__torchvisions_extractor(model, layer, images):
    if layer not in dict(model.named_modules()):
        raise ValueError(layer)
    extractor = create_feature_extractor(copy.deepcopy(model).eval(), {layer: "output"})
    with torch.no_grad():
        output = extractor(images)["output"]
    return output.mean(dim=(-2, -1)) if output.dim() == 4 else output


@alternative
def features_at__a_hook_on_a_copy(model, layer, images):
    assert get_graph_node_names  # what a student who looked it up has imported
    copied = copy.deepcopy(model).eval()
    try:
        wanted = copied.get_submodule(layer)
    except AttributeError as error:
        raise ValueError(f"no layer {layer}") from error
    kept = {}
    wanted.register_forward_hook(lambda module, inputs, output: kept.update(output=output.detach().clone()))
    with torch.inference_mode():
        copied(images)
    output = kept["output"]
    return F.adaptive_avg_pool2d(output, 1).flatten(1).numpy() if output.ndim == 4 else output.numpy()


# --- classifiers


@alternative
def scene_classifier__named_steps(C=1.0):
    svm = LinearSVC(C=C, multi_class="ovr", max_iter=10_000, random_state=0, dual="auto")
    return Pipeline([("normalize", Normalizer(norm="l2")), ("svm", svm)])


@alternative
def scene_classifier__parameters_set_later(C=1.0):
    pipeline = make_pipeline(Normalizer(copy=True), LinearSVC())
    return pipeline.set_params(linearsvc__C=float(C), linearsvc__max_iter=int(1e4), linearsvc__random_state=0)


@alternative
def choose_C__loops(features, labels, candidates, folds=5, seed=0):
    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, labels))
    means = {}
    for C in candidates:
        scores = []
        for train, left_out in splits:
            svm = LinearSVC(C=C, max_iter=10_000, random_state=0).fit(normalize(features[train]), labels[train])
            scores.append((svm.predict(normalize(features[left_out])) == labels[left_out]).mean())
        means[C] = np.mean(scores)
    best = sorted(candidates, key=lambda C: (-means[C], C))[0]
    return best, [means[C] for C in candidates]


@alternative
def choose_C__grid_search(features, labels, candidates, folds=5, seed=0):
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    pipeline = make_pipeline(Normalizer(), LinearSVC(max_iter=10_000, random_state=0))
    search = GridSearchCV(pipeline, {"linearsvc__C": sorted(candidates)}, cv=splitter, refit=False)
    search.fit(features, labels)
    means = dict(zip(sorted(candidates), search.cv_results_["mean_test_score"], strict=True))
    best = sorted(candidates)[int(np.argmax([means[C] for C in sorted(candidates)]))]
    return best, np.array([means[C] for C in candidates]).tolist()


@alternative
def choose_C__cross_validate_in_parallel(features, labels, candidates, folds=5, seed=0):
    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, labels))
    accuracies = []
    for C in candidates:
        pipeline = Pipeline([("unit", Normalizer()), ("svm", LinearSVC(C=C, max_iter=10_000, random_state=0))])
        scores = cross_validate(pipeline, features, labels, cv=splits, scoring="accuracy", n_jobs=-1)
        accuracies.append(np.mean(scores["test_score"]))
    best = None
    for C, accuracy in zip(candidates, accuracies, strict=True):
        if best is None or (accuracy, -C) > (best[0], -best[1]):
            best = (accuracy, C)
    return best[1], accuracies


@alternative
def pca_project__by_singular_values(train, test, components):
    mean = train.mean(axis=0, keepdims=True)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2][:components]
    return (train - mean) @ directions.T, (test - mean) @ directions.T


@alternative
def pca_project__by_eigenvectors(train, test, components):
    mean = np.mean(train, axis=0)
    values, vectors = np.linalg.eigh(np.cov(train, rowvar=False))
    axes = vectors[:, np.argsort(values)[::-1][:components]]
    return [np.dot(part - mean, axes) for part in (train, test)]


@alternative
def pca_project__torch(train, test, components):
    train, test = torch.from_numpy(train), torch.from_numpy(test)
    mean = train.mean(dim=0)
    _, _, directions = torch.linalg.svd(train - mean, full_matrices=False)
    return (train - mean) @ directions[:components].T, (test - mean) @ directions[:components].T


# --- confusion


@alternative
def confusion_matrix__a_loop(labels, predictions, classes):
    if len(labels) != len(predictions):
        raise ValueError("not as many")
    matrix = [[0] * classes for _ in range(classes)]
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label][prediction] += 1
    return np.array(matrix)


@alternative
def confusion_matrix__scikit_learns(labels, predictions, classes):
    return metrics.confusion_matrix(labels, predictions, labels=range(classes))


@alternative
def confusion_matrix__bincount(labels, predictions, classes):
    pairs = np.asarray(labels) * classes + np.asarray(predictions)  # different lengths: a ValueError of NumPy's
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


@alternative
def accuracy_by_class__a_loop(confusion):
    values = []
    for index, row in enumerate(confusion):
        values.append(row[index] / row.sum() if row.sum() else float("nan"))
    return np.array(values)


@alternative
def accuracy_by_class__warnings_switched_off(confusion):
    with np.errstate(divide="ignore", invalid="ignore"):
        return confusion.diagonal() / confusion.sum(axis=1)


@pytest.mark.parametrize("implementation", ALTERNATIVES, ids=[one.__name__ for one in ALTERNATIVES])
def test_an_alternative_earns_all_points(implementation):
    check_all_points(LAB, implementation)
