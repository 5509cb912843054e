"""Key logs: read strictly, appended to safely, and silent about keys."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lab.capture import keylog
from lab.capture.keys import EspSa, IkeSa, MacsecSak, MkaCak
from lab.errors import ExitCode, InputError

CAK = {"type": "mka-cak", "ckn": "01020304", "cak": "00112233445566778899aabbccddeeff"}
SAK = {"type": "macsec-sak", "sci": "0200000000010001", "an": 3, "cipher_suite": "GCM-AES-128",
       "sak": "101112131415161718191a1b1c1d1e1f"}  # fmt: skip
XPN = {**SAK, "cipher_suite": "GCM-AES-XPN-128", "ssci": "00000001", "salt": "e630e81a48de86a21c66fa6d"}
ESP = {"type": "esp-sa", "spi": "c0000001", "dst": "10.7.0.2", "encryption": "ENCR_AES_GCM_16",
       "encryption_key": "11" * 20, "esn": True, "mode": "tunnel"}  # fmt: skip
CBC = {**ESP, "encryption": "ENCR_AES_CBC", "encryption_key": "11" * 16, "integrity": "AUTH_HMAC_SHA2_256_128",
       "integrity_key": "22" * 32}  # fmt: skip
IKE = {"type": "ike-sa", "spi_i": "01" * 8, "spi_r": "02" * 8, "encryption": "ENCR_AES_CBC",
       "integrity": "AUTH_HMAC_SHA1_96", "prf": "PRF_HMAC_SHA1", "sk_d": "03" * 20, "sk_ai": "04" * 20,
       "sk_ar": "05" * 20, "sk_ei": "06" * 32, "sk_er": "07" * 32, "sk_pi": "08" * 20, "sk_pr": "09" * 20}  # fmt: skip


def write(tmp_path: Path, *objects: object) -> Path:
    path = tmp_path / "keys.jsonl"
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in objects))
    return path


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def test_every_kind_is_read(tmp_path: Path) -> None:
    cak, sak, xpn, esp, cbc, ike = keylog.read(write(tmp_path, CAK, SAK, XPN, ESP, CBC, IKE))
    assert isinstance(cak, MkaCak)
    assert (cak.ckn, cak.cak.reveal().hex()) == (b"\1\2\3\4", CAK["cak"])
    assert isinstance(sak, MacsecSak)
    assert (sak.sci.hex(), sak.an, sak.ssci, sak.salt) == (SAK["sci"], 3, None, None)
    assert (sak.confidentiality_offset, sak.first_pn) == (0, 1)
    assert isinstance(xpn, MacsecSak)
    assert (xpn.ssci, xpn.salt) == (bytes(3) + b"\1", bytes.fromhex("e630e81a48de86a21c66fa6d"))
    assert isinstance(esp, EspSa)
    assert (esp.spi.hex(), str(esp.dst), esp.esn, esp.integrity, esp.first_seq) == (
        "c0000001",
        "10.7.0.2",
        True,
        None,
        1,
    )
    assert isinstance(cbc, EspSa)
    assert cbc.integrity is not None
    assert cbc.integrity.icv_octets == 16
    assert isinstance(ike, IkeSa)
    assert (ike.spi_i, ike.encryption.name, ike.prf) == (b"\1" * 8, "ENCR_AES_CBC", "PRF_HMAC_SHA1")


def test_optional_fields(tmp_path: Path) -> None:
    sak, esp, null, absent = keylog.read(
        write(
            tmp_path,
            {**XPN, "confidentiality_offset": 30, "first_pn": 2**32 + 5},
            {**without(ESP, "dst", "esn"), "first_seq": 9, "integrity": None},
            {**CBC, "encryption": "ENCR_NULL", "encryption_key": ""},
            {**without(CBC, "encryption_key"), "encryption": "ENCR_NULL"},
        )
    )
    assert isinstance(sak, MacsecSak)
    assert (sak.confidentiality_offset, sak.first_pn) == (30, 2**32 + 5)
    assert isinstance(esp, EspSa)
    assert (esp.dst, esp.esn, esp.first_seq) == (None, False, 9)
    assert null == absent


def test_what_nobody_here_knows_is_passed_over(tmp_path: Path) -> None:
    known = {**SAK, "colour": "green", "made_by": {"a": [1]}}
    (key,) = keylog.read(write(tmp_path, {"type": "wireguard", "key": 5}, "", known, "   "))
    assert key.key_id == "macsec-sak 0200000000010001 an 3"


def test_an_algorithm_that_exists_but_is_not_done_here_is_read(tmp_path: Path) -> None:
    esp, ike = keylog.read(
        write(tmp_path, {**ESP, "encryption": "ENCR_AES_CCM_16", "encryption_key": "11" * 19},
              {**IKE, "integrity": "AUTH_AES_XCBC_96", "sk_ai": "11" * 16, "sk_ar": "11" * 16})
    )  # fmt: skip
    assert isinstance(esp, EspSa)
    assert not esp.encryption.can_open
    assert isinstance(ike, IkeSa)
    assert ike.integrity is not None
    assert not ike.integrity.can_open


@pytest.mark.parametrize(("line", "told"), [
    ("{", "not a JSON object in UTF-8, one a line"),
    ("[" * 100_000, "not a JSON object in UTF-8, one a line"),
    ("[]", "a key log's line is a JSON object with a `type`"),
    ('{"an": 3}', "a key log's line is a JSON object with a `type`"),
    (without(CAK, "cak"), "mka-cak lacks `cak`"),
    ({**CAK, "cak": None}, "mka-cak lacks `cak`"),
    ({**CAK, "cak": CAK["cak"].upper()}, "`cak` must be octets in lower-case hex without a prefix"),
    ({**CAK, "cak": "0x" + CAK["cak"]}, "`cak` must be octets in lower-case hex without a prefix"),
    ({**CAK, "cak": CAK["cak"][:-1]}, "`cak` must be octets in lower-case hex without a prefix"),
    ({**CAK, "cak": 5}, "`cak` must be octets in lower-case hex without a prefix"),
    ({**CAK, "cak": "00"}, "`cak` has 2 hex digits; mka-cak needs 32 or 64"),
    ({**CAK, "ckn": "00" * 33}, "`ckn` has 66 hex digits"),
    ({**CAK, "ckn": ""}, "`ckn` has 0 hex digits"),
    ({**SAK, "an": 4}, "`an` must be a number from 0 to 3"),
    ({**SAK, "an": True}, "`an` must be a number from 0 to 3"),
    ({**SAK, "an": "1"}, "`an` must be a number from 0 to 3"),
    (without(SAK, "an"), "macsec-sak lacks `an`"),
    ({**SAK, "sci": "02"}, "`sci` has 2 hex digits; macsec-sak needs 16"),
    ({**SAK, "sak": "11" * 32}, "`sak` has 64 hex digits; macsec-sak needs 32"),
    ({**SAK, "cipher_suite": "GCM-AES-129"}, "`cipher_suite`: 'GCM-AES-129' is no name that IANA or IEEE knows; did you"
                                             " mean GCM-AES-128?"),
    (without(XPN, "salt"), "macsec-sak lacks `salt`"),
    (without(XPN, "ssci"), "macsec-sak lacks `ssci`"),
    ({**SAK, "confidentiality_offset": 31}, "`confidentiality_offset` must be 0, 30 or 50"),
    ({**SAK, "first_pn": 2**32}, "`first_pn` must be a number from 1 to 4294967295"),
    ({**ESP, "encryption": "AES_GCM_16"}, "did you mean ENCR_AES_GCM_16?"),
    ({**ESP, "encryption_key": "11" * 16}, "`encryption_key` has 32 hex digits; esp-sa needs 40 or 56 or 72"),
    ({**ESP, "integrity": "AUTH_HMAC_SHA1_96"}, "`integrity` must be absent: ENCR_AES_GCM_16 authenticates by itself"),
    ({**ESP, "dst": "10.7.0"}, "`dst` must be an IP address"),
    ({**ESP, "esn": 1}, "`esn` must be true or false"),
    ({**ESP, "mode": "beet"}, "`mode`: 'beet' is no name"),
    (without(CBC, "integrity"), "esp-sa lacks `integrity`"),
    (without(CBC, "integrity_key"), "esp-sa lacks `integrity_key`"),
    ({**CBC, "integrity_key": "22" * 16}, "`integrity_key` has 32 hex digits; esp-sa needs 64"),
    ({**IKE, "prf": "PRF_HMAC_SHA3"}, "`prf`: 'PRF_HMAC_SHA3' is no name"),
    (without(IKE, "sk_pr"), "ike-sa lacks `sk_pr`"),
    ({**IKE, "sk_ai": "04" * 21}, "`sk_ai` has 42 hex digits; ike-sa needs 40"),
    ({**IKE, "encryption": "ENCR_AES_GCM_16", "sk_ei": "06" * 36, "sk_er": "06" * 36, "integrity": None},
     "`sk_ai` must be absent"),
])  # fmt: skip
def test_a_known_object_that_is_not_right(line: object, told: str, tmp_path: Path) -> None:
    path = write(tmp_path, CAK, line, SAK)
    with pytest.raises(InputError) as refused:
        keylog.read(path)
    assert refused.value.exit_code is ExitCode.BAD_INPUT
    assert str(refused.value).startswith(f"{path}:2: ")
    assert told in str(refused.value)


def test_all_that_is_wrong_is_told_at_once_but_not_without_end(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        keylog.read(write(tmp_path, without(CAK, "ckn"), CAK, without(SAK, "sci")))
    assert [problem.line for problem in refused.value.problems] == [1, 3]
    with pytest.raises(InputError) as refused:
        keylog.read(write(tmp_path, *["no key log"] * 1000))
    assert len(refused.value.problems) == 21
    assert "980 lines more are wrong" in str(refused.value)


def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    secrets = [str(CAK["cak"]), str(SAK["sak"]), "11" * 16, "22" * 32, "06" * 16]
    for key in keylog.read(write(tmp_path, CAK, SAK, XPN, ESP, CBC, IKE)):
        assert not any(secret in repr(key) + str(key) + key.key_id for secret in secrets)
    for bad in ({**CAK, "cak": CAK["cak"] + "zz"}, {**CAK, "cak": CAK["cak"] * 3}):
        with pytest.raises(InputError) as refused:
            keylog.read(write(tmp_path, bad))
        assert CAK["cak"] not in str(refused.value)


def test_missing_and_not_utf_8(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the key log cannot be read: No such file"):
        keylog.read(tmp_path / "nowhere")
    path = tmp_path / "latin1"
    path.write_bytes(b'{"type": "\xe4"}\n')
    with pytest.raises(InputError, match=r"latin1:1: not a JSON object in UTF-8"):
        keylog.read(path)


def test_appending_makes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    keylog.append(path, CAK)
    keylog.append(path, SAK, {"type": "of the future", "x": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line) for line in path.read_text().splitlines()][:2] == [CAK, SAK]
    assert [key.key_id for key in keylog.read(path)] == ["mka-cak 01020304", "macsec-sak 0200000000010001 an 3"]


def test_appending_what_could_not_be_read_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    keylog.append(path, CAK)
    with pytest.raises(InputError, match="not written: macsec-sak lacks `sak`"):
        keylog.append(path, CAK, without(SAK, "sak"))
    assert len(keylog.read(path)) == 1
    with pytest.raises(InputError, match="the key log cannot be written"):
        keylog.append(tmp_path / "no" / "folder", CAK)


def test_what_a_full_disk_does_not_take_leaves_no_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.jsonl"
    keylog.append(path, CAK)
    before = path.read_bytes()
    real = os.write
    written: list[int] = []

    def write_a_bit(descriptor: int, octets: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(real(descriptor, octets[:10]))
        return written[0]

    monkeypatch.setattr(os, "write", write_a_bit)
    with pytest.raises(InputError, match="No space left"):
        keylog.append(path, SAK)
    monkeypatch.undo()
    assert path.read_bytes() == before


def test_a_cak_may_say_where_it_is_used(tmp_path: Path) -> None:
    said, unsaid = keylog.read(write(tmp_path, {**CAK, "segment": "ce--msee1"}, CAK))
    assert isinstance(said, MkaCak)
    assert isinstance(unsaid, MkaCak)
    assert (said.segment, unsaid.segment) == ("ce--msee1", None)
    with pytest.raises(InputError, match="`segment` must be text"):
        keylog.read(write(tmp_path, {**CAK, "segment": 7}))
