"""The process that keeps the BIRDs of a lab, one in each node that speaks BGP: starts, watches, changes, ends them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from netaddr import IPNetwork

from lab.errors import InputError, WireproofError
from lab.host import bird
from lab.host.bird_answers import Session, sessions
from lab.host.channel import Channel, Message
from lab.host.namespaces import Place
from lab.host.processes import describe_end
from lab.host.programs import BIRD
from lab.model.bgp import Bgp, Neighbor
from lab.nodes.bird_config import render, session_name

_GLANCE: Final = 1.0  # seconds between two looks at the sessions
_SHORT_GLANCE: Final = 0.05  # ... while somebody waits for them
_PATIENCE: Final = 3.0

# A BIRD lets 0.75 to 1 s pass before it first connects. For what goes through tunnels that time begins so many seconds
# after it began for the links, since tunnels come up at once when the links' sessions have.
_LEAD: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A node that speaks BGP, and where it is. `tables` are the kernel's further tables that get what is learned."""

    node: str
    place: Place
    bgp: Bgp
    tables: Mapping[int, Sequence[IPNetwork]] = field(default_factory=dict)


def run(speakers: Iterable[Speaker], secrets: Mapping[str, bytes], logs: Path, control: Channel) -> None:
    """Keep the BIRDs until told to stop, or until nobody is left to tell.

    Raises:
        MachineError: BIRD is not installed.
        BirdError: it refuses its configuration.
    """
    executable = BIRD.path()
    keeper = _Keeper(control)
    try:
        for speaker in speakers:
            keeper.start(_Bird(speaker, secrets, executable, logs / f"{speaker.node}.bird.log"))
        keeper.await_all()
        control.send({"type": "ready"})
        keeper.keep()
    except (EOFError, BrokenPipeError):
        return  # process 1 has gone, and with it the lab
    finally:
        keeper.end()


