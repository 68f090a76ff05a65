"""Other correct solutions of Lab 3's exercises: images and the network. The rest are next to the tests."""

from __future__ import annotations

import math
import random

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

ALTERNATIVES = []


def alternative(function):
    """A correct solution of the exercise that its name begins with; after two underscores it says how."""
    ALTERNATIVES.append(function)
    return function


# --- images


@alternative
def split_train_validation__sklearn(labels, validation_fraction, seed):
    from sklearn.utils import check_random_state

    labels, drawing, train, validation = list(labels), check_random_state(seed), [], []
    for label in sorted(set(labels)):
        images = [i for i, other in enumerate(labels) if other == label]
        if len(images) == 1:
            raise ValueError(f"only one image of class {label}")
        drawing.shuffle(images)
        count = int(np.clip(math.floor(validation_fraction * len(images) + 0.5), 1, len(images) - 1))
        validation.extend(images[:count])
        train.extend(images[count:])
    return sorted(train), sorted(validation)


@alternative
def split_train_validation__arrays_and_torch(labels, validation_fraction, seed):
    labels = torch.as_tensor(np.array(labels))
    generator = torch.Generator().manual_seed(seed)
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        (images,) = torch.where(labels == label)
        if len(images) < 2:
            raise ValueError
        count = min(max(math.floor(validation_fraction * len(images) + 0.5), 1), len(images) - 1)
        held_out[images[torch.randperm(len(images), generator=generator)[:count]]] = True
    return np.flatnonzero(~held_out.numpy()).tolist(), np.flatnonzero(held_out.numpy()).tolist()


@alternative
def split_train_validation__pythons_own_random(labels, validation_fraction, seed):
    rng, validation = random.Random(seed), set()
    classes = {int(label): [] for label in labels}
    for i, label in enumerate(labels):
        classes[int(label)].append(i)
    for images in classes.values():
        if len(images) < 2:
            raise ValueError("a class of one")
        validation.update(
            rng.sample(images, max(1, min(len(images) - 1, int(validation_fraction * len(images) + 0.5))))
        )
    return [i for i in range(len(labels)) if i not in validation], sorted(validation)


