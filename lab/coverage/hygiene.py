"""Findings on how good the protection is: nonces, transforms, key exchanges, lifetimes.

They stand beside the verdict, but for one: where a nonce was used twice, the content is as good as given away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from lab.coverage.document import Finding, Severity
from lab.coverage.evidence.collected import Collected
from lab.coverage.evidence.identity import KeyIdentity
from lab.coverage.evidence.ike_story import Child, IkeSa, tell
from lab.coverage.evidence.reuse import Discipline, Repeats, examine_reuse
from lab.coverage.weaknesses import IN_ESP, IN_IKE, Weakness, base_name

SPENT: Final = 0.75
"""The part of its packet numbers after which a key should have been replaced (802.1X-2020 9.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """What a policy allows an ESP SA and an IKE SA; None: nothing is known of it."""

    seconds: int | None = None
    kilobytes: int | None = None
    ike_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hygiene:
    """What is known beside a capture's counts: its name, and what comparing it with others has shown.

    `shared` says of keys, by their ids, on which other segments they protect other links.
    """

    name: str
    discipline: Discipline
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    shared: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def alone(cls, collected: Collected, lifetimes: Lifetimes | None = None) -> Hygiene:
        """Of one capture by itself."""
        discipline = examine_reuse([("", collected.ledger)])
        return cls(name="", discipline=discipline, lifetimes=lifetimes or Lifetimes())


def examine_hygiene(collected: Collected, hygiene: Hygiene) -> tuple[Finding, ...]:
    """Every finding of this kind."""
    story = tell(collected.messages.kept)
    return _gathered([
        *_reuse(collected, hygiene),
        *_weak_esp(collected),
        *_weak_ike(collected, story),
        *_without_pfs(story),
        *_lifetimes(collected, hygiene),
        *_ikev1(collected),
        *_offsets(collected),
        *_shared(collected, hygiene),
    ])  # fmt: skip


def _gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that say the same of different frames, as one."""
    together: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.text)
        known = together.get(key)
        if known is not None:
            frames = tuple(sorted({*known.frames, *finding.frames}))
            finding = replace(known, frames=frames, count=known.count + finding.count)
        together[key] = finding
    return tuple(together.values())


def _reuse(collected: Collected, hygiene: Hygiene) -> Iterator[Finding]:
    for identity in collected.ledger.identities:
        nonces = hygiene.discipline.nonces.get((hygiene.name, identity), Repeats())
        numbers = hygiene.discipline.numbers.get((hygiene.name, identity), Repeats())
        if nonces.reused_count:
            yield _reused("nonce-reuse", Severity.CRITICAL, identity, nonces, "a nonce")
        elif numbers.reused_count:
            yield _reused("sequence-reuse", Severity.WARNING, identity, numbers, "a sequence number")
        seen = nonces if nonces.seen_again_count else numbers
        if seen.seen_again_count:
            text = f"seen before, octet for octet: under {identity.name}"
            yield Finding(code="seen-again", severity=Severity.INFO, text=text, frames=tuple(sorted(seen.seen_again)),
                          count=seen.seen_again_count, bears=False)  # fmt: skip


def _reused(code: str, severity: Severity, identity: KeyIdentity, repeats: Repeats, what: str) -> Finding:
    text = f"with {what} that other content had, too: under {identity.name} (key {identity.key})"
    if identity.protocol == "macsec" and identity.number_bits == 32:
        text += f", PN {', '.join(map(str, repeats.values[:6]))}"
    elif code == "sequence-reuse":
        text += f", sequence number {', '.join(map(str, repeats.values[:6]))}"
    if repeats.elsewhere:
        text += f"; also on {', '.join(repeats.elsewhere)}"
    frames = tuple(sorted(repeats.reused))
    return Finding(code=code, severity=severity, text=text, frames=frames, count=repeats.reused_count,
                   bears=severity is Severity.CRITICAL)  # fmt: skip


def _weak_esp(collected: Collected) -> Iterator[Finding]:
    for identity, use in collected.ledger.uses.items():
        if identity.protocol != "esp":
            continue
        for transform in identity.algorithm.split(" with "):
            weakness = IN_ESP.get(base_name(transform))
            if weakness is not None:
                text = f"protected by {base_name(transform)}: {weakness.standing}"
                yield _beside(weakness, text, (use.first_frame,), use.units)


def _weak_ike(collected: Collected, story: Iterable[IkeSa]) -> Iterator[Finding]:
    told = {identity.name.split()[1] for identity in collected.ledger.identities if identity.protocol == "esp"}
    for sa in story:
        for transform in (sa.encryption, sa.integrity, sa.prf, sa.group):
            weakness = IN_IKE.get(base_name(transform)) if transform else None
            if weakness is not None:
                text = f"in which IKE agreed on {transform}: {weakness.standing}"
                yield _beside(weakness, text, (sa.frame,), 1)
        for child in sa.children:
            yield from _weak_child(child, told)


def _weak_child(child: Child, told: set[str]) -> Iterator[Finding]:
    group = IN_IKE.get(base_name(child.group)) if child.group else None
    if group is not None:
        text = f"in which a child SA's key exchange was in {child.group}: {group.standing}"
        yield _beside(group, text, (child.frame,), 1)
    if told & {child.spi_sent, child.spi_answered}:
        return  # its packets were seen, and told of
    for transform in (child.encryption, child.integrity):
        weakness = IN_ESP.get(base_name(transform)) if transform else None
        if weakness is not None:
            text = f"in which a child SA agreed on {transform}: {weakness.standing}"
            yield _beside(weakness, text, (child.frame,), 1)


def _without_pfs(story: Iterable[IkeSa]) -> Iterator[Finding]:
    # RFC 7296 1.3.3: a rekey may have a key exchange; the first child, made in IKE_AUTH, never has.
    frames = [child.frame for sa in story for child in sa.children if child.rekeys and child.group is None]
    if frames:
        text = "in which a child SA was rekeyed without a key exchange: no perfect forward secrecy (RFC 7296 1.3.3)"
        yield Finding(code="no-pfs", severity=Severity.WARNING, text=text, frames=tuple(sorted(frames)),
                      count=len(frames), bears=False)  # fmt: skip


def _lifetimes(collected: Collected, hygiene: Hygiene) -> Iterator[Finding]:
    policy = hygiene.lifetimes
    for identity, use in collected.ledger.uses.items():
        seconds = (use.last_time - use.first_time) / 1e9
        limit = {"esp": policy.seconds, "ike": policy.ike_seconds}.get(identity.protocol)
        past = []
        if limit is not None and seconds > limit:
            past.append(f"{seconds:.0f} s after its first use, where {limit} s are allowed")
        if identity.protocol == "esp" and policy.kilobytes is not None and use.octets > policy.kilobytes * 1024:
            past.append(f"for {use.octets} octets, where {policy.kilobytes} KB are allowed")
        for each in past:
            yield _warning("lifetime-passed", f"under a key past its lifetime: {identity.name}, {each}", use.last_frame)
        if identity.protocol != "ike" and use.highest >= SPENT * 2**identity.number_bits:
            text = (
                f"of a key that has used up most of its numbers: {identity.name} is at {use.highest}, which is"
                f" {use.highest / 2**identity.number_bits:.0%} of {identity.number_bits} bits"
            )
            yield _warning("numbers-low", text, use.last_frame)


def _ikev1(collected: Collected) -> Iterator[Finding]:
    frames = [message.frame for message in collected.messages.kept if message.octets[17] >> 4 == 1]
    if frames:
        yield Finding(code="ikev1", severity=Severity.WARNING, text="of IKEv1", frames=tuple(sorted(frames)),
                      count=len(frames), bears=False)  # fmt: skip


def _offsets(collected: Collected) -> Iterator[Finding]:
    for identity, use in collected.ledger.uses.items():
        if identity.offset:
            text = f"whose first {identity.offset} octets stay readable by agreement: {identity.name}"
            yield Finding(code="confidentiality-offset", severity=Severity.INFO, text=text, frames=(use.first_frame,),
                          count=use.units, bears=False)  # fmt: skip


def _shared(collected: Collected, hygiene: Hygiene) -> Iterator[Finding]:
    for identity, use in collected.ledger.uses.items():
        others = hygiene.shared.get(identity.key)
        if others:
            text = f"under a key that protects other links, too: {identity.name} (key {identity.key})"
            text += f", also on {', '.join(others)}"
            yield Finding(code="key-shared", severity=Severity.WARNING, text=text, frames=(use.first_frame,),
                          count=use.units, bears=False)  # fmt: skip


def _beside(weakness: Weakness, text: str, frames: tuple[int, ...], count: int) -> Finding:
    return Finding(code=weakness.code, severity=Severity.WARNING, text=text, frames=frames, count=count, bears=False)


def _warning(code: str, text: str, frame: int) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, text=text, frames=(frame,), count=1, bears=False)
