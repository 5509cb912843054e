"""From the fork that `up` makes to the end of the lab: a process cuts itself off, and its child is process 1.

To whoever waits at the other end of `launcher` go: {"type": "holder", "pid"}, {"type": "phase", "name", "seconds"},
{"type": "warning", "text"}, and last {"type": "up"} or {"type": "error", "message", "exit_code"}.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
import traceback

from lab.capture import keylog
from lab.errors import ExitCode, InputError, WireproofError
from lab.holder import tampering
from lab.holder.adversaries import Adversaries
from lab.holder.build import Build
from lab.holder.control import Control
from lab.holder.events import EventLog
from lab.holder.loop import Loop
from lab.holder.order import Order
from lab.holder.supervise import Child, State, Supervisor
from lab.holder.verbs import Lab, verbs
from lab.host.channel import Channel, Message
from lab.host.control import Listener
from lab.host.isolation import become_first_process, isolate
from lab.host.namespaces import Place
from lab.host.processes import Identity, fork
from lab.host.state import HolderRecord

# Seconds for drivers to say their last, and for captures to be written out: closing a tap takes the kernel a while.
_DRIVERS_PATIENCE = 3.0
_CAPTURES_PATIENCE = 15.0


def begin(order: Order, lock: int, launcher: Channel) -> None:
    """Cut this process off from the machine and fork process 1, which keeps the lock."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    try:
        isolate(order.folder.path)
    except WireproofError as error:
        launcher.send({"type": "error", "message": str(error), "exit_code": error.exit_code})
        return
    fork(functools.partial(_be_first_process, order, launcher), keep=(lock, launcher.fileno()))


def _be_first_process(order: Order, launcher: Channel) -> None:
    identity = Identity.own()  # while /proc is still the one outside, so by the number that counts there
    try:
        become_first_process()
        holder = Holder(order, identity)
        launcher.send({"type": "holder", "pid": identity.pid})
        holder.build(launcher)
    except BrokenPipeError:
        return  # `up` has gone, so nobody knows of the lab: it goes, too
    except WireproofError as error:
        launcher.send({"type": "error", "message": str(error), "exit_code": error.exit_code})
        return
    except OSError as error:
        message = f"{error.strerror or error}: {error.filename or 'while the lab was made'}"
        launcher.send({"type": "error", "message": message, "exit_code": ExitCode.CANNOT})
        return
    except Exception as error:
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
        launcher.send({"type": "error", "message": message, "exit_code": ExitCode.BUG})
        return
    launcher.close()
    holder.hold()


class Holder:
    """Process 1's own things, and what it does with what it hears."""

    def __init__(self, order: Order, identity: Identity) -> None:
        self._order = order
        self._loop = Loop()
        self._events = EventLog(order.folder.events)
        self._supervisor = Supervisor(self._loop, self._heard, self._ended)
        self._lab = Lab(
            order=order,
            loop=self._loop,
            supervisor=self._supervisor,
            events=self._events,
            record=HolderRecord(process=identity, source=order.topology.source, since=time.time()),
        )
        self._loop.on_signals((signal.SIGCHLD, signal.SIGTERM, signal.SIGINT), self._signalled)
        self._listener = Listener(order.folder.control)
        self._secured: set[tuple[str, str]] = set()
        self._home, self._places = Place.here(), dict[str, Place]()
        self._adversaries = Adversaries(order, self._supervisor, self._events, self._home, self._places)
        every = verbs(self._lab) | tampering.verbs(self._adversaries)
        self._control = Control(self._loop, self._listener, every)
        order.folder.write_record(self._lab.record)

    def build(self, launcher: Channel) -> None:
        """Stand the lab up, telling `launcher` how far it is.

        Raises:
            WireproofError: it cannot be done, or somebody took the lab down meanwhile.
            BrokenPipeError: nobody waits any more.
        """

        def report(name: str, seconds: float) -> None:
            launcher.send({"type": "phase", "name": name, "seconds": seconds})

        def warn(text: str) -> None:
            self._events.record("warning", {"text": text})
            launcher.send({"type": "warning", "text": text})

        self._events.record("building", {"lab": self._order.folder.name, "source": self._order.topology.source})
        build = Build(
            order=self._order,
            loop=self._loop,
            supervisor=self._supervisor,
            report=report,
            warn=warn,
            tunnels=self._lab.tunnels,
            may_go_on=self._lab.fail_if_stopping,
            secured=self._secured,
            adversaries=self._adversaries,
            home=self._home,
            places=self._places,
        )
        self._lab.home, self._lab.places = build.home, build.places
        build.run()
        self._lab.state = "up"
        self._events.record("up", {"lab": self._order.folder.name})
        launcher.send({"type": "up"})

    def hold(self) -> None:
        """Keep the lab until somebody takes it down; then end it in good order."""
        self._loop.run_until(lambda: self._lab.stopping)
        self._lab.state = "going down"
        children = self._supervisor.children
        self._supervisor.stop([child for child in children if child.kind == "routing"], _DRIVERS_PATIENCE)
        self._supervisor.stop([child for child in children if child.kind == "node"], _DRIVERS_PATIENCE)
        self._supervisor.stop([child for child in children if child.kind == "capture"], _CAPTURES_PATIENCE)
        self._events.record("down", {"lab": self._order.folder.name})
        self._listener.close()
        self._order.folder.forget_holder()
        for done in self._lab.at_end:
            done()

    def _signalled(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._supervisor.reap()
        else:
            self._lab.stopping = True

    def _heard(self, child: Child, message: Message) -> None:
        """What a child says unasked."""
        if message["type"] == "event":
            fields = {name: value for name, value in message.items() if name not in ("type", "event")}
            self._events.record(message["event"], fields)
            match message:
                case {"event": "vpn-state", "node": node, "connection": connection, "state": state, "why": why}:
                    self._lab.tunnels[node, connection] = (state, why)
                case {"event": "vpn-failure", "node": node, "connection": connection, "cause": cause, "detail": detail}:
                    state, _ = self._lab.tunnels.get((node, connection), ("Unknown", ""))
                    self._lab.tunnels[node, connection] = (state, f"{cause}: {detail}")
                case {"event": "secured", "node": node, "segment": segment}:
                    self._secured.add((node, segment))
                case {"event": "unsecured", "node": node, "segment": segment}:
                    self._secured.discard((node, segment))
        elif message["type"] == "key":
            self._write_key(child, message["record"])
        elif message["type"] == "attack-ended":
            self._adversaries.attack_ended(child, message)
        else:
            text = f"{child.name} says what nobody here knows: {message['type']!r}"
            print(text, file=sys.stderr)  # noqa: T201 - standard error is process 1's log

    def _write_key(self, child: Child, record: Message) -> None:
        """Have a key on file before its owner protects a frame with it, which it does once it is told."""
        try:
            keylog.append(self._order.folder.keys, record)
        except InputError as error:
            self._events.record("key-not-written", {"node": child.name, "why": str(error)})
            self._supervisor.tell(child, {"type": "key-not-written", "why": str(error)})
        else:
            self._supervisor.tell(child, {"type": "key-written"})

    def _ended(self, child: Child) -> None:
        if child.state is State.FAILED:
            fields = {child.kind: child.name, "end": child.end, "last_words": child.last_words}
            self._events.record(f"{child.kind}-failed", fields)
        self._adversaries.ended(child)
