from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import InputError, MachineError
from lab.host import state
from lab.host.processes import Identity
from lab.host.state import HolderRecord, LabFolder


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_labs_are_below_the_runtime_folder(runtime: Path) -> None:
    assert state.root() == runtime / "wireproof"
    assert LabFolder.of("a").path == runtime / "wireproof" / "a"


@pytest.mark.parametrize("spoil", ["absent", "shared", "unset"])
def test_without_a_runtime_folder_of_ones_own_they_are_below_the_temporary_one(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    if spoil == "absent":
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    elif spoil == "shared":
        runtime.chmod(0o755)
    else:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert state.root() == tmp_path / "t" / f"wireproof-{os.getuid()}"


@pytest.mark.parametrize("name", ["", "..", ".a", "a/b", "-a", "a b", "x" * 64, "a\n"])
def test_a_name_that_is_no_plain_file_name_is_refused(runtime: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a lab's name"):
        LabFolder.of(name)


def test_one_lock_at_a_time_also_by_way_of_another_descriptor(runtime: Path) -> None:
    folder = LabFolder.of("one")
    lock = folder.lock()
    assert lock is not None
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.lock() is None
    copy = os.dup(lock)
    os.close(lock)
    assert folder.lock() is None
    os.close(copy)
    again = folder.lock()
    assert again is not None
    os.close(again)


def test_a_lock_on_a_folder_that_was_removed_meanwhile_is_no_lock(runtime: Path) -> None:
    folder = LabFolder.of("one")
    old = folder.lock()
    assert old is not None
    folder.remove()
    new = folder.lock()
    assert new is not None
    assert os.fstat(new).st_ino == folder.path.stat().st_ino
    os.close(old)
    assert folder.lock() is None
    os.close(new)


@pytest.mark.parametrize("kind", ["shared", "link", "file"])
def test_a_folder_that_others_could_read_is_refused(runtime: Path, kind: str) -> None:
    root = runtime / "wireproof"
    if kind == "shared":
        root.mkdir(mode=0o755)
        root.chmod(0o755)
    elif kind == "link":
        (runtime / "elsewhere").mkdir(mode=0o700)
        root.symlink_to(runtime / "elsewhere")
    else:
        root.touch()
    with pytest.raises(MachineError, match="not a folder of yours alone"):
        LabFolder.of("one").lock()


def test_what_an_earlier_lab_left_is_cleared_and_links_are_not_followed(runtime: Path, tmp_path: Path) -> None:
    folder = LabFolder.of("one")
    lock = folder.lock()
    assert lock is not None
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("stays")
    (folder.path / "captures").mkdir()
    (folder.path / "captures" / "x.pcapng").write_text("goes")
    (folder.path / "link").symlink_to(precious)
    folder.clear()
    assert list(folder.path.iterdir()) == []
    assert (precious / "file").read_text() == "stays"
    os.close(lock)


def test_a_file_in_the_place_of_a_lab_is_no_lab(runtime: Path) -> None:
    state.root().mkdir(mode=0o700, exist_ok=True)
    (state.root() / "one").write_text("not a folder")
    assert LabFolder.of("one").record() is None


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_named(runtime: Path) -> None:
    folder = LabFolder.of("one")
    lock = folder.lock()
    assert lock is not None
    assert folder.record() is None
    record = HolderRecord(process=Identity.own(), source="x.yaml", since=12.5)
    folder.write_record(record)
    assert folder.record() == record
    folder.record_file.write_text("{")
    with pytest.raises(MachineError, match="damaged"):
        folder.record()
    folder.forget_holder()
    assert folder.record() is None
    os.close(lock)


def test_folders_are_listed_by_name(runtime: Path) -> None:
    assert list(state.folders()) == []
    for name in ("b", "a"):
        lock = LabFolder.of(name).lock()
        assert lock is not None
        os.close(lock)
    (state.root() / "file").touch()
    assert [folder.name for folder in state.folders()] == ["a", "b"]
