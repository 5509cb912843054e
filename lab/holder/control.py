"""The control socket's protocol, from process 1's side: requests in, each answered once, now or later; events out.

-> {"v": 1, "id": 7, "verb": "status"}
<- {"v": 1, "id": 7, "result": ...}  or  {"v": 1, "id": 7, "error": {"message": "...", "exit_code": 3}}
<- {"v": 1, "event": {...}}          for who asked for events
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.errors import ExitCode, WireproofError
from lab.holder.loop import Loop
from lab.host.channel import Message
from lab.host.control import Connection, LineTooLongError, Listener

VERSION = 1
_MOST_WAITING = 4 << 20  # octets that a listener may leave unread before it is hung up on


@dataclass(slots=True, kw_only=True)
class Call:
    """A client's connection, and what is to be done when it ends."""

    connection: Connection
    at_end: list[Callable[[], None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Whoever handles it answers once, by `reply` or `fail`; a client that has gone does no harm."""

    control: Control
    call: Call
    number: object
    fields: Message

    def reply(self, result: object, descriptors: Sequence[int] = ()) -> None:
        """Answer."""
        self.control.say(self.call, {"v": VERSION, "id": self.number, "result": result}, descriptors)

    def fail(self, message: str, code: ExitCode) -> None:
        """Say why not."""
        error = {"message": message, "exit_code": int(code)}
        self.control.say(self.call, {"v": VERSION, "id": self.number, "error": error})

    def stream(self, event: Mapping[str, object]) -> None:
        """Tell the client an event."""
        self.control.say(self.call, {"v": VERSION, "event": event})

    def text(self, name: str) -> str:
        """A field of the request that has to be text.

        Raises:
            RequestError: it is not.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise RequestError(f"verb {self.fields.get('verb')!r} needs the text field {name!r}")
        return value


class RequestError(WireproofError):
    """A request that makes no sense."""

    exit_code = ExitCode.BAD_INPUT


Verb = Callable[[Request], None]


class Control:
    """Answers whoever calls."""

    def __init__(self, loop: Loop, listener: Listener, verbs: Mapping[str, Verb]) -> None:
        self._loop = loop
        self._listener = listener
        self._verbs = verbs
        loop.watch(listener, self._accept)

    def say(self, call: Call, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
        """Say something to a client, now or as soon as it listens."""
        if call.connection.fileno() < 0:
            return
        try:
            all_sent = call.connection.send(message, descriptors)
        except BrokenPipeError:
            self._hang_up(call)
            return
        if not all_sent:
            if call.connection.waiting_octets > _MOST_WAITING:
                self._hang_up(call)
            else:
                self._loop.watch(
                    call.connection, functools.partial(self._hear, call), functools.partial(self._flush, call)
                )

    def _accept(self) -> None:
        connection = self._listener.accept()
        if connection is not None:
            call = Call(connection=connection)
            self._loop.watch(connection, functools.partial(self._hear, call))

    def _hear(self, call: Call) -> None:
        try:
            for message in call.connection.receive():
                self._handle(Request(control=self, call=call, number=message.get("id"), fields=message))
        except EOFError:
            self._hang_up(call)
        except (LineTooLongError, ValueError):
            nobody = Request(control=self, call=call, number=None, fields={})
            nobody.fail("a request is a JSON object on one line", ExitCode.BAD_INPUT)
            self._hang_up(call)

    def _handle(self, request: Request) -> None:
        version, verb = request.fields.get("v"), request.fields.get("verb")
        if version != VERSION:
            request.fail(
                f"this lab speaks version {VERSION} of the control protocol, not {version!r}; "
                "take it down with the wireproof that made it",
                ExitCode.BAD_INPUT,
            )
        elif not isinstance(verb, str) or verb not in self._verbs:
            request.fail(f"there is no verb {verb!r}; there are {', '.join(sorted(self._verbs))}", ExitCode.BAD_INPUT)
        else:
            try:
                self._verbs[verb](request)
            except WireproofError as error:
                request.fail(str(error), error.exit_code)

    def _flush(self, call: Call) -> None:
        try:
            if call.connection.flush():
                self._loop.watch(call.connection, functools.partial(self._hear, call))
        except BrokenPipeError:
            self._hang_up(call)

    def _hang_up(self, call: Call) -> None:
        if call.connection.fileno() >= 0:
            self._loop.forget(call.connection)
            call.connection.close()
            for ended in call.at_end:
                ended()
