"""The catalog of the course's real data sets: sources, sizes, folder layouts, terms of use and papers.

A checksum belongs to a source, not to a data set. Those in the catalog are of the public copies, as published by the
project in `checksum_source`; a mirror provides its own (SHA256SUMS). If nobody has published a checksum it is None,
never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from captionlab.common.suggestions import did_you_mean
from captionlab.datasets import scene15
from captionlab.datasets.errors import DataError

MB = 10**6
GB = 10**9


@dataclass(frozen=True)
class Archive:
    """A file to download: a zip archive that is unpacked, or another file that is kept as it is.

    Attributes:
        name: its path in a mirror.
        urls: its public sources in order of preference.
        size: bytes of the public copy; rounded unless `exact_size` is set (for tables and the disk space check).
        max_unpacked_size: maximum number of bytes it may unpack to, from any source.
        exact_size: whether a public copy of another size is refused.
        checksum: of the public copy, "sha256:<hex>" or "md5:<hex>"; None if nobody has published one.
        checksum_source: the project that published the checksum.
        extract_to: where it is unpacked or copied, relative to the folder that is being assembled.
        include: patterns of the members to unpack (`fnmatch`), all if empty.
        aliases: other names it may have in a mirror.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    max_unpacked_size: int
    exact_size: bool = False
    checksum: str | None = None
    checksum_source: str = ""
    extract_to: str = ""
    include: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def is_zip(self) -> bool:
        """Whether the file is unpacked."""
        return self.name.endswith(".zip")


