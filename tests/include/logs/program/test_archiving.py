"""Archive, verify, delete, with the files a volume has in real life, and both codecs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from include.logs.program.manifests import Manifest
from tests.include.logs.program.cleaned import Volume

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
BOTH = [pytest.param("zstd", marks=needs_zstd), "gzip"]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def unpacked(volume: Volume, to: Path) -> Path:
    """Everything from the archives, by GNU tar alone."""
    to.mkdir()
    for path in volume.archives:
        tool = "zstd" if path.suffix == ".zst" else "gzip"
        plain = subprocess.check_output([tool, "-dc", path])
        subprocess.run(["tar", "x", "-C", to], input=plain, check=True)
    return to


@pytest.mark.parametrize("codec", BOTH)
def test_what_is_archived_is_restored_by_tar_alone(codec: str, volume: Volume, tmp_path: Path) -> None:
    volume.more["compression"] = codec
    files: dict[bytes, bytes] = {
        b"app/app.log.1": b"line\n" * 1000,
        b"app/empty.log": b"",
        b"not-utf8-\xff.log": b"bytes\n",
        b"dir with blanks/a\nb.log": b"odd\n",
        b"d" * 120 + b"/" + b"n" * 200 + b".log": b"long name\n",
        b"large.log": os.urandom(1 << 20) * 5,
    }
    for name, data in files.items():
        volume.write(name, data)
    answer = volume.clean()
    assert volume.live() == []
    assert answer.facts["deleted"] == len(files)
    back = unpacked(volume, tmp_path / "back")
    for name, data in files.items():
        assert (back / os.fsdecode(name)).read_bytes() == data


@pytest.mark.parametrize("codec", BOTH)
def test_the_manifest_says_which_bytes_went_where(codec: str, volume: Volume) -> None:
    volume.more["compression"] = codec
    volume.write("a.log", b"first\n")
    volume.write("b-\xff.log", b"second\n")
    volume.write(b"c-\xff.log", b"third\n")
    volume.clean()
    manifest = Manifest(str(volume.manifests[0]))
    assert manifest.header["run"] == "log_cleanup/run-1"
    assert manifest.class_name == "app"
    plain = subprocess.check_output([codec, "-dc", volume.archives[0]])
    for record in manifest:
        data = plain[record.at : record.at + record.stored]
        assert hashlib.sha256(data).hexdigest() == record.sha256
        assert (record.start, record.end) == (0, len(data))
    assert {record.path for record in manifest} == {b"a.log", "b-\xff.log".encode(), b"c-\xff.log"}
    assert manifest.end is not None
    assert manifest.end["entries"] == 3


def test_each_class_has_archives_of_its_own(volume: Volume) -> None:
    volume.classes = [
        {"name": "orders", "globs": ["orders/**"], "keep_days": 7},
        {"name": "rest", "globs": ["**"], "keep_days": 7},
    ]
    for name in ("orders/a.log", "b.log"):
        volume.write(name, b"line\n")
    volume.clean()
    found = {
        Manifest(str(path)).class_name: [r.path for r in Manifest(str(path))] for path in volume.manifests
    }
    assert found == {"orders": [b"orders/a.log"], "rest": [b"b.log"]}


def test_a_sparse_file_takes_no_more_than_its_data(volume: Volume, tmp_path: Path) -> None:
    path = volume.write("sparse.log", b"head\n")
    with path.open("r+b") as file:
        file.seek(3 << 30)
        file.write(b"tail\n")
        file.truncate((3 << 30) + (1 << 20))
    volume.age(path, 30)
    answer = volume.step("plan")
    answer = volume.step("archive")
    assert answer.facts["archive_bytes"] < 10_000
    volume.step("verify")
    volume.step("delete")
    volume.step("restore", restore={"globs": ["sparse.log"], "to": "back"})
    back = volume.root / "back/sparse.log"
    assert back.stat().st_size == (3 << 30) + (1 << 20)
    assert back.stat().st_blocks * 512 < 1 << 20
    with back.open("rb") as file:
        assert file.read(5) == b"head\n"
        file.seek(3 << 30)
        assert file.read(5) == b"tail\n"
    out = unpacked(volume, tmp_path / "out") / "sparse.log"
    assert out.stat().st_size == back.stat().st_size


def test_a_hard_linked_file_is_archived_once_and_freed_with_its_last_name(
    volume: Volume, tmp_path: Path
) -> None:
    data = os.urandom(50_000)
    path = volume.write("a/first.log", data)
    (volume.root / "b").mkdir()
    os.link(path, volume.root / "b/second.log")
    volume.step("plan")
    answer = volume.step("archive")
    assert answer.facts["archive_bytes"] < 60_000
    volume.step("verify")
    answer = volume.step("delete")
    assert volume.live() == []
    assert answer.facts["freed_bytes"] >= 50_000
    assert answer.facts["freed_bytes"] < 100_000
    back = unpacked(volume, tmp_path / "back")
    assert (back / "a/first.log").read_bytes() == (back / "b/second.log").read_bytes() == data
    volume.step("restore", restore={"globs": ["b/*"], "to": "back"})
    assert (volume.root / "back/b/second.log").read_bytes() == data


def test_a_file_with_a_name_elsewhere_keeps_its_bytes(volume: Volume) -> None:
    volume.classes = [{"name": "app", "globs": ["app/**"], "keep_days": 7}]
    path = volume.write("app/a.log", b"x" * 8192)
    os.link(path, volume.root / "kept.log")
    volume.clean()
    assert (volume.root / "kept.log").read_bytes() == b"x" * 8192


def test_special_files_and_links_are_left(volume: Volume, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious\n")
    (volume.root / "link.log").symlink_to(tmp_path / "precious")
    os.mkfifo(volume.root / "pipe.log")
    volume.write("a.log", b"line\n")
    volume.clean()
    assert volume.live() == ["link.log", "pipe.log"]
    assert (tmp_path / "precious").read_bytes() == b"precious\n"


def test_a_file_that_is_longer_by_the_time_it_is_archived_is_left(volume: Volume) -> None:
    path = volume.write("a.log", b"line\n")
    volume.write("b.log", b"line\n")
    volume.step("plan")
    with path.open("ab") as file:
        file.write(b"one more\n")
    answer = volume.step("archive")
    assert answer.facts["left"]["changed"]["examples"] == ["a.log"]
    volume.step("verify")
    volume.step("delete")
    assert volume.live() == ["a.log"]


def test_nothing_to_archive_is_no_error(volume: Volume) -> None:
    volume.write("a.log", b"line\n", days=1)
    answer = volume.clean()
    assert answer.facts["deleted"] == 0
    assert volume.archives == []


def test_a_damaged_archive_deletes_nothing_and_is_written_again(volume: Volume) -> None:
    volume.write("a.log", os.urandom(10_000))
    volume.step("plan")
    volume.step("archive")
    data = bytearray(volume.archives[0].read_bytes())
    data[len(data) // 2] ^= 1
    volume.archives[0].write_bytes(data)
    answer = volume.step("verify", expect=1)
    assert "1 archive does not hold what was put into it. Nothing was deleted." in answer.text
    assert "not verified" in volume.step("delete", expect=1).text
    volume.step("archive")
    volume.step("verify")
    assert volume.step("delete").facts["deleted"] == 1


def test_a_manifest_that_does_not_fit_its_archive_is_damage_too(volume: Volume) -> None:
    for name, run in (("a.log", "run-1"), ("b.log", "run-2")):
        if run != volume.run:
            volume.next_run(run)
        path = volume.write(name, os.urandom(10_000))
        volume.step("plan")
        volume.step("archive")
        path.unlink()
    first, second = volume.manifests
    second.write_bytes(first.read_bytes())
    assert volume.step("verify", expect=1).facts["damaged"]


@pytest.mark.parametrize("codec", BOTH)
def test_a_volume_that_fills_up_while_archiving(codec: str, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", small]).returncode:
        pytest.skip("needs the right to mount a small volume")
    try:
        volume = Volume(small, more={"compression": codec})
        for number in range(4):
            volume.write(f"{number}.log", os.urandom(1 << 20))
        volume.step("plan")
        answer = volume.step("archive", expect=4)
        assert answer.facts["alert"] == "no_space_for_archives"
        assert "Nothing was deleted" in answer.text
        assert volume.archives == []
        assert volume.manifests == []
        assert len(volume.live()) == 4
        assert "not verified" in volume.step("delete", expect=1).text
        assert len(volume.live()) == 4
        elsewhere = tmp_path / "elsewhere"  # there is room: the run goes on there
        for command in ("archive", "verify", "delete"):
            answer = volume.step(command, archive_to=str(elsewhere))
        assert volume.live() == []
        assert answer.facts["deleted"] == 4
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_tarfile_reads_the_archives_as_they_are(volume: Volume) -> None:
    volume.more["compression"] = "gzip"
    volume.write("a.log", b"line\n")
    volume.clean()
    with tarfile.open(volume.archives[0]) as found:
        assert found.getnames() == ["a.log"]
