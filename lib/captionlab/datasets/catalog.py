"""The course's data sets: where each lives, how large it is, how it lies on the disk, its terms and its papers.

A checksum belongs to a source, not to a data set: those here are of the public copies, as the one named in `vouched`
published them; a mirror brings its own (SHA256SUMS). Where nobody published one it is None, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from captionlab.datasets import scene15
from captionlab.datasets.errors import DataError

MB = 10**6
GB = 10**9


@dataclass(frozen=True)
class Archive:
    """A file to download: a zip that is unpacked, or any other file that is kept as it is.

    Attributes:
        name: its path in a mirror.
        urls: its public homes, the first one preferred.
        size: bytes of the public copy, exact where `exact` is set, else rounded (for tables and the disk check).
        exact: whether a public copy of another size is refused.
        checksum: of the public copy, "sha256:<hex>" or "md5:<hex>", or None where nobody published one.
        vouched: who published the checksum.
        into: where it is unpacked or put, below the data set's folder while it is made.
        keep: patterns of the members to unpack (`fnmatch`), all if empty.
        limit: the most bytes it may unpack to, from whatever source.
        also: other names it may have in a mirror.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    limit: int
    exact: bool = False
    checksum: str | None = None
    vouched: str = ""
    into: str = ""
    keep: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

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
        what: one line on what it holds.
        folder: its folder below the data root.
        inside: the folder of the unpacked archives that becomes `folder`; all of what they hold, if empty.
        entries: what must be in `folder`; a folder without these is not the data set.
        archives: the files it is made from.
        layout: lines that show how it lies on the disk.
        home: its page, for people.
        terms: terms of use, one sentence.
        papers: what to cite.
        mirrored: how the copies in a mirror as the course's differ from the public ones.
        counts: usable images of each (split, class) of a folder of images.
        strays: files that the archive holds and that are no images, known and left out.
    """

    name: str
    title: str
    what: str
    folder: str
    entries: tuple[str, ...]
    archives: tuple[Archive, ...]
    layout: tuple[str, ...]
    home: str
    terms: str
    papers: tuple[str, ...]
    mirrored: str
    inside: str = ""
    counts: tuple[tuple[str, str, int], ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes to download from the public homes, rounded."""
        return sum(archive.size for archive in self.archives)


HYMENOPTERA = Dataset(
    name="hymenoptera",
    title="bees and ants (hymenoptera)",
    what="photographs of ants and of bees: 244 to train on, 153 to validate",
    folder="hymenoptera_data",
    inside="hymenoptera_data",
    entries=("train/ants", "train/bees", "val/ants", "val/bees"),
    archives=(
        Archive(
            name="hymenoptera_data.zip",
            urls=("https://download.pytorch.org/tutorial/hymenoptera_data.zip",),
            size=47_286_322,
            exact=True,
            checksum="sha256:fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209",
            vouched="pytorch/tutorials, .jenkins/download_data.py",
            limit=200 * MB,
        ),
    ),
    layout=("hymenoptera_data/{train,val}/{ants,bees}/*.jpg",),
    home="https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html",
    terms="Images of ImageNet: for non-commercial research and teaching; the rights stay with the photographers.",
    papers=(
        "J. Deng, W. Dong, R. Socher, L.-J. Li, K. Li, L. Fei-Fei. ImageNet: a large-scale hierarchical image "
        "database. CVPR 2009.",
    ),
    mirrored="JPEG re-encoded at quality 86, the few very large images reduced to 500 pixels; same files and folders",
    counts=(("train", "ants", 123), ("train", "bees", 121), ("val", "ants", 70), ("val", "bees", 83)),
    strays=("train/ants/imageNotFound.gif",),
)

