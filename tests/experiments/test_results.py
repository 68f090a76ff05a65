"""The one writer of results, and where commands let it write."""

from __future__ import annotations

import csv
import json

import click
import pytest

from captionlab.commands.options import output_folder, parse_settings
from captionlab.experiments import results
from captionlab.experiments.results import command_line, write_results
from captionlab.plots.style import new_figure

ROWS = [{"layer": "conv1", "accuracy": 0.123456789, "C": None}, {"layer": "conv2", "accuracy": 0.5, "C": 1, "more": 2}]


def figure(title="a"):
    made = new_figure(2, 1)
    made.subplots().set_title(title)
    return made


def write(out, rows=ROWS, **figures):
    figures = figures or {"": figure(), "_curves": figure("b")}
    return write_results(out, "lab2_layers", rows, figures, {"rows": rows}, command="captionlab /x/y", seed=3)


def test_the_files_hold_what_was_given_and_where_it_is_from(tmp_path):
    paths = write(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"lab2_layers{end}" for end in (".json", ".csv", ".png", "_curves.png")]
    record = json.loads(paths[0].read_text())
    assert record["rows"][0]["accuracy"] == 0.123457
    assert (record["command"], record["seed"]) == ("captionlab y", 3)
    assert {"versions", "machine"} <= set(record)
    with paths[1].open(newline="") as file:
        table = list(csv.DictReader(file))
    assert table == [
        {"layer": "conv1", "accuracy": "0.12346", "C": ""},
        {"layer": "conv2", "accuracy": "0.5", "C": "1"},
    ]
    assert paths[2].read_bytes()[:4] == b"\x89PNG"
    assert paths[2].read_bytes() != paths[3].read_bytes()


def test_the_same_results_give_the_same_bytes(tmp_path):
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_figure_that_cannot_be_drawn_leaves_older_results(tmp_path):
    before = [path.read_bytes() for path in write(tmp_path)]

    class Broken:
        def savefig(self, *_, **__):
            raise ValueError("cannot be drawn")

    with pytest.raises(ValueError, match="cannot be drawn"):
        write(tmp_path, [{"layer": "other"}], **{"": figure("c"), "_curves": Broken()})
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [
        *(before[at] for at in (1, 0, 2, 3)),
    ]


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    before = write(tmp_path)[0].read_bytes()

    def fail(path, data):
        raise OSError("disk full")

    monkeypatch.setattr(results, "write_atomically", fail)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, [{"layer": "other"}])
    assert (tmp_path / "lab2_layers.json").read_bytes() == before


def test_a_table_needs_rows(tmp_path):
    with pytest.raises(ValueError, match="found no rows for lab2_layers"):
        write(tmp_path, [])
    assert not list(tmp_path.iterdir())


def test_command_lines_leave_out_what_was_not_given(monkeypatch):
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    line = command_line("lab4", "cells", dataset="my data", seeds=None, set=["epochs=3", "gate=false"])
    assert line == "captionlab experiment lab4 cells --dataset 'my data' --set epochs=3 --set gate=false"
    assert command_line("lab4", "beams", "run", extra_data=3) == "captionlab experiment lab4 beams run --extra-data 3"
    monkeypatch.setenv("CAPTIONLAB_MIRROR", "/srv/mirror")
    assert command_line("lab1", "classify") == "CAPTIONLAB_MIRROR=MIRROR captionlab experiment lab1 classify"


# --- where results go ---


def test_results_go_below_the_current_folder_and_publishing_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    default = tmp_path / "experiments"
    assert output_folder(None, False, default) == default
    assert output_folder(tmp_path / "other", False, default) == tmp_path / "other"
    with pytest.raises(click.UsageError, match="root folder of the repository"):
        output_folder(None, True, default)
    (tmp_path / "results").mkdir()
    assert output_folder(None, True, default).resolve() == tmp_path / "results"
    for out in ("results", "x/../results", str(tmp_path / "results")):
        with pytest.raises(click.UsageError, match="give --publish"):
            output_folder(tmp_path / out, False, default)
    with pytest.raises(click.UsageError, match="either --publish or --out"):
        output_folder(tmp_path / "other", True, default)


def test_settings_have_the_types_of_a_configuration_file():
    given = ("epochs=3", "lr=4e-3", "gate=false", "cell=gru", "layers='a,b'", "path=a=b")
    assert parse_settings(given) == {
        **{"epochs": 3, "lr": 4e-3, "gate": False, "cell": "gru", "layers": "a,b", "path": "a=b"}
    }
    with pytest.raises(click.BadParameter, match="expected NAME=VALUE"):
        parse_settings(("epochs",))


def test_an_experiment_replaces_published_results_only_when_asked(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from captionlab.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    published = tmp_path / "results" / "lab1_classify.json"
    published.parent.mkdir()
    published.write_text("published")
    words = ["experiment", "lab1", "classify", "--network", "tiny_resnet", "--limit", "1"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    written = tmp_path / "experiments" / "lab1" / "lab1_classify.json"
    assert f"wrote {written.relative_to(tmp_path)}" in done.output
    assert published.read_text() == "published"
    refused = CliRunner().invoke(main, [*words, "--out", "results"])
    assert refused.exit_code == 2
    assert published.read_text() == "published"
    assert CliRunner().invoke(main, [*words, "--publish"]).exit_code == 0
    assert published.read_bytes() == written.read_bytes()
