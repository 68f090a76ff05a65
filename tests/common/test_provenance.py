import json
import platform

import pytest

from captionlab.common.provenance import available_cores, collect_provenance, cpu_model, strip_folders


def test_it_says_command_seed_versions_and_machine():
    about = collect_provenance("captionlab experiment lab1 classify", seed=3)
    assert about["command"] == "captionlab experiment lab1 classify"
    assert about["seed"] == 3
    assert {"python", "torch", "torchvision", "numpy"} <= set(about["versions"])
    assert all(about["versions"][name] for name in ("python", "torch", "torchvision", "numpy"))
    assert set(about["machine"]) == {"cpu", "cores", "device"}
    assert about["machine"]["cores"] == available_cores() >= 1


def test_same_on_every_call_and_plain_json():
    assert json.dumps(collect_provenance("x", 0)) == json.dumps(collect_provenance("x", 0))


def test_no_host_name(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "secret-host")
    assert "secret-host" not in json.dumps(collect_provenance("x", 0))


@pytest.mark.parametrize(
    ("command", "published"),
    [
        ("run --out /home/someone/results", "run --out results"),
        ("run --weights=/data/w/vgg16.pth --x 1", "run --weights=vgg16.pth --x 1"),
        ("run '/a b/c/d e.jpg'", "run 'd e.jpg'"),
        ("run ~/photos/cat.jpg", "run cat.jpg"),
        (r"run 'C:\users\someone\cat.jpg'", "run cat.jpg"),
        ("run /", "run /"),
        ("run https://example.org/a/b", "run https://example.org/a/b"),
        ("run it's /home/x/y", "run 'it'\"'\"'s' y"),
        ("run --out results/lab1 ../other/x.csv ./y", "run --out results/lab1 ../other/x.csv ./y"),
        ("MIRROR=/srv/mirror captionlab experiment lab1 classify", "MIRROR=mirror captionlab experiment lab1 classify"),
    ],
)
def test_of_absolute_paths_only_the_last_part_is_told(command, published):
    assert strip_folders(command) == published


def test_the_processor_is_named_as_the_system_names_it(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nprocessor\t: 1\nmodel name\t: Fast CPU @ 3 GHz\n")
    assert cpu_model(file) == "Fast CPU @ 3 GHz"


def test_without_cpuinfo_the_architecture_stands_in(tmp_path):
    assert cpu_model(tmp_path / "missing")
