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
                "rate limit: time from the first request, relative to what the limit allows",
                (cost.ended_at - asked_at) / allowed,
                TIMES_THE_RATE_ALLOWS,
            ),
            *_of_requests(traffic, least),
        ],
        remarks=(
            f"{slowest} takes longest: {requests} requests, or {allowed:.1f} s at this rate. The whole process took "
            f"{cost.seconds:.2f} s ({cost.seconds / allowed:.3f} times that): {asked_at - cost.begun_at:.2f} s before "
            f"the first request, {traffic.ended_at - asked_at:.2f} s from the first to the last "
            f"({(traffic.ended_at - asked_at) / allowed:.3f} times), and {cost.ended_at - traffic.ended_at:.2f} s "
            "after the last.",
            "Requests, with the fewest possible in brackets: "
            + ", ".join(f"{vendor} {made[vendor]} ({count})" for vendor, count in least.items()),
        ),
    )


def _of_requests(traffic: Traffic, least: dict[str, int]) -> Iterator[Finding]:
    refusals = sum(request.status == 429 for request in traffic.requests)
    yield Finding("rate limit: answers with status 429", str(refusals), f"at most {REFUSALS}", refusals <= REFUSALS)
    times = len(traffic.requests) / sum(least.values())
    yield at_most("rate limit: requests, relative to the fewest possible", times, TIMES_THE_LEAST_REQUESTS)
