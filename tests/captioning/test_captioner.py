"""From training to captions, on drawn scenes and a tiny model; and every wrong file and picture said clearly."""

from __future__ import annotations

import csv
import itertools
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageOps
from torchvision.models.feature_extraction import create_feature_extractor

from captionlab.captioning import Captioner
from captionlab.captioning import datasets as corpora
from captionlab.captioning.datasets import embedded_dataset
from captionlab.captioning.encoders import (
    GridEncoder,
    cut_before_pooling,
    last_blocks,
    load_encoder,
    on_first_grid,
    split_by_size,
    to_maps,
    to_positions,
)
from captionlab.captioning.evaluation import make_step_fn
from captionlab.captioning.grid_features import GridNetwork, compute_grids
from captionlab.captioning.runs import RunSettings, prepare_data, train
from captionlab.captioning.vocabulary import END, PAD, START, UNK
from captionlab.cli import main
from captionlab.common.checkpoints import load_checkpoint, save_checkpoint
from captionlab.vision.embedded import tiny_resnet, tiny_vgg

COUNTS = {"train": 24, "dev": 6, "test": 4}
SMALL = {
    "min_frequency": 1,
    "embedding": 8,
    "hidden": 12,
    "attention": 6,
    "epochs": 2,
    "images": 8,
    "corpus": "embedded",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of data, and in it a model that was trained for a moment."""
    folder = tmp_path_factory.mktemp("captions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTIONLAB_DATA", str(folder / "data"))
        patch.setattr(corpora, "EMBEDDED_COUNTS", COUNTS)
        train(RunSettings.from_flat(SMALL), folder / "run", progress=False, report=lambda line: None)
        scene = embedded_dataset().splits["test"][0]
        scene.picture.read().save(folder / "scene.png")
    return folder


@pytest.fixture(autouse=True)
def _data(home, monkeypatch):
    monkeypatch.setenv("CAPTIONLAB_DATA", str(home / "data"))
    monkeypatch.setattr(corpora, "EMBEDDED_COUNTS", COUNTS)


def invoke(*arguments):
    return CliRunner().invoke(main, ["caption", *map(str, arguments)])


# --- encoders and grids -----------------------------------------------------------------------------------------------


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


def test_an_encoder_is_frozen_and_learns_only_the_blocks_it_is_told():
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


def test_several_layers_stand_side_by_side_on_the_last_grid(home):
    encoder = load_encoder("tiny_resnet", 160)
    grid = GridNetwork(encoder).of_pictures([home / "scene.png"])
    assert grid.shape == (1, 100, 16 + 128)
    alone = GridNetwork(load_encoder("tiny_resnet", 160, ["layer4"])).of_pictures([home / "scene.png"])
    torch.testing.assert_close(grid[:, :, 16:], alone, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="no layer 'layer9'"):
        load_encoder("tiny_resnet", layers=["layer9"])


def test_grids_are_kept_and_a_run_that_was_cut_goes_on(tmp_path, monkeypatch):
    images = embedded_dataset(3, {"train": 6}).splits["train"]
    names, pictures = [image.name for image in images], [image.picture for image in images]
    encoder = load_encoder("tiny_resnet", 64, ["layer4"])
    both = ("plain", "mirrored")
    whole = compute_grids(names, pictures, encoder, tmp_path / "a", variants=both, progress=False)
    assert whole.array.shape == (6, 2, 16, 128)
    for number in range(6):
        ImageOps.mirror(pictures[number].read()).save(tmp_path / f"{number}.png")
    turned = GridNetwork(encoder).of_pictures([tmp_path / f"{number}.png" for number in range(6)])
    torch.testing.assert_close(whole.batch(range(6), 1), turned, atol=5e-3, rtol=1e-3)

    monkeypatch.setattr("captionlab.captioning.grid_features.CHUNK", 2)
    real, calls = GridNetwork.stream, []

    def cut(self, part, variant="plain"):
        calls.append(part)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, part, variant)

    monkeypatch.setattr(GridNetwork, "stream", cut)
    with pytest.raises(KeyboardInterrupt):
        compute_grids(names, pictures, encoder, tmp_path / "b", variants=both, progress=False)
    monkeypatch.setattr(GridNetwork, "stream", real)
    again = compute_grids(names, pictures, encoder, tmp_path / "b", variants=both, progress=False)
    np.testing.assert_allclose(again.array, whole.array, atol=2e-3)
    monkeypatch.setattr(GridNetwork, "__init__", None)  # now they are there: no network is needed
    compute_grids(names, pictures, encoder, tmp_path / "b", variants=both, progress=False)


# --- captions ---------------------------------------------------------------------------------------------------------


def test_a_loaded_captioner_says_what_training_measured(home):
    captioner = Captioner.load(home / "run")
    caption = captioner(home / "scene.png")
    assert set(caption.split()) <= set(captioner.vocabulary.words)
    told = captioner.generate([home / "scene.png"] * 2, beams=3)
    assert told[0].words == told[1].words
    assert told[0].alphas.shape == (len(told[0].words), 100)
    torch.testing.assert_close(told[0].alphas.sum(1), torch.ones(len(told[0].words)))
    assert told[0].log_probability < 0


def test_the_probability_of_a_caption_is_that_of_the_search(home):
    captioner = Captioner.load(home / "run")
    told = captioner.generate([home / "scene.png"], beams=3)[0]
    words = [captioner.vocabulary.ids[word] for word in told.words]
    total = 0
    with torch.inference_mode():
        step, state = make_step_fn(captioner.decoder, captioner.decoder.see(captioner.positions([home / "scene.png"])))
        for read, following in itertools.pairwise([START, *words, END]):
            scores, state = step(torch.tensor([read]), state)
            assert not torch.isfinite(scores[0, [PAD, START, UNK]]).any()
            total += torch.log_softmax(scores, dim=1)[0, following].item()
    assert told.log_probability == pytest.approx(total, abs=1e-4)


def test_evaluate_gives_the_trained_score_again(home):
    with (home / "run" / "history.csv").open() as file:
        best = max(float(row["dev_bleu4"]) for row in csv.DictReader(file))
    done = invoke("evaluate", home / "run", "--beams", 1, "--out", home / "scores.json")
    assert done.exit_code == 0, done.output
    record = json.loads((home / "scores.json").read_text())
    assert record["bleu"][3] == pytest.approx(best, abs=1e-9)
    assert len(record["captions"]) == COUNTS["dev"]
    assert "6 images" in done.output
    assert invoke("evaluate", home / "run", "--split", "test").exit_code == 0


def test_describe_files_and_folders_of_all_kinds_of_pictures(home, tmp_path):
    scene = Image.open(home / "scene.png")
    scene.convert("CMYK").save(tmp_path / "cmyk.jpg")
    scene.convert("P").save(tmp_path / "palette.png")
    scene.convert("L").save(tmp_path / "gray.png")
    scene.resize((1, 1)).save(tmp_path / "one.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    done = invoke("describe", home / "run", tmp_path, "--attention", tmp_path / "seen", "--out", tmp_path / "c.csv")
    assert done.exit_code == 1
    assert "broken.jpg: left out" in done.output
    assert "1 of 5 pictures could not be described" in done.output
    assert len(list((tmp_path / "seen").glob("*.png"))) == 4
    assert (tmp_path / "c.csv").read_text().count("\n") == 5


@pytest.mark.slow
def test_an_enormous_picture_is_described_or_refused_and_never_fills_the_memory(home, tmp_path):
    Image.new("RGB", (10_000, 10_000), (200, 30, 30)).save(tmp_path / "huge.png")
    done = invoke("describe", home / "run", tmp_path / "huge.png")
    assert done.exit_code in (0, 1)
    assert "huge.png" in done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captioner": 99}, "format 99, expected a captioner of format 1"),
        ({"captioner": None}, "format None"),
        ({"vocabulary": {}}, "no vocabulary"),
    ],
)
def test_a_checkpoint_of_another_format_is_refused(home, tmp_path, change, message):
    tensors, about = load_checkpoint(home / "run" / "captioner.safetensors")
    save_checkpoint(tmp_path / "captioner.safetensors", tensors, about | change)
    with pytest.raises(ValueError, match=message):
        Captioner.load(tmp_path)


def test_another_encoder_is_refused(home):
    with pytest.raises(
        ValueError, match="trained on grids of another encoder: network 'tiny_resnet', found 'tiny_vgg'"
    ):
        Captioner.load(home / "run", load_encoder("tiny_vgg", 160))


def test_users_mistakes_are_lines_and_no_tracebacks(home, tmp_path):
    (tmp_path / "captioner.safetensors").write_bytes(b"damaged")
    (tmp_path / "bad.toml").write_text("hiden = 3\n")
    cases = [
        (("describe", tmp_path / "none", home / "scene.png"), "no checkpoint"),
        (("describe", tmp_path, home / "scene.png"), "is damaged or no checkpoint"),
        (("describe", home / "run", tmp_path / "none.png"), "there is no picture"),
        (("evaluate", home / "run", "--extra", tmp_path), "embedded"),
        (("train", tmp_path / "new", "--config", tmp_path / "bad.toml"), "did you mean 'hidden'?"),
        (("train", tmp_path / "new", "--corpus", "embedded", "--dropout", "1.5"), "dropout is 1.5"),
        (("train", home / "run", "--corpus", "embedded", "--hidden", "13"), "another folder to begin anew"),
    ]
    for arguments, message in cases:
        done = invoke(*arguments)
        assert done.exit_code != 0, arguments
        assert message in done.output, done.output
        assert "Traceback" not in done.output


def test_an_encoder_that_learns_with_the_decoder_is_kept_in_the_checkpoint(tmp_path, home):
    settings = RunSettings.from_flat(SMALL | {"learnt": 1, "epochs": 1, "size": 64, "train_images": 8})
    train(settings, tmp_path, progress=False, report=lambda line: None)
    captioner = Captioner.load(tmp_path)
    original = tiny_resnet().layer4.state_dict()
    kept = {name.removeprefix("0."): value for name, value in captioner.model.encoder.network.state_dict().items()}
    moved = {name for name, value in kept.items() if not torch.equal(value, original[name])}
    assert captioner.encoder.layers == ("layer3",)
    assert any("conv" in name for name in moved)
    assert not any("running" in name for name in moved)  # statistics are held
    assert captioner(home / "scene.png") is not None


def test_word_vectors_begin_the_embedding(home, tmp_path, capsys):
    (tmp_path / "vectors.txt").write_text("red 1 2 3 4 5 6 7 8\nball 8 7 6 5 4 3 2 1\n")
    from captionlab.captioning.runs import make_model

    settings = RunSettings.from_flat(SMALL | {"vectors": str(tmp_path / "vectors.txt")})
    task = prepare_data(settings, progress=False)
    weight = make_model(settings, task).decoder.embedding.weight
    assert weight[task.vocabulary.ids["red"]].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert capsys.readouterr().out.startswith(f"1 of the vocabulary's {len(task.vocabulary)} words begin with a vector")
    trained = make_model(RunSettings.from_flat(SMALL | {"vectors": "captions"}), task).decoder.embedding.weight
    assert not torch.equal(trained, weight)


@pytest.mark.parametrize("learnt", [1, 2])
def test_an_encoder_that_learns_with_standardized_features(home, tmp_path, learnt):
    settings = RunSettings.from_flat(
        {**SMALL, "epochs": 1, "standardize": True, "learnt": learnt, "size": 64, "train_images": 8}
    )
    train(settings, tmp_path, report=lambda line: None)
    captioner = Captioner.load(tmp_path)
    first = captioner(home / "scene.png")
    again = Captioner.load(tmp_path, load_encoder("tiny_resnet", 64))
    assert again(home / "scene.png") == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learnt": 99}, "has 8 blocks, give fewer"),
        ({"learnt": 1, "network": "tiny_vgg"}, "have no weights, give more"),
        ({"learnt": 1, "layers": "layer4"}, "give one of the two"),
        ({"size": 2, "network": "tiny_vgg"}, "give a larger size"),
        ({"size": 160, "second_size": 20}, "multiples of 32"),
    ],
)
def test_encoders_that_cannot_be_are_refused(home, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(RunSettings.from_flat({**SMALL, **changes}), tmp_path, report=lambda line: None)


def test_damaged_grids_are_computed_again(tmp_path):
    images = embedded_dataset(3, {"train": 3}).splits["train"]
    encoder = load_encoder("tiny_resnet", 64, ["layer4"])
    names, pictures = [image.name for image in images], [image.picture for image in images]
    whole = np.array(compute_grids(names, pictures, encoder, tmp_path, progress=False).array)
    path = next(tmp_path.rglob("grids.npy"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged"):
        again = compute_grids(names, pictures, encoder, tmp_path, progress=False)
    np.testing.assert_allclose(again.array, whole, atol=2e-3)


def test_a_photograph_that_lies_on_its_side_is_turned(tmp_path):
    upright = Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(64, 48, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    upright.save(tmp_path / "upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    grids = GridNetwork(load_encoder("tiny_resnet", 64)).of_pictures([tmp_path / "upright.png", tmp_path / "side.png"])
    torch.testing.assert_close(grids[0], grids[1])


def test_pictures_of_one_name_in_two_folders(home, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.open(home / "scene.png").save(tmp_path / folder / "1.png")
    done = invoke("describe", home / "run", tmp_path / "a", tmp_path / "b", "--attention", tmp_path / "seen")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "seen").iterdir()} == {"a-1.png.png", "b-1.png.png"}


@pytest.mark.parametrize(("network", "blocks"), [(tiny_resnet, 1), (tiny_resnet, 3), (tiny_vgg, 3)])
def test_frozen_part_and_last_blocks_make_the_whole(network, blocks):
    model = network().eval()
    layer, top = last_blocks(model, blocks)
    images = torch.rand(2, 3, 64, 64)
    maps = create_feature_extractor(model, [layer])(images)[layer].clone()
    torch.testing.assert_close(top.eval()(maps), to_positions(cut_before_pooling(model)(images)))
    torch.testing.assert_close(to_maps(to_positions(maps)), maps)
    assert all(parameter.requires_grad for parameter in top.parameters())


# --- two sizes of the same picture ------------------------------------------------------------------------------------


@pytest.mark.parametrize("learnt", [0, 1])
def test_a_model_that_looks_at_two_sizes(home, tmp_path, learnt):
    sizes = {"size": 64, "second_size": 96, "learnt": learnt, "train_images": 8, "epochs": 1}
    train(RunSettings.from_flat({**SMALL, **sizes}), tmp_path, progress=False, report=lambda line: None)
    captioner = Captioner.load(tmp_path)
    assert captioner.encoder.sizes == (64, 96)
    both = captioner.positions([home / "scene.png"])
    first, second = split_by_size(both, captioner.encoder.sizes)
    assert second.shape[1] == first.shape[1] * 9 // 4
    told = captioner.generate([home / "scene.png"])[0]
    assert told.alphas.shape == (len(told.words), first.shape[1])
    torch.testing.assert_close(told.alphas.sum(1), torch.ones(len(told.words)))
    with pytest.raises(ValueError, match="second_size 96, found 0"):
        Captioner.load(tmp_path, load_encoder("tiny_resnet", 64, captioner.encoder.layers))


def test_the_second_grid_is_that_of_the_picture_at_its_size(home):
    layers = ["maxpool", "layer4"]
    both = GridNetwork(load_encoder("tiny_resnet", 64, layers, second_size=96)).of_pictures([home / "scene.png"])
    alone = [GridNetwork(load_encoder("tiny_resnet", size, layers)) for size in (64, 96)]
    assert torch.equal(both, torch.cat([network.of_pictures([home / "scene.png"]) for network in alone], dim=1))


def test_positions_are_told_apart_by_the_sizes():
    parts = split_by_size(torch.arange(113).unsqueeze(0), (224, 256))
    assert [len(part[0]) for part in parts] == [49, 64]
    assert [len(part[0]) for part in split_by_size(torch.zeros(1, 49), (224,))] == [49]
    with pytest.raises(ValueError, match="113 positions are no grids of images of 224 and 300 pixels"):
        split_by_size(torch.zeros(1, 113), (224, 300))


def test_attention_to_the_second_grid_is_shown_on_the_first():
    alphas = torch.zeros(2, 113)
    alphas[0, 8] = 1  # row 1, column 1 of the first
    alphas[1, 49 + 63] = 1  # the last corner of the second
    shown = on_first_grid(alphas, (224, 256))
    assert shown[0].argmax() == 8
    assert shown[1].argmax() == 48
    torch.testing.assert_close(shown.sum(1), torch.ones(2))
    alone = torch.zeros(49 + 21 * 21, 49 + 21 * 21)  # each cell of a second grid three times as fine
    alone.fill_diagonal_(1)
    torch.testing.assert_close(on_first_grid(alone, (224, 672)).sum(1), torch.ones(len(alone)))
    assert torch.equal(on_first_grid(alphas[:, :49], (224,)), alphas[:, :49])
