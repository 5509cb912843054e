"""What does not fit stays down, and the status says what it is. Not one frame passes."""

from __future__ import annotations

import pytest

from dataplane.macsec.controls import SciEncoding
from dataplane.macsec.suites import GCM_AES_128, GCM_AES_256, GCM_AES_XPN_256, CipherSuite
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.events import SetControlledPort
from dataplane.mka.keys import Cak
from dataplane.mka.status import Trouble
from tests.exchange.mka.lan import Lan, Member, cak

OTHER_CKN = b"another"


def troubles(lan: Lan) -> list[Trouble | None]:
    """What is said all the time, in the order of the members; nothing may have passed."""
    lan.run(30, lambda: [member.send(b"not to be seen") for member in lan.members].clear(), every=0.3)
    assert all(member.delivered == [] for member in lan.members)
    assert not any(member.open for member in lan.members)
    said = [member.kay.status(lan.now).trouble for member in lan.members]
    lan.run(1.3)
    assert said == [member.kay.status(lan.now).trouble for member in lan.members]
    return said


def with_caks(first: Cak, second: Cak) -> Lan:
    lan = Lan()
    lan.member(1).join(first)
    lan.member(2).join(second)
    return lan


def test_different_caks() -> None:
    lan = with_caks(cak(seed=1), cak(seed=2))
    assert troubles(lan) == [Trouble.CAK, Trouble.CAK]
    assert lan.members[0].kay.status(lan.now).detail == f"CKN {cak().ckn.hex()}"


def test_caks_of_different_lengths() -> None:
    assert troubles(with_caks(cak(octets=16), cak(octets=32))) == [Trouble.CAK, Trouble.CAK]


def test_different_ckns() -> None:
    lan = with_caks(cak(), cak(OTHER_CKN))
    assert troubles(lan) == [Trouble.CKN, Trouble.CKN]
    assert lan.members[0].kay.status(lan.now).detail == f"CKN {OTHER_CKN.hex()}"


@pytest.mark.parametrize(
    ("server", "other"),
    [(GCM_AES_128, GCM_AES_256), (GCM_AES_XPN_256, GCM_AES_256), (GCM_AES_256, GCM_AES_XPN_256)],
    ids=lambda suite: suite.name,
)
def test_different_cipher_suites(server: CipherSuite, other: CipherSuite) -> None:
    lan = Lan()
    lan.member(1, suite=server).join(cak())
    lan.member(2, suite=other).join(cak())
    assert troubles(lan) == [Trouble.SAK_NOT_TAKEN, Trouble.CIPHER_SUITE]
    assert lan.members[0].kay.status(lan.now).detail == server.name


def test_integrity_only_is_not_taken_by_who_wants_to_encrypt() -> None:
    lan = Lan()
    lan.member(1, policy=SakPolicy(suite=GCM_AES_128, confidentiality=False)).join(cak())
    lan.member(2).join(cak())
    assert troubles(lan) == [Trouble.SAK_NOT_TAKEN, Trouble.CONFIDENTIALITY]


class Careful(Member):
    """A driver that looks at the form of SecTAGs before the SecY does, as an edge node must."""

    def receive(self, frame: bytes) -> None:
        if frame[12:14] == b"\x88\xe5":
            has_sci = bool(frame[14] & 0x20)
            if has_sci != (self.secy.controls.generation.sci_encoding is SciEncoding.EXPLICIT):
                self.kay.refuse_sci_state(self.lan.now)
                self.work()
                return
        super().receive(frame)


def test_different_sci_states() -> None:
    """MKA does not speak of it; the first protected frame shows it. From then on the ports stay closed."""
    lan = Lan()
    for number, encoding in ((1, SciEncoding.EXPLICIT), (2, SciEncoding.IMPLIED)):
        lan.members.append(Careful(lan, number, sci_encoding=encoding))
    for member in lan.members:
        member.join(cak())
    assert troubles(lan) == [Trouble.SCI_STATE, Trouble.SCI_STATE]
    for member in lan.members:
        opened = [event.enabled for event in member.events if isinstance(event, SetControlledPort)]
        assert opened == [True, False]

    # The far end is set right and starts anew: a new member, who may be trusted.
    lan.members.pop(1)
    lan.seed += 1
    right = Careful(lan, 2, sci_encoding=SciEncoding.EXPLICIT)
    lan.members.append(right)
    right.join(cak())
    lan.run(1)
    assert lan.secured()
    assert right.send(b"at last")
    lan.run(0.01)
    assert [frame[14:] for frame in lan.members[0].delivered] == [b"at last"]


def test_silence() -> None:
    lan = Lan()
    lan.member(1).join(cak())
    assert troubles(lan) == [Trouble.SILENCE]


def test_once_secured_nothing_is_the_trouble() -> None:
    lan = with_caks(cak(), cak())
    lan.run(1)
    lan.members[0].join(cak(OTHER_CKN))
    lan.run(10)
    status = lan.members[1].kay.status(lan.now)
    assert (status.secured, status.trouble) == (True, None)
