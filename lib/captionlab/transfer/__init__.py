"""Transfer learning: what a network learned on ImageNet, applied to a few hundred images of other classes.

    from captionlab.transfer import FineTuneSettings, fine_tune, freeze, get_head, replace_head

    model = replace_head(torchvision.models.resnet18(weights="DEFAULT"), num_classes=2)
    freeze(model)
    get_head(model).requires_grad_(True)
    result = fine_tune(model, train_set, validation_set, FineTuneSettings(epochs=20))

Deep features and linear classifiers (Lab 2), in reading order:

features        features from a pretrained network: at which layer, in batches, normalized
svm             a linear support vector machine on features, its C by cross-validation; PCA
confusion       the confusion matrix, and the accuracy of each class
whitening       features whitened by the covariance within classes
visual_words    what came before deep features: image patches and a vocabulary of visual words

Fine-tuning (Lab 3), in reading order:

splitting       part of the training images set aside for validation
augmentation    random crops and flips for training, plain images for evaluation
heads           a pretrained network with a new classification layer
freezing        what is trained, in which mode, and at which learning rate
training        one step, an evaluation, early stopping, and the best epoch
fine_tuning     the whole training loop: checkpoints, exact resume, TensorBoard
backbones       the frozen part of a network, whose output is computed only once
baselines       what fine-tuning has to beat: simple classifiers on raw pixels and on features
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "augmentation": ["make_datasets", "make_transforms"],
        "backbones": ["AugmentedViews", "list_stages", "predict_batched", "remove_head", "split_backbone"],
        "baselines": ["feature_svm", "forest", "pixel_svm", "raw_pixels"],
        "confusion": ["accuracy_by_class", "confusion_matrix"],
        "features": ["VGG16relu7", "extract_features", "features_at", "gray_to_rgb", "l2_normalize"],
        "fine_tuning": ["FineTuneSettings", "TrainResult", "fine_tune"],
        "freezing": ["freeze", "parameter_groups", "set_train_mode", "unfreeze_last_blocks"],
        "heads": ["get_head", "pretrained_network", "replace_head"],
        "splitting": ["split_train_validation"],
        "svm": ["choose_C", "pca_project", "scene_classifier"],
        "training": ["EarlyStopping", "evaluate", "train_and_keep_best", "train_step"],
        "visual_words": ["VisualWords"],
        "whitening": ["WithinClassWhitening"],
    },
)
