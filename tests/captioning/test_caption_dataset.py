"""The captions of a split in batches: whole images, a random order that repeats, and captions that are counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from captionlab.captioning.caption_dataset import CaptionDataset, batches, choose_captions, images_per_batch
from captionlab.captioning.vocabulary import Vocabulary


class Features:
    """One feature per image and variant: the image's index, and 100 more if it is mirrored."""

    variants = ("plain", "mirrored")

    def batch(self, indices, variants=0):
        return torch.as_tensor(np.asarray(indices) + 100 * np.asarray(variants)).float().view(-1, 1, 1)


def make(counts, max_length=10):
    """A dataset with the given numbers of captions per image; the words name image and caption."""
    captions = [
        [[f"image{image}", f"caption{number}"] for number in range(count)] for image, count in enumerate(counts)
    ]
    vocabulary = Vocabulary.from_captions(caption for each in captions for caption in each)
    names = [str(image) for image in range(len(counts))]
    return CaptionDataset.from_captions(names, captions, Features(), vocabulary, max_length), vocabulary


def captions_of(token_ids, vocabulary):
    return [[vocabulary.decode(row) for row in image if any(row)] for image in token_ids.tolist()]


def test_a_batch_holds_all_captions_of_its_images():
    dataset, vocabulary = make([5] * 10)
    found = list(batches(dataset, 20, seed=0, epoch=0))
    assert [len(batch.images) for batch in found] == [4, 4, 2]
    assert sorted(image for batch in found for image in batch.images) == list(range(10))
    for batch in found:
        assert batch.token_ids.flatten(0, 1).shape[0] <= 20
        for image, captions in zip(batch.images, captions_of(batch.token_ids, vocabulary), strict=True):
            assert captions == [[f"image{image}", f"caption{number}"] for number in range(5)]


def test_the_order_depends_on_seed_and_epoch_alone():
    dataset, _ = make([2] * 12)
    first, again, later = (
        [(batch.images.tolist(), batch.variants.tolist()) for batch in batches(dataset, 6, seed=3, epoch=epoch)]
        for epoch in (0, 0, 1)
    )
    assert first == again != later
    assert {variant for _, variants in first for variant in variants} == {0, 1}


def test_fewer_captions_per_image_mean_more_images_per_batch():
    dataset, vocabulary = make([5] * 20)
    assert images_per_batch(dataset, 20) == 4
    assert images_per_batch(dataset, 20, 2) == 10
    assert images_per_batch(dataset, 20, 9) == 4  # no image has nine
    epochs = []
    for epoch in range(2):
        found = list(batches(dataset, 20, 2, seed=0, epoch=epoch))
        assert [tuple(batch.token_ids.shape) for batch in found] == [(10, 2, 4)] * 2
        chosen = {
            image: [words[1] for words in captions]
            for batch in found
            for image, captions in zip(batch.images, captions_of(batch.token_ids, vocabulary), strict=True)
        }
        assert all(len(set(captions)) == 2 for captions in chosen.values())  # without replacement
        epochs.append(chosen)
    assert epochs[0] != epochs[1]
    assert len({caption for each in epochs for captions in each.values() for caption in captions}) == 5


def test_the_images_of_a_batch_do_not_depend_on_how_many_captions_are_chosen():
    dataset, _ = make([4] * 12)
    whole = [batch.images.tolist() for batch in batches(dataset, 12, seed=1, epoch=2)]
    part = [batch.images.tolist() for batch in batches(dataset, 6, 2, seed=1, epoch=2)]
    assert whole == part


def test_padding_is_chosen_only_if_captions_run_out():
    dataset, vocabulary = make([1, 3, 5])
    for seed in range(20):
        chosen = captions_of(choose_captions(dataset.token_ids, 2, np.random.default_rng(seed)), vocabulary)
        assert [len(each) for each in chosen] == [1, 2, 2]


def test_a_batch_that_is_too_small_is_refused():
    dataset, _ = make([1, 5])
    with pytest.raises(ValueError, match="batch_size is 4, but an image has 5 captions"):
        next(batches(dataset, 4, seed=0, epoch=0))


def test_max_length_counts_start_and_end():
    dataset, vocabulary = make([1], max_length=3)
    assert dataset.token_ids.shape == (1, 1, 3)
    assert vocabulary.decode(dataset.token_ids[0, 0].tolist()) == ["image0"]
    assert dataset.references == [[["image0", "caption0"]]]


def test_images_without_a_caption_are_refused():
    vocabulary = Vocabulary(["a"])
    with pytest.raises(ValueError, match="1 images have no caption with a word in it, first b"):
        CaptionDataset.from_captions(["a", "b"], [[["a"]], [[]]], Features(), vocabulary, 5)
    with pytest.raises(ValueError, match="has no images"):
        CaptionDataset.from_captions([], [], Features(), vocabulary, 5)
