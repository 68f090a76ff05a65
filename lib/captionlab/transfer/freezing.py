"""Which parts of a network are trained: frozen parts, training modes, and learning rates by part."""

from __future__ import annotations

import torchvision
from torch import nn


def freeze(module: nn.Module) -> None:
    """Freeze a network or part of one, so that training leaves it exactly as it is.

    Two things change a layer during training, and both are stopped. The parameters no longer receive gradients
    (``requires_grad`` is False for each of them). Every layer at any depth is put in evaluation mode, in which batch
    normalization uses its running mean and variance without updating them, and dropout drops nothing.

    A later call of ``.train()`` on the module, or on a model that contains it, undoes the second (see
    ``set_train_mode``).

    Args:
        module: a network or part of one; it is changed in place, its weights and buffers are not.

    Example:
        >>> import torch
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
        >>> freeze(network)
        >>> any(parameter.requires_grad for parameter in network.parameters())
        False
        >>> network[1].training
        False
        >>> _ = network(torch.rand(4, 3, 3, 10))
        >>> network[1].num_batches_tracked  # the statistics did not move
        tensor(0)

    Source: Ioffe and Szegedy 2015, "Batch normalization", arXiv:1502.03167, section 3.1, on the two modes.
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    module.eval()


def set_train_mode(model: nn.Module, head: nn.Module) -> None:
    """Put the head of a network in training mode and everything else in evaluation mode.

    Call it at the start of each epoch instead of ``model.train()``, which would update the statistics of every batch
    normalization, even in layers without gradients: a "frozen" backbone would drift. With little data, batch
    statistics also cost accuracy if the backbone is trained.

    The modes that the layers had before do not matter. ``requires_grad`` is left as it is: what is trained is decided
    elsewhere.

    Args:
        model: the network.
        head: the new part of it, such as ``model.fc``: a module anywhere in the model, with one layer or several. All
            layers in it are put in training mode.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Sequential(nn.Dropout(), nn.Linear(8, 2)))
        >>> set_train_mode(model, head=model[2])
        >>> model[1].training, model[2].training, model[2][0].training
        (False, True, True)

    Source: https://docs.pytorch.org/docs/stable/notes/autograd.html, "Evaluation Mode".
    """
    model.eval()
    head.train()


def parameter_groups(model: nn.Module, head: nn.Module, head_lr: float, backbone_lr: float) -> list[dict]:
    """Parameters for an optimizer, with one learning rate for the head and another for the rest of the network.

    A new head has everything to learn, a pretrained backbone has much to lose: its learning rate is smaller, often by
    a factor of 100.

    Args:
        model: the network.
        head: the module in it that gets ``head_lr``.
        head_lr: learning rate of the head.
        backbone_lr: learning rate of all other parameters.

    Returns:
        A list of dictionaries as every optimizer of ``torch.optim`` accepts it, each with two keys: ``"params"`` (a
        list of parameters) and ``"lr"`` (the learning rate). The head comes first, then the rest. Only parameters that
        require gradients are listed, in the order of ``model.parameters()``, each in exactly one of the groups. A
        group without parameters is left out: with a frozen backbone there is one group.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> groups = parameter_groups(model, head=model[2], head_lr=1e-2, backbone_lr=1e-4)
        >>> [(group["lr"], len(group["params"])) for group in groups]
        [(0.01, 2), (0.0001, 2)]
        >>> optimizer = torch.optim.SGD(groups, momentum=0.9)

    Source: https://docs.pytorch.org/docs/stable/optim.html, "Per-parameter options"; Howard and Ruder 2018,
    "Universal language model fine-tuning", arXiv:1801.06146, section 3.2, for learning rates that differ by depth.
    """
    in_head = {id(parameter) for parameter in head.parameters()}  # by identity: `==` would compare values
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    head_group = {"params": [one for one in trained if id(one) in in_head], "lr": head_lr}
    backbone_group = {"params": [one for one in trained if id(one) not in in_head], "lr": backbone_lr}
    return [group for group in (head_group, backbone_group) if group["params"]]


def unfreeze_last_blocks(vgg: torchvision.models.VGG, num_blocks: int) -> None:
    """Make the last convolutional blocks of a VGG trainable and freeze those before them.

    A block is a run of layers in ``vgg.features`` up to and including a max pooling (``nn.MaxPool2d``). VGG16 has five
    of them, each with two or three convolutions. Networks with batch normalization between the convolutions have the
    same blocks.

    Only ``requires_grad`` of the parameters in ``vgg.features`` is set: True in the last ``num_blocks`` blocks and
    False in all blocks before them, whatever it was. The classifier is left as it is, and so are the modes of all
    layers.

    Args:
        vgg: a network built like torchvision's VGG, with ``features`` (a sequence of layers that ends with a max
            pooling), ``avgpool`` and ``classifier``.
        num_blocks: number of blocks to train, from 0 (all convolutions are frozen) to all of them.

    Raises:
        ValueError: if ``num_blocks`` is negative or larger than the number of blocks.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # shapes only: nothing is initialized
        ...     vgg = torchvision.models.vgg16()
        >>> unfreeze_last_blocks(vgg, num_blocks=1)
        >>> [name for name, parameter in vgg.features.named_parameters() if parameter.requires_grad]
        ['24.weight', '24.bias', '26.weight', '26.bias', '28.weight', '28.bias']

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, for the blocks.
    """
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= num_blocks <= len(ends):
        raise ValueError(
            f"found num_blocks={num_blocks}, expected 0 to {len(ends)}: the network has {len(ends)} blocks"
        )
    first_trained = 0 if num_blocks == len(ends) else ends[-num_blocks - 1] + 1
    for index, layer in enumerate(vgg.features):
        layer.requires_grad_(index >= first_trained)
