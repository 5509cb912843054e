"""An IPsec policy in Azure's words -> proposals: a custom one of eight fields, or Azure's defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import KE, NO_ESN, Strength, Transform, encr, encryption, integ, ke, prf
from lab.azure import ipsec as azure
from lab.model.connection import IpsecPolicy
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawIpsecPolicy

_FIELDS: Final = tuple(RawIpsecPolicy.model_fields)
_WORDS: Final[Mapping[str, Mapping[str, object]]] = {
    "ipsecEncryption": azure.IPSEC_ENCRYPTION,
    "ipsecIntegrity": azure.IPSEC_INTEGRITY,
    "ikeEncryption": azure.IKE_ENCRYPTION,
    "ikeIntegrity": azure.INTEGRITY,
    "dhGroup": azure.DH_GROUPS,
    "pfsGroup": azure.PFS_GROUPS,
}
# What to write instead of a word whose transforms are not good; of IPsec's words, both together.
_BETTER: Final = {
    "ipsecEncryption": "GCMAES256",
    "ipsecIntegrity": "GCMAES256 for both",
    "ikeEncryption": "GCMAES256",
    "ikeIntegrity": "SHA384",
    "dhGroup": "ECP384",
    "pfsGroup": "ECP384",
}


def read_policy(
    raw: RawIpsecPolicy | None, path: Path, problems: Problems, *, allow_insecure: bool
) -> IpsecPolicy | None:
    """The policy that is written at `path`, or the default one; None if it could not be read."""
    if raw is None:
        return _default(allow_insecure=allow_insecure)
    written = {name: getattr(raw, name) for name in _FIELDS}
    missing = [name for name in _FIELDS if written[name] is None]
    unwritten = [name for name in missing if (*path, name) not in problems.document.lines]
    if unwritten:
        text = f"a custom policy has all of its eight fields, or there is none; add {', '.join(unwritten)}"
        problems.add(path, text)
    known = {name for name in _WORDS if _is_known(name, written[name], path, problems)}
    # Not counted by what was added to `problems`: a policy that both ends share is read twice, and told once.
    is_sound = [not missing, known == set(_WORDS), _are_possible_lifetimes(raw, path, problems)]
    if {"ipsecEncryption", "ipsecIntegrity"} <= known:
        is_sound.append(_is_pair(str(raw.ipsecEncryption), str(raw.ipsecIntegrity), path, problems))
    for name in _WORDS:
        if name in known:
            is_sound.append(_is_allowed(name, written[name], path, problems, allow_insecure=allow_insecure))
    return _custom(raw, allow_insecure=allow_insecure) if all(is_sound) else None


def _are_possible_lifetimes(raw: RawIpsecPolicy, path: Path, problems: Problems) -> bool:
    are_possible = True
    for name, value, least, unit in (
        ("saLifeTimeSeconds", raw.saLifeTimeSeconds, azure.LEAST_SA_SECONDS, "seconds"),
        ("saDataSizeKilobytes", raw.saDataSizeKilobytes, azure.LEAST_SA_KILOBYTES, "kilobytes"),
    ):
        if value is not None and not least <= value <= azure.MOST_SA:
            problems.add((*path, name), f"{name!r} goes from {least} to {azure.MOST_SA} {unit}, not {value}")
            are_possible = False
    return are_possible


def _is_known(name: str, word: str | None, path: Path, problems: Problems) -> bool:
    if word is None:
        return False
    where = (*path, name)
    if word not in _WORDS[name]:
        problems.add(where, f"unknown {name} {word!r}; {near(word, _WORDS[name])}")
        return False
    if name in ("dhGroup", "pfsGroup") and _WORDS[name][word] not in KE:
        text = (
            f"{word} is the group of 768 bits, which anybody can break and nobody here can do; {_BETTER[name]} is good"
        )
        problems.add(where, text)
        return False
    return True


def _is_pair(cipher: str, check: str, path: Path, problems: Problems) -> bool:
    """An AEAD checks integrity itself, and Azure wants that said by naming it twice."""
    if check == cipher or not ("GCM" in cipher or "GCM" in check):
        return True
    if "GCM" in cipher:
        text = f"{cipher} checks integrity itself: write `ipsecIntegrity: {cipher}`, not {check}"
    else:
        text = f"{check} is the integrity of ipsecEncryption {check} alone; with {cipher}, write SHA256"
    problems.add((*path, "ipsecIntegrity"), text)
    return False


def _is_allowed(name: str, word: str, path: Path, problems: Problems, *, allow_insecure: bool) -> bool:
    """Say what is not good about a word: refused, unless insecure is allowed, or a warning."""
    for transform in _transforms_of(name, word):
        if transform.strength is Strength.GOOD:
            continue
        text = f"{name} {word} is {transform.strength.value}: {transform.objection}; {_BETTER[name]} is good"
        if transform.strength is Strength.INSECURE and not allow_insecure:
            problems.add((*path, name), f"{text}; `allow_insecure: true` would let it be")
            return False
        problems.warn((*path, name), text)
        break  # integrity and PRF of IKE have the same fault
    return True


def _transforms_of(name: str, word: str) -> tuple[Transform, ...]:
    match name:
        case "ipsecEncryption":
            return (encr(*azure.IPSEC_ENCRYPTION[word]),)
        case "ikeEncryption":
            return (encr(*azure.IKE_ENCRYPTION[word]),)
        case "ipsecIntegrity":
            check = azure.IPSEC_INTEGRITY[word]
            return () if check is None else (integ(check),)
        case "ikeIntegrity":
            return (integ(azure.INTEGRITY[word]), prf(azure.IKE_PRF[word]))
        case _:
            return (ke({**azure.DH_GROUPS, **azure.PFS_GROUPS}[word]),)


def _custom(raw: RawIpsecPolicy, *, allow_insecure: bool) -> IpsecPolicy:
    ike = _ike_proposal(azure.Offer(str(raw.ikeEncryption), str(raw.ikeIntegrity), str(raw.dhGroup)))
    esp = _esp_proposal(azure.Offer(str(raw.ipsecEncryption), str(raw.ipsecIntegrity), str(raw.pfsGroup)))
    assert raw.saLifeTimeSeconds is not None, "all eight are there"
    assert raw.saDataSizeKilobytes is not None, "all eight are there"
    return IpsecPolicy(
        ike=(ike,),
        esp=(esp,),
        esp_accepted=(esp,),
        ike_seconds=azure.IKE_SA_SECONDS,
        seconds=raw.saLifeTimeSeconds,
        kilobytes=raw.saDataSizeKilobytes,
        allow_insecure=allow_insecure,
        is_custom=True,
    )


def _default(*, allow_insecure: bool) -> IpsecPolicy:
    """Azure's own sets; without what is insecure, unless that is allowed, and without the group that nobody can do."""
    return IpsecPolicy(
        ike=_allowed(map(_ike_proposal, azure.IKE_DEFAULTS), allow_insecure=allow_insecure),
        esp=_allowed(map(_esp_proposal, azure.IPSEC_DEFAULTS), allow_insecure=allow_insecure),
        esp_accepted=_allowed(map(_esp_proposal, azure.IPSEC_ACCEPTED), allow_insecure=allow_insecure),
        ike_seconds=azure.IKE_SA_SECONDS,
        seconds=azure.SA_SECONDS,
        kilobytes=azure.SA_KILOBYTES,
        allow_insecure=allow_insecure,
        is_custom=False,
    )


