"""From training to captions, on drawn scenes and a tiny model; every wrong file and image is reported clearly."""

from __future__ import annotations

import csv
import itertools
import json
import logging

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from captionlab.captioning import Captioner
from captionlab.captioning.datasets import embedded_dataset
from captionlab.captioning.encoders import flatten_grids, load_encoder
from captionlab.captioning.evaluation import make_step_fn
from captionlab.captioning.runs import RunSettings, prepare_data, train
from captionlab.captioning.vocabulary import END, PAD, START, UNK
from captionlab.cli import main
from captionlab.common.checkpoints import load_checkpoint, save_checkpoint
from captionlab.vision.embedded import tiny_resnet

pytestmark = pytest.mark.usefixtures("data_home")
COUNTS = {"train": 24, "dev": 6, "test": 4}
SMALL = {
    "min_word_freq": 1,
    "embed_dim": 8,
    "decoder_dim": 12,
    "attention_dim": 6,
    "epochs": 2,
    "batch_size": 40,
    "dataset": "embedded",
}


@pytest.fixture(scope="module")
def home(data_home):
    """A folder of data, and in it a model that was trained for a moment."""
    train(RunSettings.from_flat(SMALL), data_home / "run", progress=False)
    scene = embedded_dataset().splits["test"][0]
    scene.image.read().save(data_home / "scene.png")
    return data_home


def invoke(*arguments):
    return CliRunner().invoke(main, ["caption", *map(str, arguments)])


# --- captions ---------------------------------------------------------------------------------------------------------


def test_a_loaded_captioner_generates_captions_with_attention(home):
    captioner = Captioner.load(home / "run")
    caption = captioner(home / "scene.png")
    assert set(caption.split()) <= set(captioner.vocabulary.words)
    first, second = captioner.generate([home / "scene.png"] * 2, beams=3)
    assert first.words == second.words
    assert captioner(home / "scene.png", beams=3) == first.text
    assert first.alphas.shape == (len(first.words), 10, 10)
    torch.testing.assert_close(first.alphas.sum((1, 2)), torch.ones(len(first.words)))
    assert first.log_prob < 0


def test_probability_and_attention_are_those_of_reading_the_caption_again(home):
    captioner = Captioner.load(home / "run")
    found = captioner.generate([home / "scene.png"], beams=3)[0]
    words = [captioner.vocabulary.word_to_id[word] for word in found.words]
    total, alphas = 0, []
    with torch.inference_mode():
        features = flatten_grids(captioner.grids([home / "scene.png"]))
        step, state = make_step_fn(captioner.decoder, captioner.decoder.encode(features))
        for token_id, target in itertools.pairwise([START, *words, END]):
            logits, state, alpha = step(torch.tensor([token_id]), state)
            assert not torch.isfinite(logits[0, [PAD, START, UNK]]).any()
            total += torch.log_softmax(logits, dim=1)[0, target].item()
            alphas.append(alpha[0])
    assert found.log_prob == pytest.approx(total, abs=1e-4)
    torch.testing.assert_close(found.alphas.flatten(1), torch.stack(alphas[:-1]))


def test_evaluate_gives_the_trained_score_again(home):
    with (home / "run" / "history.csv").open() as file:
        best = max(float(row["dev_bleu4"]) for row in csv.DictReader(file))
    done = invoke("evaluate", home / "run", "--beams", 1, "--json", home / "scores.json")
    assert done.exit_code == 0, done.output
    record = json.loads((home / "scores.json").read_text())
    assert record["bleu"][3] == pytest.approx(best, abs=1e-9)
    assert len(record["captions"]) == COUNTS["dev"]
    assert "6 images" in done.output
    assert invoke("evaluate", home / "run", "--split", "test").exit_code == 0