SCENE15 = Dataset(
    name="scene15",
    title="15-Scene",
    what="gray photographs of 15 kinds of scene: 1,500 to train on, 2,985 to test",
    folder=scene15.FOLDER,
    inside=scene15.FOLDER,
    entries=("train/bedroom", "train/tallbuilding", "test/bedroom", "test/tallbuilding"),
    archives=(
        Archive(
            name="15-Scene.zip",
            also=("scene_categories.zip",),
            urls=(
                "http://www-cvr.ai.uiuc.edu/ponce_grp/data/scene_categories/scene_categories.zip",
                "https://web.archive.org/web/20070829035029/"
                "http://www-cvr.ai.uiuc.edu/ponce_grp/data/scene_categories/scene_categories.zip",
            ),
            size=92 * MB,
            checksum="md5:58828019197b2ad0a7efb472e7a85c2a",
            vouched="google-deepmind/dm_nevis, handler scenes15 (of the copy at web.archive.org)",
            limit=500 * MB,
        ),
    ),
    layout=("15-Scene/{train,test}/<class>/image_NNNN.jpg",),
    home="https://slazebni.cs.illinois.edu/",
    terms="For non-commercial research and teaching.",
    papers=(
        "S. Lazebnik, C. Schmid, J. Ponce. Beyond bags of features: spatial pyramid matching for recognizing natural "
        "scene categories. CVPR 2006.",
        "L. Fei-Fei, P. Perona. A Bayesian hierarchical model for learning natural scene categories. CVPR 2005.",
        "A. Oliva, A. Torralba. Modeling the shape of the scene: a holistic representation of the spatial envelope. "
        "International Journal of Computer Vision 42(3), 2001.",
    ),
    mirrored="split already, 200×200 pixels, JPEG quality 82, class names in lower case",
    counts=tuple(
        (part, name, len(numbers))
        for part in ("train", "test")
        for name, parts in scene15.split().items()
        for numbers in [parts[part]]
    ),
)

_BROWNLEE = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
_TORCHVISION_R = "mlverse/torchvision, dataset flickr8k_caption_dataset"

FLICKR8K = Dataset(
    name="flickr8k",
    title="Flickr8k",
    what="8,000 photographs with five captions each: 6,000 to train on, 1,000 dev, 1,000 test",
    folder="flickr8k",
    entries=("Flicker8k_Dataset", "Flickr8k.token.txt", "Flickr_8k.trainImages.txt", "Flickr_8k.devImages.txt"),
    archives=(
        Archive(
            name="Flickr8k_Dataset.zip",
            urls=(f"{_BROWNLEE}/Flickr8k_Dataset.zip",),
            size=1115 * MB,
            checksum="md5:f18a1e2920de5bd84dae7cf08ec78978",
            vouched=_TORCHVISION_R,
            limit=3 * GB,
        ),
        Archive(
            name="Flickr8k_text.zip",
            urls=(f"{_BROWNLEE}/Flickr8k_text.zip",),
            size=2_300_000,
            checksum="md5:bf6c1abcb8e4a833b7f922104de18627",
            vouched=_TORCHVISION_R,
            limit=100 * MB,
        ),
    ),
    layout=(
        "flickr8k/Flicker8k_Dataset/<image>.jpg (the spelling is the original's)",
        "flickr8k/Flickr8k.token.txt (a caption a line: <image>.jpg#<0 to 4>, a tab, the caption)",
        "flickr8k/Flickr_8k.{train,dev,test}Images.txt (an image a line)",
    ),
    home="https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k",
    terms="For non-commercial research and teaching only; the rights stay with the photographers on Flickr.",
    papers=(
        "M. Hodosh, P. Young, J. Hockenmaier. Framing image description as a ranking task: data, models and "
        "evaluation metrics. Journal of Artificial Intelligence Research 47, 2013, 853-899.",
    ),
    mirrored="224×224 pixels, JPEG quality 78; images and captions of the training and dev splits only, no test split",
)

_FLICKR30K = "https://huggingface.co/datasets/AnyModal/flickr30k/resolve/refs%2Fconvert%2Fparquet/default"
# Rounded sizes in MB of the training shards, as the host's listing shows them.
_SHARDS = (429, 434, 442, 431, 448, 457, 484, 465, 436)


def _shard(part: str, number: int, size: int) -> Archive:
    """A parquet file of Flickr30k; `size` in MB."""
    return Archive(
        name=f"flickr30k/{part}-{number:04d}.parquet",
        urls=(f"{_FLICKR30K}/{part}/{number:04d}.parquet",),
        size=size * MB,
        limit=2 * GB,
        into=f"{part}-{number:04d}.parquet",
    )


