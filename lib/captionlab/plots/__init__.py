"""Figures of all labs and experiments: data in, a figure out that a notebook shows and ``savefig`` writes.

=============== ======================================================================================
`style`         the palette, the figure class, and helpers for axes that all others share
`convnets`      Lab 1: feature shapes, receptive fields, parameters, feature maps, heat maps, predictions
`transfer`      Lab 2: misclassified images, confusion matrix, accuracy by class, layer, C and epoch
`training`      Lab 3: augmented images, curves by epoch, drifting batch statistics, compared methods
`captioning`    Lab 4: attention over the image, curves of training, attention inside objects' boxes
`scenes`        what only Lab 2's experiments draw
`bees_ants`     what only Lab 3's experiments draw
=============== ======================================================================================
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "style": ["Figure", "new_figure"],
        "convnets": [
            "effective_receptive_field",
            "feature_maps",
            "feature_shapes",
            "filters",
            "heat_map",
            "parameter_bars",
            "photograph",
            "prediction_bars",
            "prediction_grid",
            "receptive_fields",
            "side_by_side",
            "upsample",
        ],
        "transfer": [
            "accuracy_by_epoch",
            "accuracy_by_layer",
            "accuracy_curve",
            "class_bars",
            "comparison",
            "confusion",
            "cost_comparison",
            "mistakes",
            "sample_grid",
        ],
        "training": ["augmentation_grid", "method_bars", "method_panels", "statistics_drift", "training_curves"],
        "captioning": ["attention_figure", "attention_overlap_figure", "curves_figure"],
        "scenes": ["confusion_with_accuracies", "search_steps"],
        "bees_ants": ["seed_curves"],
    },
)