def test_describe_files_and_folders_of_all_kinds_of_images(home, tmp_path):
    scene = Image.open(home / "scene.png")
    scene.convert("CMYK").save(tmp_path / "cmyk.jpg")
    scene.convert("P").save(tmp_path / "palette.png")
    scene.convert("L").save(tmp_path / "gray.png")
    scene.resize((1, 1)).save(tmp_path / "one.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "._gray.png").write_bytes(b"hidden")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    scene.save(tmp_path / ".ipynb_checkpoints" / "gray-checkpoint.png")
    (tmp_path / "notes.txt").write_text("named")
    done = invoke("describe", home / "run", tmp_path, "--attention", tmp_path / "maps", "--csv", tmp_path / "c.csv")
    assert done.exit_code == 1
    assert "broken.jpg: left out" in done.output
    assert "notes.txt: left out" in done.output
    assert "1 of 5 images could not be described" in done.output
    assert len(list((tmp_path / "maps").glob("*.png"))) == 4
    assert (tmp_path / "c.csv").read_text().count("\n") == 5


@pytest.mark.slow
def test_an_enormous_image_is_described_or_refused_and_never_fills_the_memory(home, tmp_path):
    Image.new("RGB", (10_000, 10_000), (200, 30, 30)).save(tmp_path / "huge.png")
    done = invoke("describe", home / "run", tmp_path / "huge.png")
    assert done.exit_code in (0, 1)
    assert "huge.png" in done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captioner": 99}, "format 99, expected a captioner of format 2"),
        ({"captioner": None}, "format None"),
        ({"vocabulary": {}}, "no vocabulary"),
        ({"encoder": {}}, "has no encoder's finetune_blocks, "),
        ({"decoder": {"hidden": 12}}, "was written by an earlier version: hidden is now called decoder_dim"),
        ({"about": {"corpus": "embedded"}}, "earlier version: corpus is now called dataset; train it again"),
    ],
)
def test_a_checkpoint_of_another_format_is_refused(home, tmp_path, change, message):
    tensors, metadata = load_checkpoint(home / "run" / "captioner.safetensors")
    save_checkpoint(tmp_path / "captioner.safetensors", tensors, metadata | change)
    with pytest.raises(ValueError, match=message):
        Captioner.load(tmp_path)


def test_another_encoder_is_refused(home):
    with pytest.raises(
        ValueError, match="trained on the features of another encoder: name 'tiny_resnet', found 'tiny_vgg'"
    ):
        Captioner.load(home / "run", load_encoder("tiny_vgg", 160))


def test_users_mistakes_are_lines_and_no_tracebacks(home, tmp_path):
    (tmp_path / "captioner.safetensors").write_bytes(b"damaged")
    (tmp_path / "bad.toml").write_text("lerning_rate = 3\n")
    cases = [
        (("describe", tmp_path / "none", home / "scene.png"), "no checkpoint"),
        (("describe", tmp_path, home / "scene.png"), "is damaged or not a checkpoint"),
        (("describe", home / "run", tmp_path / "none.png"), "there is no image"),
        (("evaluate", home / "run", "--extra-data", tmp_path), "embedded"),
        (("train", tmp_path / "new", "--config", tmp_path / "bad.toml"), "did you mean 'lr'?"),
        (("train", tmp_path / "new", "--config", "embeded"), "did you mean 'embedded'?"),
        (("train", tmp_path / "new", "--config", "embedded", "--cell", "lstn"), "did you mean 'lstm'?"),
        (("train", tmp_path / "new", "--dataset", "embeded"), "did you mean 'embedded'?"),
        (("train", tmp_path / "new", "--hidden", "13"), "--hidden is now called --decoder-dim"),
        (("train", tmp_path / "new", "--no-mirrored"), "--no-mirrored is now called --hflip"),
        (("evaluate", home / "run", "--by-length", "1"), "--by-length is now called --length-penalty"),
        (("train", tmp_path / "new", "--batch_sizes", "13"), "Did you mean '--batch-size'?"),
        (("train", tmp_path / "new", "--hiden", "13"), "Did you mean '--decoder-dim'?"),
        (("train", tmp_path / "new", "--lerning-rate", "13"), "Did you mean '--lr'?"),
        (("evaluate", home / "run", "--hidden", "13"), "No such option '--hidden'"),
        (("train", tmp_path / "new", "--dataset", "embedded", "--dropout", "1.5"), "dropout is 1.5"),
        (("train", home / "run", "--dataset", "embedded", "--decoder-dim", "13"), "another folder to start a new run"),
    ]
    for arguments, message in cases:
        done = invoke(*arguments)
        assert done.exit_code != 0, arguments
        assert message in done.output, done.output
        assert "Traceback" not in done.output


