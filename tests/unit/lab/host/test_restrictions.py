"""Each cause that is known, made up as files under a /proc/sys of the test's own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lab.host import restrictions

REFUSED = OSError(errno.EPERM, "refused")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(restrictions, "_SYSTEM", tmp_path)
    monkeypatch.setattr(restrictions, "_is_filtered", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def put(machine: Path, name: str, text: str) -> None:
    path = machine / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")


def test_no_user_namespaces_at_all(machine: Path) -> None:
    put(machine, "user/max_user_namespaces", "0")
    error = restrictions.explain("a user namespace", OSError(errno.ENOSPC, ""))
    assert "user.max_user_namespaces is 0" in error.missing
    assert error.fix == "sudo sysctl -w user.max_user_namespaces=10000"


def test_too_many_user_namespaces(machine: Path) -> None:
    put(machine, "user/max_user_namespaces", "5")
    assert "user.max_user_namespaces is 5" in restrictions.explain("x", OSError(errno.ENOSPC, "")).missing


def test_none_for_unprivileged_users(machine: Path) -> None:
    put(machine, "kernel/unprivileged_userns_clone", "0")
    error = restrictions.explain("a user namespace", REFUSED)
    assert error.fix == "sudo sysctl -w kernel.unprivileged_userns_clone=1"


def test_apparmor(machine: Path) -> None:
    put(machine, "user/max_user_namespaces", "90000")
    put(machine, "kernel/apparmor_restrict_unprivileged_userns", "1")
    error = restrictions.explain("a user namespace", REFUSED)
    assert "AppArmor" in error.missing
    assert error.fix is not None
    assert "userns," in error.fix


def test_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restrictions, "_is_filtered", lambda: True)
    error = restrictions.explain("a user namespace", REFUSED)
    assert "seccomp" in error.missing
    assert "--security-opt" in str(error)


def test_a_kernel_without_it() -> None:
    assert "built without" in restrictions.explain("x", OSError(errno.EINVAL, "")).missing


def test_a_cause_that_nobody_knows_says_so_and_names_the_step() -> None:
    error = restrictions.explain("mounts of the lab's own", REFUSED)
    assert error.missing.startswith("this machine refuses mounts of the lab's own (Operation not permitted): ")
    assert "not one that is known" in error.missing
