"""Pretrained networks and what they make of images: classifiers, features at any layer, features kept on disk."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "classifiers": ["Classifier", "load_classifier"],
        "extraction": ["Recipe", "extract"],
        "images": ["prepare_image"],
    },
)
