"""A child SA as IKE sees it: who made it, what replaces it, and when it must go."""

from __future__ import annotations

from dataclasses import dataclass

from dataplane.ike.machine import ChildInput, ChildState, Verdict, child_transition
from dataplane.ike.policy import ChildPolicy, Limits
from dataplane.ipsec.proposals import Proposal
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import Transform, TransformType


@dataclass(slots=True, eq=False, kw_only=True)
class ChildSa:
    """A pair of ESP SAs.

    `is_initiator`: this side made it. `lowest_nonce` is the lower one of its exchange's two: of SAs made at the same
    time, the one with the lowest of all goes (RFC 7296 2.8.1). `rank` and `is_ours` are the same of the first child in
    the line that this one continues. `sends`: outgoing traffic uses it. `successor` is what
    takes its place. Times are on the engine's clock; `abandon_at` is when to close it if the peer, whose task that is,
    has not.
    """

    policy: ChildPolicy
    proposal: Proposal
    spi_in: bytes
    spi_out: bytes
    suite: EspSuite
    keys_in: EspKeys
    keys_out: EspKeys
    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]
    is_initiator: bool
    lowest_nonce: bytes
    rank: bytes
    is_ours: bool
    limits: Limits
    soft_at: float
    hard_at: float
    sends: bool = False
    state: ChildState = ChildState.INSTALLED
    successor: ChildSa | None = None
    abandon_at: float | None = None

    def apply(self, event: ChildInput) -> Verdict:
        """Take the input; give the verdict on it.

        Raises:
            LocalError: it cannot happen in this state.
        """
        verdict, self.state = child_transition(self.state, event)
        return verdict

    def verdict(self, event: ChildInput) -> Verdict:
        """The verdict on an input that is not taken yet."""
        return child_transition(self.state, event)[0]

    @property
    def ke(self) -> Transform | None:
        """The key exchange that was made for it; None without PFS."""
        return next((each for each in self.proposal.of(TransformType.KE) if each.id != 0), None)

    @property
    def is_current(self) -> bool:
        """Whether nothing has taken, or is about to take, its place."""
        return self.state in (ChildState.INSTALLED, ChildState.REKEYING)

    def succeed(self, old: ChildSa) -> None:
        """Continue the line of another child."""
        self.rank, self.is_ours = old.rank, old.is_ours

    def same_traffic(self, other: ChildSa) -> bool:
        """Whether both protect the very same traffic."""
        return (
            self.policy.name == other.policy.name
            and set(self.local_selectors) == set(other.local_selectors)
            and set(self.remote_selectors) == set(other.remote_selectors)
        )
