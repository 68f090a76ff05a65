"""What is taught is what is used: the library calls each reference, or a test shows that its own way gives the same."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from captionlab.exercises import LABS, load_lab
from captionlab.experiments.scenes.feature_search import FOLDS, SEED, cross_val_scores
from captionlab.experiments.scenes.feature_specs import l2_normalize as l2_normalize_arrays
from captionlab.transfer.features import VGG16relu7, features_at, gray_to_rgb, l2_normalize
from captionlab.transfer.svm import choose_C, pca_project, scene_classifier
from captionlab.vision.embedded import tiny_vgg
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD
from captionlab.vision.preprocessing import Preprocessing

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "lib" / "captionlab"
# References that the library does not call, because it has a faster way: where it is shown that the results are equal.
SHOWN_EQUAL = {
    "prepare_image": "vision/test_preprocessing.py::test_it_is_prepare_image_of_lab_1",
    "gray_to_rgb": "exercises/test_references_in_use.py::test_gray_images_are_read_as_gray_to_rgb_makes_them",
    "VGG16relu7": "exercises/test_references_in_use.py::test_relu7_is_read_at_its_layer",
    "features_at": "vision/test_extraction.py::test_features_are_those_of_one_image_at_a_time",
    "choose_C": "exercises/test_references_in_use.py::test_the_experiment_chooses_c_as_choose_c_does",
    "pca_project": "exercises/test_references_in_use.py::test_the_pipeline_projects_as_pca_project_does",
    "make_datasets": "transfer/test_augmentation.py::test_images_decoded_once_give_the_same_inputs_as_files",
    "pretrained_network": "transfer/test_heads.py::test_load_classifier_gives_the_same_network_and_normalization",
    "unfreeze_last_blocks": "transfer/test_freezing.py::test_the_last_blocks_are_those_behind_a_frozen_backbone",
    "train_and_keep_best": (
        "transfer/test_fine_tuning.py::test_fine_tuning_is_what_train_and_keep_best_does_with_the_other_references"
    ),
    "encoder_input": "vision/test_preprocessing.py::test_it_is_encoder_input_of_lab_4_but_for_rounding_to_gray_levels",
    "to_positions": "captioning/test_encoders.py::test_flattened_grids_are_the_positions_of_the_reference",
    "caption_loss": "captioning/test_training.py::test_the_loss_of_an_update_is_caption_loss",
    "free_running_bleu": (
        "captioning/test_training.py::test_generated_captions_are_scored_as_free_running_bleu_scores_them"
    ),
}
EXERCISES = [exercise for lab in LABS for exercise in load_lab(lab).exercises.values()]


@pytest.fixture(scope="module")
def names_in_use() -> set[str]:
    """Every name that the library reads, its exercises apart."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if "exercises" not in path.parts:
            nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
            calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "checked"]
            for node in set(nodes) - {call.args[0] for call in calls}:  # to check its arguments is not to call it
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    found.add(node.id)
                elif isinstance(node, ast.Attribute):
                    found.add(node.attr)
    return found


@pytest.mark.parametrize("exercise", EXERCISES, ids=[one.name for one in EXERCISES])
def test_a_reference_is_used_or_shown_equal_or_for_paper(exercise, names_in_use):
    used, shown = exercise.name in names_in_use, SHOWN_EQUAL.get(exercise.name)
    assert used + bool(shown) + exercise.paper == 1, "call it, name the test that shows equality, or mark it `paper`"
    if shown:
        file, _, test = shown.partition("::")
        assert f"def {test}(" in (TESTS / file).read_text("utf-8"), f"{shown} is not there"


def test_relu7_is_read_at_its_layer():
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        cut = VGG16relu7(tiny_vgg())(images)
    torch.testing.assert_close(features_at(tiny_vgg(), "classifier.4", images), cut)


def test_the_experiment_chooses_c_as_choose_c_does():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = np.eye(3, 8)[labels] + 0.5 * rng.standard_normal((60, 8))
    _, expected = choose_C(features, labels, [0.1, 1.0], folds=FOLDS, seed=SEED)
    found = [np.mean(cross_val_scores(features, [features], labels, scene_classifier(C))) for C in (0.1, 1.0)]
    assert found == pytest.approx(expected)
    rows = features.astype(np.float32)
    np.testing.assert_allclose(l2_normalize_arrays(rows), l2_normalize(torch.from_numpy(rows)).numpy(), rtol=1e-6)


def test_the_pipeline_projects_as_pca_project_does():
    rng = np.random.default_rng(0)
    train, test = rng.standard_normal((30, 6)) * (9, 5, 3, 1, 1, 1), rng.standard_normal((5, 6))
    fitted = PCA(2, random_state=SEED).fit(train)
    for found, expected in zip(
        (fitted.transform(train), fitted.transform(test)), pca_project(train, test, 2), strict=True
    ):
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)


def test_gray_images_are_read_as_gray_to_rgb_makes_them():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    channels = gray_to_rgb(torch.from_numpy(pixels)[None, None]) / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    torch.testing.assert_close(Preprocessing(16)(Image.fromarray(pixels)), ((channels - mean) / std)[0])
