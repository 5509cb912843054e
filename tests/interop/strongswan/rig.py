"""Our gateway and a charon at two ends of a wire, each with a host behind it, and policies that both understand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from dataplane.ike.events import ChildSaEstablished
from dataplane.ike.front_door import Thresholds
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.policy import ChildPolicy, IkePolicy, Lifetime, Peer
from dataplane.ike.window import Retransmission
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.transforms import NO_ESN, Transform, encr, integ, ke, prf
from tests.interop.gateway import Doors, Gateway, psk
from tests.interop.pinger import Pinger, Pings
from tests.interop.strongswan.charon import CHILD, Charon, Settings, merged
from tests.interop.world import Command, World

OURS, THEIRS = "ours", "theirs"
OUR_ADDRESS, THEIR_ADDRESS = "10.99.0.1", "10.99.0.2"
OUR_HOST, THEIR_HOST = "192.168.1.1", "192.168.2.1"
OUR_NET, THEIR_NET = "192.168.1.0/24", "192.168.2.0/24"
SECRET = "a key that both know"


@dataclass(frozen=True)
class Policy:
    """Transforms, as we name them and as strongSwan does. `groups` are those of both kinds of SA, the best first."""

    name: str
    cipher: Transform
    groups: tuple[int, ...]
    integrity: Transform | None = None
    prf: str = "PRF_HMAC_SHA2_256"
    their_ike: str = ""
    their_esp: str = ""
    esn: Transform = NO_ESN

    def ike(self, *groups: int) -> Proposal:
        """The proposal for the IKE SA, with these groups instead of its own."""
        check = () if self.integrity is None else (self.integrity,)
        kes = map(ke, groups or self.groups)
        return Proposal(protocol=SecurityProtocol.IKE, transforms=(self.cipher, *check, prf(self.prf), *kes))

    def esp(self, *groups: int) -> Proposal:
        """The proposal for its children, all with PFS."""
        check = () if self.integrity is None else (self.integrity,)
        kes = map(ke, groups or self.groups)
        return Proposal(protocol=SecurityProtocol.ESP, transforms=(self.cipher, *check, *kes, self.esn))

    def __str__(self) -> str:
        return self.name


SHA256 = integ("AUTH_HMAC_SHA2_256_128")
AZURE = Policy(
    "azure", encr("ENCR_AES_CBC", 256), (2,), SHA256,
    their_ike="aes256-sha256-modp1024", their_esp="aes256-sha256-modp1024",
)  # fmt: skip
MODERN = Policy(
    "gcm-ecp384", encr("ENCR_AES_GCM_16", 256), (20,), prf="PRF_HMAC_SHA2_384",
    their_ike="aes256gcm16-prfsha384-ecp384", their_esp="aes256gcm16-ecp384",
)  # fmt: skip
CHACHA = Policy(
    "chacha20-x25519", encr("ENCR_CHACHA20_POLY1305"), (31,),
    their_ike="chacha20poly1305-prfsha256-curve25519", their_esp="chacha20poly1305-curve25519",
)  # fmt: skip


def our_peer(policy: Policy, **changes: Any) -> Peer:
    """Our policy for charon."""
    child = ChildPolicy(
        name="net",
        proposals=(policy.esp(),),
        local=(TrafficSelector.of(OUR_NET),),
        remote=(TrafficSelector.of(THEIR_NET),),
        lifetime=Lifetime(seconds=3600),
    )
    peer = Peer(
        name="charon",
        local=OUR_ADDRESS,
        remote=THEIR_ADDRESS,
        local_id=Identity.address(OUR_ADDRESS),
        remote_id=Identity.address(THEIR_ADDRESS),
        psk=psk(SECRET),
        ike=IkePolicy(proposals=(policy.ike(),)),
        children=(child,),
        retransmission=Retransmission(first=1.0, factor=1.5, tries=6),
    )
    return replace(peer, **changes)


def their_connection(policy: Policy) -> Settings:
    """charon's policy for us."""
    return {
        "version": 2,
        "local_addrs": THEIR_ADDRESS,
        "remote_addrs": OUR_ADDRESS,
        "proposals": policy.their_ike,
        "rekey_time": "0s",
        "dpd_delay": "0s",
        "mobike": "no",
        "local": {"auth": "psk", "id": THEIR_ADDRESS},
        "remote": {"auth": "psk", "id": OUR_ADDRESS},
        "children": {
            CHILD: {
                "local_ts": THEIR_NET,
                "remote_ts": OUR_NET,
                "esp_proposals": policy.their_esp,
                "rekey_time": "0s",
                "rand_time": "0s",
                "life_time": "3600s",
                "start_action": "none",
                "dpd_action": "clear",
                "close_action": "none",
            }
        },
    }


