"""A bag of visual words, in its simplest form: how scenes were classified before deep networks.

Every image is covered with small patches, and the training patches are clustered. An image is represented by the
histogram of the clusters its patches fall into. The classical recipe describes patches with SIFT (Lazebnik, Schmid and
Ponce, CVPR 2006: 0.81 on 15-Scene with a spatial pyramid). Here a patch is described by its gray values, normalized
and whitened (Coates and Ng 2012, "Learning Feature Representations with K-Means"), which is weaker but needs no
additional library.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA

from captionlab.vision.sources import open_image

SIDE = 128  # images are resized to this height and width, in pixels
PATCH, STEP = 12, 4  # pixels
WORDS, COMPONENTS = 400, 40
SAMPLED = 40_000  # number of patches the dictionary is learned from


def patches(file: Path) -> np.ndarray:
    """Dense patches of an image file, gray: (patches, PATCH * PATCH), each of mean 0 and about unit contrast."""
    image = open_image(file).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    gray = np.asarray(image, dtype=np.float32) / 255
    windows = np.lib.stride_tricks.sliding_window_view(gray, (PATCH, PATCH))[::STEP, ::STEP]
    rows = windows.reshape(-1, PATCH * PATCH)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / (rows.std(axis=1, keepdims=True) + 0.04)  # does not amplify the noise of flat patches


class VisualWords:
    """A dictionary of visual words learned from training images, and word histograms of images.

    Args:
        files: training images; the dictionary must not be learned from test images.
        words: number of words in the dictionary.
        seed: seed of the patch sampling and of k-means.
    """

    def __init__(self, files: Sequence[Path], words: int = WORDS, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        each = max(1, SAMPLED // len(files))
        sample = np.vstack([rng.permutation(patches(file))[:each] for file in files])
        self.whitening = PCA(min(COMPONENTS, len(sample)), whiten=True, random_state=seed).fit(sample)
        self.kmeans = MiniBatchKMeans(words, random_state=seed, n_init=1, batch_size=4096, max_iter=30)
        self.kmeans.fit(self.whitening.transform(sample))

    def describe(self, files: Sequence[Path]) -> np.ndarray:
        """Square roots of each word's share in each quarter of the image (Hellinger kernel): ``(files, 4 * words)``."""
        side = (SIDE - PATCH) // STEP + 1
        half = np.arange(side) * 2 // side
        quarter = (half[:, None] * 2 + half[None]).ravel()
        words = self.kmeans.n_clusters
        rows = []
        for file in files:
            found = self.kmeans.predict(self.whitening.transform(patches(file)))
            rows.append(np.bincount(quarter * words + found, minlength=4 * words))
        return np.sqrt(np.array(rows) / side**2)
