"""Rule packs, read from files: those that come with wireproof by their names, others by their paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab.coverage.catalogue import CODES
from lab.coverage.ten import KINDS
from lab.errors import InputError, Problem

_PACKS: Final = Path(__file__).with_name("packs")
_WORDS: Final = ("name", "title", "source", "note")
_RULE_WORDS: Final = ("id", "clause", "title", "check")
_KINDS: Final = {
    "codes": "a list of findings' codes",
    "allowed": "a list",
    "undecided": "a list",
    "least": "a number",
    "seconds": "a number",
}
"""What a parameter must be; those that are not named are text."""
_CHOICES: Final = {
    "kind": KINDS,
    "field": ("encryption", "integrity", "prf", "group"),
    "protocol": ("macsec", "esp", "ike"),
    "needs": ("units", "macsec", "mka", "esp", "ike", "negotiations", "rekeys"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: a clause, the question that is asked of the document, and what the question needs to know."""

    id: str
    clause: str
    title: str
    check: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The rules that a document gives."""

    name: str
    title: str
    source: str
    note: str
    rules: tuple[Rule, ...]


def names() -> tuple[str, ...]:
    """The packs that come with wireproof."""
    return tuple(sorted(path.stem for path in _PACKS.glob("*.yaml")))


def load_pack(name: str, checks: dict[str, frozenset[str]]) -> Pack:
    """The pack of that name, or in the file of that path; `checks` names each question and what it needs.

    Raises:
        InputError: there is none, or it is wrong; every problem is named.
    """
    path = _PACKS / f"{name}.yaml"
    if name not in names():
        path = Path(name)
        if path.suffix not in (".yaml", ".yml"):
            raise InputError(f"there is no rule pack {name!r}; there are {', '.join(names())}, or give a .yaml file")
    try:
        found = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InputError([Problem(file=str(path), text=f"cannot be read: {error.strerror}")]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError([Problem(file=str(path), text=f"is no YAML: {str(error).splitlines()[0]}")]) from None
    problems = [Problem(file=str(path), text=text) for text in _problems(found, checks)]
    if problems:
        raise InputError(problems)
    return Pack(
        **{word: found[word].strip() for word in _WORDS},
        rules=tuple(
            Rule(
                **{word: str(rule[word]) for word in _RULE_WORDS},
                parameters={key: value for key, value in rule.items() if key not in _RULE_WORDS},
            )
            for rule in found["rules"]
        ),
    )


def _problems(found: Any, checks: dict[str, frozenset[str]]) -> list[str]:
    if not isinstance(found, dict):
        return [f"a rule pack is a mapping with {', '.join(_WORDS)} and rules"]
    problems = [f"`{word}` must be text" for word in _WORDS if not isinstance(found.get(word), str)]
    rules = found.get("rules")
    if not isinstance(rules, list) or not rules:
        return [*problems, "`rules` must be a list of rules"]
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict):
            problems.append(f"rule {number} is no mapping")
            continue
        where = f"rule {number} ({rule.get('id', 'without id')})"
        problems += [f"{where}: `{word}` is missing" for word in _RULE_WORDS if not rule.get(word)]
        check = rule.get("check")
        if check is not None and check not in checks:
            problems.append(f"{where}: there is no check {check!r}; there are {', '.join(sorted(checks))}")
        elif check is not None:
            given = {key for key in rule if key not in _RULE_WORDS}
            problems += [f"{where}: check {check} needs `{each}`" for each in sorted(checks[check] - given)]
            problems += [f"{where}: check {check} knows no `{each}`" for each in sorted(given - checks[check])]
            problems += [
                f"{where}: {text}" for each in sorted(given & checks[check]) for text in _wrong(each, rule[each])
            ]
    return problems


def _wrong(name: str, value: Any) -> Iterator[str]:
    kind = _KINDS.get(name, "text")
    fits = {"a number": type(value) is int, "text": isinstance(value, str)}.get(kind, isinstance(value, list))
    if not fits:
        yield f"`{name}` must be {kind}"
    elif name in _CHOICES and value not in _CHOICES[name]:
        yield f"`{name}` must be one of {', '.join(_CHOICES[name])}"
    elif name == "codes" and (unknown := [str(each) for each in value if each not in CODES]):
        yield f"`codes`: there is no finding {', '.join(unknown)}"