def test_the_fine_tuned_blocks_of_an_encoder_are_kept_in_the_checkpoint(tmp_path, home):
    settings = RunSettings.from_flat(SMALL | {"finetune_blocks": 1, "epochs": 1, "input_size": 64, "train_images": 8})
    train(settings, tmp_path, progress=False)
    captioner = Captioner.load(tmp_path)
    original = tiny_resnet().layer4.state_dict()
    kept = {name.removeprefix("0."): value for name, value in captioner.model.encoder.network.state_dict().items()}
    moved = {name for name, value in kept.items() if not torch.equal(value, original[name])}
    assert captioner.encoder.layers == ("layer3",)
    assert any("conv" in name for name in moved)
    assert not any("running" in name for name in moved)  # statistics are held
    assert captioner(home / "scene.png") is not None


def test_pretrained_embeddings(home, tmp_path, caplog):
    caplog.set_level(logging.INFO, "captionlab")
    (tmp_path / "vectors.txt").write_text("red 1 2 3 4 5 6 7 8\nball 8 7 6 5 4 3 2 1\n")
    from captionlab.captioning.runs import make_model

    settings = RunSettings.from_flat(SMALL | {"pretrained_embeddings": str(tmp_path / "vectors.txt")})
    data = prepare_data(settings, progress=False)
    weight = make_model(settings, data).decoder.embedding.weight
    assert weight[data.vocabulary.word_to_id["red"]].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert f"1 of the {len(data.vocabulary)} words in the vocabulary have a pretrained vector" in caplog.text
    trained = make_model(
        RunSettings.from_flat(SMALL | {"pretrained_embeddings": "captions"}), data
    ).decoder.embedding.weight
    assert not torch.equal(trained, weight)


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_fine_tuned_encoder_with_standardized_features(home, tmp_path, blocks):
    settings = RunSettings.from_flat(
        {**SMALL, "epochs": 1, "standardize": True, "finetune_blocks": blocks, "input_size": 64, "train_images": 8}
    )
    train(settings, tmp_path, progress=False)
    captioner = Captioner.load(tmp_path)
    first = captioner(home / "scene.png")
    again = Captioner.load(tmp_path, load_encoder("tiny_resnet", 64))
    assert again(home / "scene.png") == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finetune_blocks": 99}, "has 8 blocks, give fewer"),
        ({"finetune_blocks": 1, "encoder": "tiny_vgg"}, "have no weights, give more"),
        ({"finetune_blocks": 1, "layers": "layer4"}, "give one of the two"),
        ({"input_size": 2, "encoder": "tiny_vgg"}, "give a larger input size"),
    ],
)
def test_encoders_that_do_not_work_are_refused(home, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(RunSettings.from_flat({**SMALL, **changes}), tmp_path, progress=False)


def test_images_of_the_same_name_in_two_folders(home, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.open(home / "scene.png").save(tmp_path / folder / "1.png")
    done = invoke("describe", home / "run", tmp_path / "a", tmp_path / "b", "--attention", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {"a-1.png.png", "b-1.png.png"}


# --- two sizes of the same image --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("blocks", "second_size"), [(0, 96), (1, 96), (0, 50)])
def test_a_model_with_two_input_sizes(home, tmp_path, blocks, second_size):
    sizes = {"input_size": 64, "second_input_size": second_size, "finetune_blocks": blocks}
    train(RunSettings.from_flat({**SMALL, **sizes, "train_images": 8, "epochs": 1}), tmp_path, progress=False)
    captioner = Captioner.load(tmp_path)
    assert captioner.encoder.input_sizes == (64, second_size)
    first, second = captioner.grids([home / "scene.png"])
    assert first.shape[1] == first.shape[2] > 1
    assert list(second.shape[1:3]) == [-(-side * second_size // 64) for side in first.shape[1:3]]
    found = captioner.generate([home / "scene.png"])[0]
    assert found.alphas.shape == (len(found.words), *first.shape[1:3])
    torch.testing.assert_close(found.alphas.sum((1, 2)), torch.ones(len(found.words)))
    with pytest.raises(ValueError, match=f"second_input_size {second_size}, found 0"):
        Captioner.load(tmp_path, load_encoder("tiny_resnet", 64, captioner.encoder.layers))
