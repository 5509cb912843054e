"""What can be asked of a running lab about its wires, by the control socket: to impair, attack, and send on them."""

from __future__ import annotations

import functools
from collections.abc import Callable

from lab.holder.adversaries import Adversaries
from lab.holder.control import Request, RequestError, Verb
from lab.host.wire import open_marked_socket
from lab.model.impairment import Impairment, WireDirection


def verbs(adversaries: Adversaries) -> dict[str, Verb]:
    """All of them, by name."""
    table: dict[str, Callable[[Adversaries, Request], None]] = {
        "impair": _impair,
        "attack": _attack,
        "stop-attacks": _stop_attacks,
        "adversary": _adversary,
        "receivers": _receivers,
        "wire": _wire,
    }
    return {name: functools.partial(verb, adversaries) for name, verb in table.items()}


def _impair(adversaries: Adversaries, request: Request) -> None:
    """Have the frames of `segment` suffer what `a_to_b` and `b_to_a` say, with `seed`.

    A direction that is not named stays as it is; one that is named without fields suffers nothing any more.
    """
    link, seed = adversaries.link(request.text("segment")), request.fields.get("seed", 0)
    if not isinstance(seed, int):
        raise RequestError(f"a seed is a number, not {seed!r}")
    command: dict[str, object] = {"verb": "impair", "seed": seed}
    for direction in WireDirection:
        if direction in request.fields:
            command[direction] = _suffered(request.fields[direction])
    if not adversaries.is_there(link.segment) and not any(command.get(direction) for direction in WireDirection):
        adversaries.show(link, request)  # nothing was impaired, and nothing is to be
        return
    adversaries.tell(link, command, lambda answer: request.reply(answer["result"]), request)


def _suffered(fields: object) -> dict[str, float]:
    try:
        if not isinstance(fields, dict):
            raise ValueError(f"{fields!r} is no object")
        return Impairment.from_fields(fields).as_fields()
    except ValueError as error:
        raise RequestError(str(error)) from None


def _attack(adversaries: Adversaries, request: Request) -> None:
    """Begin the attack `order` on `segment`; with `wait`, answer when it has ended, and end it if the client goes."""
    order = request.fields.get("order")
    if not isinstance(order, dict):
        raise RequestError("verb 'attack' needs `order`, an object with a `kind`")
    link = adversaries.link(request.text("segment"))
    adversaries.attack(link, order, wait=bool(request.fields.get("wait")), request=request)


def _stop_attacks(adversaries: Adversaries, request: Request) -> None:
    """End attacks on `segment`: number `attack`, or with `own` the one that this client waits for, else all.

    Answered with their reports.
    """
    link, number = adversaries.link(request.text("segment")), request.fields.get("attack")
    if request.fields.get("own"):
        number = adversaries.attack_of(link, request)
    if number is not None and not isinstance(number, int):
        raise RequestError("an attack has a number")
    adversaries.stop_attacks(link, number, request)


def _adversary(adversaries: Adversaries, request: Request) -> None:
    """What the man in the middle of `segment` does."""
    adversaries.show(adversaries.link(request.text("segment")), request)


def _receivers(adversaries: Adversaries, request: Request) -> None:
    """What both ends of `segment` have counted of received frames, all that was sent before among them."""
    adversaries.receivers.read(adversaries.link(request.text("segment")), request.reply)


def _wire(adversaries: Adversaries, request: Request) -> None:
    """Get a packet socket that sends on `segment` as `node`, one of its ends, does: past any man in the middle."""
    link = adversaries.link(request.text("segment"))
    node = request.text("node")
    ends = {end.node: end for end in link.ends}
    if node not in ends:
        raise RequestError(f"{node!r} is no end of {link.segment}; its ends are {' and '.join(ends)}")
    with adversaries.at(node):
        opened = open_marked_socket(ends[node].device)
    request.call.at_end.append(opened.close)  # not sooner: what a client does not take at once is sent later
    request.reply({"device": ends[node].device, "mtu": ends[node].wire_mtu}, [opened.fileno()])
