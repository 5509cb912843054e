"""Every published ESP packet through an SA's own opener, and back through its sealer where the IV can be its own."""

from __future__ import annotations

import os

from dataplane.crypto.secret import Secret
from dataplane.esp.engine import EspEngine
from dataplane.esp.open import opener
from dataplane.esp.outcomes import Accepted
from dataplane.esp.sa import InboundSa
from dataplane.esp.seal import sealer
from dataplane.esp.shape import Shape, trailer
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import encr, integ
from tests.unit.dataplane.esp.peers import NOW, parameters
from tests.unit.dataplane.esp.twin import Twin
from tests.vectors.load import Vector, each, load

FILE = "ike_esp.json"


def aead_suite(vector: Vector) -> EspSuite:
    if vector.text("alg").startswith("CHACHA"):
        return EspSuite(encryption=encr("ENCR_CHACHA20_POLY1305"), esn=vector.flag("esn"))
    bits = 8 * len(vector.octets("key"))
    return EspSuite(encryption=encr("ENCR_AES_GCM_16", bits), esn=vector.flag("esn"))


def test_one_aead_vector_is_no_esp_packet() -> None:
    """RFC 7634 appendix B is an IKE message; the test of the cipher itself takes it, the one below cannot."""
    assert [vector.name for vector in load(FILE, "esp_aead") if not vector.has("packet")] == [
        "esp_aead-CHACHA20-POLY1305-15"
    ]


@each(FILE, "esp_aead")
def test_aead_packets(vector: Vector) -> None:
    if not vector.has("packet"):
        return
    suite = aead_suite(vector)
    keys = EspKeys(encryption=Secret(vector.octets("key") + vector.octets("salt")), integrity=Secret(b""))
    packet, aad = vector.octets("packet"), vector.octets("aad")
    sequence = int.from_bytes(aad[4:], "big")
    open_one = opener(suite, keys).one
    text = open_one(memoryview(packet), sequence)
    assert text is not None
    assert text == vector.octets("plain")
    assert open_one(memoryview(packet), sequence ^ 1 << 32 if suite.esn else sequence) == (None if suite.esn else text)
    # The sealer's own IV is the sequence number; with that one it makes what the opener takes.
    out = bytearray(packet)
    sealer(suite, keys, os.urandom).one(bytes(text), sequence, memoryview(out))
    assert out[8:16] == sequence.to_bytes(8, "big")
    assert open_one(memoryview(out), sequence) == text


@each(FILE, "esp_aes_cbc_no_icv")
def test_cbc_packets(vector: Vector) -> None:
    """RFC 3602 section 4 gives packets without ICV: the text, and the packet's octets up to there, are what it says."""
    suite = EspSuite(encryption=encr("ENCR_AES_CBC", 128), integrity=integ("AUTH_HMAC_SHA2_256_128"))
    keys = EspKeys(encryption=Secret(vector.octets("key")), integrity=Secret(bytes(range(32))))
    packet, payload = vector.octets("esp"), vector.octets("payload")
    spi, sequence = int.from_bytes(packet[:4], "big"), int.from_bytes(packet[4:8], "big")
    of = parameters(suite, spi=spi)
    of = type(of)(spi=spi, tunnel=of.tunnel, suite=suite, keys=keys, local=of.local, remote=of.remote)
    packet += Twin(of).icv(packet, sequence)
    text = opener(suite, keys).one(memoryview(packet), sequence)
    assert text is not None
    expected = payload + trailer(vector.number("pad_len"), vector.number("next_header"))
    assert text == expected
    assert Twin(of).seal(payload, sequence, iv=packet[8:24], tail=expected[len(payload) :]) == packet
    if vector.number("next_header") == 4:
        assert Shape.of(suite).padding(len(payload)) == vector.number("pad_len")
        engine = EspEngine()
        engine.sad.add_inbound(InboundSa(of, NOW))
        assert engine.decapsulate_packet(packet, NOW) == Accepted(payload)