FLICKR30K = Dataset(
    name="flickr30k",
    title="Flickr30k",
    what="31,014 photographs with five captions each: 29,000 to train on, 1,014 validation, 1,000 test",
    folder="flickr30k",
    entries=("train-0000.parquet", "train-0008.parquet", "validation-0000.parquet", "test-0000.parquet"),
    archives=(
        *(_shard("train", number, size) for number, size in enumerate(_SHARDS)),
        _shard("validation", 0, 141),
        _shard("test", 0, 140),
    ),
    layout=(
        "flickr30k/{train,validation,test}-NNNN.parquet",
        "columns: image (bytes, path), alt_text (captions), original_alt_text, split, img_id, filename, sentids",
    ),
    home="https://huggingface.co/datasets/AnyModal/flickr30k",
    terms="For non-commercial research and teaching only; the rights stay with the photographers on Flickr.",
    papers=(
        "P. Young, A. Lai, M. Hodosh, J. Hockenmaier. From image descriptions to visual denotations: new similarity "
        "metrics for semantic inference over event descriptions. Transactions of the ACL 2, 2014, 67-78.",
    ),
    mirrored="not in the course's mirror",
)

_COCO = "http://images.cocodataset.org"
_TFDS = "tensorflow/datasets, url_checksums/coco.txt"


def _coco(name: str, where: str, size: int, sha256: str, limit: int, keep: tuple[str, ...] = ()) -> Archive:
    """An archive of COCO; `size` in bytes, exact."""
    return Archive(
        name=name,
        urls=(f"{_COCO}/{where}/{name}",),
        size=size,
        exact=True,
        checksum=f"sha256:{sha256}",
        vouched=_TFDS,
        limit=limit,
        keep=keep,
    )


COCO = Dataset(
    name="coco",
    title="COCO 2014 captions",
    what="123,287 photographs with five captions each: 82,783 to train on, 40,504 validation",
    folder="coco",
    entries=("annotations/captions_train2014.json", "annotations/captions_val2014.json", "train2014", "val2014"),
    archives=(
        _coco(
            "annotations_trainval2014.zip",
            "annotations",
            252_872_794,
            "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
            limit=1 * GB,
            keep=("annotations/captions_*.json",),
        ),
        _coco(
            "train2014.zip",
            "zips",
            13_510_573_713,
            "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            limit=20 * GB,
        ),
        _coco(
            "val2014.zip",
            "zips",
            6_645_013_297,
            "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            limit=10 * GB,
        ),
    ),
    layout=(
        "coco/annotations/captions_{train,val}2014.json (annotations[].image_id, annotations[].caption)",
        "coco/{train,val}2014/COCO_{train,val}2014_<image_id, 12 digits>.jpg",
    ),
    home="https://cocodataset.org/#download",
    terms="Captions: Creative Commons Attribution 4.0. Images: Flickr's terms of use, rights with the photographers.",
    papers=(
        "T.-Y. Lin, M. Maire, S. Belongie, J. Hays, P. Perona, D. Ramanan, P. Dollár, C. L. Zitnick. Microsoft COCO: "
        "common objects in context. ECCV 2014.",
        "X. Chen, H. Fang, T.-Y. Lin, R. Vedantam, S. Gupta, P. Dollár, C. L. Zitnick. Microsoft COCO captions: data "
        "collection and evaluation server. arXiv:1504.00325, 2015.",
    ),
    mirrored="not in the course's mirror",
)

DATASETS: dict[str, Dataset] = {entry.name: entry for entry in (HYMENOPTERA, SCENE15, FLICKR8K, FLICKR30K, COCO)}


def get(name: str) -> Dataset:
    """The data set of this name.

    Raises:
        DataError: there is none; the message lists those there are.
    """
    if name not in DATASETS:
        raise DataError(f"no data set is called {name!r}; there are: {', '.join(DATASETS)}")
    return DATASETS[name]
