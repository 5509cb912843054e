"""BIRD's configuration of a node; where BIRD is installed, it reads every one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from lab.host.programs import BIRD
from lab.model.bgp import Bgp, HostRoute, Neighbor
from lab.model.secret import SecretReference
from lab.nodes.bird_config import render, session_name

PASSWORD = SecretReference(vault="kv", secret="md5")


def neighbor(node: str = "msee-1", **fields: object) -> Neighbor:
    given: dict[str, object] = {
        "node": node,
        "address": IPAddress("172.16.0.2"),
        "local_address": IPAddress("172.16.0.1"),
        "asn": 12076,
        "segment": "ce--msee-1",
        "tunnel": None,
        "device": "link1",
        "password": None,
        "bfd": False,
        "preference": 100,
        "advertise": None,
        "hidden_asns": (),
        "most_prefixes": None,
    }
    return Neighbor(**{**given, **fields})  # type: ignore[arg-type]


def speaker(*neighbors: Neighbor, **fields: object) -> Bgp:
    given: dict[str, object] = {
        "asn": 65001,
        "router_id": IPAddress("192.168.1.1"),
        "peering_address": None,
        "advertise": (IPNetwork("192.168.0.0/16"),),
        "neighbors": neighbors,
        "host_routes": (),
        "passes_on": False,
    }
    return Bgp(**{**given, **fields})  # type: ignore[arg-type]


CASES = {
    "plain": (speaker(neighbor()), {}),
    "all": (
        speaker(
            neighbor(bfd=True, password=PASSWORD, hidden_asns=(65515,), most_prefixes=4000),
            neighbor("far", device=None, segment=None, address=IPAddress("10.0.1.30"), advertise=(), preference=7),
            passes_on=True,
            host_routes=(
                HostRoute(destination=IPAddress("10.0.1.30"), via=None, device="ipsec0"),
                HostRoute(destination=IPAddress("10.0.1.31"), via=IPAddress("172.16.0.2"), device=None),
            ),
        ),
        {100: (IPNetwork("10.1.0.0/16"),), 101: ()},
    ),
    "nobody": (speaker(advertise=()), {}),
}
SECRETS = {str(PASSWORD): b"25-characters-at-most+/=;"}


def test_a_plain_session() -> None:
    text = render(*_case("plain"))
    assert "local 172.16.0.1 as 65001; neighbor 172.16.0.2 as 12076; direct;" in text
    assert "protocol bgp p_msee_1 {" in text
    assert "bgp_local_pref = 100" in text
    assert 'if proto = "own" && net ~ [192.168.0.0/16] then accept; reject;' in text
    assert "source = RTS_BGP then accept; reject; };\n  };\n}" not in text, "it passes nothing on"
    for word in ("bfd", "password", "multihop", "import limit", "delete"):
        assert word not in text


def test_everything() -> None:
    text = render(*_case("all"))
    assert 'bfd on; password "25-characters-at-most+/=;";' in text
    assert "bgp_path.delete([65515]);" in text
    assert "import limit 4000 action disable;" in text
    assert "! (bgp_path ~ [= * 12076 * =]) then accept;" in text
    assert "neighbor 10.0.1.30 as 12076; multihop 2;" in text
    assert 'route 10.0.1.30/32 via "ipsec0";' in text
    assert "route 10.0.1.31/32 via 172.16.0.2;" in text
    assert "kernel table 100;" in text
    assert "if net ~ [10.1.0.0/16] then reject; if source = RTS_BGP then accept; reject;" in text


def test_a_route_for_the_kernel_alone_is_not_bird_s() -> None:
    route = HostRoute(destination=IPAddress("10.0.1.30"), via=IPAddress("172.16.0.2"), device=None, in_kernel=True)
    assert "10.0.1.30" not in render(speaker(neighbor(), host_routes=(route,)), {}, {}, {})


def test_a_preference_that_was_changed() -> None:
    assert "bgp_local_pref = 50;" in render(speaker(neighbor()), {}, {"msee-1": 50}, {})


def test_a_session_that_is_not_to_be() -> None:
    text = render(speaker(neighbor(), neighbor("ce")), {}, {}, {}, {"ce"})
    assert text.count("disabled;") == 1
    assert text.index("p_ce") < text.index("disabled;")


def test_sessions_through_several_tunnels() -> None:
    both = (neighbor("far", tunnel="tunnel-1", segment=None), neighbor("far", tunnel="tunnel-2", segment=None))
    assert [each.name for each in both] == ["far/tunnel-1", "far/tunnel-2"]
    assert [session_name(each.name) for each in both] == ["p_far__tunnel_1", "p_far__tunnel_2"]
    assert all(each.is_called("far") and each.is_late for each in both)
    assert not both[0].is_called("far/tunnel-2")


def test_a_session_is_no_word_of_bird_s() -> None:
    assert session_name("vpn") == "p_vpn"


@pytest.mark.parametrize("case", CASES)
def test_bird_takes_it(case: str, tmp_path: Path) -> None:
    executable = BIRD.find()
    if executable is None:
        pytest.skip(f"bird is not installed: {BIRD.fix}")
    path = tmp_path / "bird.conf"
    path.write_text(render(*_case(case)))
    ran = subprocess.run([executable, "-p", "-c", str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def _case(name: str) -> tuple[Bgp, dict[str, bytes], dict[str, int], dict[int, tuple[IPNetwork, ...]]]:
    bgp, tables = CASES[name]
    return bgp, SECRETS, {}, tables
