"""Lab 3's experiments: bees against ants, by seven methods and with two networks.

=========== =================================================================
`data`      the images, and transforms for evaluation
`recipes`   how each network is trained: sizes, epochs, learning rates
`methods`   the seven methods, each a function of a context and a seed
`runs`      the experiments: all methods of a network, one network by another
=========== =================================================================
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "data": ["BeesAnts", "load_bees_ants"],
        "methods": ["METHODS", "MethodContext"],
        "recipes": ["RECIPES", "Recipe", "recipe_for"],
        "runs": ["compare_methods", "compare_networks"],
    },
)
