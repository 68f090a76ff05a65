"""Which parts of a network learn: what is frozen, what is trained, and how fast."""

from __future__ import annotations

from torch import nn


def freeze(module):
    """Freeze a network, or a part of one: training leaves it exactly as it is.

    Two things change a layer during training, and both are stopped: its parameters get no gradients any more
    (``requires_grad`` is False for each), and every layer in it, at any depth, is put in evaluation mode, in which
    batch normalization uses its running mean and variance and leaves them as they are, and dropout drops nothing.

    A later ``.train()`` of the module, or of a model that it is part of, undoes the second (see ``training_mode``).

    Args:
        module: a network or a part of one; it is changed in place, its weights and buffers are not.

    Returns:
        None.

    Example::

        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
        freeze(network)
        [parameter.requires_grad for parameter in network.parameters()]  # [False, False, False, False, False, False]
        network[1].training  # False
        network(torch.rand(4, 3, 3, 10))
        network[1].num_batches_tracked  # tensor(0): the statistics did not move

    Source: Ioffe and Szegedy 2015, "Batch normalization", arXiv:1502.03167, section 3.1, on the two modes.
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    module.eval()


def training_mode(model, head):
    """Put the head of a network in training mode and everything else in evaluation mode.

    To be called at the start of each epoch, in the place of ``model.train()``, which would set the batch
    normalization of the whole network moving, also in layers without gradients: a "frozen" backbone would drift, and
    with little data batch statistics cost accuracy even where the backbone is trained.

    It does not matter which modes the layers are in before. What requires gradients is not changed.

    Args:
        model: the network.
        head: the part of it that is new, such as ``model.fc``: a module anywhere inside the model, of one layer or
            of several. All layers in it are put in training mode.

    Returns:
        None.

    Example::

        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Sequential(nn.Dropout(), nn.Linear(8, 2)))
        training_mode(model, head=model[2])
        model[1].training, model[2].training, model[2][0].training  # (False, True, True)
    """
    model.eval()
    head.train()


def parameter_groups(model, head, head_rate, backbone_rate):
    """Parameters for an optimizer, with a learning rate for the head and another for the rest of the network.

    A fresh head has everything to learn; a pretrained backbone has much to lose: it gets a rate that is smaller,
    often by 100 times.

    Args:
        model: the network.
        head: the module inside it that gets ``head_rate``.
        head_rate: learning rate of the head.
        backbone_rate: learning rate of all other parameters.

    Returns:
        A list of dictionaries, as every optimizer of ``torch.optim`` takes it, each with the two keys ``"params"``
        (a list of parameters) and ``"lr"`` (the learning rate). First the head, then the rest. Only parameters that
        require gradients are listed, in the order of ``model.parameters()``, and each once, in one of the groups. A
        group without parameters is left out: with a frozen backbone there is one group.

    Example::

        model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
        groups = parameter_groups(model, head=model[2], head_rate=1e-2, backbone_rate=1e-4)
        [(group["lr"], len(group["params"])) for group in groups]  # [(0.01, 2), (0.0001, 2)]
        optimizer = torch.optim.SGD(groups, momentum=0.9)

    Source: "Per-parameter options" in https://docs.pytorch.org/docs/stable/optim.html; Howard and Ruder 2018,
    "Universal language model fine-tuning", arXiv:1801.06146, section 3.2, for rates that differ by depth.
    """
    # By identity: `==` between parameters compares their values.
    in_head = {id(parameter) for parameter in head.parameters()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if id(parameter) in in_head], "lr": head_rate},
        {"params": [parameter for parameter in trained if id(parameter) not in in_head], "lr": backbone_rate},
    ]
    return [group for group in groups if group["params"]]


def unfreeze_last_blocks(vgg, blocks):
    """Make the last convolutional blocks of a VGG trainable, and freeze those before them.

    A block is a run of layers of ``vgg.features`` up to and including a max pooling (``nn.MaxPool2d``): VGG16 has
    five, of two or three convolutions each. Networks with batch normalization between the convolutions have the same
    blocks.

    Only ``requires_grad`` of the parameters in ``vgg.features`` is set, True for the last ``blocks`` blocks and False
    for all before them, whatever it was. The classifier keeps what it has, and the modes of all layers stay.

    Args:
        vgg: a model built like torchvision's VGG, with ``features`` (a sequence of layers that ends with a max
            pooling), ``avgpool`` and ``classifier``.
        blocks: how many blocks are trained, from 0 (none: all convolutions are frozen) to all of them.

    Returns:
        None.

    Raises:
        ValueError: if ``blocks`` is negative or larger than the number of blocks.

    Example::

        vgg = torchvision.models.vgg16()
        unfreeze_last_blocks(vgg, blocks=1)
        trained = [name for name, parameter in vgg.features.named_parameters() if parameter.requires_grad]
        trained  # ['24.weight', '24.bias', '26.weight', '26.bias', '28.weight', '28.bias']

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, for the blocks.
    """
    ends = [index for index, layer in enumerate(vgg.features) if isinstance(layer, nn.MaxPool2d)]
    if not 0 <= blocks <= len(ends):
        raise ValueError(f"found blocks={blocks}, expected 0 to {len(ends)}: the network has {len(ends)} blocks")
    first_trained = 0 if blocks == len(ends) else ends[-blocks - 1] + 1
    for index, layer in enumerate(vgg.features):
        for parameter in layer.parameters():
            parameter.requires_grad_(index >= first_trained)