@dataclass(frozen=True)
class Dataset:
    """A data set of the course.

    Attributes:
        name: as in `captionlab data fetch NAME`.
        title: its usual name.
        summary: its contents in one line.
        folder: its folder in the data folder.
        required_paths: files and folders without which `folder` is not the data set.
        archives: the files it is made from.
        layout: lines that describe the folder's contents.
        homepage: where people can read about it.
        terms: terms of use in one sentence.
        papers: what to cite.
        mirror_note: how the archives in the course's mirror differ from the public ones.
        archive_root: the folder within the unpacked archives that becomes `folder`; everything if empty.
        image_counts: (split, class, number of usable images), if it is a folder of images.
        known_junk: files in the archive that are not images and are skipped.
    """

    name: str
    title: str
    summary: str
    folder: str
    required_paths: tuple[str, ...]
    archives: tuple[Archive, ...]
    layout: tuple[str, ...]
    homepage: str
    terms: str
    papers: tuple[str, ...]
    mirror_note: str
    archive_root: str = ""
    image_counts: tuple[tuple[str, str, int], ...] = ()
    known_junk: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes to download from the public sources, rounded."""
        return sum(archive.size for archive in self.archives)


HYMENOPTERA = Dataset(
    name="hymenoptera",
    title="bees and ants (hymenoptera)",
    summary="photographs of ants and of bees: 244 for training, 153 for validation",
    folder="hymenoptera_data",
    archive_root="hymenoptera_data",
    required_paths=("train/ants", "train/bees", "val/ants", "val/bees"),
    archives=(
        Archive(
            name="hymenoptera_data.zip",
            urls=("https://download.pytorch.org/tutorial/hymenoptera_data.zip",),
            size=47_286_322,
            exact_size=True,
            checksum="sha256:fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209",
            checksum_source="pytorch/tutorials, .jenkins/download_data.py",
            max_unpacked_size=200 * MB,
        ),
    ),
    layout=("hymenoptera_data/{train,val}/{ants,bees}/*.jpg",),
    homepage="https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html",
    terms="Images of ImageNet: for non-commercial research and teaching; the photographers keep the rights.",
    papers=(
        "J. Deng, W. Dong, R. Socher, L.-J. Li, K. Li, L. Fei-Fei. ImageNet: a large-scale hierarchical image "
        "database. CVPR 2009.",
    ),
    mirror_note="JPEG re-encoded at quality 86, a few very large images resized to 500 pixels; same files and folders",
    image_counts=(("train", "ants", 123), ("train", "bees", 121), ("val", "ants", 70), ("val", "bees", 83)),
    known_junk=("train/ants/imageNotFound.gif",),
)

SCENE15 = Dataset(
    name="scene15",
    title="15-Scene",
    summary="gray photographs of 15 kinds of scenes: 1,500 for training, 2,985 for testing",
    folder=scene15.FOLDER,
    archive_root=scene15.FOLDER,
    required_paths=("train/bedroom", "train/tallbuilding", "test/bedroom", "test/tallbuilding"),
    archives=(
        Archive(
            name="15-Scene.zip",
            aliases=("scene_categories.zip",),
            urls=(
                "http://www-cvr.ai.uiuc.edu/ponce_grp/data/scene_categories/scene_categories.zip",
                "https://web.archive.org/web/20070829035029/"
                "http://www-cvr.ai.uiuc.edu/ponce_grp/data/scene_categories/scene_categories.zip",
            ),
            size=92 * MB,
            checksum="md5:58828019197b2ad0a7efb472e7a85c2a",
            checksum_source="google-deepmind/dm_nevis, handler scenes15 (of the copy at web.archive.org)",
            max_unpacked_size=500 * MB,
        ),
    ),
    layout=("15-Scene/{train,test}/<class>/image_NNNN.jpg",),
    homepage="https://slazebni.cs.illinois.edu/",
    terms="For non-commercial research and teaching.",
    papers=(
        "S. Lazebnik, C. Schmid, J. Ponce. Beyond bags of features: spatial pyramid matching for recognizing natural "
        "scene categories. CVPR 2006.",
        "L. Fei-Fei, P. Perona. A Bayesian hierarchical model for learning natural scene categories. CVPR 2005.",
        "A. Oliva, A. Torralba. Modeling the shape of the scene: a holistic representation of the spatial envelope. "
        "International Journal of Computer Vision 42(3), 2001.",
    ),
    mirror_note="already split, 200×200 pixels, JPEG quality 82, class names in lower case",
    image_counts=tuple(
        (part, name, len(numbers))
        for part in ("train", "test")
        for name, parts in scene15.load_split().items()
        for numbers in [parts[part]]
    ),
)

_BROWNLEE = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
_TORCHVISION_R = "mlverse/torchvision, dataset flickr8k_caption_dataset"

FLICKR8K = Dataset(
    name="flickr8k",
    title="Flickr8k",
    summary="8,000 photographs with five captions each: 6,000 for training, 1,000 dev, 1,000 test",
    folder="flickr8k",
    required_paths=("Flicker8k_Dataset", "Flickr8k.token.txt", "Flickr_8k.trainImages.txt", "Flickr_8k.devImages.txt"),
    archives=(
        Archive(
            name="Flickr8k_Dataset.zip",
            urls=(f"{_BROWNLEE}/Flickr8k_Dataset.zip",),
            size=1115 * MB,
            checksum="md5:f18a1e2920de5bd84dae7cf08ec78978",
            checksum_source=_TORCHVISION_R,
            max_unpacked_size=3 * GB,
        ),
        Archive(
            name="Flickr8k_text.zip",
            urls=(f"{_BROWNLEE}/Flickr8k_text.zip",),
            size=2_300_000,
            checksum="md5:bf6c1abcb8e4a833b7f922104de18627",
            checksum_source=_TORCHVISION_R,
            max_unpacked_size=100 * MB,
        ),
    ),
    layout=(
        "flickr8k/Flicker8k_Dataset/<image>.jpg (the original's spelling)",
        "flickr8k/Flickr8k.token.txt (one caption per line: <image>.jpg#<0 to 4>, a tab, the caption)",
        "flickr8k/Flickr_8k.{train,dev,test}Images.txt (one image per line)",
    ),
    homepage="https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k",
    terms="For non-commercial research and teaching only; the photographers on Flickr keep the rights.",
    papers=(
        "M. Hodosh, P. Young, J. Hockenmaier. Framing image description as a ranking task: data, models and "
        "evaluation metrics. Journal of Artificial Intelligence Research 47, 2013, 853-899.",
    ),
    mirror_note="224×224 pixels, JPEG quality 78; images and captions of the training and dev splits only",
)

_FLICKR30K = "https://huggingface.co/datasets/AnyModal/flickr30k/resolve/refs%2Fconvert%2Fparquet/default"
# Sizes of the training shards in MB, rounded, from the listing on the host.
_SHARDS = (429, 434, 442, 431, 448, 457, 484, 465, 436)


def _shard(part: str, number: int, size: int) -> Archive:
    """A parquet file of Flickr30k, with its size in MB."""
    return Archive(
        name=f"flickr30k/{part}-{number:04d}.parquet",
        urls=(f"{_FLICKR30K}/{part}/{number:04d}.parquet",),
        size=size * MB,
        max_unpacked_size=2 * GB,
        extract_to=f"{part}-{number:04d}.parquet",
    )


FLICKR30K = Dataset(
    name="flickr30k",
    title="Flickr30k",
    summary="31,014 photographs with five captions each: 29,000 for training, 1,014 for validation, 1,000 test",
    folder="flickr30k",
    required_paths=("train-0000.parquet", "train-0008.parquet", "validation-0000.parquet", "test-0000.parquet"),
    archives=(
        *(_shard("train", number, size) for number, size in enumerate(_SHARDS)),
        _shard("validation", 0, 141),
        _shard("test", 0, 140),
    ),
    layout=(
        "flickr30k/{train,validation,test}-NNNN.parquet",
        "columns: image (bytes, path), alt_text (captions), original_alt_text, split, img_id, filename, sentids",
    ),
    homepage="https://huggingface.co/datasets/AnyModal/flickr30k",
    terms="For non-commercial research and teaching only; the photographers on Flickr keep the rights.",
    papers=(
        "P. Young, A. Lai, M. Hodosh, J. Hockenmaier. From image descriptions to visual denotations: new similarity "
        "metrics for semantic inference over event descriptions. Transactions of the ACL 2, 2014, 67-78.",
    ),
    mirror_note="not in the course's mirror",
)

_COCO = "http://images.cocodataset.org"
_TFDS = "tensorflow/datasets, url_checksums/coco.txt"


def _coco(
    name: str, where: str, size: int, sha256: str, max_unpacked_size: int, include: tuple[str, ...] = ()
) -> Archive:
    """An archive of COCO, with its exact size in bytes."""
    return Archive(
        name=name,
        urls=(f"{_COCO}/{where}/{name}",),
        size=size,
        exact_size=True,
        checksum=f"sha256:{sha256}",
        checksum_source=_TFDS,
        max_unpacked_size=max_unpacked_size,
        include=include,
    )


COCO = Dataset(
    name="coco",
    title="COCO 2014 captions",
    summary="123,287 photographs with five captions each: 82,783 for training, 40,504 for validation",
    folder="coco",
    required_paths=("annotations/captions_train2014.json", "annotations/captions_val2014.json", "train2014", "val2014"),
    archives=(
        _coco(
            "annotations_trainval2014.zip",
            "annotations",
            252_872_794,
            "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
            max_unpacked_size=1 * GB,
            include=("annotations/captions_*.json",),
        ),
        _coco(
            "train2014.zip",
            "zips",
            13_510_573_713,
            "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            max_unpacked_size=20 * GB,
        ),
        _coco(
            "val2014.zip",
            "zips",
            6_645_013_297,
            "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            max_unpacked_size=10 * GB,
        ),
    ),
    layout=(
        "coco/annotations/captions_{train,val}2014.json (annotations[].image_id, annotations[].caption)",
        "coco/{train,val}2014/COCO_{train,val}2014_<image_id, 12 digits>.jpg",
    ),
    homepage="https://cocodataset.org/#download",
    terms="Captions: Creative Commons Attribution 4.0. Images: Flickr's terms; the photographers keep the rights.",
    papers=(
        "T.-Y. Lin, M. Maire, S. Belongie, J. Hays, P. Perona, D. Ramanan, P. Dollár, C. L. Zitnick. Microsoft COCO: "
        "common objects in context. ECCV 2014.",
        "X. Chen, H. Fang, T.-Y. Lin, R. Vedantam, S. Gupta, P. Dollár, C. L. Zitnick. Microsoft COCO captions: data "
        "collection and evaluation server. arXiv:1504.00325, 2015.",
    ),
    mirror_note="not in the course's mirror",
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (HYMENOPTERA, SCENE15, FLICKR8K, FLICKR30K, COCO)}


def get_dataset(name: str) -> Dataset:
    """The data set with this name.

    Raises:
        DataError: if there is none; the message suggests the nearest name.
    """
    if name not in DATASETS:
        raise DataError(
            f"no data set is called {name!r} (there are: {', '.join(DATASETS)}){did_you_mean(name, DATASETS)}"
        )
    return DATASETS[name]
