"""A script of faults: which requests of which vendor fail, how, how often, and how often they have so far.

A fault matches requests by vendor and, if given, by endpoint (`token` is signing in) and scope. It fires from the `nth`
match on (with a `probability`, only at random, drawn from its seed) until it has fired `times` times.
"""

import random
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, get_args

from sandbox.fault_kinds import MIXED_KINDS, FaultKind
from sandbox.world import ENDPOINTS


@dataclass
class Fault:
    """One armed fault. What `value` means depends on the kind, see `sandbox.fault_kinds`.

    `seen` counts the matching requests, `fired` those that failed. `times` of None means no limit.
    """

    kind: FaultKind
    vendor: str
    endpoint: str | None = None
    scope: str | None = None
    nth: int = 1
    times: int | None = 1
    probability: float | None = None
    seed: int = 0
    value: Any = None
    retry_after: str | None = None
    seen: int = 0
    fired: int = 0
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown kind of fault: {self.kind}")
        if self.vendor not in ENDPOINTS:
            raise ValueError(f"unknown vendor: {self.vendor}")
        self._random = random.Random(f"{self.seed}-{self.vendor}-{self.kind}")

    def fires(self, vendor: str, endpoint: str, scope: str | None) -> bool:
        """Counts a request if it matches, and says whether it fails."""
        if vendor != self.vendor or self.endpoint not in (None, endpoint) or self.scope not in (None, scope):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability is not None and self._random.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def resolved(self) -> "Fault":
        """The fault to carry out now: a mixed one becomes one of its ordinary kinds."""
        if self.kind != "mixed":
            return self
        kinds = [kind for kind in MIXED_KINDS if self.vendor == "greenflux" or kind[0] != "ocpi_status"]
        kind, value, retry_after = self._random.choice(kinds)
        return Fault(kind, self.vendor, value=value, retry_after=retry_after)


class FaultScript:
    """The armed faults; a request suffers the first one that fires for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []

    def arm(self, kind: FaultKind, vendor: str, **details: Any) -> Fault:
        """Arms a fault and returns it, so that `fired` can be read. Raises ValueError for an unknown kind or vendor."""
        fault = Fault(kind, vendor, **details)
        with self._lock:
            self._faults.append(fault)
        return fault

    def arm_profile(self, profile: str, seed: int = 0) -> list[Fault]:
        """Arms a named profile for all vendors: `mixed:0.12` makes 12 % of all requests fail, each in a random way.

        Raises ValueError for a profile that is not of that form.
        """
        name, _, share = profile.partition(":")
        try:
            probability = float(share)
        except ValueError:
            probability = -1.0
        if name != "mixed" or not 0 <= probability < 1:
            raise ValueError(f"unknown fault profile: {profile!r}; expected mixed:SHARE, such as mixed:0.12")
        return [self.arm("mixed", vendor, probability=probability, times=None, seed=seed) for vendor in ENDPOINTS]

    def clear(self) -> None:
        """Disarms everything."""
        with self._lock:
            self._faults.clear()

    def armed(self) -> list[Fault]:
        """All faults, with their counts, including those that will not fire again."""
        with self._lock:
            return list(self._faults)

    def next(self, vendor: str, endpoint: str, scope: str | None) -> Fault | None:
        """The fault that this request suffers, or None."""
        with self._lock:
            return next((fault for fault in self._faults if fault.fires(vendor, endpoint, scope)), None)
