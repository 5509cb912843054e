"""What BIRD 2.0.12 answered, and what is read from it."""

from __future__ import annotations

from lab.host.bird import Line
from lab.host.bird_answers import Route, bfd_states, routes, sessions

PROTOCOLS = """\
2002-Name       Proto      Table      State  Since         Info
1002-devices    Device     ---        up     21:11:50.125
1006-
1002-own        Static     master4    up     21:11:50.125
1006-  Channel ipv4
     State:          UP
     Routes:         1 imported, 0 exported, 1 preferred
1002-p_msee1    BGP        ---        up     21:11:50.948  Established
1006-  BGP state:          Established
     Neighbor address: 172.16.0.2
     Neighbor AS:      12076
     Local AS:         65001
     Neighbor ID:      1.1.1.2
   Channel ipv4
     State:          UP
     Routes:         3 imported, 2 exported, 1 preferred
1002-p_msee2    BGP        ---        start  21:11:51.036  Idle          BFD session down
1006-  BGP state:          Idle
     Neighbor address: 172.16.0.6
     Neighbor AS:      12076
     Error wait:       0.512/1
     Last error:       BFD session down
   Channel ipv4
     State:          DOWN
1002-p_off      BGP        ---        down   21:11:51.036
1006-  Channel ipv4
     State:          DOWN
0000
"""

ROUTES = """\
1007-Table master4:
 192.168.0.0/16       blackhole [own 21:11:50.125] * (200)
1008-\tType: static univ
1007-10.0.0.0/16          unicast [p_m2 21:11:51.035] * (100) [AS12076i]
 \tvia 172.16.0.2 on l2
1008-\tType: BGP univ
1012-\tBGP.origin: IGP
 \tBGP.as_path: 12076 65515
 \tBGP.next_hop: 172.16.0.2
 \tBGP.local_pref: 100
1007-                     unreachable [p_m3 21:11:51.077 from 10.0.1.30] (100/-) [AS12076i]
1008-\tType: BGP univ
1012-\tBGP.as_path:
 \tBGP.next_hop: 10.0.1.30
 \tBGP.local_pref: 50
1007-10.0.1.30/32         unicast [host_routes 21:11:50.125] * (200)
 \tdev ipsec0
0000
"""

BFD = """\
1020-bfd1:
 IP address                Interface  State      Since         Interval  Timeout
 172.16.0.6                l3         Down       21:11:50.881    0.300    0.900
 172.16.0.2                l2         Up         21:11:50.881    0.300    0.900
0000
"""


def lines(text: str) -> list[Line]:
    number, read = 0, []
    for line in text.splitlines():
        if line[:4].isdigit():
            number, line = int(line[:4]), line[5:]
            if not line:
                continue
        read.append(Line(number, line.removeprefix(" ")))
    return read


def test_sessions() -> None:
    first, second, third = sessions(lines(PROTOCOLS))
    assert (first.name, first.state, first.address, first.asn) == ("p_msee1", "Established", "172.16.0.2", 12076)
    assert (first.imported, first.exported, first.preferred, first.why) == (3, 2, 1, "")
    assert first.is_established
    assert (second.state, second.why, second.imported) == ("Idle", "BFD session down", 0)
    assert not second.is_established
    assert (third.name, third.state, third.address) == ("p_off", "Down", "")


def test_routes() -> None:
    own, learned, lost, host = routes(lines(ROUTES))
    assert own == Route(prefix="192.168.0.0/16", kind="blackhole", protocol="own", best=True)
    assert learned == Route(
        prefix="10.0.0.0/16",
        kind="unicast",
        protocol="p_m2",
        best=True,
        hops=(("172.16.0.2", "l2"),),
        as_path=(12076, 65515),
        local_preference=100,
        next_hop="172.16.0.2",
    )
    assert (lost.prefix, lost.kind, lost.best, lost.as_path) == ("10.0.0.0/16", "unreachable", False, ())
    assert (lost.next_hop, lost.local_preference) == ("10.0.1.30", 50)
    assert host.hops == (("", "ipsec0"),)


def test_bfd() -> None:
    assert bfd_states(lines(BFD)) == {"172.16.0.6": "Down", "172.16.0.2": "Up"}


def test_nothing_is_nothing() -> None:
    assert sessions(()) == ()
    assert routes(lines("1007-Table master4:\n0000\n")) == ()
    assert bfd_states(()) == {}
