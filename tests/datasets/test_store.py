"""Fetching data sets: from the host, from mirrors, concurrently, killed. Good data or a clear error."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import pytest

from captionlab.datasets import archives, scene15, store
from captionlab.datasets.catalog import Archive
from captionlab.datasets.disk import remove
from captionlab.datasets.errors import DamagedFile, DataError, MissingAtSource, NotFetched, UnsafeArchive
from captionlab.datasets.paths import data_root, find_mirror, parse_checksums
from captionlab.datasets.store import fetch, locate


@pytest.fixture
def get(tiny, patience, progress, tmp_path):
    def get(**options):
        return fetch("tiny", tmp_path, **{"retry": patience, "progress": progress, **options})

    return get


def images(folder):
    return len(list(folder.rglob("*.jpg")))


def leftovers(root):
    """What is in the data root except data sets, locks and downloads."""
    return [p.name for p in root.iterdir() if p.name.endswith((".stage", ".old"))]


@pytest.fixture
def mirror(tmp_path, tiny_zip):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "tiny.zip").write_bytes(tiny_zip)
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(tiny_zip).hexdigest()}  tiny.zip\n")
    return folder


# --- from the public source -------------------------------------------------------------------------------------------


def test_fetch_then_nothing_to_do(get, host, tmp_path):
    folder = get()
    assert folder == tmp_path / "tiny_data" == locate("tiny", tmp_path)
    assert images(folder) == 16
    assert not (tmp_path / ".downloads/tiny").exists()
    started = time.perf_counter()
    get()
    assert time.perf_counter() - started < 0.05
    assert len(host.requests) == 1


def test_locate_gives_the_command(tiny, tmp_path):
    with pytest.raises(NotFetched, match=r"captionlab data fetch tiny$"):
        locate("tiny")
    with pytest.raises(NotFetched, match=r"captionlab data fetch tiny --data-root '.*a b' --mirror http://m$"):
        locate("tiny", tmp_path / "a b", "http://m")
    with pytest.raises(DataError, match=r"no data set is called 'nope' \(there are: hymenoptera, scene15"):
        locate("nope")


def test_command_for_an_incomplete_data_set_replaces_it(get, tmp_path):
    remove(get() / "train/a")
    with pytest.raises(NotFetched, match=r"incomplete in .*: captionlab data fetch tiny --force --data-root \S+$"):
        locate("tiny", tmp_path)
    with pytest.raises(DataError, match="--force"):
        get()
    assert images(get(force=True)) == 16


def test_keep_archive_and_force(get, host, tmp_path):
    get(keep_archive=True)
    (kept,) = (tmp_path / ".downloads/tiny").iterdir()
    assert kept.name.endswith("-tiny.zip")
    (tmp_path / "tiny_data/train/a/0.jpg").unlink()
    assert images(get(force=True)) == 16
    assert len(host.requests) == 1
    assert leftovers(tmp_path) == []


def test_second_source_if_the_first_lacks_the_file(tiny, enlist, host, get, progress):
    enlist(replace(tiny.archives[0], urls=(f"{host.url}/gone.zip", *tiny.archives[0].urls)))
    assert images(get()) == 16
    assert any("404" in line and "next source" in line for line in progress.warnings)


def test_missing_everywhere(get, host):
    host.files.clear()
    with pytest.raises(MissingAtSource, match="404"):
        get()


def test_unknown_checksum_is_reported(tiny, enlist, get, progress):
    enlist(replace(tiny.archives[0], checksum=None))
    get()
    assert "tiny.zip: this source has no checksum; only size and structure were checked" in progress.warnings


def test_web_page_instead_of_the_archive(tiny, enlist, get, host, tmp_path):
    """A captive portal responds 200 with a page; without a checksum the structure shows it."""
    enlist(replace(tiny.archives[0], checksum=None, exact_size=False))
    good, host.files["/tiny.zip"] = host.files["/tiny.zip"], b"<!DOCTYPE html> please log in"
    with pytest.raises(DamagedFile, match=r"expected a complete \.zip file, found 29 bytes .* deleted"):
        get()
    host.files["/tiny.zip"] = good
    assert images(get()) == 16


def test_file_that_is_not_a_zip_archive_is_copied(host, enlist, patience, progress, tmp_path):
    host.files["/p.parquet"] = b"PAR1....PAR1"
    shard = Archive(
        name="p.parquet", urls=(f"{host.url}/p.parquet",), size=12, max_unpacked_size=99, extract_to="x/train.parquet"
    )
    enlist(shard, archive_root="", required_paths=("x/train.parquet",))
    folder = fetch("tiny", tmp_path, retry=patience, progress=progress)
    assert (folder / "x/train.parquet").read_bytes() == b"PAR1....PAR1"


def test_archive_without_a_required_path(tiny, enlist, get, tmp_path):
    enlist(*tiny.archives, required_paths=("train/a", "test/a"))
    with pytest.raises(DamagedFile, match=r"there is no test/a, which Tiny must have"):
        get()
    assert not (tmp_path / "tiny_data").exists()
    assert leftovers(tmp_path) == []


def test_unsafe_archive_leaves_nothing(enlist, host, patience, progress, tmp_path, make_zip):
    host.files["/tiny.zip"] = make_zip({"tiny/train/a/0.jpg": b"1", "../../evil": b"2"})
    enlist(Archive(name="tiny.zip", urls=(f"{host.url}/tiny.zip",), size=1, max_unpacked_size=999))
    with pytest.raises(UnsafeArchive, match="leaves the folder"):
        fetch("tiny", tmp_path / "data", retry=patience, progress=progress)
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_disk_full_while_unpacking(get, tmp_path, monkeypatch):
    def full(stream, chunk):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(archives, "write", full)
        with pytest.raises(DataError, match="the disk is full"):
            get()
    assert not (tmp_path / "tiny_data").exists()
    assert leftovers(tmp_path) == []
    assert images(get()) == 16


def test_other_folder_of_that_name_is_not_touched(get, tmp_path):
    (tmp_path / "tiny_data").mkdir()
    (tmp_path / "tiny_data/mine.txt").write_text("mine")
    with pytest.raises(DataError, match=r"exists but is not Tiny \(it has no train/a\); move it away"):
        get()
    with pytest.raises(NotFetched, match="incomplete"):
        locate("tiny", tmp_path)
    assert (tmp_path / "tiny_data/mine.txt").read_text() == "mine"
    assert images(get(force=True)) == 16


def test_root_that_cannot_be_created(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"creating .* failed"):
        fetch("tiny", tmp_path / "file" / "data", progress=store.NullProgress())


# --- mirrors ----------------------------------------------------------------------------------------------------------


def test_folder_mirror_is_used_in_place(get, host, mirror, tmp_path):
    mirror.joinpath("tiny.zip").chmod(0o444)
    assert images(get(mirror=mirror)) == 16
    assert host.requests == []
    assert sorted(p.name for p in mirror.iterdir()) == ["SHA256SUMS", "tiny.zip"]


def test_mirror_from_the_environment(get, host, mirror, monkeypatch):
    monkeypatch.setenv("CAPTIONLAB_MIRROR", str(mirror))
    get()
    assert host.requests == []


def test_mirror_copy_is_verified_with_the_mirrors_checksum(get, mirror, make_zip, make_image, progress):
    """The copy differs from the public one, whose size and checksum do not apply to it."""
    other = make_zip({f"tiny/{part}/{kind}/1.jpg": make_image(1) for part in ("train", "val") for kind in "ab"})
    (mirror / "tiny.zip").write_bytes(other)
    with pytest.raises(DamagedFile, match=r"according to the mirror's SHA256SUMS; .* fetch without a mirror"):
        get(mirror=mirror)
    (mirror / "SHA256SUMS").write_text(f"{hashlib.sha256(other).hexdigest()}  tiny.zip\n")
    assert images(get(mirror=mirror)) == 4
    (mirror / "SHA256SUMS").unlink()
    get(mirror=mirror, force=True)
    assert "tiny.zip: this source has no checksum; only size and structure were checked" in progress.warnings


def test_mirror_that_lacks_it(get, host, mirror, progress):
    (mirror / "tiny.zip").unlink()
    assert images(get(mirror=mirror)) == 16
    assert any("has no tiny.zip; downloading it from its public source" in line for line in progress.warnings)
    assert host.paths() == ["/tiny.zip"]


def test_missing_mirror_folder(get, tmp_path):
    with pytest.raises(DataError, match=r"--mirror is .*nowhere, which is not a folder"):
        get(mirror=tmp_path / "nowhere")


def test_mirror_over_http(get, host, tiny_zip):
    host.files["/m/tiny.zip"] = tiny_zip
    host.files["/m/SHA256SUMS"] = f"{hashlib.sha256(tiny_zip).hexdigest()} *tiny.zip\n".encode()
    assert images(get(mirror=f"{host.url}/m/")) == 16
    assert host.paths() == ["/m/SHA256SUMS", "/m/tiny.zip"]
    host.files["/m/SHA256SUMS"] = f"{'0' * 64}  tiny.zip\n".encode()
    with pytest.raises(DamagedFile, match="expected sha256 checksum 000000000000"):
        get(mirror=f"{host.url}/m", force=True)


def test_mirror_over_http_that_lacks_it(get, host, progress):
    assert images(get(mirror=f"{host.url}/m")) == 16
    assert host.paths() == ["/m/SHA256SUMS", "/m/tiny.zip", "/tiny.zip"]
    assert any("has no tiny.zip" in line for line in progress.warnings)


def test_mirror_over_http_that_is_down(get, patience, progress):
    get(mirror="http://127.0.0.1:9", retry=replace(patience, attempts=1))
    assert any("the mirror cannot be reached, using the public sources" in line for line in progress.warnings)


def test_parse_checksums():
    digest = "0123456789abcdef" * 4
    text = f"{digest}  a.zip\n{digest.upper()} *./b/c.zip\nnot a sum\n\n{digest[:-1]}  short.zip\n"
    assert parse_checksums(text) == {"a.zip": f"sha256:{digest}", "b/c.zip": f"sha256:{digest}"}


@pytest.mark.parametrize(
    "form", ["{digest}  {name}", "{digest} *./{name}", "SHA256 ({name}) = {digest}", "{digest}\t{name}"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_checksums_of_a_mirror_as_every_system_writes_them(tmp_path, form, encoding, end):
    digest = "0123456789ABCDEF" * 4
    lines = [form.format(digest=digest, name=name) + end for name in ("a.zip", "photos of ants.zip")]
    (tmp_path / "SHA256SUMS").write_bytes("".join(lines).encode(encoding))
    expected = f"sha256:{digest.lower()}"
    assert find_mirror(tmp_path).checksums == {"a.zip": expected, "photos of ants.zip": expected}


def test_checksums_that_are_not_text_are_named(tmp_path, get, host, progress):
    (tmp_path / "SHA256SUMS").write_bytes(b"PK\x03\x04\xff\0")
    with pytest.raises(DataError, match=r"SHA256SUMS is not .*text"):
        find_mirror(tmp_path)
    host.files["/m/SHA256SUMS"] = b"caf\xe9"
    get(mirror=f"{host.url}/m")
    assert any("the mirror's checksums cannot be used: SHA256SUMS is not UTF-8" in line for line in progress.warnings)


def test_data_root(monkeypatch, tmp_path):
    assert data_root("x").is_absolute()
    assert data_root() == tmp_path / "data"
    monkeypatch.delenv("CAPTIONLAB_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if sys.platform.startswith("linux"):
        assert data_root() == tmp_path / "cache/captionlab/data"


# --- concurrent and killed --------------------------------------------------------------------------------------------


def test_concurrent_fetches_download_once(get, host):
    host.faults = [lambda handler, body: (time.sleep(0.2), handler.reply(200, body))]
    found, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: found.append(images(get(retry=None)))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert found == [16, 16, 16]
    assert host.paths() == ["/tiny.zip"]


def test_second_fetch_waits_until_its_timeout(get, host, progress):
    host.faults = [lambda handler, body: (time.sleep(0.4), handler.reply(200, body))]
    first = threading.Thread(target=lambda: get(retry=None))
    first.start()
    while not host.requests:
        time.sleep(0.01)
    with pytest.raises(DataError, match=r"another process was still fetching tiny .* after 0 s"):
        get(lock_timeout=0.05)
    first.join()
    assert any("waiting for it" in line for line in progress.warnings)


CHILD = """
import sys, time
from captionlab.datasets import archives, catalog, disk, store
from captionlab.datasets.catalog import Archive, Dataset

