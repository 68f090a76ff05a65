"""captionlab: a lab workbook with autograded exercises, from VGG16 to Show, Attend and Tell, and its library.

The library can be used without the course. Its packages in reading order:

- `common`: files, checkpoints, provenance, progress and logging.
- `datasets`: drawn and downloaded image data sets.
- `vision`: pretrained networks, image preparation, feature extraction.
- `convnets`: arithmetic of convolutional networks, counting, pooling, fully convolutional networks (Lab 1).
- `transfer`: features, linear classifiers, heads, freezing, fine-tuning (Labs 2 and 3).
- `captioning`: vocabulary, encoder, attention, decoder, search, metrics and training of image captioning (Lab 4).
- `plots`: the figures; `experiments`: the measurements of the labs.

The course's own packages are `grading`, `exercises`, `workbook`, `instructor` and `commands`.

``import captionlab`` imports none of them, and neither torch nor numpy; ``captionlab.captioning.Captioner`` does.
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        package: []
        for package in (
            "captioning",
            "common",
            "convnets",
            "datasets",
            "exercises",
            "experiments",
            "grading",
            "instructor",
            "plots",
            "transfer",
            "vision",
            "workbook",
        )
    },
)
