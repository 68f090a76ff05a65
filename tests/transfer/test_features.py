import doctest

import pytest
import torch
from torch import nn

from captionlab.transfer import features
from captionlab.transfer.features import VGG16relu7, extract_features, features_at, gray_to_rgb, l2_normalize
from captionlab.vision.embedded import tiny_resnet, tiny_vgg


def images(count=5, size=64, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def modes(model):
    return [module.training for module in model.modules()]


def test_examples_in_the_docstrings():
    # VGG16's own example builds 553 MB of weights; the tiny network below stands in for it.
    tests = [t for t in doctest.DocTestFinder().find(features, globs=vars(features)) if "VGG16" not in t.name]
    results = [doctest.DocTestRunner().run(test) for test in tests if test.examples]
    assert len(results) == 4
    assert sum(result.failed for result in results) == 0


@pytest.mark.parametrize("training", [True, False])
def test_relu7_is_the_network_up_to_its_last_relu(training):
    vgg = tiny_vgg().train(training)
    state, flags = {k: v.clone() for k, v in vgg.state_dict().items()}, modes(vgg)
    relu7 = VGG16relu7(vgg)
    found = relu7(images())
    assert modes(vgg) == flags
    assert not any(modes(relu7))
    assert all(torch.equal(value, state[key]) for key, value in vgg.state_dict().items())
    assert found.shape == (5, 256)
    assert (found >= 0).all()
    assert (found > 0).any()
    torch.testing.assert_close(vgg.classifier[-1](found), vgg.eval()(images()))


def test_relu7_shares_nothing_with_the_original():
    vgg = tiny_vgg()
    relu7 = VGG16relu7(vgg)
    before = relu7(images())
    for parameter in vgg.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(relu7(images()), before)


def test_gray_images_get_three_equal_channels_and_color_ones_stay():
    gray = torch.arange(12, dtype=torch.uint8).reshape(2, 1, 2, 3)
    found = gray_to_rgb(gray)
    assert found.dtype == torch.uint8
    assert all(torch.equal(found[:, channel], gray[:, 0]) for channel in range(3))
    assert torch.equal(gray_to_rgb(images()), images())


@pytest.mark.parametrize("shape", [(2, 2, 4, 4), (3, 4, 4), (1, 4, 4, 4)])
def test_other_channels_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(batch, 1 or 3"):
        gray_to_rgb(torch.zeros(shape))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batches_change_nothing(batch_size):
    model = tiny_resnet().train()
    model.bn1.eval()
    flags, statistics = modes(model), model.layer1[0].bn1.running_mean.clone()
    found = extract_features(model, images(), batch_size)
    assert modes(model) == flags
    assert torch.equal(model.layer1[0].bn1.running_mean, statistics)
    assert not found.requires_grad
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, tiny_resnet()(images()))


def test_features_at_a_named_layer():
    model = tiny_resnet().train()
    model.layer2.eval()
    flags = modes(model)
    found = features_at(model, "layer3.0.conv1", images())
    assert modes(model) == flags
    assert not found.requires_grad
    assert not any(module._forward_hooks for module in model.modules())
    assert found.shape == (5, 64)
    pooled = features_at(model, "avgpool", images())
    torch.testing.assert_close(model.fc(pooled), tiny_resnet()(images()))
    torch.testing.assert_close(features_at(model, "fc", images()), tiny_resnet()(images()))


def test_a_later_layer_in_place_does_not_change_the_features():
    vgg = tiny_vgg()
    assert (features_at(vgg, "features.0", images()) < 0).any()
    assert (features_at(vgg, "classifier.3", images()) < 0).any()


def test_an_unknown_layer_is_named():
    with pytest.raises(ValueError, match=r"no layer 'layer9'.*layer4"):
        features_at(tiny_resnet(), "layer9", images())


def test_no_hook_is_left_when_the_network_fails():
    model = tiny_resnet().train()
    with pytest.raises(RuntimeError):
        features_at(model, "fc", torch.zeros(1, 2, 64, 64))
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_rows_have_length_one_and_zeros_stay():
    rows = torch.randn(6, 9, generator=torch.Generator().manual_seed(1)) * torch.logspace(-6, 6, 6)[:, None]
    rows[2] = 0
    before = rows.clone()
    found = l2_normalize(rows)
    assert torch.equal(rows, before)
    torch.testing.assert_close(found.norm(dim=1), torch.tensor([1.0, 1, 0, 1, 1, 1]))
    torch.testing.assert_close(found, nn.functional.normalize(rows, dim=1))
