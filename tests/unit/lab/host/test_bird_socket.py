"""The conversation with BIRD, against a socket that says what BIRD says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.host import bird
from lab.host.bird import BirdError, BirdSocket, Line

ANSWERS = {
    "show status": "1000-BIRD 2.0.12\n1011-Router ID is 1.1.1.1\n Hostname is vm\n0013 Daemon is up and running\n",
    "empty": "0000 \n",
    "foo": "9001 syntax error, unexpected CF_SYM_UNDEFINED\n",
    "configure": "8007 Access denied\n",
}


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bird, "FOLDER", tmp_path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(tmp_path / "ce.ctl"))
    server.listen()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"0001 BIRD 2.0.12 ready.\n")
            while octets := connection.recv(4096):
                command = octets.decode().strip()
                if command == "hang up":
                    return
                for octet in ANSWERS[command].encode():  # however it is cut
                    connection.sendall(bytes([octet]))

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    server.close()
    thread.join(10)


def test_answers(listening: None) -> None:
    conversation = BirdSocket("ce")
    assert conversation.ask("show status") == [
        Line(1000, "BIRD 2.0.12"),
        Line(1011, "Router ID is 1.1.1.1"),
        Line(1011, "Hostname is vm"),
        Line(13, "Daemon is up and running"),
    ]
    assert conversation.ask("empty") == [Line(0, "")]
    for command, why in (("foo", "syntax error"), ("configure", "Access denied")):
        with pytest.raises(BirdError, match=f"BIRD of ce refuses '{command}': {why}"):
            conversation.ask(command)
    with pytest.raises(BirdError, match="has ended"):
        conversation.ask("hang up")
    conversation.close()


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bird, "FOLDER", tmp_path)
    with pytest.raises(BirdError, match="BIRD of ce does not listen"):
        BirdSocket("ce", patience=0.05)


def test_a_configuration_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bird, "FOLDER", tmp_path / "bird")
    bird.write_config("ce", "router id 1.1.1.1;")
    path = bird.config_path("ce")
    assert path.read_text() == "router id 1.1.1.1;"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
