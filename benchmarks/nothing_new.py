"""A refresh that finds nothing new: it should take hardly longer than its imports, and hardly any request."""

from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl

from benchmarks import programs
from benchmarks.histories import AS_OF, Histories
from benchmarks.measured import Finding, Measured, Section, at_most, ratio
from benchmarks.served import Asked

TIMES_ITS_IMPORTS = 2.0
REQUESTS_PER_SCOPE = 3.0

_SCOPING = ("InstallationId", "ChargerId", "UserId", "active")
"""Parameters whose value says which list is requested; of other parameters only the name matters."""
_PAGING = ("PageIndex", "PageSize", "Cursor", "pageIndex", "pageSize", "offset", "limit")


def nothing_new(histories: Histories, rounds: int) -> Iterator[Section]:
    """Refreshes as of the same instant as the first refresh."""
    history = histories.usual
    history.restore()
    history.refresh(AS_OF)
    chargehouse, imports = Measured(programs.REFRESH), Measured(programs.IMPORTS)
    for _ in range(rounds):
        history.served.traffic()
        chargehouse.measure(lambda: history.refresh(AS_OF), history.served)
        requests = history.served.traffic().requests
        imports.measure(programs.imports)
    asked = Counter(scope(request) for request in requests if request.endpoint != "token")
    (most_asked, most), total = asked.most_common(1)[0], len(requests)
    yield Section(
        f"Refresh with nothing new, after {history.name}",
        [chargehouse, imports],
        [
            at_most("nothing new: times its imports", ratio(chargehouse, imports), TIMES_ITS_IMPORTS),
            Finding(
                "nothing new: requests per scope",
                f"{total / len(asked):.2f}",
                f"at most {REQUESTS_PER_SCOPE:g}",
                total <= REQUESTS_PER_SCOPE * len(asked),
            ),
        ],
        remarks=(
            f"{total} requests for {len(asked)} scopes, including sign-ins; most for one scope: {most} ({most_asked}).",
            f"More than {REQUESTS_PER_SCOPE:g} requests for: {_described(asked)}",
        ),
    )


def scope(request: Asked) -> str:
    """The list that a request reads a page of: an endpoint, for one installation, park, filter clock ..."""
    query = parse_qsl(request.query)
    by_name = [name for name, _ in query if name not in (*_PAGING, *_SCOPING)]
    by_value = [f"{name}={value}" for name, value in query if name in _SCOPING]
    return " ".join((request.vendor, request.path, *by_value, *by_name))


def _described(asked: Counter[str]) -> str:
    many: Iterable[str] = (f"{name} ({count})" for name, count in asked.most_common() if count > REQUESTS_PER_SCOPE)
    return "; ".join(many) or "none"
