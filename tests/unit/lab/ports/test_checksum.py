"""Every way of adding up gives what adding word by word gives."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.batch import Batch
from lab.ports import checksum
from tests.unit.lab.ports.slow import internet_checksum_sum, payload


@settings(max_examples=60)
@given(st.binary(max_size=1300))
def test_the_sum_is_that_of_the_words(octets: bytes) -> None:
    assert checksum.ones_complement_sum(octets) == internet_checksum_sum(octets)
    assert checksum.ones_complement_sum(memoryview(octets)) == internet_checksum_sum(octets)


def test_long_ones_odd_ones_and_the_two_zeros() -> None:
    for octets in (bytes(2000), b"\xff" * 2000, b"\xff" * 2001, payload(8999), payload(9000), b"", b"\x01"):
        assert checksum.ones_complement_sum(octets) == internet_checksum_sum(octets), len(octets)


def test_a_sum_with_its_checksum_is_all_ones() -> None:
    octets = payload(99)
    field = checksum.finish(checksum.ones_complement_sum(octets)).to_bytes(2, "big")
    assert checksum.ones_complement_sum(field + octets) == 0xFFFF


def test_the_pseudo_header_sum_is_that_of_its_octets() -> None:
    addresses = payload(32)
    for length in (0, 20, 65535, 70000):
        octets = addresses + struct.pack(">II", length, 6)
        total = checksum.pseudo_header_sum(addresses, checksum.TCP, length)
        assert checksum.fold(total) == internet_checksum_sum(octets)


def test_rows_are_summed_as_each_row_alone() -> None:
    batch = Batch(5, 64)
    for i in range(5):
        batch.append(payload(64 - i)[::-1])
    sums = checksum.row_sums(checksum.native_words(batch), 10, 50)
    expected = [internet_checksum_sum(bytes(batch.views[i][10:50])) for i in range(5)]
    assert [checksum.swap(checksum.fold(total)) for total in sums.tolist()] == expected
    assert [checksum.fold(total) for total in checksum.in_network_order(sums).tolist()] == expected


def test_a_checksum_that_was_left_to_the_device_is_finished() -> None:
    frame = bytearray(payload(60))
    frame[40:42] = (0x1234).to_bytes(2, "big")  # the pseudo-header's sum
    assert checksum.complete(memoryview(frame), 60, 34, 6)
    found = int.from_bytes(frame[40:42], "big")
    frame[40:42] = (0x1234).to_bytes(2, "big")
    assert found == 0xFFFF - internet_checksum_sum(bytes(frame[34:]))


def test_a_finished_checksum_is_never_zero() -> None:
    frame = bytearray(8)
    frame[2:4] = b"\xff\xff"
    assert checksum.complete(memoryview(frame), 8, 0, 6)
    assert frame[6:8] == b"\xff\xff"


def test_a_checksum_field_outside_the_frame_is_refused() -> None:
    frame = bytearray(60)
    for start, offset in ((59, 0), (34, 40), (65535, 65535)):
        assert not checksum.complete(memoryview(frame), 60, start, offset)
    assert frame == bytes(60)
