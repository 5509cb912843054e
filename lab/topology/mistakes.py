"""What an end of an MKA-keyed link was told instead of what the link says: to rehearse what happens then."""

from __future__ import annotations

from dataclasses import replace

from lab.model.macsec import MacsecPolicy, MkaKeys
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.protection import read_cipher, read_sci_state
from lab.topology.raw import RawMistake
from lab.topology.secrets import reference
from lab.topology.wires import Wire


def read_mistakes(wire: Wire, policy: MacsecPolicy | None, problems: Problems) -> tuple[tuple[str, MacsecPolicy], ...]:
    """The policies of ends that were told something else, by their nodes."""
    if wire.raw.macsec is None or policy is None or not isinstance(policy.keys, MkaKeys):
        return ()
    path = (*wire.path, "macsec", "mistakes")
    nodes = [end.node for end in wire.ends]
    read = []
    for node, raw in wire.raw.macsec.mistakes.items():
        if node not in nodes:
            problems.add((*path, node), f"{node!r} is not an end of this link; {near(node, nodes)}")
        elif raw is not None:
            wrong = len(problems.wrong)
            read.append((node, _mistaken(raw, policy, policy.keys, (*path, node), problems)))
            if len(problems.wrong) == wrong:
                _judge(read[-1], policy, wire, (*path, node), problems)
    if len(read) > 1:
        problems.add(path, f"both ends are mistaken; say what {nodes[0]} was told in the link itself")
    return tuple(read)


def _judge(read: tuple[str, MacsecPolicy], policy: MacsecPolicy, wire: Wire, path: Path, problems: Problems) -> None:
    node, mistaken = read
    if mistaken == policy:
        text = f"{node} was told the same as the link says; give it another cipher, sci_state, ckn or cak"
        problems.add(path, text)
    else:
        problems.warn(path, f"{node} was told otherwise than its peer, so {wire.segment} will stay down")


def _mistaken(raw: RawMistake, policy: MacsecPolicy, keys: MkaKeys, path: Path, problems: Problems) -> MacsecPolicy:
    cipher = None if raw.cipher is None else read_cipher(raw.cipher, path, problems)
    ckn = reference(raw.ckn, (*path, "ckn"), problems)
    cak = reference(raw.cak, (*path, "cak"), problems)
    return replace(
        policy,
        cipher_suite=policy.cipher_suite if cipher is None else cipher.suite,
        sci_encoding=policy.sci_encoding if raw.sci_state is None else read_sci_state(raw.sci_state, path, problems),
        keys=replace(keys, ckn=ckn or keys.ckn, cak=cak or keys.cak),
    )
