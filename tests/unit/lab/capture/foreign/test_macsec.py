"""`ip macsec`: what iproute2 6.1 shows, paired with the commands that hold the keys."""

from __future__ import annotations

from pathlib import Path

from tests.unit.lab.capture.foreign.found import DATA, imported

SHOWN = (DATA / "macsec-show.txt").read_text()
K1, K2 = bytes(range(16)).hex(), bytes(range(16, 32)).hex()
K3, K4 = bytes(range(32, 64)).hex(), bytes(range(64, 96)).hex()
SALT = "e630e81a48de86a21c66fa6d"
ADDED = f"""\
#!/bin/sh
ip link add link eth0 macsec0 type macsec encrypt on
ip macsec add macsec0 tx sa 0 pn 1 on key 01 {K1}
ip macsec add macsec0 rx address 02:00:00:00:00:02 port 1
ip macsec add macsec0 rx address 02:00:00:00:00:02 port 1 sa 0 pn 1 on key 02 {K2}
ip link add link eth0 macsec1 type macsec port 7 cipher gcm-aes-xpn-256 encrypt on
ip macsec add macsec1 tx sa 2 xpn 5000000000 on salt {SALT} ssci 10 key 0a0b {K3}
ip macsec add macsec1 rx sci 0200000000020001 sa 1 xpn 1 on salt {SALT} ssci 0x12 key 03 {K4}
"""
EVERY: list[dict[str, object]] = [
    {"type": "macsec-sak", "sci": "0200000000010001", "an": 0, "cipher_suite": "GCM-AES-128", "sak": K1},
    {"type": "macsec-sak", "sci": "0200000000020001", "an": 0, "cipher_suite": "GCM-AES-128", "sak": K2},
    {"type": "macsec-sak", "sci": "0200000000010007", "an": 2, "cipher_suite": "GCM-AES-XPN-256", "sak": K3,
     "ssci": "00000010", "salt": SALT, "first_pn": 5_000_000_000},
    {"type": "macsec-sak", "sci": "0200000000020001", "an": 1, "cipher_suite": "GCM-AES-XPN-256", "sak": K4,
     "ssci": "00000012", "salt": SALT},
]  # fmt: skip


def test_what_is_shown_and_what_was_added_make_keys(tmp_path: Path) -> None:
    assert imported(tmp_path, SHOWN, ADDED) == (EVERY, [])
    assert imported(tmp_path, ADDED + SHOWN) == (EVERY, [])


def test_what_is_shown_alone_has_no_keys_and_says_so(tmp_path: Path) -> None:
    objects, problems = imported(tmp_path, SHOWN)
    assert objects == []
    assert [problem.split(": ")[0] for problem in problems] == ["file1:6", "file1:8", "file1:13", "file1:15"]
    assert (
        "AN 0 of SCI 0200000000010001: only the id of its key is shown (01000000000000000000000000000000)"
        in problems[0]
    )
    assert "give the `ip macsec add` lines that installed it, too" in problems[0]


def test_commands_alone_name_the_receivers_channels(tmp_path: Path) -> None:
    objects, problems = imported(tmp_path, ADDED)
    assert objects == [EVERY[1], EVERY[3]]
    assert [problem.split(": ")[0] for problem in problems] == ["file1:3", "file1:7"]
    assert "the SAK that macsec0 transmits with: its SCI is nowhere said" in problems[0]


def test_a_link_with_an_address_or_an_sci_names_its_channel(tmp_path: Path) -> None:
    objects, problems = imported(
        tmp_path,
        f"ip link add link eth0 name m0 address 02:00:00:00:00:01 type macsec port 3\n"
        f"ip macsec add m0 tx sa 1 pn 1 on key 01 {K1}\n"
        f"ip link add link eth0 m1 type macsec sci 200000000000a cipher gcm-aes-256\n"
        f"ip macsec add m1 tx sa 0 pn 1 on key 01 {K3}\n",
    )
    assert [(each["sci"], each["an"], each["cipher_suite"]) for each in objects] == [
        ("0200000000010003", 1, "GCM-AES-128"), ("000200000000000a", 0, "GCM-AES-256"),
    ]  # fmt: skip
    assert problems == []


def test_two_hosts_may_call_their_devices_and_keys_alike(tmp_path: Path) -> None:
    shown = "".join(SHOWN.splitlines(keepends=True)[:8])
    there = shown.replace("020000000001", "?").replace("020000000002", "020000000001").replace("?", "020000000002")
    here = f"ip macsec add macsec0 tx sa 0 pn 1 on key 01 {K1}\n"
    far = f"ip macsec add macsec0 tx sa 0 pn 1 on key 01 {K2}\n"
    objects, problems = imported(tmp_path, here + shown, far + there)
    pairs = {(each["sci"], each["sak"]) for each in objects}
    assert pairs == {("0200000000010001", K1), ("0200000000020001", K2)}
    assert len(problems) == 2, "each end's receiving SA is shown with an id under which nobody installed anything"


def test_numbers_that_are_none(tmp_path: Path) -> None:
    objects, problems = imported(
        tmp_path,
        f"ip macsec add m0 tx sa zero pn 1 on key 01 {K1}\n"
        f"ip macsec add m0 rx port 1 sa 0 pn 1 on key 01 {K1}\n"
        f"ip macsec add m0 rx sci 1 sa 0 pn 1 on key 01 {K1[:10]}\n"
        f"ip macsec add m0 rx sci 1 sa 0 pn 1 on key 01\n",
    )
    assert objects == []
    assert [problem.split(": ", 1) for problem in problems] == [
        ["file1:1", "`sa` is followed by 'zero', which is no number"],
        ["file1:2", "a SAK to receive with whose SC is not said: by `sci`, or by `address` and `port`"],
        ["file1:3", "`cipher_suite`: 'GCM-AES-40' is no name that IANA or IEEE knows; did you mean GCM-AES-256?"],
        ["file1:4", "`cipher_suite`: 'GCM-AES-0' is no name that IANA or IEEE knows; did you mean GCM-AES-256?"],
    ]