def _allowed(proposals: Iterable[Proposal], *, allow_insecure: bool) -> tuple[Proposal, ...]:
    known = (each for each in proposals if all(transform.is_known for transform in each.transforms))
    kept = [each for each in known if allow_insecure or not each.is_insecure]
    return tuple(replace(each, number=number) for number, each in enumerate(kept, 1))


def _ike_proposal(offer: azure.Offer) -> Proposal:
    cipher = encr(*azure.IKE_ENCRYPTION[offer.encryption])
    check = () if encryption(cipher).is_aead else (integ(azure.INTEGRITY[offer.integrity]),)
    return Proposal(
        protocol=SecurityProtocol.IKE,
        transforms=(cipher, prf(azure.IKE_PRF[offer.integrity]), *check, _group(azure.DH_GROUPS[offer.group])),
    )


def _esp_proposal(offer: azure.Offer) -> Proposal:
    cipher = encr(*azure.IPSEC_ENCRYPTION[offer.encryption])
    check = azure.IPSEC_INTEGRITY[offer.integrity]
    group = azure.PFS_GROUPS[offer.group]
    return Proposal(
        protocol=SecurityProtocol.ESP,
        transforms=(
            cipher,
            *(() if check is None else (integ(check),)),
            *((_group(group),) if group else ()),
            NO_ESN,
        ),
    )


def _group(number: int) -> Transform:
    """A group by its number, although it may be one that nobody here can do."""
    return Transform(type=ke(2).type, id=number)
