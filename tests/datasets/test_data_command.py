"""`captionlab data`: output, one-line error messages and exit status."""

import pytest
from click.testing import CliRunner

from captionlab.commands.data import data
from captionlab.datasets import store
from captionlab.datasets.catalog import DATASETS
from captionlab.datasets.disk import remove


@pytest.fixture
def run():
    def run(*arguments):
        result = CliRunner().invoke(data, arguments)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    return run


def test_fetch_list_verify(tiny, run, tmp_path):
    fetched = run("fetch", "tiny")
    assert fetched.exit_code == 0
    assert fetched.stdout.strip() == str(tmp_path / "data/tiny_data")
    assert "Tiny. Free." in fetched.stderr
    listed = run("list").output
    assert all(name in listed for name in DATASETS)
    assert "yes: tiny_data" in listed
    verified = run("verify", "tiny")
    assert verified.exit_code == 0
    assert verified.output.rstrip().endswith("good")


def test_verify_says_what_is_wrong(tiny, run, tmp_path):
    run("fetch", "tiny")
    (tmp_path / "data/tiny_data/train/a/0.jpg").write_bytes(b"")
    result = run("verify")
    assert result.exit_code == 1
    assert "3  WRONG, expected 4" in result.output
    assert "left out: train/a/0.jpg (empty file)" in result.output
    assert "captionlab data fetch tiny --force" in result.stderr
    assert run("fetch", "tiny", "--force").exit_code == 0
    assert run("verify", "--quick").exit_code == 0


@pytest.mark.parametrize("named", [["tiny"], []])
def test_verify_reports_an_incomplete_data_set(tiny, run, tmp_path, named):
    root = tmp_path / "my data"
    run("fetch", "tiny", "--data-root", str(root))
    remove(root / "tiny_data/train/a")
    result = run("verify", *named, "--data-root", str(root))
    assert result.exit_code == 1
    assert "incomplete: there is no train/a" in result.output
    assert f"problems in tiny; replace with: captionlab data fetch tiny --force --data-root '{root}'" in result.stderr
    assert run("fetch", "tiny", "--force", "--data-root", str(root)).exit_code == 0
    assert run("verify", "--data-root", str(root)).exit_code == 0


def test_verify_names_all_that_are_wrong(tiny, enlist, run, tmp_path):
    run("fetch", "tiny")
    (tmp_path / "data/tiny_data/train/a/0.jpg").write_bytes(b"")
    (tmp_path / "data/coco").mkdir()
    result = run("verify")
    assert result.exit_code == 1
    assert "problems in coco, tiny; replace with: captionlab data fetch coco tiny --force" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "nope"], "no data set is called 'nope'"),
        (["fetch", "tiny", "nope"], "no data set is called 'nope'"),
        (["verify", "nope"], "no data set is called 'nope'"),
        (["verify", "coco"], "captionlab data fetch coco"),
        (["verify"], "there is no data set in"),
        (["fetch", "tiny", "--mirror", "/no/such/folder"], "which is not a folder"),
    ],
)
def test_mistakes_get_one_line(tiny, run, arguments, message, host):
    result = run(*arguments)
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert message in line
    assert host.requests == []


def test_stopped_by_the_user(tiny, run, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_install", stop)
    result = run("fetch", "tiny")
    assert result.exit_code == 1
    assert "stopped; run the same command again" in result.stderr
