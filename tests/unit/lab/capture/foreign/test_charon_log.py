"""strongSwan's logs with keys: both ends' of one story, which must come to the same keys.

The logs are of charon 5.9.8, two in one lab: an IKE SA with a child, the child rekeyed, then the IKE SA.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.capture.foreign.found import Object
from tests.unit.lab.capture.foreign.found import DATA, imported

INITIATOR, RESPONDER = ((DATA / f"charon-{end}.log").read_text() for end in ("initiator", "responder"))
LIST_SAS = (DATA / "list-sas.txt").read_text()
FIRST, SECOND = ("8857b446eccd44e2", "e3546a43532e5e41"), ("a92cb84e628921a3", "3c40a9d41988444d")


def by_name(objects: list[Object]) -> dict[object, Object]:
    return {each.get("spi") or (each["spi_i"], each["spi_r"]): each for each in objects}


def test_both_ends_have_the_same_keys(tmp_path: Path) -> None:
    ours, our_problems = imported(tmp_path, INITIATOR + LIST_SAS)
    theirs, their_problems = imported(tmp_path, RESPONDER + LIST_SAS)
    assert by_name(ours) == by_name(theirs)
    assert our_problems == their_problems == []
    assert set(by_name(ours)) == {"f7bf249b", "41457e55", "9bb2dd4e", "7aa2df56", FIRST, SECOND}


def test_what_an_ike_sa_and_a_child_are_made_into(tmp_path: Path) -> None:
    known = by_name(imported(tmp_path, INITIATOR)[0])
    # Read off the log by eye: the responder sends to the initiator, with the responder's keys.
    assert known["f7bf249b"] == {
        "type": "esp-sa", "spi": "f7bf249b", "dst": "10.99.0.1", "mode": "tunnel", "encryption": "ENCR_AES_CBC",
        "encryption_key": dumped("encryption responder key", 32), "integrity": "AUTH_HMAC_SHA2_256_128",
        "integrity_key": dumped("integrity responder key", 32),
    }  # fmt: skip
    assert known["41457e55"]["encryption_key"] == dumped("encryption initiator key", 32)
    names = {f"sk_{name}": dumped(f"Sk_{name} secret", 16 if name[0] == "e" else 32)
             for name in ("d", "ai", "ar", "ei", "er", "pi", "pr")}  # fmt: skip
    assert known[FIRST] == names | {
        "type": "ike-sa", "spi_i": FIRST[0], "spi_r": FIRST[1], "encryption": "ENCR_AES_CBC",
        "integrity": "AUTH_HMAC_SHA2_256_128", "prf": "PRF_HMAC_SHA2_256",
    }  # fmt: skip


def dumped(what: str, octets: int) -> str:
    """The octets of the first such dump in the initiator's log."""
    rows = INITIATOR.partition(f"{what} => {octets} bytes")[2].splitlines()[1 : 1 + octets // 16]
    return "".join(re.sub(r".*\d+: ((?:[0-9A-F]{2} ){16}) .*", r"\1", row) for row in rows).replace(" ", "").lower()


@pytest.mark.parametrize("log", [INITIATOR, RESPONDER])
def test_a_rekeyed_ike_sa_whose_spis_are_not_there_is_told(tmp_path: Path, log: str) -> None:
    objects, (problem,) = imported(tmp_path, log)
    assert FIRST in by_name(objects)
    assert SECOND not in by_name(objects)
    line = log.splitlines()[int(problem.split(":")[1]) - 1]
    assert "Sk_d secret" in line
    assert "the keys of lab[2]: its SPIs are nowhere in this log; log `mgr` at level 2, too, or append what" in problem


def test_the_manager_at_level_2_tells_the_spis(tmp_path: Path) -> None:
    told = f"12:00:00 07[MGR] checkin IKEv2 SA lab[2] with SPIs {SECOND[0]}_i {SECOND[1]}_r\n"
    assert SECOND in by_name(imported(tmp_path, INITIATOR + told)[0])


@pytest.mark.parametrize("prefix", ["", "Nov 25 22:00:00 host charon: ", "Nov 25 22:00:00 host charon-systemd[12]: "])
def test_logs_of_files_syslog_and_journal(tmp_path: Path, prefix: str) -> None:
    log = "".join(prefix + line.partition(" ")[2] + "\n" for line in INITIATOR.splitlines())
    assert by_name(imported(tmp_path, log)[0]) == by_name(imported(tmp_path, INITIATOR)[0])


def test_ike_names_between_brackets(tmp_path: Path) -> None:
    log = re.sub(r"(\d\d\[[A-Z]{3}\])", r"\1 <lab|1>", INITIATOR)
    assert by_name(imported(tmp_path, log)[0]) == by_name(imported(tmp_path, INITIATOR)[0])


def test_threads_that_talk_at_once(tmp_path: Path) -> None:
    noise = "12:00:00 16[IKE] a line of another thread\n12:00:00 16[NET] received packet: from 1.1.1.1[500]\n"
    log = "".join(line + "\n" + noise for line in INITIATOR.replace(" 16[", " 99[").splitlines())
    assert by_name(imported(tmp_path, log)[0]) == by_name(imported(tmp_path, INITIATOR)[0])


def test_a_log_without_keys(tmp_path: Path) -> None:
    log = "".join(line + "\n" for line in INITIATOR.splitlines() if " => " not in line and ": " not in line[20:26])
    objects, problems = imported(tmp_path, log)
    assert objects == []
    assert problems == ["file1: no keys are in this log; charon logs them at level 4 of `ike` and `chd`"]


def dump(what: str, octets: bytes, thread: int = 9) -> str:
    """A dump as charon writes it."""
    lines = [f"{thread:02}[IKE] {what} => {len(octets)} bytes @ 0x7f00\n"]
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        pairs = "".join(f"{octet:02X} " for octet in row).ljust(48)
        ascii_column = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        lines.append(f"{thread:02}[IKE] {at:4}: {pairs} {ascii_column}\n")
    return "".join(lines)


@pytest.mark.parametrize(("proposal", "name", "octets"), [
    ("AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384", "ENCR_AES_GCM_16", 36),
    ("CHACHA20_POLY1305/PRF_AES128_CMAC/CURVE_25519", "ENCR_CHACHA20_POLY1305", 36),
    ("AES_CCM_12_128/PRF_HMAC_SHA1/MODP_2048", "ENCR_AES_CCM_12", 19),
])  # fmt: skip
def test_aeads_have_no_keys_of_an_integrity(tmp_path: Path, proposal: str, name: str, octets: int) -> None:
    log = f"09[CFG] selected proposal: IKE:{proposal}\n" + dump("natd_chunk", bytes(range(1, 23)))
    log += "".join(dump(f"Sk_{key} secret", bytes([place]) * (octets if key[0] == "e" else 32))
                   for place, key in enumerate(("d", "ei", "er", "pi", "pr"), 1))  # fmt: skip
    (found,), problems = imported(tmp_path, log)
    assert (found["encryption"], found["sk_ei"], "integrity" in found, problems) == (name, "02" * octets, False, [])
    assert (found["spi_i"], found["spi_r"]) == (bytes(range(1, 9)).hex(), bytes(range(9, 17)).hex())


def test_keys_that_a_ppk_was_mixed_into_replace_the_others(tmp_path: Path) -> None:
    log = "09[CFG] selected proposal: IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/ECP_256\n"
    log += dump("natd_chunk", bytes(range(1, 23)))
    log += "".join(dump(f"Sk_{key} secret", bytes([1]) * (20 if key[0] == "e" else 32))
                   for key in ("d", "ei", "er", "pi", "pr"))  # fmt: skip
    log += "".join(dump(f"Sk_{key} secret", bytes([2]) * 32) for key in ("d", "pi", "pr"))
    (found,), _ = imported(tmp_path, log)
    assert [found[f"sk_{name}"] for name in ("d", "ei", "pi", "pr")] == ["02" * 32, "01" * 20, "02" * 32, "02" * 32]


@pytest.mark.parametrize(("left_out", "told"), [
    ("selected proposal: IKE", "keys of an IKE SA without `selected proposal`: log `cfg` at level 1, too"),
    ("parsed", "the keys of SPI f7bf249b: who began is nowhere in this log; log `enc` at level 1, too"),
])  # fmt: skip
def test_what_a_log_must_have(tmp_path: Path, left_out: str, told: str) -> None:
    log = "".join(line + "\n" for line in INITIATOR.splitlines() if left_out not in line)
    assert any(told in problem for problem in imported(tmp_path, log + LIST_SAS)[1])
