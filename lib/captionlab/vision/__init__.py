"""Pretrained networks and their features.

networks        the registry: how each network is built, its weights, what it expects of images, where its grid is
preprocessing   from an image to a network's input; images: the same, written out as Lab 1's reference
sources         reading image files and other images
classifiers     loading a network with its weights
embedded        two small networks that ship with the course
pooling         from a network to pooled outputs of its layers, or grids of feature vectors
extraction      features of many images, computed on all cores
feature_cache   features kept on disk

    from captionlab.vision import ExtractionConfig, extract, load_classifier

    classifier = load_classifier()
    config = ExtractionConfig(("features.15",), classifier.preprocessing)
    features = extract(classifier.model, files, config, cache=folder)
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "classifiers": ["Classifier", "infer_architecture", "load_classifier", "load_state_dict"],
        "embedded": ["tiny_resnet", "tiny_vgg"],
        "extraction": ["ExtractionConfig", "FeatureExtractor", "extract", "read_batch"],
        "feature_cache": ["fingerprint"],
        "images": ["IMAGENET_MEAN", "IMAGENET_STD", "prepare_image"],
        "networks": ["EMBEDDED_NETWORKS", "Network", "get_network", "list_networks"],
        "pooling": ["pooled_layers", "to_grid"],
        "preprocessing": ["Preprocessing"],
        "sources": ["ImageSource", "cache_key", "open_image"],
    },
)