@final
class _Bird:
    """One BIRD: its process, the conversation with it, and what its configuration is made of."""

    def __init__(self, speaker: Speaker, secrets: Mapping[str, bytes], executable: str, log: Path) -> None:
        self.node: Final = speaker.node
        self.bgp: Final = speaker.bgp
        self.ended: str | None = None
        self.known: dict[str, str] = {}  # the state of each session at the last look
        self.preferences: Final[dict[str, int]] = {}
        self.switched_off: Final[set[str]] = {neighbor.name for neighbor in speaker.bgp.neighbors if neighbor.is_late}
        self._speaker: Final = speaker
        self._secrets: Final = secrets
        self._log: Final = log
        self._socket: bird.BirdSocket | None = None
        self._write()
        self.pid: Final = bird.start_bird(executable, speaker.node, speaker.place, log)
        self.pidfd: Final = os.pidfd_open(self.pid)

    def listen(self) -> None:
        """Begin to talk; the configuration, which BIRD has read then, is taken away: it may hold passwords."""
        try:
            self._socket = bird.BirdSocket(self.node)
        except bird.BirdError as error:
            raise bird.BirdError(f"{error}; its last words: {self.last_words}") from None
        finally:
            bird.config_path(self.node).unlink(missing_ok=True)

    def ask(self, command: str) -> list[bird.Line]:
        """Give a command.

        Raises:
            BirdError: BIRD has ended, or refuses.
        """
        if self._socket is None or self.ended is not None:
            raise bird.BirdError(f"BIRD of {self.node} has ended ({self.ended}): {self.last_words}")
        return self._socket.ask(command)

    def sessions(self) -> dict[str, Session]:
        """The sessions by the neighbour's name."""
        found = {session.name: session for session in sessions(self.ask("show protocols all"))}
        return {n.name: found[name] for n in self.bgp.neighbors if (name := session_name(n.name)) in found}

    def begin_late(self) -> None:
        """Let sessions begin that may go through tunnels."""
        for neighbor in self.bgp.neighbors:
            if neighbor.is_late and neighbor.name in self.switched_off:
                self.switched_off.discard(neighbor.name)
                self.ask(f"enable {session_name(neighbor.name)}")

    def is_late(self, neighbor: str) -> bool:
        """Whether a session may go through a tunnel."""
        return any(each.is_late for each in self.bgp.neighbors if each.name == neighbor)

    def configure(self) -> None:
        """Tell BIRD anew what it is to do; sessions that are not concerned stay."""
        self._write()
        try:
            self.ask("configure")
        finally:
            bird.config_path(self.node).unlink(missing_ok=True)

    def end(self) -> None:
        """End the process, in good order first."""
        if self.ended is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)
        if self._socket is not None:
            self._socket.close()

    def reap(self) -> None:
        """Note how it ended."""
        _, status = os.waitpid(self.pid, 0)
        self.ended = describe_end(status)

    @property
    def last_words(self) -> str:
        """What it said last."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""

    def _write(self) -> None:
        bird.write_config(
            self.node, render(self.bgp, self._secrets, self.preferences, self._speaker.tables, self.switched_off)
        )


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """Somebody waits until every session of a kind is established, or until then."""

    number: int
    deadline: float
    late: bool


@final
class _Keeper:
    """All BIRDs of a lab, and the conversation with process 1."""

    def __init__(self, control: Channel) -> None:
        self._control: Final = control
        self._birds: Final[dict[str, _Bird]] = {}
        self._waiting: list[_Waiting] = []
        self._late_at: float | None = None
        self._stopped = False
        self._poller: Final = select.poll()
        self._poller.register(control, select.POLLIN)

    def start(self, started: _Bird) -> None:
        self._birds[started.node] = started
        self._poller.register(started.pidfd, select.POLLIN)

    def await_all(self) -> None:
        for each in self._birds.values():
            each.listen()

    def keep(self) -> None:
        """Watch and answer, until told to stop."""
        while not self._stopped:
            glance = _SHORT_GLANCE if self._waiting or self._late_at is not None else _GLANCE
            ready = {descriptor for descriptor, _ in self._poller.poll(glance * 1000)}
            for each in self._birds.values():
                if each.pidfd in ready:
                    self._poller.unregister(each.pidfd)
                    each.reap()
                    words = {"node": each.node, "end": each.ended, "last_words": each.last_words}
                    self._control.send({"type": "event", "event": "bird-failed", **words})
            if self._late_at is not None and time.monotonic() >= self._late_at:
                self._begin_late()
            self._look()
            if self._control.fileno() in ready:
                self._listen()

    def end(self) -> None:
        for each in self._birds.values():
            each.end()
        deadline = time.monotonic() + _PATIENCE
        for each in self._birds.values():
            if each.ended is None:
                poller = select.poll()
                poller.register(each.pidfd, select.POLLIN)
                if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    signal.pidfd_send_signal(each.pidfd, signal.SIGKILL)
                each.reap()

    def _look(self) -> None:
        """Tell of sessions that came or went, and answer who waited for them."""
        pending: dict[bool, list[str]] = {False: [], True: []}
        for each in self._birds.values():
            now = self._states(each)
            for neighbor, state in now.items():
                if (state == "Established") != (each.known.get(neighbor) == "Established"):
                    name = "bgp-established" if state == "Established" else "bgp-lost"
                    self._control.send(
                        {"type": "event", "event": name, "node": each.node, "neighbor": neighbor, "state": state}
                    )
                if state != "Established":
                    pending[each.is_late(neighbor)].append(f"{each.node} with {neighbor}: {state}")
            each.known = now
        for waiting in tuple(self._waiting):
            left = pending[waiting.late]
            if not left or time.monotonic() >= waiting.deadline:
                self._waiting.remove(waiting)
                self._control.send({"type": "reply", "id": waiting.number, "result": {"pending": left}})

    def _begin_late(self) -> None:
        """Links' sessions say where tunnels' ends are; what goes through tunnels would wake them in vain before."""
        self._late_at = None
        for each in self._birds.values():
            try:
                each.begin_late()
            except bird.BirdError as error:
                self._control.send({"type": "event", "event": "bird-refused", "node": each.node, "why": str(error)})

    @staticmethod
    def _states(each: _Bird) -> dict[str, str]:
        try:
            return {neighbor: session.state for neighbor, session in each.sessions().items()}
        except bird.BirdError:
            return {neighbor.name: "Down" for neighbor in each.bgp.neighbors}

    def _listen(self) -> None:
        while (message := self._control.receive()) is not None:
            match message["type"]:
                case "stop":
                    self._stopped = True
                case "status":
                    status = {name: {"pid": each.pid, "end": each.ended} for name, each in self._birds.items()}
                    self._control.send({"type": "status", "id": message["id"], "status": status})
                case "command" if message["verb"] == "settle":
                    deadline = time.monotonic() + float(message["seconds"])
                    late = bool(message["late"])
                    if late:
                        self._begin_late()
                    else:
                        self._late_at = time.monotonic() + _LEAD
                    self._waiting.append(_Waiting(number=message["id"], deadline=deadline, late=late))
                case "command":
                    self._control.send({"type": "reply", "id": message["id"], **self._answer(message)})

    def _answer(self, message: Message) -> dict[str, object]:
        try:
            match message["verb"]:
                case "prefer":
                    return {"result": self._prefer(message)}
                case "session":
                    return {"result": self._switch(message)}
        except WireproofError as error:
            return {"error": str(error)}
        return {"error": f"routing knows the verbs settle, prefer and session, not {message['verb']!r}"}

    def _prefer(self, message: Message) -> Message:
        """Change the LOCAL_PREF of what a node learns from a neighbour, at once."""
        each, sessions = self._named(message)
        preference = message["preference"]
        if not isinstance(preference, int) or not 0 <= preference < 1 << 32:
            raise InputError(f"a preference goes from 0 to {(1 << 32) - 1}, not {preference!r}")
        before = each.preferences.get(sessions[0].name, sessions[0].preference)
        for session in sessions:
            each.preferences[session.name] = preference
        each.configure()
        return {"node": each.node, "neighbor": message["neighbor"], "before": before, "preference": preference}

    def _switch(self, message: Message) -> Message:
        """Take a session down, or have it come up again."""
        each, sessions = self._named(message)
        state = message["state"]
        if state not in ("up", "down"):
            raise InputError(f"a session goes up or down, not {state!r}")
        for session in sessions:
            each.ask(f"{'enable' if state == 'up' else 'disable'} {session_name(session.name)}")
            (each.switched_off.discard if state == "up" else each.switched_off.add)(session.name)
        return {"node": each.node, "neighbor": message["neighbor"], "state": state}

    def _named(self, message: Message) -> tuple[_Bird, list[Neighbor]]:
        """A node's BIRD, and the session that is named, or all with the node that is named."""
        each = self._birds.get(message["node"])
        if each is None:
            raise InputError(f"{message['node']} speaks no BGP; there are {', '.join(self._birds)}")
        sessions = [neighbor for neighbor in each.bgp.neighbors if neighbor.is_called(message["neighbor"])]
        if not sessions:
            names = ", ".join(neighbor.name for neighbor in each.bgp.neighbors)
            raise InputError(f"{message['neighbor']} is no neighbor of {each.node}; there are {names}")
        return each, sessions
