"""Lab 2's experiments: deep features and a linear SVM on scenes.

================ ======================================================================
`data`           the images, the networks and layers compared, and the cached features
`feature_specs`  which features of an image the classifier is given
`feature_search` cross-validation, and the greedy search for the best features
`heads`          a new last layer of the network instead of the SVM
`runs`           the experiments, one function each
================ ======================================================================
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "data": ["FeatureBank", "Scenes", "layers_of", "load_scenes", "scene_network"],
        "feature_specs": ["FeatureBlock", "FeatureSpec"],
        "feature_search": ["cross_validate", "greedy_search"],
        "runs": ["run_best", "run_c", "run_heads", "run_layers", "run_networks", "run_pca", "run_scenes"],
    },
)
