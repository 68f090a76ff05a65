import hashlib
import logging
import pickle
import re
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from captionlab.vision import classifiers
from captionlab.vision.classifiers import Classifier, infer_architecture, load_classifier
from captionlab.vision.embedded import CATEGORIES
from captionlab.vision.networks import get_network
from captionlab.vision.preprocessing import Preprocessing

NETWORK = "squeezenet1_1"  # the smallest of torchvision's


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No mirror, an empty cache: what this machine happens to hold must not decide a test."""
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return models.squeezenet1_1(weights=None).state_dict()


@pytest.fixture
def weights(tmp_path, state):
    path = tmp_path / f"{NETWORK}-0000.pth"
    torch.save(state, path)
    return path


def cached(network, state):
    folder = classifiers.Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    path = folder / models.get_model_weights(network).DEFAULT.url.rpartition("/")[2]
    torch.save(state, path)
    return path


# --- which network is taken ---


def test_without_anything_the_embedded_network_is_taken_and_said():
    classifier = load_classifier()
    assert classifier.name == "tiny_vgg"
    assert classifier.categories == CATEGORIES
    assert classifier.input_size == 64
    assert "ImageNet weights of VGG16 were not found" in classifier.describe()
    assert "put vgg16-397923af.pth into torch hub's checkpoints folder" in classifier.describe()
    assert 'load_classifier("vgg16", download=True)' in classifier.describe()
    assert "captionlab experiment lab1 classify --weights" in classifier.describe()  # the one command that has it


def test_an_embedded_network_asked_for_is_not_called_a_stopgap():
    classifier = load_classifier("tiny_resnet")
    assert classifier.name == "tiny_resnet"
    assert "not found" not in classifier.describe()


@pytest.mark.parametrize("network", [None, NETWORK])
def test_a_weight_file_is_taken(weights, state, network):
    classifier = load_classifier(network, weights)
    assert classifier.name == NETWORK
    assert len(classifier.categories) == 1000
    assert classifier.categories[0] == "tench"
    assert classifier.input_size == 224
    assert not classifier.model.training
    taken = classifier.model.state_dict()
    assert all(torch.equal(taken[name], tensor) for name, tensor in state.items())
    assert weights.name in classifier.describe()
    assert str(weights.parent) not in classifier.describe()


def test_a_network_that_cannot_be_built_without_memory_is_loaded_too(tmp_path):
    path = tmp_path / "regnet_y_400mf-0000.pth"
    torch.save(models.regnet_y_400mf(weights=None).state_dict(), path)
    assert load_classifier(weights=path).name == "regnet_y_400mf"


def test_safetensors_are_taken_and_halves_become_float32(tmp_path, state):
    path = tmp_path / "mine.safetensors"
    save_file({name: tensor.half() for name, tensor in state.items()}, path)
    classifier = load_classifier(NETWORK, path)
    assert {parameter.dtype for parameter in classifier.model.parameters()} == {torch.float32}


def test_cached_weights_of_the_network_asked_for(state):
    path = cached(NETWORK, state)
    assert path.name in load_classifier(NETWORK).describe()
    assert load_classifier().name == "tiny_vgg"  # VGG16's are still missing


def test_the_mirrors_file_is_taken_where_it_fits(monkeypatch, tmp_path):
    torch.save(models.mobilenet_v2(weights=None).state_dict(), tmp_path / "mobilenet_v2-imagenet-int8.pth")
    monkeypatch.setenv("CAPTIONLAB_MIRROR", str(tmp_path))
    for network in (None, "mobilenet_v2"):
        classifier = load_classifier(network)
        assert classifier.name == "mobilenet_v2"
        assert "CAPTIONLAB_MIRROR" in classifier.describe()
        assert str(tmp_path) not in classifier.describe()
    assert load_classifier("tiny_vgg").name == "tiny_vgg"
    with pytest.raises(FileNotFoundError, match="no weights of resnet18"):
        load_classifier("resnet18")


def test_nothing_is_downloaded_unasked(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("downloads")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    assert load_classifier().name == "tiny_vgg"
    with pytest.raises(FileNotFoundError, match="download=True"):
        load_classifier(NETWORK)


def test_a_download_goes_through_the_cache(monkeypatch, state):
    entry = models.get_model_weights(NETWORK).DEFAULT
    monkeypatch.setattr(type(entry), "get_state_dict", lambda self, **options: cached(NETWORK, state))
    assert "torch hub's cache" in load_classifier(NETWORK, download=True).describe()


def test_a_download_that_fails_says_what_to_do(monkeypatch):
    def unreachable(self, **options):
        raise classifiers.URLError("no route")

    monkeypatch.setattr(type(models.get_model_weights(NETWORK).DEFAULT), "get_state_dict", unreachable)
    with pytest.raises(ConnectionError, match=r"cannot be downloaded.*no route.*weights=PATH"):
        load_classifier(NETWORK, download=True)


@pytest.mark.parametrize(
    ("network", "files"),
    [
        ("vgg16", "vgg16-397923af.pth"),
        ("resnet50", "resnet50-11ad3fa6.pth or resnet50-0676ba61.pth"),
        ("mobilenet_v2", "mobilenet_v2-7ebf99e0.pth or mobilenet_v2-b0353104.pth"),
    ],
)
def test_missing_weights_say_which_file_is_looked_for_where(network, files):
    with pytest.raises(FileNotFoundError) as caught:
        load_classifier(network)
    assert f"no {files} in torch hub's checkpoints folder" in str(caught.value)
    assert f'load_classifier("{network}", download=True)' in str(caught.value)
    assert "--weights" not in str(caught.value)  # most commands that load a network have no such option


# --- a mirror at a URL ---

FILE = "mobilenet_v2-imagenet-int8.pth"


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / FILE
    torch.save(models.mobilenet_v2(weights=None).state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def url_mirror(host, mobilenet, monkeypatch):
    host.files[f"/data/{FILE}"] = mobilenet
    host.files["/data/SHA256SUMS"] = f"{hashlib.sha256(mobilenet).hexdigest()}  {FILE}\n".encode()
    monkeypatch.setenv("CAPTIONLAB_MIRROR", f"{host.url}/data/")
    return host


def kept(tmp_path):
    return [path.name for path in (tmp_path / "data").rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("network", [None, "mobilenet_v2"])
def test_a_url_mirrors_file_is_fetched_once_and_kept(url_mirror, tmp_path, network):
    for _ in range(2):
        classifier = load_classifier(network)
        assert classifier.name == "mobilenet_v2"
        assert f"{FILE} from the mirror CAPTIONLAB_MIRROR names" in classifier.describe()
        assert url_mirror.url not in classifier.describe()
        assert url_mirror.paths() == ["/data/SHA256SUMS", f"/data/{FILE}"]
    assert kept(tmp_path) == [FILE]


def test_a_url_mirror_without_checksums_is_used_all_the_same(url_mirror):
    del url_mirror.files["/data/SHA256SUMS"]
    assert load_classifier().name == "mobilenet_v2"


@pytest.mark.parametrize("network", ["tiny_vgg", "resnet18", "vgg16"])
def test_a_url_mirror_is_not_asked_for_other_networks(url_mirror, network):
    expected = nullcontext() if network == "tiny_vgg" else pytest.raises(FileNotFoundError, match="no weights of")
    with expected:
        load_classifier(network)
    assert url_mirror.requests == []


def test_weights_in_the_cache_come_before_a_url_mirror(url_mirror, state):
    cached(NETWORK, state)
    assert load_classifier(NETWORK).name == NETWORK
    assert url_mirror.requests == []


def test_a_url_mirror_without_the_file_is_as_none(url_mirror, tmp_path):
    del url_mirror.files[f"/data/{FILE}"]
    classifier = load_classifier()
    assert classifier.name == "tiny_vgg"
    assert "ImageNet weights of VGG16 were not found" in classifier.describe()
    with pytest.raises(FileNotFoundError, match=rf"no weights of mobilenet_v2.*/data/{FILE}: .*404.*download=True"):
        load_classifier("mobilenet_v2")
    assert kept(tmp_path) == []


def test_a_url_mirror_that_cannot_be_reached_is_as_none(monkeypatch, caplog):
    monkeypatch.setattr("captionlab.datasets.download.time.sleep", lambda seconds: None)
    monkeypatch.setenv("CAPTIONLAB_MIRROR", "http://127.0.0.1:9")  # nothing answers there
    assert load_classifier().name == "tiny_vgg"
    assert "http://127.0.0.1:9: the mirror cannot be reached" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"no weights of mobilenet_v2.*http://127.0.0.1:9: .*cannot be reached"):
        load_classifier("mobilenet_v2")


def test_a_download_from_a_url_mirror_goes_on_where_it_stopped(url_mirror, mobilenet, monkeypatch):
    monkeypatch.setattr("captionlab.datasets.download.time.sleep", lambda seconds: None)
    url_mirror.faults += [
        lambda handler, body: handler.reply(200, body),  # the checksums
        lambda handler, body: handler.reply(200, body, send=1_000_000, length=len(body)),
    ]
    assert load_classifier().name == "mobilenet_v2"
    assert url_mirror.requests[-1]["Range"] == "bytes=1000000-"
    assert url_mirror.sent[-1] == len(mobilenet) - 1_000_000


def test_another_file_than_the_url_mirrors_checksum_says_is_refused(url_mirror, tmp_path):
    url_mirror.files[f"/data/{FILE}"] += b"more"
    with pytest.raises(ValueError, match="expected sha256 checksum"):
        load_classifier()
    assert kept(tmp_path) == []


def test_a_cached_file_that_cannot_be_read_is_downloaded_again(url_mirror, tmp_path):
    load_classifier()
    (tmp_path / "data" / "weights" / FILE).write_bytes(b"cut short")
    with pytest.raises(ValueError, match=r"cannot be read as weights.*deleted"):
        load_classifier()
    assert load_classifier().name == "mobilenet_v2"


# --- errors ---


@pytest.mark.parametrize(("wrong", "near"), [("vgg_16", "vgg16"), ("ResNet18", "resnet18"), ("tinyvgg", "tiny_vgg")])
def test_an_unknown_network_is_answered_with_the_nearest(wrong, near):
    with pytest.raises(ValueError, match=f"no network '{wrong}': did you mean .*{near}"):
        load_classifier(wrong)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weight file vgg16\.pth"):
        load_classifier("vgg16", tmp_path / "vgg16.pth")


def test_a_folder_is_no_weight_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weight file .* it is a folder"):
        load_classifier("vgg16", tmp_path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 cut short"])
def test_a_damaged_file(tmp_path, suffix, content):
    path = tmp_path / f"{NETWORK}{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read as weights"):
        load_classifier(None, path)


def test_a_truncated_file(weights):
    weights.write_bytes(weights.read_bytes()[:-5000])
    with pytest.raises(ValueError, match="cannot be read as weights"):
        load_classifier(None, weights)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code from the file was run')",))


def test_code_in_a_file_is_not_run(tmp_path):
    path = tmp_path / f"{NETWORK}.pth"
    path.write_bytes(pickle.dumps({"x": Evil()}, protocol=2))
    with pytest.raises(ValueError, match="cannot be read as weights"):
        load_classifier(None, path)


def test_the_weights_of_a_wrapped_network_in_a_training_checkpoint(tmp_path, state, caplog):
    caplog.set_level(logging.INFO, "captionlab")
    path = tmp_path / f"{NETWORK}.pth"
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": each for name, each in state.items()}}, path)
    taken = load_classifier(None, path).model.state_dict()
    assert all(torch.equal(taken[name], tensor) for name, tensor in state.items())
    assert re.search(r"module\.(features\S+) is read as \1, and so on", caplog.text)


@pytest.mark.parametrize("network", [None, NETWORK])
def test_weights_with_nan_are_refused(tmp_path, state, network):
    path = tmp_path / f"{NETWORK}.pth"
    torch.save(state | {"classifier.1.bias": torch.full((1000,), torch.nan)}, path)
    with pytest.raises(ValueError, match=r"NaN .* first classifier\.1\.bias: 1000 of 1000 numbers"):
        load_classifier(network, path)


def test_another_networks_weights(weights):
    with pytest.raises(ValueError, match=r"does not fit alexnet: .*found .*, expected .*--network squeezenet1_1"):
        load_classifier("alexnet", weights)


def test_another_number_of_categories(tmp_path):
    path = tmp_path / f"{NETWORK}.pth"
    torch.save(models.squeezenet1_1(weights=None, num_classes=2).state_dict(), path)
    with pytest.raises(
        ValueError,
        match=r"classifier\.1\.weight: found \(2, 512, 1, 1\), expected \(1000, 512, 1, 1\) "
        r"\(weights for 2 classes, and a network for 1000.*Give weights for the 1000 classes of squeezenet1_1",
    ):
        load_classifier(None, path)
    with pytest.raises(ValueError, match="Its tensors are those of squeezenet1_1 with 2 classes"):
        load_classifier("alexnet", path)


@pytest.mark.parametrize("network", ["tiny_resnet", NETWORK])
def test_a_file_whose_name_says_nothing_is_recognized_by_its_tensors(tmp_path, caplog, network):
    caplog.set_level(logging.INFO, "captionlab")
    path = tmp_path / "model_best.pth.tar"
    torch.save({"state_dict": nn.DataParallel(get_network(network).build()).state_dict()}, path)
    assert load_classifier(weights=path).name == network
    lines = [line for line in caplog.messages if "model_best.pth.tar" not in line]
    assert f"model_best.pth.tar has the tensors of {network}" in caplog.messages
    assert not lines  # the networks it was compared with


def test_a_file_of_no_known_network_whose_name_says_nothing(tmp_path):
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "best.pth")
    with pytest.raises(ValueError, match=r"best\.pth does not begin with a network's name: give it \(--network NAME\)"):
        load_classifier(weights=tmp_path / "best.pth")


def test_names_of_old_densenet_files_and_counters_that_they_lack(tmp_path):
    model = models.densenet121(weights=None)
    state = {name: each for name, each in model.state_dict().items() if "num_batches" not in name}
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): each for name, each in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "densenet121-a639ec97.pth")
    taken = load_classifier(weights=tmp_path / "densenet121-a639ec97.pth").model.state_dict()
    assert all(torch.equal(taken[name], tensor) for name, tensor in model.state_dict().items())


def test_a_mirror_that_is_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTIONLAB_MIRROR", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError, match=r"CAPTIONLAB_MIRROR is .* not a folder"):
        load_classifier()


# --- names and predictions ---


@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("vgg16-397923af.pth", "vgg16"),
        ("vgg16_bn-6c64b313.pth", "vgg16_bn"),
        ("mobilenet_v2-imagenet-int8.pth", "mobilenet_v2"),
        ("resnet101-x.safetensors", "resnet101"),
        ("tiny_vgg.safetensors", "tiny_vgg"),
    ],
)
def test_a_file_is_recognized_by_its_name(file, network):
    assert infer_architecture(classifiers.Path(file)) == network


def test_a_name_that_says_nothing():
    with pytest.raises(ValueError, match="--network"):
        infer_architecture(classifiers.Path("weights.pth"))


@pytest.fixture
def toy():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(3 * 4 * 4, 2)).eval()
    return Classifier(model, ("a", "b"), Preprocessing(4), name="toy", weights_source="none")


def test_probabilities_do_not_depend_on_the_batch(toy):
    images = torch.rand(5, 3, 4, 4)
    probabilities = toy.predict_proba(images, batch_size=2)
    assert probabilities.shape == (5, 2)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(5))
    assert torch.allclose(probabilities, toy.model(images).softmax(dim=1))
    assert not probabilities.requires_grad


def test_no_images_give_no_rows(toy):
    assert toy.predict_proba(torch.zeros(0, 3, 4, 4)).shape == (0, 2)


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 3, 5, 4), (1, 1, 4, 4)])
def test_other_shapes_are_refused(toy, shape):
    with pytest.raises(ValueError, match=r"expected \(batch, 3, 4, 4\)"):
        toy.predict_proba(torch.zeros(shape))
