"""From notes to findings: which of the things seen matter under an expectation, how much, and in what words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lab.coverage import census
from lab.coverage.document import Finding, Severity
from lab.coverage.observe import Observation
from lab.model.expectation import Expectation, Layer

_BIT: Final = {Layer.MACSEC: census.UNDER_MACSEC, Layer.IPSEC: census.UNDER_IPSEC}
_NEGOTIATED_BY: Final = {Layer.MACSEC: ("macsec", "mka"), Layer.IPSEC: ("esp", "ike")}
_SPOKEN: Final = {"macsec": "MACsec", "mka": "MKA", "ike": "IKE", "esp": "ESP"}
_CLEAR: Final = {
    census.CLEARTEXT: "in clear",
    census.ESP_NULL: "in ESP without encryption",
    census.MACSEC_INTEGRITY_ONLY: "in MACsec without confidentiality",
}
_TOKEN_UNDER: Final = (
    ("canary-in-clear", "with a canary's token in clear on the wire"),
    ("canary-outside-ipsec", "with a canary's token inside MACsec but outside IPsec"),
    ("canary-outside-macsec", "with a canary's token inside IPsec but outside MACsec"),
)


def unwanted_outermost(expectation: Expectation | None) -> frozenset[int]:
    """The classes that no frame of a segment may have, outermost on the wire."""
    if expectation is None:
        return census.CLEAR
    if expectation.is_clear:
        return frozenset({census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY, census.ESP})
    clear = census.CLEAR - {census.MACSEC_INTEGRITY_ONLY} if expectation.integrity_only else census.CLEAR
    return clear | {census.ESP, census.IKE} if Layer.MACSEC in expectation.layers else clear


def unwanted_inside(expectation: Expectation | None) -> frozenset[int]:
    """The classes that nothing inside MACsec may have."""
    if expectation is None or Layer.IPSEC not in expectation.layers:
        return frozenset()
    return frozenset({census.CLEARTEXT, census.ESP_NULL, census.MALFORMED})


def needed_layers(expectation: Expectation | None) -> int:
    """The layers that are demanded, as bits."""
    return sum(_BIT[layer] for layer in expectation.layers) if expectation else 0


def demanded_protocols(expectation: Expectation | None) -> tuple[str, ...]:
    """The protocols whose units must all be authentic; without an expectation, all."""
    if expectation is None:
        return census.PROTOCOLS
    return tuple(name for layer in expectation.layers for name in _NEGOTIATED_BY[layer])


def collect(seen: Observation, expectation: Expectation | None, dropped: int) -> tuple[Finding, ...]:
    """Every finding, the critical ones first."""
    findings = [
        *_clear(seen, expectation),
        *_tokens(seen, expectation),
        *_named(seen, "malformed", Severity.CRITICAL, "malformed: "),
        *_checks(seen, demanded_protocols(expectation)),
        *_named(seen, "cut", Severity.WARNING, ""),
        *_named(seen, "truncated", Severity.WARNING, "not to be read any more, nor any behind it: "),
        *_named(seen, "odd", Severity.INFO, ""),
        *_named(seen, "routing", Severity.INFO, "of BGP or BFD between the ends of the link, as allowed"),
    ]
    if census.MALFORMED not in unwanted_inside(expectation):
        findings += _named(seen, "inside-malformed", Severity.INFO, "malformed inside MACsec: ")
    if dropped:
        findings.append(
            Finding(code="dropped", severity=Severity.WARNING, text="lost by the tap", frames=(), count=dropped)
        )
    return by_severity(findings)


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in order, the critical ones first."""
    order = tuple(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def summaries(findings: Iterable[Finding], severity: Severity) -> list[str]:
    """One line for each code among the findings of a severity: how many frames, what of them, which."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity is severity:
            by_code.setdefault(finding.code, []).append(finding)
    lines = []
    for alike in by_code.values():
        count = sum(finding.count for finding in alike)
        text = alike[0].text.partition(":")[0]
        numbers = sorted({number for finding in alike for number in finding.frames})
        where = f": {frame_ranges(numbers, 6)}" if numbers else ""
        lines.append(f"{count} frame{'' if count == 1 else 's'} {text}{where}")
    return lines


def frame_ranges(numbers: Iterable[int], most: int) -> str:
    """Frame numbers in words, runs of them as `3-9`; after `most` of either, an ellipsis."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(low) if low == high else f"{low}-{high}" for low, high in runs[:most]]
    return ", ".join([*words, *(["..."] if len(runs) > most else [])])


def _clear(seen: Observation, expectation: Expectation | None) -> list[Finding]:
    found = []
    for kind in sorted(unwanted_outermost(expectation)):
        text = _CLEAR.get(kind, f"of class {census.NAMES[kind]} on the wire, where {expectation} was expected")
        if expectation is not None and expectation.is_clear:
            text = f"of class {census.NAMES[kind]}, where clear was expected"
        found += _named(seen, census.NAMES[kind], Severity.CRITICAL, text)
    for kind in sorted(unwanted_inside(expectation)):
        code = f"inside-{census.NAMES[kind]}"
        found += _named(seen, code, Severity.CRITICAL, f"{census.NAMES[kind]} inside MACsec, outside IPsec")
    return found


def _tokens(seen: Observation, expectation: Expectation | None) -> list[Finding]:
    if expectation is not None and expectation.is_clear:
        return []
    needed = needed_layers(expectation)
    found = []
    for under, (code, text) in enumerate(_TOKEN_UNDER):
        if under & needed != needed or (expectation is None and not under):
            found += [_rename(each, code) for each in _named(seen, f"token-under-{under}", Severity.CRITICAL, text)]
    if expectation is None or not expectation.integrity_only:
        text = "with a canary's token readable in MACsec without confidentiality"
        found += [_rename(each, "canary-in-clear") for each in _named(seen, "token-readable", Severity.CRITICAL, text)]
    return found


def _checks(seen: Observation, demanded: tuple[str, ...]) -> list[Finding]:
    found = []
    for protocol in census.PROTOCOLS:
        spoken = _SPOKEN[protocol]
        lacking = Severity.WARNING if protocol in demanded else Severity.INFO
        found += _named(seen, f"{protocol}-failed", Severity.CRITICAL, f"that {spoken} does not authenticate: ")
        found += _named(seen, f"{protocol}-no-key", lacking, f"of {spoken} without a key: ")
        found += _named(seen, f"{protocol}-incomplete", Severity.WARNING, f"of {spoken} incomplete: ")
    return found


def _named(seen: Observation, code: str, severity: Severity, text: str) -> list[Finding]:
    return [
        Finding(
            code=code, severity=severity, text=text + note.text, frames=tuple(sorted(note.frames)), count=note.count
        )
        for note in seen.notes.of(code)
    ]


def _rename(finding: Finding, code: str) -> Finding:
    return Finding(code=code, severity=finding.severity, text=finding.text, frames=finding.frames, count=finding.count)
