"""Encoders: networks without their heads, frozen or fine-tuned, and grids on their way to the decoder and back."""

from __future__ import annotations

import pytest
import torch
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from captionlab.captioning.attention_maps import attention_heatmap, upsample_attention
from captionlab.captioning.encoders import (
    GridEncoder,
    cut_before_pooling,
    encode_grids,
    flatten_grids,
    load_encoder,
    on_first_grid,
    split_last_blocks,
    to_positions,
)
from captionlab.vision.embedded import tiny_resnet, tiny_vgg
from captionlab.vision.pooling import to_grid

# --- the references ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [tiny_vgg, tiny_resnet])
def test_a_cut_network_has_no_pooling_to_a_fixed_size(network):
    cut = cut_before_pooling(network()).eval()
    small, large = (cut(torch.rand(1, 3, side, side)).shape for side in (64, 128))
    assert large[2:] == (2 * small[2], 2 * small[3])
    with pytest.raises(TypeError, match="features or layer4"):
        cut_before_pooling(torch.nn.Linear(1, 1))


def test_positions_go_row_by_row():
    maps = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert to_positions(maps)[0, 1 * 4 + 2].tolist() == maps[0, :, 1, 2].tolist()


def test_an_encoder_is_frozen_and_only_the_blocks_asked_for_are_trained():
    encoder = GridEncoder(cut_before_pooling(tiny_resnet())).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder(torch.rand(4, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())  # no statistics drift
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    encoder.fine_tune(2)
    last = list(encoder.network.children())[-2:]
    expected = {id(parameter) for block in last for parameter in block.parameters()}
    assert {id(one) for one in encoder.parameters() if one.requires_grad} == expected
    encoder.train()(torch.rand(4, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())
    encoder.fine_tune(0)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


# --- the library does the same ----------------------------------------------------------------------------------------


def test_flattened_grids_are_the_positions_of_the_reference():
    maps = torch.rand(2, 5, 3, 4)
    assert torch.equal(flatten_grids([to_grid(maps, (3, 4))]), to_positions(maps))


@pytest.mark.parametrize(("network", "blocks"), [(tiny_resnet, 1), (tiny_resnet, 3), (tiny_vgg, 3)])
@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_frozen_part_and_last_blocks_make_the_whole(network, blocks, size):
    model = network().eval()
    layer, top = split_last_blocks(model, blocks)
    images = torch.rand(2, 3, *size)
    maps = create_feature_extractor(model, [layer])(images)[layer].clone()
    whole = to_positions(cut_before_pooling(model)(images))
    torch.testing.assert_close(top.eval()(maps), whole)
    (grid,) = encode_grids(top, [maps.permute(0, 2, 3, 1)])
    assert tuple(grid.shape[1:3]) == (size[0] // 16, size[1] // 16)
    torch.testing.assert_close(flatten_grids([grid]), whole)
    assert all(parameter.requires_grad for parameter in top.parameters())


@pytest.mark.parametrize(
    ("model", "blocks", "message"),
    [
        (tiny_resnet(), 99, "has 8 blocks, give fewer"),
        (tiny_resnet(), 0, "at least 1"),
        (tiny_vgg(), 1, "have no weights, give more"),
        (models.shufflenet_v2_x0_5(), 1, "cannot be fine-tuned"),
    ],
)
def test_blocks_that_cannot_be_fine_tuned(model, blocks, message):
    with pytest.raises(ValueError, match=message):
        split_last_blocks(model, blocks)


def test_grids_of_several_sizes_follow_each_other():
    first, second = torch.rand(2, 2, 3, 5), torch.rand(2, 1, 2, 5)
    flat = flatten_grids([first, second])
    assert flat.shape == (2, 8, 5)
    assert torch.equal(flat[:, 1 * 3 + 2], first[:, 1, 2])
    assert torch.equal(flat[:, 6 + 1], second[:, 0, 1])
    assert all(map(torch.equal, encode_grids(None, [first, second]), [first, second]))


# --- loading ----------------------------------------------------------------------------------------------------------


def test_an_unknown_layer_is_refused():
    with pytest.raises(ValueError, match="no layer 'layer9'"):
        load_encoder("tiny_resnet", layers=["layer9"])


def test_defaults_are_those_of_the_registry():
    encoder = load_encoder("tiny_vgg")
    assert (encoder.layers, encoder.input_sizes) == (("features.2", "features.15"), (64,))
    assert load_encoder("tiny_vgg", 96, second_input_size=128).input_sizes == (96, 128)


# --- attention on grids -----------------------------------------------------------------------------------------------


def test_attention_to_the_second_grid_is_shown_on_the_first():
    alphas = torch.zeros(2, 113)
    alphas[0, 8] = 1  # row 1, column 1 of the first
    alphas[1, 49 + 63] = 1  # the last corner of the second
    shown = on_first_grid(alphas, [(7, 7), (8, 8)])
    assert shown.shape == (2, 7, 7)
    assert shown[0, 1, 1] == shown[0].max()
    assert shown[1, 6, 6] == shown[1].max()
    torch.testing.assert_close(shown.sum((1, 2)), torch.ones(2))
    alone = torch.eye(49 + 21 * 21)  # each cell of a second grid three times as fine
    torch.testing.assert_close(on_first_grid(alone, [(7, 7), (21, 21)]).sum((1, 2)), torch.ones(len(alone)))


def test_attention_on_one_grid_that_is_not_square():
    alphas = torch.rand(4, 6)
    assert torch.equal(on_first_grid(alphas, [(2, 3)]), alphas.reshape(4, 2, 3))


def test_heatmaps_of_square_grids_are_those_of_the_reference():
    alpha = torch.rand(9)
    assert torch.equal(attention_heatmap(alpha, 20), upsample_attention(alpha, 20))
    assert torch.equal(attention_heatmap(alpha.reshape(3, 3), 20), upsample_attention(alpha, 20))


def test_heatmaps_of_other_grids():
    grid = torch.zeros(2, 5)
    grid[1, 4] = 1
    found = attention_heatmap(grid, 20)
    assert found.shape == (20, 20)
    assert found[19, 19] == found.max() == 1
    assert found[:10, :12].max() < 0.5
    with pytest.raises(ValueError, match="10 positions"):
        attention_heatmap(grid.flatten(), 20)
