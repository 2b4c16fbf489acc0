"""A first refresh under the vendors' rate limits: it should use the limit fully and never exceed it."""

from collections import Counter
from collections.abc import Iterator

from benchmarks import programs
from benchmarks.histories import AS_OF, Histories
from benchmarks.measured import Finding, Measured, Section, at_most
from benchmarks.served import Traffic
from benchmarks.yardsticks.accounts import VENDORS

RATE, LATENCY_SECONDS = 10.0, 0.05
TIMES_THE_RATE_ALLOWS = 1.05
REFUSALS = 3
TIMES_THE_LEAST_REQUESTS = 1.05


def rate_limit(histories: Histories, _rounds: int) -> Iterator[Section]:
    """One round only: the rate limit, which determines the time, does not vary."""
    history = histories.usual
    chargehouse = Measured(f"{programs.REFRESH}, {RATE:g} requests a second")
    told = {f"{vendor.upper()}_REQUESTS_PER_SECOND": f"{RATE:g}" for vendor in VENDORS}
    history.served.traffic()
    with histories.folder() as folder, history.served.limited(RATE, LATENCY_SECONDS):
        cost = chargehouse.measure(lambda: history.refresh(AS_OF, folder / "data", **told), history.served)
        traffic = history.served.traffic()
    made = Counter(request.vendor for request in traffic.requests)
    slowest, requests = made.most_common(1)[0]
    allowed, least = requests / RATE, history.served.least_requests
    asked_at = traffic.begun_at - LATENCY_SECONDS
    yield Section(
        f"First refresh of {history.name} at {RATE:g} requests a second and {LATENCY_SECONDS * 1000:g} ms latency",
        [chargehouse],
        [
            at_most(
                "rate limit: time from the first request, times what the limit allows",
                (cost.ended_at - asked_at) / allowed,
                TIMES_THE_RATE_ALLOWS,
            ),
            *_of_requests(traffic, least),
        ],
        remarks=(
            f"{slowest} takes longest: {requests} requests, {allowed:.1f} s at this rate. Whole process "
            f"{cost.seconds:.2f} s, {cost.seconds / allowed:.3f} times that; up to the first request "
            f"{asked_at - cost.begun_at:.2f} s, from the first to the last "
            f"{traffic.ended_at - asked_at:.2f} s ({(traffic.ended_at - asked_at) / allowed:.3f} times), "
            f"after the last {cost.ended_at - traffic.ended_at:.2f} s.",
            "Requests, and the least possible: "
            + ", ".join(f"{vendor} {made[vendor]} ({count})" for vendor, count in least.items()),
        ),
    )


def _of_requests(traffic: Traffic, least: dict[str, int]) -> Iterator[Finding]:
    refusals = sum(request.status == 429 for request in traffic.requests)
    yield Finding("rate limit: answers 429", str(refusals), f"at most {REFUSALS}", refusals <= REFUSALS)
    times = len(traffic.requests) / sum(least.values())
    yield at_most("rate limit: requests, times the least possible", times, TIMES_THE_LEAST_REQUESTS)