root, url, where = sys.argv[1:]
archive = Archive(name="tiny.zip", urls=(url,), size=1, max_unpacked_size=10_000_000)
catalog.DATASETS["tiny"] = Dataset(
    name="tiny", title="Tiny", summary="", folder="tiny_data", archive_root="tiny", required_paths=("train/a", "val/b"),
    archives=(archive,), layout=(), homepage="", terms="", papers=(), mirror_note="",
)
calls = 0
def slow(*arguments):
    global calls
    calls += 1
    if calls == 6 or where != "write":
        print("now", flush=True)
        time.sleep(60)
    return keep(*arguments)

if where == "write":
    keep, archives.write = archives.write, slow
elif where == "before":
    keep, store._move_into_place = store._move_into_place, slow
elif where == "between":  # the old one has been moved away, the new one is not there yet
    keep = store.os.replace
    def replace(source, target):
        if str(target).endswith("tiny_data"):
            slow()
        keep(source, target)
    store.os.replace = replace
store.fetch("tiny", root, force=where == "between", progress=store.NullProgress())
"""


@pytest.mark.parametrize("where", ["write", "before", "between"])
def test_killed(get, host, tmp_path, where):
    if where == "between":
        get()
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), f"{host.url}/tiny.zip", where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "now\n"
        os.kill(child.pid, signal.SIGKILL)
    assert not (tmp_path / "tiny_data").exists()
    assert leftovers(tmp_path) != []
    assert images(get()) == 16
    assert leftovers(tmp_path) == []


# --- 15-Scene ---------------------------------------------------------------------------------------------------------


def test_split_of_15_scene():
    split = scene15.load_split()
    assert len(split) == 15
    assert sum(len(parts["train"]) for parts in split.values()) == 1500
    assert sum(len(parts["test"]) for parts in split.values()) == 2985
    assert all(not set(parts["train"]) & set(parts["test"]) for parts in split.values())
    assert {scene15.class_name(public) for public in scene15.PUBLIC_FOLDERS} == set(split)
    assert scene15.class_name("CALsuburb") == "suburb"
    assert scene15.class_name("MITinsidecity") == "insidecity"
    assert scene15.class_name("store") == "store"


def test_public_15_scene_is_split(tmp_path, make_zip, progress, monkeypatch):
    """With the first few images of each part, for speed; the real list is checked above."""
    few = {name: {part: numbers[:3] for part, numbers in parts.items()} for name, parts in scene15.load_split().items()}
    monkeypatch.setattr(scene15, "load_split", lambda: few)
    members = {
        f"scene_categories/{public}/{scene15.image_name(number)}": f"{public} {number}".encode()
        for public in scene15.PUBLIC_FOLDERS
        for numbers in few[scene15.class_name(public)].values()
        for number in numbers
    }
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "scene_categories.zip").write_bytes(make_zip({**members, "scene_categories/store/odd.txt": b"x"}))
    folder = fetch("scene15", tmp_path / "data", mirror, progress=progress)
    for name, parts in few.items():
        for part, numbers in parts.items():
            found = sorted(path.name for path in (folder / part / name).iterdir())
            assert found == [scene15.image_name(number) for number in numbers]
    first = few["coast"]["train"][0]
    assert (folder / f"train/coast/{scene15.image_name(first)}").read_text() == f"MITcoast {first}"
    assert sorted(p.name for p in folder.iterdir()) == [store.RECORD_FILE, "test", "train"]


def test_public_15_scene_with_missing_images(tmp_path):
    """Without a folder around those of the classes, as in some copies."""
    stage = tmp_path / "stage"
    for public in scene15.PUBLIC_FOLDERS:
        (stage / public).mkdir(parents=True)
    with pytest.raises(DamagedFile, match=r"4485 of 4485 images are missing .* the first is CALsuburb/image_"):
        scene15.arrange_folders(stage)


def test_neither_layout_of_15_scene(tmp_path):
    (tmp_path / "kitchen").mkdir()
    with pytest.raises(DamagedFile, match="contains kitchen; expected 15-Scene/train"):
        scene15.arrange_folders(tmp_path)
