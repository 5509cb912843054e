"""The protocol, spoken to a control in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import ExitCode, InputError
from lab.holder.control import Control, Request
from lab.holder.loop import Loop
from lab.host.channel import Message
from lab.host.control import Connection, Listener, connect


class Bench:
    """A control with a few verbs, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop()
        self.listener = Listener(folder / "control")
        self.waiting: list[Request] = []
        self.gone = 0
        verbs = {"echo": self.echo, "later": self.waiting.append, "wrong": self.wrong, "listen": self.listen}
        self.control = Control(self.loop, self.listener, verbs)
        self.client: Connection = connect(folder / "control")

    def echo(self, request: Request) -> None:
        request.reply({"said": request.text("text")})

    def wrong(self, request: Request) -> None:
        raise InputError("so not")

    def listen(self, request: Request) -> None:
        request.call.at_end.append(self.count_gone)
        request.reply(None)
        request.stream({"event": "one"})

    def count_gone(self) -> None:
        self.gone += 1

    def say(self, message: Message) -> None:
        self.client.send(message)

    def hear(self, count: int = 1) -> list[Message]:
        heard: list[Message] = []

        def enough() -> bool:
            heard.extend(self.client.receive())
            return len(heard) >= count

        assert self.loop.run_until(enough, 0.2) or self.loop.run_until(enough, 5), heard
        return heard


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.client.close()
    made.loop.run_until(lambda: False, 0.01)
    made.listener.close()


def test_a_request_is_answered_under_its_number(bench: Bench) -> None:
    bench.say({"v": 1, "id": 7, "verb": "echo", "text": "x"})
    assert bench.hear() == [{"v": 1, "id": 7, "result": {"said": "x"}}]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"v": 2, "id": 1, "verb": "echo", "text": "x"}, "speaks version 1"),
        ({"id": 1, "verb": "echo"}, "speaks version 1"),
        ({"v": 1, "id": 1, "verb": "sing"}, "there is no verb 'sing'; there are echo, later, listen, wrong"),
        ({"v": 1, "id": 1, "verb": ["echo"]}, "there is no verb"),
        ({"v": 1, "id": 1, "verb": "echo", "text": 3}, "needs the text field 'text'"),
        ({"v": 1, "id": 1, "verb": "wrong"}, "so not"),
    ],
)
def test_what_makes_no_sense_is_told_so_and_the_conversation_goes_on(
    bench: Bench, request_: Message, words: str
) -> None:
    bench.say(request_)
    (answer,) = bench.hear()
    assert answer["id"] == 1
    assert words in answer["error"]["message"]
    assert answer["error"]["exit_code"] == ExitCode.BAD_INPUT
    bench.say({"v": 1, "id": 2, "verb": "echo", "text": "still here"})
    assert bench.hear()[0]["result"] == {"said": "still here"}


def test_answers_come_when_they_are_there_in_any_order(bench: Bench) -> None:
    bench.say({"v": 1, "id": "a", "verb": "later"})
    bench.say({"v": 1, "id": "b", "verb": "echo", "text": "b"})
    assert bench.hear()[0]["id"] == "b"
    bench.waiting[0].fail("no", ExitCode.VIOLATED)
    assert bench.hear() == [{"v": 1, "id": "a", "error": {"message": "no", "exit_code": 1}}]


def test_events_are_streamed_and_whoever_goes_is_missed(bench: Bench) -> None:
    bench.say({"v": 1, "id": 1, "verb": "listen"})
    assert bench.hear(2) == [{"v": 1, "id": 1, "result": None}, {"v": 1, "event": {"event": "one"}}]
    bench.client.close()
    assert bench.loop.run_until(lambda: bench.gone == 1, 5)


def test_an_answer_to_one_who_has_gone_does_no_harm(bench: Bench) -> None:
    bench.say({"v": 1, "id": 1, "verb": "later"})
    assert bench.loop.run_until(lambda: bool(bench.waiting), 5)
    bench.client.close()
    bench.waiting[0].reply("too late")
    bench.loop.run_until(lambda: False, 0.02)
    bench.waiting[0].reply("again")


def test_one_who_listens_and_never_reads_is_hung_up_on(bench: Bench) -> None:
    bench.say({"v": 1, "id": 1, "verb": "listen"})
    bench.say({"v": 1, "id": 2, "verb": "later"})
    assert bench.loop.run_until(lambda: bool(bench.waiting), 5)
    for _ in range(100):
        bench.waiting[0].stream({"filler": "x" * 100_000})
    assert bench.gone == 1


def test_octets_that_are_no_request_end_the_conversation(bench: Bench) -> None:
    bench.client._socket.send(b"\x16\x03\x01 not for here\n")
    assert "JSON object" in bench.hear()[0]["error"]["message"]
    with pytest.raises(EOFError):
        bench.client.receive()
