"""Drawn scenes with captions: the captions describe what is drawn."""

from collections import Counter

import numpy as np
import pytest

from captionlab.captioning.metrics import bleu
from captionlab.captioning.text import tokenize
from captionlab.datasets.drawn_captions import BACKGROUNDS, COLORS, SIZE, make_scenes, pluralize

SCENES = make_scenes(1, 60)


def test_scenes_depend_on_the_seed_and_not_on_their_number():
    again = make_scenes(1, 3)
    for one, other in zip(SCENES[:3], again, strict=True):
        assert (one.image == other.image).all()
        assert one.captions == other.captions
    assert make_scenes(2, 1)[0].captions != SCENES[0].captions or (make_scenes(2, 1)[0].image != SCENES[0].image).any()
    with pytest.raises(ValueError, match="count is -1"):
        make_scenes(0, -1)


def test_every_scene_has_five_different_captions_of_its_objects():
    for scene in SCENES:
        assert scene.image.shape == (SIZE, SIZE, 3)
        assert scene.image.dtype == np.uint8
        assert len(set(scene.captions)) == 5
        nouns = {drawn.noun for drawn in scene.objects} | {pluralize(drawn.noun) for drawn in scene.objects}
        for caption in scene.captions:
            words = caption.split()
            assert nouns & set(words)
            assert set(words) & {drawn.color for drawn in scene.objects}
            assert {"two", "pair"}.isdisjoint(words) or len(scene.objects) == 2
            assert all(background not in caption or background == scene.background for background in BACKGROUNDS)


def test_boxes_contain_the_objects_in_their_colors():
    for scene in SCENES[:20]:
        for drawn in scene.objects:
            x0, y0, x1, y1 = drawn.box
            assert 0 <= x0 < x1 <= SIZE
            assert 0 <= y0 < y1 <= SIZE
            inside = scene.image[y0:y1, x0:x1].reshape(-1, 3) / 255
            near = np.abs(inside - np.array(COLORS[drawn.color])).max(axis=1) < 0.12
            assert near.mean() > 0.1
            assert scene.boxes(drawn.noun)


def test_relations_agree_with_the_boxes():
    seen = Counter()
    for scene in SCENES:
        for caption in scene.captions:
            for words, axis, sign in ((" to the left of ", 0, -1), (" above ", 1, -1), (" below ", 1, 1)):
                if words in caption and "one above the other" not in caption and len(scene.objects) == 2:
                    first = caption.split(words)[0].split()[-1]
                    one, other = sorted(scene.objects, key=lambda drawn, first=first: drawn.noun != first)
                    assert sign * (one.center[axis] - other.center[axis]) > 0
                    seen[words] += 1
    assert len(seen) == 3


def test_captions_vary_and_still_overlap():
    """BLEU of one caption of each scene with the other four as references: an estimate of human performance."""
    held = [tokenize(scene.captions[0]) for scene in SCENES]
    others = [[tokenize(caption) for caption in scene.captions[1:]] for scene in SCENES]
    assert 0.4 < bleu(held, others)[3] < 0.95
