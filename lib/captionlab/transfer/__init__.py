"""Transfer learning: what a network learned on ImageNet, put to work on a few hundred images.

Lab 2, deep features and linear classifiers:

features           features from a network: cut, evaluated in batches, read at a named layer, normalized
svm                a linear support vector machine on features, its C by cross-validation, PCA
whitening          features whitened by the covariance within classes
confusion          confusion matrix and accuracy by class
visual_words       the classical alternative: gradients and a dictionary of visual words
extraction         features of image files: decoding beside the network, several layers at once
feature_cache      features kept on disk, by weights, recipe and files
scene_data, scene_choices, scene_heads, scene_experiments, scene_figures
                   15-Scene measured: `captionlab experiment scenes...`
pictures           the lab's pictures

Lab 3, fine-tuning:

heads, freezing, splitting, augmentation, training
                   the steps, one by one
cutting            where a network is cut, and what is kept
checkpoints        what decides how a training goes on, in one file, replaced whole or not at all
fine_tuning        the whole training
baselines          what it has to beat: raw pixels, and simple classifiers on features
insect_data, insect_methods, insect_recipes, insect_experiments, insect_figures
                   bees against ants measured: `captionlab experiment insects...`
training_pictures  the lab's pictures

Nothing is imported here: each part loads what it needs.
"""