@alternative
def make_transforms__tensors_first(size):
    last = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    crop = v2.RandomResizedCrop((size, size), scale=(0.35, 1.0), antialias=True)
    training = v2.Compose([v2.PILToTensor(), crop, v2.RandomHorizontalFlip(p=0.5), *last])
    larger = v2.Resize(size * 8 // 7, antialias=True)
    return training, v2.Compose([v2.PILToTensor(), larger, v2.CenterCrop((size, size)), *last])


@alternative
def make_transforms__functions(size):
    def to_input(image):
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)

    crop, flip = v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip()

    def training(image):
        return to_input(flip(crop(image)))

    def evaluation(image):
        return to_input(v2.functional.center_crop(v2.functional.resize(image, [size * 8 // 7]), [size, size]))

    return training, evaluation


@alternative
def make_datasets__one_class_with_a_switch(paths, labels, train_indices, validation_indices, transforms):
    class Insects(torch.utils.data.Dataset):
        def __init__(self, training):
            self.files = [paths[i] for i in (train_indices if training else validation_indices)]
            self.targets = [labels[i] for i in (train_indices if training else validation_indices)]
            self.transform = transforms[0] if training else transforms[1]

        def __len__(self):
            return len(self.files)

        def __getitem__(self, at):
            return [self.transform(Image.open(self.files[at]).convert("RGB")), torch.tensor(self.targets[at])]

    return Insects(True), Insects(False)


@alternative
def make_datasets__subsets(paths, labels, train_indices, validation_indices, transforms):
    class All(torch.utils.data.Dataset):
        def __init__(self, transform):
            self.transform = transform

        def __len__(self):
            return len(paths)

        def __getitem__(self, i):
            return self.transform(Image.open(paths[i]).convert("RGB")), labels[i]

    parts = train_indices, validation_indices
    return tuple(torch.utils.data.Subset(All(t), part) for t, part in zip(transforms, parts, strict=True))


# --- the network


@alternative
def pretrained_network__weights_loaded_afterwards(builder, weights):
    network = builder()
    if weights is None:
        return network.eval(), None
    network.load_state_dict(weights.get_state_dict(progress=True))
    network.train(False)
    return network, weights.transforms()


@alternative
def replace_head__by_name(model, num_classes):
    names = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    last = names[-1] if names else ""
    is_last = last.startswith("classifier.") and last == f"classifier.{len(model.classifier) - 1}"
    if last != "fc" and not is_last:
        raise TypeError(type(model).__name__)
    parent, _, name = last.rpartition(".")
    old = model.get_submodule(last)
    new = nn.Linear(old.in_features, num_classes).to(old.weight)
    setattr(model.get_submodule(parent), name, new)
    return model


@alternative
def replace_head__classifier_rebuilt(model, num_classes):
    if hasattr(model, "fc"):
        model.fc = nn.Linear(model.fc.weight.shape[1], num_classes, device=model.fc.weight.device).to(model.fc.weight)
        return model
    layers = list(getattr(model, "classifier", []))
    if not layers or not isinstance(layers[-1], nn.Linear):
        raise TypeError("neither fc nor a classifier that ends with a linear layer")
    *kept, old = layers
    factory = {"device": old.weight.device, "dtype": old.weight.dtype}
    model.classifier = nn.Sequential(*kept, nn.Linear(old.in_features, num_classes, **factory))
    return model


@alternative
def freeze__in_one_expression(module):
    return module.requires_grad_(False).eval()


@alternative
def freeze__layer_by_layer(module):
    for layer in module.modules():
        layer.training = False
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad = False


@alternative
def set_train_mode__flags(model, head):
    inside = list(head.modules())
    for layer in model.modules():
        layer.training = any(layer is one for one in inside)


@alternative
def set_train_mode__all_but_the_backbone(model, head):
    model.train()
    inside = set(head.modules())
    for layer in model.modules():
        if layer not in inside and not set(layer.modules()) & inside:
            layer.eval()
    for layer in model.modules():
        if layer not in inside and not list(layer.children()):
            layer.training = False


@alternative
def parameter_groups__sets(model, head, head_lr, backbone_lr):
    own = set(head.parameters())
    new = [one for one in head.parameters() if one.requires_grad]
    rest = [one for one in model.parameters() if one.requires_grad and one not in own]
    groups = []
    if new:
        groups.append({"lr": head_lr, "params": new})
    if rest:
        groups.append({"lr": backbone_lr, "params": rest})
    return groups


@alternative
def parameter_groups__by_name(model, head, head_lr, backbone_lr):
    prefix = next(name for name, module in model.named_modules() if module is head) + "."
    groups = [{"params": [], "lr": head_lr}, {"params": [], "lr": backbone_lr}]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[0 if name.startswith(prefix) else 1]["params"].append(parameter)
    return [group for group in groups if group["params"]]


@alternative
def unfreeze_last_blocks__from_the_end(vgg, num_blocks):
    layers = list(vgg.features)
    if num_blocks < 0 or num_blocks > sum(isinstance(layer, nn.MaxPool2d) for layer in layers):
        raise ValueError("no such number of blocks")
    seen = 0
    for layer in reversed(layers):
        seen += isinstance(layer, nn.MaxPool2d)
        layer.requires_grad_(seen <= num_blocks)


@alternative
def unfreeze_last_blocks__gathered(vgg, num_blocks):
    gathered = [[]]
    for layer in vgg.features:
        gathered[-1].append(layer)
        if isinstance(layer, nn.MaxPool2d):
            gathered.append([])
    gathered.pop()  # there is nothing after the last pooling
    if not 0 <= num_blocks <= len(gathered):
        raise ValueError(num_blocks)
    vgg.features.requires_grad_(False)
    for block in gathered[len(gathered) - num_blocks :]:
        for layer in block:
            layer.requires_grad_(True)
    return vgg
