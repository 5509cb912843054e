from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lab.host.control import Connection, LineTooLongError, Listener, connect


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Connection, Connection]:
    listener = Listener(tmp_path / "control")
    client = connect(tmp_path / "control")
    server = listener.accept()
    assert server is not None
    listener.close()
    return client, server


def test_lines_there_and_back(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    assert server.receive() == []
    assert client.send({"a": 1})
    assert client.send({"b": "ü\n"})
    assert server.wait(1)
    assert server.receive() == [{"a": 1}, {"b": "ü\n"}]
    assert server.send({"c": []})
    assert client.wait(1)
    assert client.receive() == [{"c": []}]
    client.close()
    client.close()
    with pytest.raises(EOFError):
        server.receive()
    server.close()


def test_descriptors_travel_with_a_line(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    reading, writing = os.pipe()
    server.send({"here": 1}, [writing])
    os.close(writing)
    assert client.wait(1)
    assert client.receive(with_descriptors=True) == [{"here": 1}]
    (received,) = client.descriptors
    os.write(received, b"x")
    assert os.read(reading, 1) == b"x"
    for descriptor in (reading, received):
        os.close(descriptor)
    client.close()
    server.close()


def test_who_does_not_listen_holds_nobody_up_and_loses_nothing(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    sent = 0
    while server.send({"n": sent, "filler": "x" * 500}):
        sent += 1
    for more in range(1, 4):
        assert not server.send({"n": sent + more})
    assert server.waiting_octets > 0
    received: list[int] = []
    while len(received) < sent + 4:
        assert client.wait(1)
        received += [message["n"] for message in client.receive()]
        server.flush()
    assert received == list(range(sent + 4))
    assert server.waiting_octets == 0
    client.close()
    with pytest.raises(BrokenPipeError):
        server.send({})
    server.close()


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b"7\n", b"\xff\n", b"\n"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    a, b = socket.socketpair()
    connection = Connection(b)
    a.sendall(line)
    with pytest.raises(ValueError):
        connection.receive()
    a.close()
    connection.close()


def test_a_line_without_end_is_refused() -> None:
    a, b = socket.socketpair()
    a.setblocking(False)
    connection = Connection(b)

    def flood() -> None:
        while True:
            a.send(b"x" * 60_000)
            connection.receive()

    with pytest.raises(LineTooLongError):
        flood()
    a.close()
    connection.close()


def test_a_path_of_any_length_will_do(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    with pytest.raises(FileNotFoundError):
        connect(folder / "control")
    listener = Listener(folder / "control")
    client = connect(folder / "control")
    assert client.peer == (os.getpid(), os.getuid())
    server = listener.accept()
    assert server is not None
    assert server.peer == (os.getpid(), os.getuid())
    assert listener.accept() is None
    for end in (client, server, listener):
        end.close()
    with pytest.raises(ConnectionRefusedError):
        connect(folder / "control")
