"""Lab 4's experiments: captioning models that differ in one setting, and what a trained model does.

============ ===========================================================================
`variants`   which settings each experiment compares
`runs`       trains and evaluates the variants; compares numbers of beams
`noise`      noisy images and a denoising autoencoder
`attention`  whether a model looks at the objects it names
`describe`   captions of image files, with figures of the attention
`tables`     rows, means and standard deviations of runs
============ ===========================================================================
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "attention": ["AttentionOverlap", "attention_overlap", "measure_attention_overlap"],
        "describe": ["describe_files"],
        "noise": ["compare_noise"],
        "runs": ["compare_beams", "run_experiment", "train_or_load"],
        "variants": ["EXPERIMENTS", "Experiment", "Variant"],
    },
)
