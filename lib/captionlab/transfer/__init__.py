"""Transfer learning: what a network learned on ImageNet, put to work on a few hundred images.

Lab 2, deep features and linear classifiers:

features           features from a network: cut, evaluated in batches, read at a named layer, normalised
svm                a linear support vector machine on features, its C by cross-validation, PCA
confusion          confusion matrix and accuracy by class
extraction         features of image files: decoding beside the network, kept on disk
scene_experiments  the measured tables and figures on 15-Scene (`captionlab experiment scenes...`)

Lab 3, fine-tuning:

heads, freezing, splitting, augmentation, training   the steps, one by one
fine_tuning, baselines                               the whole, and what it has to beat

Nothing is imported here: each part loads what it needs.
"""