def in_child(settings: Settings) -> Settings:
    """Settings of the connection's child."""
    return {"children": {CHILD: settings}}


class Rig:
    """The world, a charon in it, and for each test a gateway of ours."""

    def __init__(self, daemon: Settings | None = None) -> None:
        self.world = World(OURS, THEIRS)
        try:
            self.world.join(OURS, THEIRS)
            for place, address in ((OURS, OUR_ADDRESS), (THEIRS, THEIR_ADDRESS)):
                self.world.shell(place, f"ip addr add {address}/24 dev wire0")
            self.world.shell(THEIRS, f"ip addr add {THEIR_HOST}/32 dev lo")
            self.doors = Doors.open(self.world, OURS, OUR_ADDRESS, OUR_HOST, [THEIR_NET])
            self.out = Pinger(self.world, OURS, OUR_HOST, THEIR_HOST)
            self.back = Pinger(self.world, THEIRS, THEIR_HOST, OUR_HOST)
            self.charon = Charon(self.world, THEIRS, daemon)
        except BaseException:
            self.world.close()
            raise
        self.gateway: Gateway | None = None

    # ---- setting up ----

    def prepare(
        self,
        policy: Policy = AZURE,
        *,
        ours: dict[str, Any] | None = None,
        theirs: Settings | None = None,
        secrets: Settings | None = None,
        thresholds: Thresholds | None = None,
    ) -> Gateway:
        """Both ends as a policy has it, but for changes; nothing is set up yet."""
        self.end()
        shared: Settings = {"ike-lab": {"secret": f'"{SECRET}"'}}
        self.charon.configure(merged(their_connection(policy), theirs or {}), secrets or shared)
        self.gateway = Gateway(self.doors, our_peer(policy, **(ours or {})), thresholds)
        self.gateway.beside = (self.out, self.back)
        return self.gateway

    def establish(self, gateway: Gateway, *, by_us: bool = True) -> None:
        """Set up an IKE SA and a child."""
        if by_us:
            gateway.initiate()
        else:
            self.obey(self.charon.initiate())
        assert gateway.serve(lambda: bool(gateway.told(ChildSaEstablished)) and gateway.is_settled), self.story()

    def obey(self, command: Command, *, status: int | None = 0) -> str:
        """Work until a command is through; `status` None: however it ends."""
        assert self.gateway is not None
        assert self.gateway.serve(command.ended), self.story()
        ended, printed = command.result()
        assert status is None or ended == status, f"{printed}\n{self.story()}"
        return printed

    def end(self) -> None:
        """Make charon forget all SAs, so that the next test finds it as new."""
        if self.gateway is not None:
            self.gateway.deaf = False
            self.obey(self.charon.terminate(patience=2), status=None)
            self.gateway = None

    # ---- looking ----

    def pings_both_ways(self, octets: int = 56) -> None:
        """A few echo requests each way; none may be lost."""
        self.all_arrive(self.out.begin(3, octets), self.back.begin(3, octets))

    def all_arrive(self, *pings: Pings) -> None:
        """Work until every echo request is answered."""
        assert self.gateway is not None
        done = self.gateway.serve(lambda: all(run.is_done for run in pings))
        assert done, f"{'; '.join(map(str, pings))}\n{self.story()}"

    def settled(self) -> None:
        """Work until both ends have one and the same IKE SA and child, and nothing is under way."""
        assert self.gateway is not None
        assert self.gateway.serve(lambda: self._agree()), self.story()

    def _agree(self) -> bool:
        gateway = self.gateway
        assert gateway is not None
        if not gateway.is_settled:
            return False
        ike, child = gateway.sa.id, gateway.child
        ours = {(ike.spi_i.hex(), ike.spi_r.hex())}, {(child.spi_out.hex(), child.spi_in.hex())}
        return ours == self.charon.living()

    def story(self) -> str:
        """What happened, for a test that failed."""
        told = "" if self.gateway is None else "\n".join(map(str, self.gateway.events))
        drops = "" if self.gateway is None else f"{self.gateway.ike.discarded} {self.gateway.esp.counters}"
        return f"{told}\n{drops}\n---- charon ----\n{self.charon.log()[-6000:]}"

    def close(self) -> None:
        """End it all."""
        for each in (self.doors, self.out, self.back, self.world):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
